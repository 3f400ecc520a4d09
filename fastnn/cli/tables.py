"""Tables for the command line: read them from files, and write them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.extras import require
from fastnn.files.atomic import replacing
from fastnn.typing import Array

BLOCK = 1 << 28  # bytes of CSV from which the columns' types are inferred: for most files all of it


class TableError(ValueError):
    """A table that cannot be read, or that does not fit the model."""


def read_table(path: Path, texts: Sequence[str] = ()) -> Any:
    """Read a .csv, .csv.gz, .parquet or .npz file as a pyarrow table; its name's ending says what it is.

    A two-dimensional array ``x`` of an .npz file becomes columns ``x[0]``, ``x[1]``, ...  The columns ``texts`` are of
    text, whatever they look like in this file; the others' types are inferred.  TableError: the file is none of these,
    is damaged, has no rows, or names a column twice.
    """
    pa = require("pyarrow", "cli")
    name = path.name.lower()
    try:
        if name.endswith((".csv", ".csv.gz")):
            table = _read_csv(path, texts)
        elif name.endswith((".parquet", ".pq")):
            table = require("pyarrow.parquet", "cli").read_table(path)
        elif name.endswith(".npz"):
            table = _read_npz(path)
        else:
            raise TableError(f"{path}: its name must end in .csv, .csv.gz, .parquet or .npz")
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    names = table.column_names
    if repeated := sorted({n for n in names if names.count(n) > 1}):
        raise TableError(f"{path} holds more than one column {repeated[0]!r}: each needs a name of its own")
    if table.num_rows == 0:
        raise TableError(f"{path} has no rows")
    return table


def _read_csv(path: Path, texts: Sequence[str]) -> Any:
    """Read a CSV file; the columns ``texts`` are text, the types of the others are inferred."""
    pa, csv = require("pyarrow", "cli"), require("pyarrow.csv", "cli")
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(block_size=BLOCK),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string())),
    )


def _read_npz(path: Path) -> Any:
    """Read the arrays of an .npz file as columns."""
    pa = require("pyarrow", "cli")
    columns: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for name, array in arrays.items():
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
