"""Keras's functions of targets and outputs, on NumPy arrays: a value a row, the mean or sum over the last axis.

The formula of a single output is that of the table which the kernels are made of. Arrays are (rows, outputs), or
(rows,) where the other one has one column; what is computed is float64, or of y_pred's dtype where that is a float.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn.engine import LOSSES
from fastnn.typing import Array

EPSILON = 1e-7  # Keras's


def arrays(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
    """Targets and outputs of one dtype and rank: a column for a flat array where the other one has columns."""
    p = np.asarray(y_pred)
    if p.dtype.kind != "f":
        p = p.astype(np.float64)
    t = np.asarray(y_true)
    t = t if t.dtype == p.dtype else t.astype(p.dtype)
    if t.ndim == 1 and p.ndim == 2 and p.shape[1] == 1:
        t = t[:, np.newaxis]
    elif p.ndim == 1 and t.ndim == 2 and t.shape[1] == 1:
        p = p[:, np.newaxis]
    if t.shape != p.shape:
        raise ValueError(f"y_true has shape {t.shape}, but y_pred {p.shape}; wants the same")
    return t, p


def _each(row: str, y_true: ArrayLike, y_pred: ArrayLike, *constants: float) -> Array:
    """The formula of the table of losses, of each output."""
    t, p = arrays(y_true, y_pred)
    value = LOSSES[row].value
    assert value is not None
    with np.errstate(all="ignore"):  # an infinite value is a value, as in the kernels
        return np.asarray(value(p, t, *constants))


def _mean(row: str, y_true: ArrayLike, y_pred: ArrayLike, *constants: float) -> Array:
    return np.asarray(_each(row, y_true, y_pred, *constants).mean(axis=-1))


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Mean of (y - t)^2 over the last axis."""
    return _mean("mean_squared_error", y_true, y_pred)


def half_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Sum of (y - t)^2 / 2 over the last axis."""
    return np.asarray(_each("half_squared_error", y_true, y_pred).sum(axis=-1))


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Mean of abs(y - t) over the last axis."""
    return _mean("mean_absolute_error", y_true, y_pred)


def mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Mean of 100 abs(y - t) / abs(t) over the last axis; abs(t) counts as 1e-7 at least."""
    return _mean("mean_absolute_percentage_error", y_true, y_pred)


def mean_squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Mean of (log(1 + y) - log(1 + t))^2 over the last axis; both count as 1e-7 at least."""
    return _mean("mean_squared_logarithmic_error", y_true, y_pred)


def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """Minus the cosine of the angle between y and t: -1 where they point the same way."""
    t, p = (_unit(array, axis) for array in arrays(y_true, y_pred))
    return np.asarray(-(t * p).sum(axis=axis))


def _unit(array: Array, axis: int) -> Array:
    squares = np.square(array).sum(axis=axis, keepdims=True)
    return np.asarray(array / np.sqrt(np.maximum(squares, EPSILON**2)))


def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> Array:
    """Mean over the last axis of e^2 / 2 where e = abs(y - t) is at most delta, else of delta (e - delta / 2)."""
    return _mean("huber", y_true, y_pred, delta)


