"""Turn the columns of a table into a network's inputs and targets, and its outputs into predictions.

What was learned of a table (names, means, scales, categories, classes) is plain JSON, so that it fits into a
model file's metadata. That description encodes any later table in the same way.
"""

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.extras import require
from fastnn.typing import Array
from .tables import TableError

MAX_CATEGORIES = 100  # texts of one column that get an input of their own
MAX_INTEGER_CLASSES = 20  # an integer target with more different values is a quantity

Description = dict[str, Any]  # of a column, as JSON holds it


def has_value(column: Any) -> Any:
    """Return a column of booleans: which entries are neither missing, NaN nor empty text."""
    if _kind("", column.type) == "text":
        return require("pyarrow.compute", "cli").not_equal(_texts("", column), "")
    return require("pyarrow.compute", "cli").invert(column.is_null(nan_is_null=True))


def describe_columns(table: Any, names: Sequence[str]) -> list[Description]:
    """Return what it takes to encode the columns ``names``: means and scales of numbers, categories of texts."""
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


def encode_columns(table: Any, descriptions: Sequence[Description], dtype: str = "float32") -> Array:
    """Return the network's inputs, (rows, inputs), made of a table's columns.

    A number becomes (value - mean) / scale, and 0 where it is missing. A text becomes one input a category, 1 for
    its own category and 0 for the others; all are 0 for a text that the description does not know.  TableError: the
    table lacks a column, or a column holds something else than it did.
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
    """Decide between classification and regression; return the target's classes, or its mean and scale.

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


def encode_target(column: Any, target: Description) -> Array:
    """Return the network's targets: class indices, (rows,), or standardised numbers, (rows, 1)."""
    if target["task"] == "regression":
        return np.asarray((_numbers(target["name"], column) - target["mean"]) / target["scale"])[:, np.newaxis]
    classes = target["classes"]
    if isinstance(classes[0], str):
        return _indices(_texts(target["name"], column), classes)
    return _indices(column.cast(require("pyarrow", "cli").array(classes).type), classes)


def decode_predictions(predictions: Array, target: Description) -> Array:
    """Turn the network's outputs, (rows, outputs), into classes or numbers as the table holds them, (rows,)."""
    if target["task"] == "regression":
        return np.asarray(predictions[:, 0].astype(np.float64) * target["scale"] + target["mean"])
    return np.asarray(np.array(target["classes"])[predictions.argmax(axis=1)])


def _kind(name: str, data_type: Any) -> str:
    """Return what a column of an Arrow type holds: "number", "boolean" or "text"."""
    types = require("pyarrow", "cli").types
    if types.is_dictionary(data_type):
        data_type = data_type.value_type
    if types.is_boolean(data_type):
        return "boolean"
    numbers = types.is_integer, types.is_floating, types.is_decimal, types.is_null
    if any(is_number(data_type) for is_number in numbers):
        return "number"
    if types.is_string(data_type) or types.is_large_string(data_type):
        return "text"
    raise TableError(
        f"column {name!r} holds {data_type}; fastnn takes numbers, booleans and text: --drop it or convert it"
    )


def _numbers(name: str, column: Any) -> NDArray[np.float64]:
    """Return a column as float64, with NaN where a value is missing."""
    pa = require("pyarrow", "cli")
    if _kind(name, column.type) == "text":
        raise TableError(f"column {name!r} holds text; the model was trained on numbers there")
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy().astype(np.float64)
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise TableError(f"column {name!r} is {values[row]} in row {row + 1}; values must be finite")
    return values


def _texts(name: str, column: Any) -> Any:
    """Return a column as text; a missing value becomes the empty text, which is a category of its own."""
    _kind(name, column.type)
    return column.cast(require("pyarrow", "cli").string()).fill_null("")


def _categories(column: Any) -> list[str]:
    """Return the different texts, the most frequent first."""
    counts = require("pyarrow.compute", "cli").value_counts(_texts("", column)).to_pylist()
    return [c["values"] for c in sorted(counts, key=lambda c: (-c["counts"], c["values"]))]


def _indices(column: Any, values: Sequence[Any]) -> NDArray[np.int64]:
    """Return each entry's index in ``values``, -1 where it is not among them."""
    pa, compute = require("pyarrow", "cli"), require("pyarrow.compute", "cli")
    index = compute.index_in(column, value_set=pa.array(values, type=column.type))
    return np.asarray(index.fill_null(-1).to_numpy(), np.int64)


def _mean_and_scale(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean and the standard deviation, which counts as 1 where all values are the same."""
    if not values.size:
        return 0.0, 1.0
    return float(values.mean()), float(values.std()) or 1.0


def _listed(names: Sequence[str], most: int = 8) -> str:
    """Write the first names, and how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + rest
