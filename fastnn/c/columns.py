"""The encoding of a table's columns, `fastnn.sklearn.columns.TableEncoder`, as functions of C over float.

A row has a float for each column: a number as it is, NAN where it is missing; the number of a category, which the
header names; a date as days since 1970 in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from fastnn.sklearn.cells import MISSING
from fastnn.sklearn.columns import STRAIGHT, Categories, ColumnEncoder, Dates, Numbers, TableEncoder, width_of
from fastnn.typing import Array
from .writer import Writer

NEAR = """\
/* An input of the networks: scaled, and drawn nearer where it is far out. */
static float {stem}_near(float value, size_t j)
{{
    return {straight} * asinhf((value - {stem}_center[j]) / {stem}_spread[j] / {straight});
}}"""

BINS = """\
/* How far a number is through each bin: off below it, on above it. */
static void {stem}_bins(float value, const float *low, const float *high, size_t first, size_t count, float *y)
{{
    for (size_t k = 0; k < count; k++) {{
        const size_t j = first + k;
        if (value >= high[k])
            y[j] = {stem}_on[j];
        else if (value > low[k])
            y[j] = {stem}_near((value - low[k]) / (high[k] - low[k]), j);
    }}
}}"""

INDEX = """\
/* The number of a category; -1 for what is none. */
static int {stem}_index(float x, int count)
{{
    return x >= 0.0f && x < (float)count ? (int)x : -1;
}}"""

DATE = """\
/* Month, weekday and hour of days since 1970.  Years begin with March here, so that a leap day is the last of its year:
   H. Hinnant, chrono-compatible low-level date algorithms. */
