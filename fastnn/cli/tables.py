"""Tables for the command line: read them from files, and write them."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnn.extras import require
from fastnn.files.atomic import replacing
from fastnn.typing import Array
from .csv_files import CsvFile, CsvOptions, TableError

__all__ = [
    "CsvOptions",
    "Read",
    "TableError",
    "check_folder",
    "check_output",
    "decoded",
    "kind_of",
    "read_table",
    "write_table",
]

NO_OPTIONS = CsvOptions()


class Read(NamedTuple):
    """A table that was read, and what there is to say of it."""

    table: Any  # pyarrow's
    facts: dict[str, str]  # by column
    notes: list[str]  # of the file
    csv: CsvFile | None
    files: tuple[tuple[str, int], ...] = ()  # of a folder: their names, and how many rows each has

    def place(self, row: int) -> str:
        """Where a row is, as in "line 7"."""
        if self.csv is not None:
            return f"line {self.csv.line(row)}"
        for name, rows in self.files:
            if row < rows:
                return f"row {row + 1} of {name}"
            row -= rows
        return f"row {row + 1}"


def read_table(path: Path, options: CsvOptions = NO_OPTIONS, kinds: Mapping[str, str] | None = None) -> Read:
    """Read a .csv, .csv.gz, .parquet or .npz file, as its name's ending says, or a folder of Parquet files.

    A two-dimensional array ``x`` of an .npz file becomes columns ``x[0]``, ``x[1]``, ...  Columns of ``kinds`` (see
    `kind_of`) are of that kind in a CSV file, whatever they look like; the others' kinds are found out.  TableError:
    the file is none of these, is damaged, has no rows, or names a column twice.
    """
    pa = require("pyarrow", "cli")
    name, file, notes = path.name.lower(), None, []
    files: tuple[tuple[str, int], ...] = ()
    try:
        if path.is_dir():
            table, files = _read_folder(path)
            notes = [f"{len(files)} files"]
        elif name.endswith((".csv", ".csv.gz", ".tsv")):
            file = CsvFile(path, options)
            table = file.table
            marks = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
            notes = [f"separated by {marks.get(file.sep, repr(file.sep))}", file.encoding]
            notes += ["decimal commas"] if file.decimal == "," else []
        elif name.endswith((".parquet", ".pq")):
            table = require("pyarrow.parquet", "cli").read_table(path)
        elif name.endswith(".npz"):
            table = _read_npz(path)
        else:
            raise TableError(f"{path}: its name must end in .csv, .csv.gz, .tsv, .parquet or .npz")
        repeated = sorted(name for name, count in Counter(table.column_names).items() if count > 1)
        if repeated:
            raise TableError(f"{path} holds more than one column {repeated[0]!r}: each needs a name of its own")
        if table.num_rows == 0:
            raise TableError(f"{path} has no rows")
        if file is not None:
            table = file.converted(kinds or {})
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TableError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    return Read(table, {} if file is None else file.facts, notes, file, files)


def _read_folder(path: Path) -> tuple[Any, tuple[tuple[str, int], ...]]:
    """The rows of all Parquet files in a folder, in the order of their names; and how many each has."""
    pa, parquet = require("pyarrow", "cli"), require("pyarrow.parquet", "cli")
    there = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith((".", "_")))
    others = [each.name for each in there if not each.name.lower().endswith((".parquet", ".pq"))]
    if not there or others:
        held = f"it holds {others[0]}" if others else "it has none"
        raise TableError(f"{path}: a folder must hold Parquet files alone, but {held}")
    tables = [parquet.ParquetFile(each).read() for each in there]
    for each, table in zip(there, tables, strict=True):
        if not table.schema.equals(tables[0].schema):
            raise TableError(
                f"{each} has the columns {_described(table.schema)}, but {there[0].name} has "
                f"{_described(tables[0].schema)}; a folder's files must have the same"
            )
    return pa.concat_tables(tables), tuple((each.name, len(rows)) for each, rows in zip(there, tables, strict=True))


def _described(schema: Any) -> str:
    """The columns of a table, and their types."""
    return ", ".join(f"{field.name} {field.type}" for field in schema)


def _read_npz(path: Path) -> Any:
    """Read the arrays of an .npz file as columns."""
    pa = require("pyarrow", "cli")
    columns: dict[str, Any] = {}
    if not zipfile.is_zipfile(path):
        raise TableError(f"{path} is no .npz file: those are ZIP archives of arrays")
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            try:
                array = np.asarray(arrays[name])
            except (ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
                raise TableError(f"{path}: array {name!r} cannot be read: {error}") from error
            if array.ndim == 0 or array.dtype.kind not in "biufU":
                raise TableError(
                    f"{path}: array {name!r} is {array.ndim}-dimensional of dtype {array.dtype}; "
                    "a column holds real numbers, booleans or text, a row an entry"
                )
            if array.ndim == 1:
                columns[name] = array
            else:
                flat = array.reshape(len(array), -1)
                columns |= {f"{name}[{j}]": flat[:, j] for j in range(flat.shape[1])}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise TableError(f"{path}: its arrays must have the same number of rows, they have {lengths}")
    return pa.table({name: pa.array(np.ascontiguousarray(column)) for name, column in columns.items()})


def kind_of(kind: Any) -> str:
    """What a column of an Arrow type is: a number, boolean, date, time of day, category, text, or nothing."""
    types = require("pyarrow", "cli").types
    names = {
        "nothing": types.is_null,
        "boolean": types.is_boolean,
        "number": lambda t: types.is_integer(t) or types.is_floating(t) or types.is_decimal(t) or types.is_duration(t),
        "date": lambda t: types.is_date(t) or types.is_timestamp(t),
        "time": types.is_time,
        "category": types.is_dictionary,
        "text": lambda t: types.is_string(t) or types.is_large_string(t) or types.is_string_view(t),
    }
    return next((name for name, fits in names.items() if fits(kind)), str(kind))


def decoded(column: Any) -> Any:
    """A column of categories as the values that they stand for; others as they are."""
    return column.cast(column.type.value_type) if hasattr(column.type, "index_type") else column


def check_output(path: Path) -> None:
    """Refuse a name whose ending is none of those that `write_table` writes."""
    if not path.name.lower().endswith((".csv", ".parquet", ".pq", ".npz")):
        raise TableError(f"{path}: its name must end in .csv, .parquet or .npz")


def write_table(columns: Mapping[str, Array], path: Path) -> None:
    """Write columns to a .csv, .parquet or .npz file, which replaces what stood there once all is written."""
    pa = require("pyarrow", "cli")
    check_output(path)
    name = path.name.lower()
    with replacing(path) as file:
        if name.endswith(".csv"):
            require("pyarrow.csv", "cli").write_csv(pa.table(dict(columns)), file)
        elif name.endswith((".parquet", ".pq")):
            require("pyarrow.parquet", "cli").write_table(pa.table(dict(columns)), file)
        else:
            np.savez(file, **dict(columns))  # type: ignore[arg-type]


def check_folder(path: Path) -> None:
    """Refuse a path into a folder that is not there or is read-only, before the work that ends in writing it."""
    if not path.parent.is_dir():
        raise TableError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise TableError(f"{path} cannot be written: the folder {path.parent} is read-only")
