"""CSV files as people write them: their encoding, separator and decimal mark, missing values, and kinds of columns."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastnn.extras import require

MARKERS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "Null", "None", "none", "?", "-", "--")
"""What stands for a missing value."""
SEPARATORS = ",;\t|"
DATES = {
    r"\d{4}-\d{1,2}-\d{1,2}": ["%Y-%m-%d"],
    r"\d{4}/\d{1,2}/\d{1,2}": ["%Y/%m/%d"],
    r"\d{1,2}\.\d{1,2}\.\d{4}": ["%d.%m.%Y"],
    r"\d{1,2}/\d{1,2}/\d{4}": ["%m/%d/%Y", "%d/%m/%Y"],
}
TIMES = {"": "", r"[ T]\d{1,2}:\d{2}": " %H:%M", r"[ T]\d{1,2}:\d{2}:\d{2}(?:\.\d+)?Z?": " %H:%M:%S"}
MOSTLY = 0.5  # a text column with so large a part of numbers was meant as numbers


class TableError(ValueError):
    """A table that cannot be read, or that does not fit the model."""


class CsvOptions(NamedTuple):
    """How a file is written; None where that is to be found out."""

    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()  # markers beside MARKERS


class CsvFile:
    """A CSV file in memory, as texts."""

    def __init__(self, path: Path, options: CsvOptions) -> None:
        self.path, self.options = path, options
        self.text, self.encoding = _decoded(path, options.encoding)
        if not self.text.strip():
            raise TableError(f"{path} is empty")
        self.sep = options.sep if options.sep is not None else _separator(self.text)
        self.table = self._read()
        self.decimal = options.decimal or self._decimal()
        if self.decimal == options.thousands:
            raise TableError(f"--decimal and --thousands are both {self.decimal!r}: wants two marks that differ")
        self.number = _number(self.decimal, options.thousands)
        self.facts: dict[str, str] = {}
        """By column, what is worth telling."""

    def _read(self) -> Any:
        pa, reader = require("pyarrow", "cli"), require("pyarrow.csv", "cli")
        names = next(csv.reader(io.StringIO(self.text), delimiter=self.sep))
        content = pa.py_buffer(self.text.encode())
        try:
            return reader.read_csv(
                content,
                reader.ReadOptions(block_size=min(max(content.size, 1), 2**31 - 1)),
                reader.ParseOptions(delimiter=self.sep, newlines_in_values=True),
                reader.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
            )
        except pa.ArrowInvalid as error:
            for row in (rows := csv.reader(io.StringIO(self.text), delimiter=self.sep)):
                if row and len(row) != len(names):
                    raise TableError(
                        f"{self.path}, line {rows.line_num}: {len(row)} values, but the first line names {len(names)} "
                        f"columns, separated by {self.sep!r}; --sep names another separator"
                    ) from None
            raise TableError(f"{self.path} cannot be read: {' '.join(str(error).split())}") from error

    def line(self, row: int) -> int:
        """The line of the file in which a row of the table ends; rows are counted from 0."""
        rows = csv.reader(io.StringIO(self.text), delimiter=self.sep)
        found = -1
        for read in rows:
            if read:
                found += 1
            if found == row + 1:
                break
        return rows.line_num

    def _decimal(self) -> str:
        """A comma, where the columns are separated by something else, and some have numbers with commas alone."""
        if self.sep == ",":
            return "."
        compute = require("pyarrow.compute", "cli")
        for column in self.table.columns:
            there = column.filter(compute.invert(compute.is_in(column, value_set=self._markers())))
            commas = compute.any(compute.match_substring(there, ",")).as_py()
            if commas and compute.all(compute.match_substring_regex(there, r"^\s*[+-]?\d+(,\d+)?\s*$")).as_py():
                return ","
        return "."

    def _markers(self) -> Any:
        pa = require("pyarrow", "cli")
        return pa.array([*MARKERS, *self.options.missing], pa.string())

    # --- Columns ---

    def converted(self, kinds: Mapping[str, str]) -> Any:
        """The table, each column of the kind that it is found to be, or that it is said to be.

        TableError: a column is said to be of a kind that a value is not.
        """
        pa = require("pyarrow", "cli")
        columns = {}
        for name, column in zip(self.table.column_names, self.table.columns, strict=True):
            columns[name] = self._converted(name, column, kinds.get(name))
        return pa.table(columns)

    def _converted(self, name: str, column: Any, kind: str | None) -> Any:
        pa, compute = require("pyarrow", "cli"), require("pyarrow.compute", "cli")
        texts = compute.utf8_trim_whitespace(column)
        missing = compute.is_in(texts, value_set=self._markers())
        taken = sorted(compute.unique(texts.filter(missing)).to_pylist())
        texts = compute.if_else(missing, pa.scalar(None, pa.string()), texts)
        if taken:
            count = compute.sum(missing).as_py()
            self.facts[name] = f"{count} missing ({', '.join('empty' if t == '' else t for t in taken)})"
        if kind is None:
            if texts.null_count == len(texts):
                return pa.nulls(len(texts))
            found = (find(texts) for find in (self._numbers, _booleans, _dates))
            made = next((each for each in found if each is not None), None)
            if made is None:
                self._note_numbers(name, texts)
            return texts if made is None else made
        if kind == "text":
            return texts
        if kind == "nothing":
            return pa.nulls(len(texts))
        made = {"number": self._numbers, "boolean": _booleans}.get(kind, _dates)(texts)
        if made is None:
            self._refuse(name, texts, kind)
        return made

    def _numbers(self, texts: Any) -> Any:
        """The column as integers or floats; None where it is none."""
        pa, compute = require("pyarrow", "cli"), require("pyarrow.compute", "cli")
        if not compute.all(compute.match_substring_regex(texts, self.number)).as_py():
            return None
        texts = compute.replace_substring_regex(texts, r"^\+", "")
        if self.options.thousands:
            texts = compute.replace_substring(texts, self.options.thousands, "")
        if self.decimal != ".":
            texts = compute.replace_substring(texts, self.decimal, ".")
        if compute.all(compute.match_substring_regex(texts, r"^-?\d{1,15}$")).as_py():
            return texts.cast(pa.int64())
        return texts.cast(pa.float64())

    def _note_numbers(self, name: str, texts: Any) -> None:
        """Tell of a column of texts that looks as if it was meant as numbers."""
        compute = require("pyarrow.compute", "cli")
        there = texts.drop_null()
        fits = compute.match_substring_regex(there, self.number)
        count = compute.sum(fits).as_py()
        other = there.filter(compute.invert(fits))[0].as_py()
        line = self.line(compute.index(texts, other).as_py())
        said = ""
        if count >= MOSTLY * len(there):
            said = f"text, though {count} of {len(there)} values are numbers: not so {other!r} in line {line}"
        elif re.fullmatch(r"[+-]?\d{1,3}(?:[,.' \u00a0]\d{3})+(?:[.,]\d+)?|[+-]?\d+,\d+", other):
            said = f"text, though {other!r} may be a number: --thousands and --decimal say how those are written"
        elif re.fullmatch(r"[$€£]\s?[\d.,]+|[\d.,]+\s?[%$€£]", other):
            said = f"text, though {other!r} holds a number: its sign has to go"
        if said:
            self.facts[name] = "; ".join(filter(None, [said, self.facts.get(name, "")]))

    def _refuse(self, name: str, texts: Any, kind: str) -> None:
        """Raise TableError: a value of a column is not what fit saw."""
        find = {"number": self._numbers, "boolean": _booleans}.get(kind, _dates)
        for row, text in enumerate(texts.to_pylist()):
            if text is not None and find(texts[row : row + 1]) is None:
                raise TableError(
                    f"{self.path}, line {self.line(row)}: column {name!r} holds {text!r}; "
                    f"wants a {kind}, as in the table that the model was trained on"
                )
        raise TableError(f"{self.path}: column {name!r} holds {kind}s that are written in several ways")


def _number(decimal: str, thousands: str | None) -> str:
    point = re.escape(decimal)
    whole = r"\d+" if not thousands else rf"(?:\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|\d+)"
    return rf"^[+-]?(?:(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?|(?i:inf|infinity))$"


def _booleans(texts: Any) -> Any:
    pa, compute = require("pyarrow", "cli"), require("pyarrow.compute", "cli")
    lower = compute.utf8_lower(texts)
    if not compute.all(compute.is_in(lower.drop_null(), value_set=pa.array(["true", "false"]))).as_py():
        return None
    return compute.equal(lower, "true")


def _dates(texts: Any) -> Any:
    """Dates, dates with times, or times of day; None where it is none of them, or written in several ways."""
    pa, compute = require("pyarrow", "cli"), require("pyarrow.compute", "cli")

    def fits(pattern: str) -> bool:
        return bool(compute.all(compute.match_substring_regex(texts, f"^(?:{pattern})$")).as_py())

    def parsed(formats: list[str]) -> Any:
        for each in formats:
            made = compute.strptime(texts, format=each, unit="s", error_is_null=True)
            if made.null_count == texts.null_count:
                return made
        return None

    for pattern, format in ((r"\d{1,2}:\d{2}", "%H:%M"), (r"\d{1,2}:\d{2}:\d{2}", "%H:%M:%S")):
        if fits(pattern):
            made = parsed([format])
            return None if made is None else made.cast(pa.time32("s"))
    for pattern, formats in DATES.items():
        if not fits(f"{pattern}.*"):
            continue
        for suffix, time in TIMES.items():
            if fits(f"{pattern}(?:{suffix})"):
                texts = compute.replace_substring_regex(texts, r"T(\d)", r" \1")
                texts = compute.replace_substring_regex(texts, r"(:\d{2})(\.\d+)?Z?$", r"\1")
                return parsed([f"{each}{time}" for each in formats])
        try:
            return texts.cast(pa.timestamp("us", "UTC"))
        except pa.ArrowInvalid:
            return None
    return None


# --- Bytes and lines --------------------------------------------------------------------------------------------------


def _decoded(path: Path, encoding: str | None) -> tuple[str, str]:
    """The text of a file, and its encoding.  TableError: it is in none that could be found out."""
    try:
        content = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise TableError(f"{path} cannot be read: {error}") from error
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    found = encoding or next((name for mark, name in marks.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(found)
    except LookupError:
        raise TableError(
            f"--encoding {found!r} is unknown; wants utf-8, latin-1, cp1252, utf-16 and the like"
        ) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is no {found}; "
            "--encoding names another encoding, such as cp1252, latin-1 or utf-16"
        ) from None
    if "\0" in text:
        raise TableError(f"{path} holds a zero byte: it is no CSV file, or --encoding has to say utf-16")
    return text, found


def _separator(text: str) -> str:
    """The one that divides the first lines into as many values each, the most of them."""
    lines = text.splitlines()[:20]
    best, most = ",", 1
    for sep in SEPARATORS:
        widths = {len(row) for row in csv.reader(lines[: max(1, len(lines) - 1)], delimiter=sep) if row}
        if len(widths) == 1 and (width := widths.pop()) > most:
            best, most = sep, width
    return best
