"""The column to predict: classes or a quantity."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.extras import require
from fastnn.typing import Array
from .tables import Read, TableError, decoded, kind_of

MAX_INTEGER_CLASSES = 20  # an integer target with more different values is a quantity

Description = dict[str, Any]  # as JSON holds it


def has_value(column: Any) -> Any:
    """A column of booleans: which entries are neither missing, NaN nor empty text."""
    compute = require("pyarrow.compute", "cli")
    if kind_of(column.type) == "text":
        return compute.fill_null(compute.not_equal(column, ""), False)
    return compute.invert(column.is_null(nan_is_null=True))


def describe_target(column: Any, name: str, task: str = "auto") -> Description:
    """Decide between classification and regression.

    Texts, categories, booleans and integers with few different values are classes; other numbers are a quantity.
    """
    pa, compute = require("pyarrow", "cli"), require("pyarrow.compute", "cli")
    kind = kind_of(column.type)
    if kind not in ("text", "category", "boolean", "number") or pa.types.is_duration(column.type):
        raise TableError(f"target {name!r} holds {kind}s; wants numbers, texts, categories or booleans")
    different = compute.count_distinct(decoded(column), mode="only_valid").as_py()
    if task == "auto":
        few = kind != "number" or (pa.types.is_integer(column.type) and different <= MAX_INTEGER_CLASSES)
        task = "classification" if few else "regression"
    if different < 2:
        raise TableError(f"target {name!r} holds the same value in every row: there is nothing to learn")
    if task == "regression" and kind in ("text", "category"):
        raise TableError(f"target {name!r} holds {kind}s; regression needs numbers")
    if task == "classification" and 2 * different > len(column):
        raise TableError(
            f"target {name!r} holds {different} different values in {len(column)} rows; "
            "classes need at least two rows each on average"
        )
    floats = pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    return {"name": name, "task": task, "kind": kind, "floats": floats}


def target_values(read: Read, column: Any, target: Description) -> Array:
    """The target as an estimator takes it.  TableError: a number is not finite."""
    pa = require("pyarrow", "cli")
    column = decoded(column)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    values = np.asarray(column.to_numpy())
    if target["task"] == "regression":
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            raise TableError(f"target {target['name']!r} is {values[~np.isfinite(values)][0]} in a row")
        return values
    # Numbers with a fraction are labels by their text, and become numbers again where they are predicted.
    return values.astype(str) if values.dtype.kind in "Of" else values
