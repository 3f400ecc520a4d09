"""Tables for the command line: read and write them, and turn their columns into numbers.

What was learned of a table (names, means, scales, categories, classes) is plain JSON, so that it fits into a
model file's metadata; the same description encodes any later table in the same way.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.extras import require
from fastnn.files.atomic import replacing

__all__ = [
    "TableError",
    "check_output",
    "decode_predictions",
    "describe_columns",
    "describe_target",
    "encode_columns",
    "encode_target",
    "has_value",
    "read_table",
    "write_table",
]

MAX_CATEGORIES = 100  # texts of one column that get an input of their own
MAX_INTEGER_CLASSES = 20  # an integer target with more different values is a quantity
BLOCK = 1 << 28  # bytes of CSV from which the columns' types are inferred: for most files all of it

Description = dict[str, Any]


class TableError(ValueError):
    """A table that cannot be read, or that does not fit the model."""


def read_table(path: Path, texts: Sequence[str] = ()) -> Any:
    """Read a .csv, .csv.gz, .parquet or .npz file as a pyarrow table.

    Parameters
    ----------
    path : Path
        The file; its name's ending says what it is. A two-dimensional array ``x`` of an .npz file becomes
        columns ``x[0]``, ``x[1]``, ...
    texts : sequence of str
        Columns of text, whatever they look like in this file. The others' types are inferred.

    Raises
    ------
    TableError
        The file is none of these, is damaged, has no rows, or names a column twice.
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
        raise TableError(f"{path} cannot be read: {_one_line(error)}") from error
    names = table.column_names
    if repeated := sorted({n for n in names if names.count(n) > 1}):
        raise TableError(f"{path} holds more than one column {repeated[0]!r}: each needs a name of its own")
    if table.num_rows == 0:
        raise TableError(f"{path} has no rows")
    return table


def _read_csv(path: Path, texts: Sequence[str]) -> Any:
    pa, csv = require("pyarrow", "cli"), require("pyarrow.csv", "cli")
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(block_size=BLOCK),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string())),
    )


def _read_npz(path: Path) -> Any:
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


def write_table(columns: Mapping[str, NDArray[Any]], path: Path) -> None:
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


def has_value(column: Any) -> Any:
    """Which entries are neither missing, NaN nor empty text, as a column of booleans."""
    if _kind("", column.type) == "text":
        return require("pyarrow.compute", "cli").not_equal(_texts("", column), "")
    return require("pyarrow.compute", "cli").invert(column.is_null(nan_is_null=True))


def describe_columns(table: Any, names: Sequence[str]) -> list[Description]:
    """What it takes to encode the columns ``names``: means and scales of numbers, categories of texts."""
    descriptions = []
    for name in names:
        kind = _kind(name, table[name].type)
        if kind == "text":
            found = _categories(table[name])
            kept = sorted(found[:MAX_CATEGORIES])
            descriptions.append({"name": name, "kind": kind, "categories": kept, "dropped": len(found) - len(kept)})
        else:
            values = _numbers(name, table[name])
            mean, scale = _mean_and_scale(values[~np.isnan(values)])
            descriptions.append({"name": name, "kind": kind, "mean": mean, "scale": scale})
    return descriptions


