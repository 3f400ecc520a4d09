"""Weights of classes, which become weights of the rows that are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.engine import Data
from fastnn.typing import Array
from .checks import real_number

Weights = Mapping[int, float] | NDArray[np.float64]
"""By the class's number: a dict, or a place in an array."""


def class_weights(given: Any) -> Weights | str | None:
    """The weight of each class by its number, from a dict, a Series or an array of them; or "balanced", or None.

    Keys may be of any real kind, such as np.float32(1) or True, as long as they are whole.  TypeError, ValueError: they
    are not; a weight is missing or not finite.
    """
    if given is None or (isinstance(given, str) and given == "balanced"):
        return given
    if isinstance(given, np.ndarray) and given.ndim == 1:
        return np.array([real_number(weight, f"class_weight[{i}]") for i, weight in enumerate(given.tolist())])
    if isinstance(given, Mapping) or (hasattr(given, "index") and callable(getattr(given, "items", None))):
        return {_class(key): real_number(weight, f"class_weight[{key}]") for key, weight in given.items()}
    raise TypeError(
        f"class_weight got a {type(given).__name__}, {given!r}; "
        "wants a dict of class number to weight, an array or a Series of weights by class number, or 'balanced'"
    )


def classes(y: Array) -> NDArray[np.int64]:
    """The class of each row, as Keras takes it: the number nearest to the target, or the column of the largest."""
    if y.ndim == 2 and y.shape[1] > 1:
        return np.asarray(y.argmax(axis=1), np.int64)
    return np.round(np.asarray(y).reshape(len(y))).astype(np.int64)


def by_class(y: Array, asked: Weights | str, present: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The weight of each row, (rows,), by its class, times the one that it has.

    A class that is left out weighs 1, as in Keras; "balanced" is rows / (classes * rows of the class), as in
    scikit-learn.
    """
    found, place, counts = np.unique(classes(y), return_inverse=True, return_counts=True)
    if isinstance(asked, str):
        values = np.asarray(len(y) / (len(found) * counts), np.float64)
    elif isinstance(asked, np.ndarray):
        if outside := [number for number in found.tolist() if not 0 <= number < len(asked)]:
            raise ValueError(
                f"class_weight got {len(asked)} weights, but y has the class {outside[0]}; wants one a class"
            )
        values = asked[found]
    else:
        values = np.array([asked.get(number, 1.0) for number in found.tolist()], np.float64)
    weight = values[place]
    return weight if present is None else weight * present


def weighed(rows: Data, class_weight: Any) -> Data:
    """The rows with the weights of their classes; ``class_weight`` is what `class_weights` takes."""
    asked = class_weights(class_weight)
    if asked is None:
        return rows
    assert rows.y is not None
    return Data(rows.x, rows.y, rows.labels, by_class(rows.y, asked, rows.weight))


def _class(key: Any) -> int:
    """A key as the number of a class."""
    number = float(key) if isinstance(key, bool | np.bool_) else real_number(key, "class_weight's key")
    if not number.is_integer():
        raise ValueError(f"class_weight's key got {key!r}; wants the number of a class")
    return int(number)