static void {stem}_date(float days, float *month, float *weekday, float *hour)
{{
    const float whole = floorf(days);
    const long day = (long)(whole > -1e7f && whole < 1e7f ? whole : 0.0f);
    const long of_era = ((day + 719468) % 146097 + 146097) % 146097;
    const long year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const long of_year = of_era - (365 * year + year / 4 - year / 100);
    *month = (float)(((5 * of_year + 2) / 153 + 2) % 12);
    *weekday = (float)(((day + 3) % 7 + 7) % 7);
    *hour = (days - whole) * 24.0f;
}}"""


class Encoding:
    """Writes what encodes the columns of a table.

    Attributes
    ----------
    definitions : list of str
        For the header: the number of each column, and those of its categories.
    """

    def __init__(self, writer: Writer, encoder: TableEncoder, names: list[str]) -> None:
        self.writer, self.encoder = writer, encoder
        self.arrays: dict[str, str] = {}
        self.taken: set[str] = set()
        self.labels = identifiers(names, "COLUMN_", self.taken)
        self.definitions = [
            "/* The columns of x.  NAN is a missing value, and -1 a category that none of these is. */",
            *(
                f"#define {writer.macro}_{label} {place} /* {shown(name)}: {holds(column)} */"
                for place, (label, name, column) in enumerate(zip(self.labels, names, encoder.columns, strict=True))
            ),
        ]
        self.inputs = np.cumsum(encoder.varies) - 1  # of each encoded column that is used, the place among the inputs

    def write(self) -> None:
        """Write the function encode(x, y), of a row x to the networks' inputs y."""
        writer, encoder, size = self.writer, self.encoder, f"{self.writer.macro}_ENCODED"
        writer.define("ENCODED", len(encoder.center))
        lines, place = [f"for (size_t j = 0; j < {size}; j++)", f"    y[j] = {self._all('off', 0.0)}[j];"], 0
        for label, column in zip(self.labels, encoder.columns, strict=True):
            width = width_of(column, "C")
            if encoder.varies[place : place + width].any():
                own = self._column(column, f"x[{writer.macro}_{label}]", label, place)
                lines += [f"{{ /* {shown(column.name)} */", *(f"    {line}" for line in own), "}"]
            place += width
        if not any("x[" in line for line in lines):
            lines.append("(void)x;")
        body = "\n".join(f"    {line}" for line in lines)
        writer.parts.append(
            f"static void {writer.stem}_encode(const float *restrict x, float *restrict y)\n{{\n{body}\n}}"
        )

    def _all(self, name: str, value: float) -> str:
        """The name of an array that has, for each input, what becomes of an encoded value; "on" is 1."""
        center, spread = self.encoder.center.astype(np.float64), self.encoder.spread
        return self._once(name, STRAIGHT * np.arcsinh((value - center) / spread / STRAIGHT))

    def _near(self) -> str:
        """The name of the function that makes an input of an encoded value."""
        self._once("center", self.encoder.center)
        self._once("spread", self.encoder.spread)
        return self.writer.once("near", NEAR.format(stem=self.writer.stem, straight=self.writer.number(STRAIGHT)))

    def _once(self, name: str, numbers: Array) -> str:
        if name not in self.arrays:
            self.arrays[name] = self.writer.array(name, [f"{self.writer.macro}_ENCODED"], numbers)
        return self.arrays[name]

    def _column(self, column: ColumnEncoder, x: str, label: str, place: int) -> list[str]:
        """The statements that encode a column, whose first encoded column is at a place."""
        if isinstance(column, Numbers):
            return self._numbers(column, x, place)
        if isinstance(column, Dates):
            function = self.writer.once("date", DATE.format(stem=self.writer.stem))
            lines = ["float month = NAN, weekday = NAN, hour = NAN;"]
            lines += [f"if (!isnan({x}))", f"    {function}({x}, &month, &weekday, &hour);"]
            for part, source in zip(column.parts, (x, "month", "weekday", "hour"), strict=True):
                own = self._numbers(part, source, place)
                lines += ["{", *(f"    {line}" for line in own), "}"] if own else []
                place += width_of(part, "C")
            return lines
        return self._categories(column, x, label, place) if isinstance(column, Categories) else []

    def _numbers(self, column: Numbers, x: str, place: int) -> list[str]:
        stem, number, varies = self.writer.stem, self.writer.number, self.encoder.varies
        if not varies[place : place + width_of(column, "C")].any():
            return []
        lines = [f"const float value = isnan({x}) ? {number(column.median)} : {x};"]
        if varies[place]:
            scaled = f"(value - {number(column.median)}) / {number(column.spread or 1)}"
            lines.append(
                f"y[{self.inputs[place]}] = {self._near()}({scaled}, {self.inputs[place]});".replace("- -", "+ ")
            )
        place += 1
        if column.gaps:
            if varies[place]:
                at = self.inputs[place]
                lines += [f"if (isnan({x}))", f"    y[{at}] = {self._all('on', 1.0)}[{at}];"]
            place += 1
        kept = np.flatnonzero(varies[place : place + width_of(column, "C") - 1 - column.gaps])
        if len(kept):
            self._near()
            self._all("on", 1.0)
            function = self.writer.once("bins", BINS.format(stem=stem))
            size = self.writer.define(f"BINS_{place}", len(kept))
            low, high = (
                self.writer.array(f"{name}_{place}", [size], ends[kept])
                for name, ends in (("low", column.edges[:-1]), ("high", column.edges[1:]))
            )
            lines.append(f"{function}(value, {low}, {high}, {self.inputs[place + kept[0]]}, {size}, y);")
        elif not varies[place - 1 - column.gaps]:
            lines[0] = "(void)x;"
        return lines

    def _categories(self, column: Categories, x: str, label: str, place: int) -> list[str]:
        stem, number = self.writer.stem, self.writer.number
        texts = [text for text in column.places if text != MISSING]
        names = [f"{self.writer.macro}_{name}" for name in identifiers(texts, f"{label}_", self.taken)]
        self.definitions += [
            f"#define {name} {index} /* {shown(text)} */"
            for index, (name, text) in enumerate(zip(names, texts, strict=True))
        ]
        places = np.array([column.places[text] for text in texts], np.int64)
        unseen = column.width - 1 if column.many and not column.binary else -1
        function = self.writer.once("index", INDEX.format(stem=stem))
        lines = [f"int place = {function}({x}, {len(texts)});"]
        if len(texts) and ((places != np.arange(len(places))).any() or unseen >= 0):
            table = self.writer.array(f"places_{place}", [str(len(places))], places, "int32_t")
            lines.append(f"place = place < 0 ? {unseen} : (int){table}[place];")
        if MISSING in column.places:
            lines += [f"if (isnan({x}))", f"    place = {column.places[MISSING]};"]
        first = self.inputs[place]
        if column.binary:
            given = f"place == 0 ? {number(1)} : place == 1 ? {number(-1)} : {number(0)}"
            return [*lines, f"y[{first}] = {self._near()}({given}, {first});"]
        kept = np.flatnonzero(self.encoder.varies[place : place + column.width])
        if len(kept) == column.width:
            return [*lines, "if (place >= 0)", f"    y[{first} + place] = {self._all('on', 1.0)}[{first} + place];"]
        for own in kept:
            at = self.inputs[place + own]
            lines += [f"if (place == {own})", f"    y[{at}] = {self._all('on', 1.0)}[{at}];"]
        return lines