def log_cosh(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Mean of log(cosh(y - t)) over the last axis."""
    return _mean("log_cosh", y_true, y_pred)


def quantile(y_true: ArrayLike, y_pred: ArrayLike, quantiles: float | Sequence[float] = 0.5) -> Array:
    """Mean over the last axis of q (t - y) where t is above y, else of (1 - q) (y - t).

    Of several quantiles, y_pred has that many columns for each of y_true's.
    """
    q = np.atleast_1d(np.asarray(quantiles, np.float64))
    t, p = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if len(q) > 1:
        t = np.repeat(t.reshape(len(t), -1), len(q), axis=1)
        q = np.resize(q, t.shape[1])
    return np.asarray(_each("quantile", t, p, q).mean(axis=-1))  # type: ignore[arg-type]


def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Mean of y - t log(y + 1e-7) over the last axis."""
    return _mean("poisson", y_true, y_pred)


def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Sum of t log(t / y) over the last axis, both clipped to [1e-7, 1]."""
    return np.asarray(_each("kl_divergence", y_true, y_pred).sum(axis=-1))


def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Mean of max(1 - t y, 0) over the last axis; targets that are all 0 or 1 become -1 and 1."""
    t, p = arrays(y_true, y_pred)
    return np.asarray(np.maximum(1 - _signs(t) * p, 0).mean(axis=-1))


def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Mean of max(1 - t y, 0)^2 over the last axis; targets that are all 0 or 1 become -1 and 1."""
    t, p = arrays(y_true, y_pred)
    return np.asarray(np.square(np.maximum(1 - _signs(t) * p, 0)).mean(axis=-1))


def _signs(t: Array) -> Array:
    return 2 * t - 1 if np.isin(t, (0, 1)).all() else t


def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """max(largest (1 - t) y - sum(t y) + 1, 0) over the last axis."""
    t, p = arrays(y_true, y_pred)
    return np.asarray(np.maximum(((1 - t) * p).max(axis=-1) - (t * p).sum(axis=-1) + 1, 0))


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Array:
    """Mean of -t log(y) - (1 - t) log(1 - y) over the last axis; y is clipped to [1e-7, 1 - 1e-7]."""
    row = "binary_crossentropy_from_logits" if from_logits else "binary_crossentropy"
    return _mean(row, _smoothed(y_true, label_smoothing, 2), y_pred)


def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    """Mean over the last axis of (1 - p)^gamma times the binary crossentropy; p is the probability of what is true."""
    row = "binary_focal_crossentropy_from_logits" if from_logits else "binary_focal_crossentropy"
    weights = (alpha, 1 - alpha) if apply_class_balancing else (1.0, 1.0)
    return _mean(row, _smoothed(y_true, label_smoothing, 2), y_pred, gamma, *weights)


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> Array:
    """-sum(t log(y)) over the last axis; y is divided by its sum and clipped to [1e-7, 1 - 1e-7], unless logits."""
    t, p = arrays(_smoothed(y_true, label_smoothing), y_pred)
    return np.asarray(-(t * _log_probabilities(p, from_logits)).sum(axis=-1))


def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    """-sum(alpha (1 - y)^gamma t log(y)) over the last axis."""
    t, p = arrays(_smoothed(y_true, label_smoothing), y_pred)
    logarithm = np.clip(_log_probabilities(p, from_logits), np.log(EPSILON), np.log1p(-EPSILON))
    return np.asarray(-(np.asarray(alpha) * (-np.expm1(logarithm)) ** gamma * t * logarithm).sum(axis=-1))


def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, ignore_class: int | None = None
) -> Array:
    """-log(y) of each row's class, whose number is the target; 0 where it is ``ignore_class``."""
    p = np.asarray(y_pred)
    t = np.asarray(y_true).reshape(len(p)).astype(np.int64)
    ignored = np.zeros(len(t), bool) if ignore_class is None else t == ignore_class
    if (outside := (t[~ignored] < 0) | (t[~ignored] >= p.shape[1])).any():
        raise ValueError(f"y_true has {t[~ignored][outside][0]}; wants class numbers from 0 to {p.shape[1] - 1}")
    logarithm = _log_probabilities(p if p.dtype.kind == "f" else p.astype(np.float64), from_logits)
    return np.where(ignored, 0, -logarithm[np.arange(len(t)), np.where(ignored, 0, t)])


def _log_probabilities(p: Array, from_logits: bool) -> Array:
    if from_logits:
        level = p - p.max(axis=-1, keepdims=True)
        return np.asarray(level - np.log(np.exp(level).sum(axis=-1, keepdims=True)))
    with np.errstate(all="ignore"):
        return np.asarray(np.log(np.clip(p / p.sum(axis=-1, keepdims=True), EPSILON, 1 - EPSILON)))


def _smoothed(y_true: ArrayLike, part: float, classes: int | None = None) -> Array:
    """Targets of which a part is spread over the classes; None: as many as the last axis has."""
    t = np.asarray(y_true)
    return t if not part else np.asarray(t * (1.0 - part) + part / (classes or t.shape[-1]))


def weighted(values: ArrayLike, sample_weight: ArrayLike | None, reduction: str | None) -> Any:
    """Values times their weights, and their sum or mean as ``reduction`` says; see `Loss`."""
    found: Array = np.asarray(values)
    if sample_weight is not None:
        weight: Array = np.asarray(sample_weight, found.dtype)
        if weight.ndim == 2 and found.ndim == 1 and weight.shape[1] == 1:
            weight = weight[:, 0]
        elif weight.ndim == 1 and found.ndim == 2:
            weight = weight[:, np.newaxis]
        found = found * weight
    if reduction in (None, "none") or found.ndim == 0:
        return found if found.ndim else float(found)
    total = found.sum(dtype=np.float64)
    if reduction == "sum":
        return float(total)
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        divisor = float(weight.sum(dtype=np.float64))
        return float(total / divisor) if divisor else 0.0
    return float(total / found.size)


Rows = Callable[..., Array]
"""A function of targets and outputs: a value a row."""

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
bce = BCE = binary_crossentropy
logcosh = log_cosh
pinball = quantile