def encode_columns(table: Any, descriptions: Sequence[Description], dtype: str = "float32") -> NDArray[Any]:
    """Inputs of the network, (rows, inputs), from the columns of a table.

    A number becomes (value - mean) / scale, and 0 where it is missing; a text becomes one input a category,
    all 0 for a category that the description does not know.

    Raises
    ------
    TableError
        The table lacks a column, or a column holds something else than it did.
    """
    names = [d["name"] for d in descriptions]
    if missing := [name for name in names if name not in table.column_names]:
        close = difflib.get_close_matches(missing[0], table.column_names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise TableError(
            f"column {missing[0]!r}{more}, which the model was trained on, is not in the table; "
            f"the table's columns are {_listed(table.column_names)}{hint}"
        )
    inputs = sum(len(d["categories"]) if d["kind"] == "text" else 1 for d in descriptions)
    x = np.zeros((table.num_rows, inputs), dtype)
    at = 0
    for d in descriptions:
        column = table[d["name"]]
        if d["kind"] == "text":
            index = _indices(_texts(d["name"], column), d["categories"])
            rows = np.flatnonzero(index >= 0)
            x[rows, at + index[rows]] = 1
            at += len(d["categories"])
        else:
            values = _numbers(d["name"], column)
            x[:, at] = np.where(np.isnan(values), 0, (values - d["mean"]) / d["scale"])
            at += 1
    return x


def describe_target(column: Any, name: str, task: str = "auto") -> Description:
    """Whether a target asks for classification or regression, with its classes, or its mean and scale.

    Texts, booleans and integers with few different values are classes; other numbers are a quantity.
    """
    pa, compute = require("pyarrow", "cli"), require("pyarrow.compute", "cli")
    kind = _kind(name, column.type)
    if pa.types.is_decimal(column.type):  # JSON has none
        column = column.cast(pa.float64())
    different = compute.count_distinct(column).as_py()
    if task == "auto":
        integer = pa.types.is_integer(column.type)
        few = kind != "number" or (integer and different <= MAX_INTEGER_CLASSES)
        task = "classification" if few else "regression"
    if different < 2:
        raise TableError(f"target {name!r} holds the same value in every row: there is nothing to learn")
    if task == "regression":
        if kind == "text":
            raise TableError(f"target {name!r} holds text; regression needs numbers")
        mean, scale = _mean_and_scale(_numbers(name, column))
        return {"name": name, "task": task, "mean": mean, "scale": scale}
    if 2 * different > len(column):
        raise TableError(
            f"target {name!r} holds {different} different values in {len(column)} rows; "
            "classes need at least two rows each on average"
        )
    if kind == "text":
        classes = sorted(_categories(column))
    else:
        classes = sorted(compute.unique(column).to_pylist())
    return {"name": name, "task": task, "classes": classes}


def encode_target(column: Any, target: Description) -> NDArray[Any]:
    """Targets of the network: the index of each row's class, or the standardised number as one column."""
    if target["task"] == "regression":
        return np.asarray((_numbers(target["name"], column) - target["mean"]) / target["scale"])[:, np.newaxis]
    classes = target["classes"]
    if isinstance(classes[0], str):
        return _indices(_texts(target["name"], column), classes)
    return _indices(column.cast(require("pyarrow", "cli").array(classes).type), classes)


def decode_predictions(predictions: NDArray[Any], target: Description) -> NDArray[Any]:
    """What the network's outputs (rows, outputs) say in the target's own terms, (rows,)."""
    if target["task"] == "regression":
        return np.asarray(predictions[:, 0].astype(np.float64) * target["scale"] + target["mean"])
    return np.asarray(np.array(target["classes"])[predictions.argmax(axis=1)])


def _kind(name: str, data_type: Any) -> str:
    types = require("pyarrow", "cli").types
    if types.is_dictionary(data_type):
        data_type = data_type.value_type
    if types.is_boolean(data_type):
        return "boolean"
    if types.is_integer(data_type) or types.is_floating(data_type) or types.is_decimal(data_type):
        return "number"
    if types.is_null(data_type):
        return "number"
    if types.is_string(data_type) or types.is_large_string(data_type):
        return "text"
    raise TableError(
        f"column {name!r} holds {data_type}; fastnn takes numbers, booleans and text: --drop it or convert it"
    )


def _numbers(name: str, column: Any) -> NDArray[np.float64]:
    """A column as float64, NaN where a value is missing."""
    pa = require("pyarrow", "cli")
    if _kind(name, column.type) == "text":
        raise TableError(f"column {name!r} holds text; the model was trained on numbers there")
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy().astype(np.float64)
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise TableError(f"column {name!r} is {values[row]} in row {row + 1}; values must be finite")
    return values


def _texts(name: str, column: Any) -> Any:
    """A column as text, empty where a value is missing: a category of its own."""
    _kind(name, column.type)
    return column.cast(require("pyarrow", "cli").string()).fill_null("")


def _categories(column: Any) -> list[str]:
    """The different texts, the most frequent first."""
    counts = require("pyarrow.compute", "cli").value_counts(_texts("", column)).to_pylist()
    return [c["values"] for c in sorted(counts, key=lambda c: (-c["counts"], c["values"]))]


def _indices(column: Any, values: Sequence[Any]) -> NDArray[np.int64]:
    """Where each entry stands in ``values``; -1 where it is not among them."""
    pa, compute = require("pyarrow", "cli"), require("pyarrow.compute", "cli")
    index = compute.index_in(column, value_set=pa.array(values, type=column.type))
    return np.asarray(index.fill_null(-1).to_numpy(), np.int64)


def _mean_and_scale(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation; a scale of 1 where all values are the same."""
    if not values.size:
        return 0.0, 1.0
    return float(values.mean()), float(values.std()) or 1.0


def _listed(names: Sequence[str], most: int = 8) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + rest


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