def encoded(encoder: TableEncoder, x: Array) -> Array:
    """What the encoder makes of rows as C has them, (rows, columns): (rows, inputs)."""
    found = []
    for column, values in zip(encoder.columns, x.T, strict=True):
        if isinstance(column, Categories):
            texts = [text for text in column.places if text != MISSING]
            found.append(column._encode([_text(value, texts) for value in values]))
        elif isinstance(column, Dates):
            found.append(column._encode(_date_parts(values)))
        elif isinstance(column, Numbers):
            found.append(column._encode(values))
        else:
            found.append(column.transform(values))
    return encoder._scaled(np.hstack(found))


def _text(value: float, texts: list[str]) -> str:
    """The category that a number stands for; what is none is a text that no category is."""
    if np.isnan(value):
        return MISSING
    return texts[int(value)] if 0 <= value < len(texts) else f"{MISSING}no category"


def _date_parts(days: Array) -> list[Array]:
    """Days, month, weekday and hour, as `Dates` encodes them."""
    there = ~np.isnan(days)
    whole = np.floor(np.where(there, days, 0))
    month = whole.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    return [np.where(there, part, np.nan) for part in (days, month, (whole + 3) % 7, (days - whole) * 24)]


def drawn(encoder: TableEncoder, rows: int) -> Array:
    """Rows as C has them, around what the encoder has learned, some values missing where they may be."""
    rng = np.random.default_rng(0)
    x = np.zeros((rows, len(encoder.columns)))
    for place, column in enumerate(encoder.columns):
        if isinstance(column, Categories):
            x[:, place] = rng.integers(-1, sum(text != MISSING for text in column.places), rows)
        elif isinstance(column, Numbers | Dates):
            numbers = column.parts[0] if isinstance(column, Dates) else column
            drawn = numbers.median + (numbers.spread or 1) * rng.normal(size=rows)
            drawn = np.floor(drawn) if isinstance(column, Dates) else drawn
            x[:, place] = np.where(rng.random(rows) < 0.2 * numbers.gaps, np.nan, drawn)
    return x


def holds(column: ColumnEncoder) -> str:
    """What a column of x holds, for people."""
    if isinstance(column, Categories):
        return "the number of a category, see below"
    if isinstance(column, Dates):
        return "days since 1970-01-01 in UTC, within three minutes"
    units = {"durations": "days", "times of day": "hours"}
    if isinstance(column, Numbers):
        return next((units[kind] for kind in column.saw or [] if kind in units), "a number")
    return "nothing that counts"


# --- Names -----------------------------------------------------------------------------------------------------------


def identifiers(texts: Iterable[str], prefix: str, taken: set[str]) -> list[str]:
    """Parts of C's identifiers for texts, none of which is taken; they are then."""
    found = []
    for text in texts:
        plain = re.sub(r"[^A-Z0-9]+", "_", str(text).upper().encode("ascii", "ignore").decode())[:40].strip("_") or "X"
        count, name = 1, f"{prefix}{plain}"
        while name in taken:
            count += 1
            name = f"{prefix}{plain}_{count}"
        taken.add(name)
        found.append(name)
    return found


def shown(text: object) -> str:
    """A text within a comment, which it cannot end."""
    plain = ascii(str(text)).replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
    return plain if len(plain) <= 60 else plain[:57] + "..."
