"""Data frames of pandas, polars and pyarrow, and arrays, read column by column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

__all__ = ["DAY", "Column", "columns_of"]

Array = npt.NDArray[Any]
Column = tuple[str, Array]
"""A column's name and values."""

DAY = np.timedelta64(1, "D")


def columns_of(estimator: BaseEstimator, X: Any, reset: bool) -> Iterator[Column]:
    """Name and values of each column of a table or array, checked against what fit saw unless ``reset``."""
    if hasattr(type(X), "collect"):
        raise TypeError(f"X got a {type(X).__name__}; wants a table in memory: X.collect()")
    if not hasattr(X, "columns") or isinstance(X, np.ndarray):
        X = validate_data(estimator, X, dtype=None, ensure_all_finite="allow-nan", reset=reset)
        return ((str(i), X[:, i]) for i in range(X.shape[1]))
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    rows, count = X.shape
    if rows == 0 or count == 0:
        what = "sample" if rows == 0 else "feature"
        raise ValueError(f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required.")
    names = getattr(X, "column_names", X.columns)  # pyarrow's ``columns`` are the columns themselves
    return ((repr(str(name)), _values(X, i)) for i, name in enumerate(names))


def _values(table: Any, i: int) -> Array:
    """The values of column ``i``: floats (durations in days), dates, or objects."""
    if hasattr(table, "iloc"):
        series = table.iloc[:, i]
        kind = getattr(series.dtype, "kind", "O")
        if kind in "biuf":
            return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        if kind == "M":
            return np.asarray(series.to_numpy(dtype="datetime64[ns]"))
        values = np.asarray(series.to_numpy(dtype=None if kind == "m" else object))
    else:
        values = np.asarray((table.to_series(i) if hasattr(table, "to_series") else table.column(i)).to_numpy())
    return values / DAY if values.dtype.kind == "m" else values
