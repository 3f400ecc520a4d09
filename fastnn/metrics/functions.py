"""Keras's functions of accuracy, on NumPy arrays: 1 where an output, or a row, is right, else 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fastnn.losses.functions import arrays
from fastnn.losses.functions import cosine_similarity as minus_cosine
from fastnn.typing import Array


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Where outputs equal their targets, (rows, outputs)."""
    t, p = arrays(y_true, y_pred)
    return np.asarray(t == p, np.float64)


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Array:
    """Where 1 for an output above the threshold, else 0, equals the target, (rows, outputs)."""
    t, p = arrays(y_true, y_pred)
    return np.asarray((p > p.dtype.type(threshold)) == t, np.float64)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Where a row's largest output is in the column of the largest target, (rows,)."""
    return np.asarray(np.argmax(y_true, axis=-1) == np.argmax(y_pred, axis=-1), np.float64)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Where a row's largest output is in the column of its class, (rows,); targets are class numbers."""
    p = np.asarray(y_pred)
    return np.asarray(classes(y_true, p) == p.argmax(axis=-1), np.float64)


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Array:
    """Where less than k outputs of a row are larger than that in the column of the largest target, (rows,)."""
    return sparse_top_k_categorical_accuracy(np.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Array:
    """Where less than k outputs of a row are larger than that of its class, (rows,); targets are class numbers."""
    p = np.asarray(y_pred)
    own = np.take_along_axis(p, classes(y_true, p)[:, np.newaxis], axis=1)
    return np.asarray(((p > own).sum(axis=1) < k) & np.isfinite(own[:, 0]), np.float64)


def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """The cosine of the angle between a row's outputs and its targets, (rows,): 1 where they point the same way."""
    return -minus_cosine(y_true, y_pred, axis)


def classes(y_true: ArrayLike, p: Array) -> Array:
    """Class numbers (rows,)."""
    t = np.asarray(y_true)
    if t.shape not in ((len(p),), (len(p), 1)):
        raise ValueError(f"y_true has shape {t.shape}; wants class numbers, ({len(p)},)")
    return t.reshape(len(p)).astype(np.int64)
