"""The files around the functions of a network: the source, its header, and a program that checks it."""

from __future__ import annotations

from typing import NamedTuple

from fastnn.typing import Array
from fastnn.version import VERSION
from .network import Written
from .writer import SIZES, Writer, braced, wrapped

HEADER = """\
/* {title}

   {about} */
#ifndef {macro}_H
#define {macro}_H

#include <stddef.h>
{includes}
#ifdef __cplusplus
extern "C" {{
#endif

#define {macro}_INPUTS {inputs}
#define {macro}_OUTPUTS {outputs}
#define {macro}_FLASH {flash} /* bytes of constants */
#define {macro}_RAM {ram} /* bytes of {stem}_scratch */
{extra}
/* What a prediction needs room for; its contents before and after mean nothing. */
typedef struct {{
{scratch}
}} {stem}_scratch;

/* y[{macro}_OUTPUTS] of a row x[{macro}_INPUTS], which do not overlap.  The scratch is on the stack. */
void {stem}_predict(const {real} *x, {real} *y);

/* The same with the caller's scratch: several threads may predict at once, each with its own. */
void {stem}_predict_into(const {real} *x, {real} *y, {stem}_scratch *scratch);

/* The same for many rows, one after the other. */
void {stem}_predict_rows(const {real} *x, {real} *y, size_t rows);

#ifdef __cplusplus
}}
#endif

#endif
"""

SOURCE = """\
/* {title} See {stem}.h.
   C99, with nothing but math.h: no memory is allocated, and nothing static is written. */
#include "{stem}.h"

#include <math.h>
{includes}
/* Constants: what puts them elsewhere may be defined instead, such as a section of the flash. */
#ifndef {macro}_CONST
#define {macro}_CONST static const
#endif

{parts}

void {stem}_predict_into(const {real} *x, {real} *y, {stem}_scratch *scratch)
{{
{calls}
}}

void {stem}_predict(const {real} *x, {real} *y)
{{
    {stem}_scratch scratch;
    {stem}_predict_into(x, y, &scratch);
}}

void {stem}_predict_rows(const {real} *x, {real} *y, size_t rows)
{{
    {stem}_scratch scratch;
    for (size_t row = 0; row < rows; row++)
        {stem}_predict_into(x + row * {macro}_INPUTS, y + row * {macro}_OUTPUTS, &scratch);
}}
"""

TEST = """\
/* {title} Checks {stem}.c on {rows} rows; returns 0 if all is well.

   cc -std=c99 {stem}.c {stem}_test.c -lm && ./a.out */
#include "{stem}.h"

#include <math.h>
#include <stdio.h>

#define ROWS {rows}

static const {real} x[ROWS][{macro}_INPUTS] = {{
{x}
}};
static const {real} expected[ROWS][{macro}_OUTPUTS] = {{
{expected}
}};

int main(void)
{{
    const double tolerance = {tolerance!r};
    double largest = 0.0;
    for (size_t row = 0; row < ROWS; row++) {{
        {real} y[{macro}_OUTPUTS];
        {stem}_predict(x[row], y);
        for (size_t j = 0; j < {macro}_OUTPUTS; j++) {{
            const double difference = fabs((double)y[j] - (double)expected[row][j]);
            if (!(difference <= largest)) /* NaN too */
                largest = difference;
        }}
    }}
    printf("{stem}: the largest difference is %g; at most %g\\n", largest, tolerance);
    return !(largest <= tolerance);
}}
"""


class Project(NamedTuple):
    """A network that is to be a file of C."""

    writer: Writer
    written: Written
    inputs: int
    outputs: int
    about: str  # the header's comment
    extra: str = ""  # definitions for the header

    @property
    def ram(self) -> int:
        """The bytes of the scratch, with what aligns its members."""
        kinds = [SIZES[kind] for kind, _ in self.written.scratch.values()]
        size, widest = 0, max(kinds, default=1)
        for kind, count in self.written.scratch.values():
            size = -(-size // SIZES[kind]) * SIZES[kind] + count * SIZES[kind]
        return max(1, -(-size // widest) * widest)

    def texts(self) -> tuple[str, str]:
        """The source and its header."""
        writer = self.writer
        members = {name: f"    {kind} {name}[{size}];" for name, (kind, size) in self.written.scratch.items()}
        unused = [] if members else ["(void)scratch;"]
        common = {"stem": writer.stem, "macro": writer.macro, "real": writer.real}
        header = HEADER.format(
            title=title(f"{writer.stem}.h"),
            about=self.about,
            includes="#include <stdint.h>\n" if any("int8_t" in member for member in members.values()) else "",
            inputs=self.inputs,
            outputs=self.outputs,
            flash=writer.flash,
            ram=self.ram,
            extra=self.extra,
            scratch="\n".join(members.values()) or "    char none;",
            **common,
        )
        source = SOURCE.format(
            title=title(f"{writer.stem}.c"),
            includes="#include <stdint.h>\n" if any("int32_t" in part for part in writer.parts) else "",
            parts=_paragraphs(writer.parts),
            calls="\n".join(f"    {call}" for call in [*unused, *self.written.calls]),
            **common,
        )
        return source, header

    def test(self, x: Array, expected: Array, tolerance: float) -> str:
        """The program that checks rows x (rows, inputs), whose outputs are known."""
        return TEST.format(
            title=title(f"{self.writer.stem}_test.c"),
            stem=self.writer.stem,
            macro=self.writer.macro,
            real=self.writer.real,
            rows=len(x),
            x=self._rows(x),
            expected=self._rows(expected),
            tolerance=float(tolerance),
        )

    def _rows(self, values: Array) -> str:
        texts = [["NAN" if v != v else self.writer.number(v) for v in row] for row in values]
        return braced(list(map(wrapped, texts)))


def title(name: str) -> str:
    return f"{name}: written by fastnn {VERSION}."


def _paragraphs(parts: list[str]) -> str:
    """The definitions with an empty line between those that take several, and after macros and comments none."""
    text = ""
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        text += part
        if following:
            short = part.startswith("#define") and following.startswith("#define")
            text += "\n" if short or part.endswith("*/") else "\n\n"
    return text
