"""The text of a C file as it is written: numbers, arrays of constants, and activations as functions."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.engine import Expression, X, elementary_in_words, value_of
from fastnn.typing import Array

WIDTH = 110

OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
}
FUNCTIONS = {"absolute": "fabs", "two_to_the": "two_to_the"}
FUNCTIONS |= {word: word for word in ("copysign", "exp", "expm1", "log", "log1p", "rint", "sqrt", "tanh")}
"""Words of formulas, and what C's math.h calls them."""

OWN = ("exp", "expm1", "tanh")
"""Functions that are written out for floats: a C library may compute them in doubles, which small processors lack."""

POWER = """\
/* 2^n for a whole number n from -126 to 127. */
static float {stem}_two_to_the(float n)
{{
    union {{
        int32_t bits;
        float value;
    }} power;
    power.bits = ((int32_t)n + 127) * 8388608; /* the exponent's place, 2^23 */
    return power.value;
}}"""

ROUNDED = """\
/* The nearest whole number to one of -126 to 127; -126 for a NaN. */
static float {stem}_rounded(float x)
{{
    const float v = x > -126.0f ? x : -126.0f;
    return (float)((int32_t)(v + 126.5f) - 126);
}}"""

SIZES = {"int8_t": 1, "int32_t": 4, "float": 4, "double": 8}
"""The bytes of a number."""


class Writer:
    """Collects the definitions of a C file.

    Parameters
    ----------
    stem : str
        What names begin with.
    real : {"float", "double"}
        The type of numbers.

    Attributes
    ----------
    parts : list of str
        The definitions so far, in order.
    flash : int
        The bytes of the constants among them.
    """

    def __init__(self, stem: str, real: str) -> None:
        self.stem, self.macro, self.real = stem, stem.upper(), real
        self.parts: list[str] = []
        self.flash = 0
        self._known: dict[tuple[str, float], str] = {}
        self._counts: Counter[str] = Counter()
        self._elementary_known: set[str] = set()

    def number(self, value: Any) -> str:
        """A literal of the type of numbers, the shortest that means the value, which is finite."""
        with np.errstate(over="ignore"):
            rounded = np.float32(value) if self.real == "float" else np.float64(value)
        if not np.isfinite(rounded):
            raise ValueError(f"a weight got {value!r}, which is no finite {self.real}; wants dtype='float64'")
        text = str(rounded)
        return (text if "." in text or "e" in text else f"{text}.0") + "f" * (self.real == "float")

    def math(self, name: str) -> str:
        """The name of a function for the type of numbers: math.h's, or one that is written here."""
        if self.real == "double":
            return name
        if name == "rint":
            return self.once("rounded", ROUNDED.format(stem=self.stem))
        if name == "two_to_the":
            return self.once(name, POWER.format(stem=self.stem))
        return self._elementary(name) if name in OWN else f"{name}f"

    def _elementary(self, name: str) -> str:
        """The name of exp or the like, which is written where it is new, by the kernels' polynomial."""
        full = f"{self.stem}_{name}"
        if name not in self._elementary_known:
            self._elementary_known.add(name)
            body = _Body(self).write(elementary_in_words(name, X, "float32"))
            self.parts.append(f"static float {full}(float x)\n{{\n{body}\n}}")
        return full

    def define(self, name: str, value: int) -> str:
        """A macro for a whole number; its name."""
        self.parts.append(f"#define {self.macro}_{name} {value}")
        return f"{self.macro}_{name}"

    def array(self, name: str, sizes: Sequence[str], values: Array, kind: str = "") -> str:
        """A constant array, of numbers unless another type is given; its name.  Macros name the sizes."""
        kind, full = kind or self.real, f"{self.stem}_{name}"
        texts = [self.number(v) for v in values.flat] if kind == self.real else [str(int(v)) for v in values.flat]
        width = values.shape[-1]
        rows = [wrapped(texts[start : start + width]) for start in range(0, len(texts), width)]
        content = rows[0] if values.ndim == 1 else braced(rows)
        dimensions = "".join(f"[{size}]" for size in sizes)
        self.parts.append(f"{self.macro}_CONST {kind} {full}{dimensions} = {{\n{content}\n}};")
        self.flash += SIZES[kind] * values.size
        return full

    def once(self, name: str, text: str) -> str:
        """The full name of a function, whose definition is added the first time."""
        if self._counts[name] == 0:
            self._counts[name] = 1
            self.parts.append(text)
        return f"{self.stem}_{name}"

    def function(self, name: str, parameter: float) -> str:
        """The name of a function that computes an activation, which is written where it is new."""
        if name in OWN:
            return self.math(name)  # tanh
        if (name, parameter) not in self._known:
            self._counts[name] += 1
            count = self._counts[name]
            full = f"{self.stem}_{name}" + f"_{count}" * (count > 1)
            self._known[name, parameter] = full
            body = _Body(self).write(value_of(name, parameter))
            self.parts.append(f"static {self.real} {full}({self.real} x)\n{{\n{body}\n}}")
        return self._known[name, parameter]


def braced(rows: list[str]) -> str:
    """Rows of a matrix that are `wrapped`."""
    return ",\n".join(f"    {{{row.strip()}}}" for row in rows)


def wrapped(texts: list[str]) -> str:
    """The texts in lines, with commas between them."""
    return textwrap.fill(
        ", ".join(texts), WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )


class _Body:
    """The statements of a function of x that returns an expression; what is used twice has a name."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.lines: list[str] = []
        self._names: dict[int, str] = {}
        self._uses: Counter[int] = Counter()

    def write(self, found: Expression) -> str:
        self._count(found)
        result = self._text(found)
        return "\n".join([*self.lines, f"    return {_bare(result)};"])

    def _count(self, found: Expression | float) -> None:
        if isinstance(found, Expression):
            self._uses[id(found)] += 1
            named_twice = found.operands if found.word in ("maximum", "minimum") else ()
            if self._uses[id(found)] == 1:
                for operand in (*found.operands, *named_twice):
                    self._count(operand)

    def _text(self, found: Expression | float) -> str:
        if not isinstance(found, Expression):
            return self.writer.number(found)
        if not found.operands:
            return "x"
        if id(found) not in self._names:
            text = self._applied(found)
            if self._uses[id(found)] == 1:
                return text
            self._names[id(found)] = f"t{len(self._names) + 1}"
            self.lines.append(f"    const {self.writer.real} {self._names[id(found)]} = {_bare(text)};")
        return self._names[id(found)]

    def _applied(self, found: Expression) -> str:
        """A word applied to its operands; maximum and minimum let a NaN of the first one through."""
        given = [self._text(each) for each in found.operands]
        if found.word in OPERATORS:
            return f"({given[0]} {OPERATORS[found.word]} {given[1]})"
        if found.word in FUNCTIONS:
            return f"{self.writer.math(FUNCTIONS[found.word])}({', '.join(map(_bare, given))})"
        if found.word == "where":
            return f"({_bare(given[0])} ? {given[1]} : {given[2]})"
        if found.word in ("maximum", "minimum"):
            return f"({given[0]} {'<' if found.word == 'maximum' else '>'} {given[1]} ? {given[1]} : {given[0]})"
        if found.word == "negative":
            return f"(-{given[0]})"
        if found.word == "reciprocal":
            return f"({self.writer.number(1)} / {given[0]})"
        assert found.word == "normal_tail", found.word
        return f"{self.writer.math('erfc')}({given[0]} * {self.writer.number(math.sqrt(0.5))})"


def _bare(text: str) -> str:
    """The text without parentheses around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text
