"""Rows in memory, checked before anything changes: shapes, values, and where a NaN stands.

Arrays stay where they are, of whatever dtype and order.  Rows and columns in messages are counted from 0.
"""

from __future__ import annotations

import contextlib
import math
from datetime import date, timedelta
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.typing import Array
from .nan_check import blocks, check_finite, first_outside, place

KINDS = {
    "c": "complex numbers",
    "O": "Python objects",
    "U": "text",
    "S": "bytes",
    "T": "text",
    "M": "dates",
    "m": "durations",
    "V": "records",
}


def read_by_rows(value: object) -> bool:
    """Whether its numbers are not in memory but come when rows are asked for, as HDF5's and Zarr's do."""
    kind = type(value)
    if isinstance(value, np.ndarray) or not all(hasattr(kind, name) for name in ("__getitem__", "__len__")):
        return False
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        return False
    in_memory = ("__array_interface__", "__dlpack__", "__dataframe__", "to_numpy", "toarray")
    return not any(hasattr(kind, name) for name in in_memory)


def as_array(value: ArrayLike | None, name: str) -> Array:
    """An array of real numbers of any dtype, without a copy where ``value`` has its numbers in an array.

    TypeError: it holds something else.  ValueError: it is ragged, or has entries that are masked or missing.
    """
    if type(value) is np.ndarray and value.dtype.kind in "iuf":
        return value
    if value is None:
        raise TypeError(f"{name} got None; wants an array")
    if read_by_rows(value):
        value = value[0 : len(value)]  # type: ignore[index, arg-type]
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries; wants a value everywhere")
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and _holds_numbers(value):
            array = value.to_numpy(dtype=np.float64, na_value=np.nan)  # type: ignore[union-attr]
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} cannot be made an array: {error}") from error
    if array.dtype.kind == "b":
        array = array.view(np.uint8)  # which the kernels read where it lies
    if array.dtype.kind not in "iuf":
        what = KINDS.get(array.dtype.kind, "something else")
        raise TypeError(f"{name} has dtype {array.dtype}, {what}; wants real numbers{_cure(value, array, name)}")
    return array


def features(
    x: ArrayLike | None,
    inputs: int | None = None,
    name: str = "x",
    dtype: str = "float64",
    finite: bool = True,
    first_row: int = 0,
) -> Array:
    """Inputs (rows, inputs), as they are; a flat array is one column where one is wanted, or any number.

    ``x`` is of any real dtype and memory order, a frame or lists too.  ``inputs`` is how many the model has, once that
    is known; ``dtype`` what the values must fit into, if they are to be ``finite``.  Errors call the argument
    ``name``, and its first row ``first_row``: TypeError or ValueError if it is empty, has another shape, or holds
    something else than finite real numbers.
    """
    array = as_array(x, name)
    if array.ndim == 1 and inputs in (None, 1):
        array = array[:, np.newaxis]
    wanted = f"(rows, {'inputs' if inputs is None else inputs})"
    if array.ndim != 2:
        hint = f"; one row is {name}[np.newaxis]" if array.shape == (inputs,) else ""
        if array.ndim > 2:
            hint = f": {name}.reshape(len({name}), -1), or layers.Flatten() behind Input({array.shape[1:]})"
        raise ValueError(f"{name} has shape {array.shape}; wants {wanted}{hint}")
    if array.size == 0:
        raise ValueError(f"{name} is empty, of shape {array.shape}; wants {wanted}")
    if inputs is not None and array.shape[1] != inputs:
        raise ValueError(f"{name} has shape {array.shape}, but the model has {inputs} inputs; wants {wanted}")
    if finite:
        check_finite(array, name, dtype, first_row)
    return array


def targets(
    y: ArrayLike | None,
    rows: int,
    outputs: int,
    labels: bool,
    name: str = "y",
    dtype: str = "float64",
    domain: str = "",
    outputs_a_target: int = 1,
    first_row: int = 0,
) -> Array:
    """Targets (rows, outputs), as they are; or class numbers (rows,), as integers, if ``labels`` are wanted.

    ``y`` is (rows, outputs), or with one output (rows,); class numbers are (rows,) or (rows, 1), of any real dtype.
    ``rows`` is the number of the inputs, ``outputs`` the model's.  ``domain`` "probabilities", "counts" or "signs" says
    that values must be from 0 to 1; at least 0; or -1 and 1, or 0 and 1.  y has a column for each ``outputs_a_target``
    outputs beside each other, which is repeated for each.  ``name``, ``dtype`` and ``first_row`` are as in `features`.
    TypeError or ValueError: ``y`` has another shape, holds something else than real numbers, or what it must not.
    """
    array = as_array(y, name)
    columns = outputs // outputs_a_target
    wanted = "(rows,)" if labels else f"(rows, {columns})"
    if array.size == 0:
        raise ValueError(f"{name} is empty, of shape {array.shape}; wants {wanted}")
    flat = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
    if not (flat if labels else (flat and columns == 1) or (array.ndim == 2 and array.shape[1] == columns)):
        hint = _hint_at_loss(array, flat, labels, outputs)
        beside = f", {outputs_a_target} a target" * (outputs_a_target > 1)
        raise ValueError(
            f"{name} has shape {array.shape}, but the model has {outputs} "
            f"output{'s' * (outputs > 1)}{beside}; wants {wanted}{hint}"
        )
    if len(array) != rows:
        raise ValueError(f"{name} has {len(array)} rows, but x has {rows}; wants as many")
    if labels:
        return _class_numbers(array.reshape(rows), outputs, name, first_row)
    array = array[:, np.newaxis] if array.ndim == 1 else array
    check_finite(array, name, dtype, first_row)
    if domain == "probabilities":
        _check_bounds(array, name, 0, 1, "the loss wants values from 0 to 1, as probabilities are", first_row)
    elif domain == "counts":
        _check_bounds(array, name, 0, math.inf, "the loss wants values of at least 0", first_row)
    elif domain == "signs":
        _check_signs(array, name, first_row)
    if outputs_a_target > 1:
        return np.broadcast_to(array, (rows, outputs)) if columns == 1 else np.repeat(array, outputs_a_target, axis=1)
    return array


