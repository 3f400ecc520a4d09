"""The columns of arrays, of rows in lists, and of tables of pandas, polars and pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from fastnn.typing import Array


class Column(NamedTuple):
    """A column of a table."""

    name: str | int
    values: Array
    """(rows,) floats, booleans, dates or durations as NumPy has them, or objects."""
    declared: bool = False
    """Whether the table says that these are categories, whatever they are."""


def columns_of(estimator: BaseEstimator, X: Any, reset: bool) -> Iterator[Column]:
    """The columns of a table or array, checked against what fit saw unless ``reset``."""
    if hasattr(type(X), "collect"):
        raise TypeError(f"X got a {type(X).__name__}; wants a table in memory: X.collect()")
    if not hasattr(X, "columns") or isinstance(X, np.ndarray):
        X = validate_data(estimator, _array(X), dtype=None, ensure_all_finite="allow-nan", reset=reset)
        return (Column(i, X[:, i]) for i in range(X.shape[1]))
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    rows, count = X.shape
    if rows == 0 or count == 0:
        what = "sample" if rows == 0 else "feature"
        raise ValueError(f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required.")
    names = getattr(X, "column_names", X.columns)  # pyarrow's ``columns`` are the columns themselves
    return (Column(str(name), *_column(X, i)) for i, name in enumerate(names))


def _array(X: Any) -> Any:
    """Rows in lists as objects, so that numbers beside texts stay numbers; masked cells as None."""
    if isinstance(X, np.ma.MaskedArray):
        cells, masked = X.data, np.ma.getmaskarray(X)
        if masked.any():
            cells = cells.astype(object)
            cells[masked] = None
        return cells
    if not isinstance(X, list | tuple) or not any(isinstance(row, list | tuple) for row in X):
        return X
    widths = {len(row) for row in X if isinstance(row, list | tuple)}
    if len(widths) > 1:
        raise ValueError(f"X got rows of {min(widths)} to {max(widths)} values; wants as many in each")
    return np.array(X, dtype=object)


def _column(table: Any, i: int) -> tuple[Array, bool]:
    """The values of column ``i``, and whether they are categories."""
    if hasattr(table, "iloc"):
        return _of_pandas(table.iloc[:, i])
    if hasattr(table, "to_series"):
        return _of_polars(table.to_series(i))
    return _of_arrow(table.column(i))


def _of_pandas(series: Any) -> tuple[Array, bool]:
    """The values of a series or an index."""
    dtype = series.dtype
    if hasattr(dtype, "pyarrow_dtype"):
        return _of_arrow(series.array.__arrow_array__())
    if hasattr(dtype, "categories") and hasattr(dtype, "ordered"):
        codes = np.asarray(series.cat.codes if hasattr(series, "cat") else series.codes)
        return _taken(_of_pandas(dtype.categories)[0], codes), True
    kind = getattr(dtype, "kind", "O")
    if kind in "iuf":
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan)), False
    if kind == "M" and hasattr(dtype, "tz"):
        return np.asarray(series.to_numpy(dtype=f"datetime64[{dtype.unit}]")), False
    plain = isinstance(dtype, np.dtype) and kind != "O"
    return np.asarray(series.to_numpy(dtype=None if plain else object)), False


def _of_polars(series: Any) -> tuple[Array, bool]:
    dtype = series.dtype
    if dtype.is_nested():
        return _objects(series.to_list()), False
    if dtype.is_integer():
        series = series.cast(type(series)([0.0]).dtype)  # NumPy has no integers of 128 bits
    return np.asarray(series.to_numpy()), type(dtype).__name__ in ("Categorical", "Enum")


def _of_arrow(column: Any) -> tuple[Array, bool]:
    declared = hasattr(column.type, "index_type")
    if declared:  # to_numpy has another category where one is null
        column = column.cast(column.type.value_type)
    if hasattr(column.type, "storage_type"):
        column = column.cast(column.type.storage_type)
    chunked = hasattr(column, "chunks")
    values = np.asarray(column.to_numpy() if chunked else column.to_numpy(zero_copy_only=False))
    return (values if values.ndim == 1 else _objects(column.to_pylist())), declared


def _taken(categories: Array, codes: Array) -> Array:
    """The category of each code, None where it is below 0."""
    return _objects([*categories, None])[codes]


def _objects(values: list[Any]) -> Array:
    """A vector of objects, even if they are lists of the same length."""
    return np.fromiter(values, object, len(values))