def weights(
    sample_weight: ArrayLike | None, rows: int, name: str = "sample_weight", first_row: int = 0
) -> NDArray[np.float64] | None:
    """The weight of each row in the loss, (rows,); None where nobody gave any.

    ``sample_weight`` is (rows,) or (rows, 1); a negative one turns the gradient round, as policy gradients do.  Errors
    are TypeError and ValueError: there are not as many as rows, or one is missing or not finite.
    """
    if sample_weight is None:
        return None
    given = as_array(sample_weight, name)
    if given.shape not in ((rows,), (rows, 1)):
        raise ValueError(f"{name} has shape {given.shape}; wants ({rows},)")
    check_finite(given, name, first_row=first_row)
    return np.array(given.reshape(rows), np.float64)


# --- Parts of the above -------------------------------------------------------------------------------------


def _cure(value: Any, array: Array, name: str) -> str:
    """Where the first thing stands that is no number, and what makes numbers of such things."""
    if hasattr(value, "toarray"):
        return f"; it is sparse, which fastnn.sklearn's estimators take as it is: {name}.toarray() is not"
    if array.dtype.kind not in "OUSTM":
        return ""
    cells = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
    wrong = ((row, column) for column in range(cells.shape[1]) for row in range(len(cells)))
    found = next(((row, column) for row, column in wrong if not isinstance(cells[row, column], Real)), None)
    if found is None:
        return ""
    row, column = found
    cell = cells[row, column]
    cell = cell.item() if isinstance(cell, np.str_ | np.bytes_) else cell
    names = getattr(value, "columns", None)
    where = f"column {column if names is None else names[column]!r}" if array.ndim > 1 else f"row {row}"
    return f", but {where} has {cell!r}: {_numbers_of(cell, name)}"


def _numbers_of(cell: object, name: str) -> str:
    """What makes numbers of such cells."""
    if isinstance(cell, str):
        with contextlib.suppress(ValueError):
            float(cell)
            return f"{name}.astype(float) makes numbers of it"
        if name == "y":
            return "np.unique(y, return_inverse=True)[1] makes class numbers of names"
    elif not isinstance(cell, np.datetime64 | np.timedelta64 | date | timedelta):
        return f"{name}.astype(float) makes numbers of what is like one"
    return (
        "fastnn.sklearn.TabularClassifier and TabularRegressor take texts and dates; "
        "sklearn.preprocessing.OneHotEncoder makes numbers of names"
    )


def _holds_numbers(frame: object) -> bool:
    """Whether it is of pandas, and of numbers, though NumPy would make objects of it."""
    kinds = getattr(frame, "dtypes", None)
    if kinds is None or not hasattr(frame, "to_numpy"):
        return False
    return all(getattr(kind, "kind", "O") in "biuf" for kind in (kinds if np.iterable(kinds) else [kinds]))


def _check_bounds(array: Array, name: str, low: float, high: float, wanted: str, first_row: int = 0) -> None:
    if (at := first_outside(array, low, high)) is not None:
        raise ValueError(f"{name} has {array[at]} in {place(at, first_row)}; {wanted}")


def _hint_at_loss(array: Array, flat: bool, labels: bool, outputs: int) -> str:
    """The loss that targets of this shape are for, in words for an error."""
    if labels and array.ndim == 2 and array.shape[1] == outputs:
        return "; for one-hot rows the loss is 'categorical_crossentropy'"
    if flat and array.dtype.kind in "biu":
        return "; for class numbers the loss is 'sparse_categorical_crossentropy'"
    return ""


def _check_signs(array: Array, name: str, first_row: int = 0) -> None:
    for low in (-1, 0):
        wrong = (array != low) & (array != 1)
        if not wrong.any():
            return
    at = tuple(np.argwhere((array != -1) & (array != 1))[0].tolist())
    raise ValueError(f"{name} has {array[at]} in {place(at, first_row)}; wants -1 and 1 alone, or 0 and 1")


def _class_numbers(array: Array, classes: int, name: str, first_row: int = 0) -> Array:
    """Class numbers (rows,), as native integers; those that are such stay where they are."""
    signed_fit = classes <= 1 << (8 * array.itemsize - 1)  # else a negative one may be as large
    if array.dtype.isnative and (array.dtype.kind == "u" or (array.dtype.kind == "i" and signed_fit)):
        unsigned = array.view(f"u{array.itemsize}")  # where the negative ones are the largest
        if np.maximum.reduce(unsigned).item() < classes:
            return array
    check_finite(array, name, first_row=first_row)
    if array.dtype.kind == "f":
        for start, block in blocks(array):
            fractions = np.flatnonzero(block != np.trunc(block))
            if fractions.size:
                row = int(fractions[0])
                raise ValueError(f"{name} has {block[row]} in row {first_row + start + row}; wants whole class numbers")
    wanted = f"wants class numbers from 0 to {classes - 1}"
    if classes == 1:
        wanted += ", for the model has one output: 'binary_crossentropy' may be meant"
    _check_bounds(array, name, 0, classes - 1, wanted, first_row)
    if array.dtype.kind in "iu" and array.dtype.isnative:
        return array
    return array.astype(np.int64)
