"""Metrics of numbers: means of errors, and the part of the variance that is explained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn.data import positive_integer
from fastnn.errors import warn
from fastnn.losses import functions as of_losses
from fastnn.typing import Array
from . import functions
from .base import MeanOfRows, Metric


class MeanSquaredError(MeanOfRows):
    """Mean of (y - t)^2.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.MeanSquaredError()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [4.0]])
    >>> round(float(metric.result()), 4)
    2.125
    """

    row = "mean_squared_error"
    direction = "down"

    def __init__(self, name: str | None = "mean_squared_error") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return of_losses.mean_squared_error(y_true, y_pred)


class RootMeanSquaredError(MeanSquaredError):
    """Square root of the mean of (y - t)^2.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.RootMeanSquaredError()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [4.0]])
    >>> round(float(metric.result()), 4)
    1.4577
    """

    root = True

    def __init__(self, name: str | None = "root_mean_squared_error") -> None:
        super().__init__(name)


class MeanAbsoluteError(MeanOfRows):
    """Mean of abs(y - t).

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.MeanAbsoluteError()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [4.0]])
    >>> round(float(metric.result()), 4)
    1.25
    """

    row = "mean_absolute_error"
    direction = "down"

    def __init__(self, name: str | None = "mean_absolute_error") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return of_losses.mean_absolute_error(y_true, y_pred)


class MeanAbsolutePercentageError(MeanOfRows):
    """Mean of 100 abs(y - t) / abs(t), where abs(t) counts as 1e-7 at least.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.MeanAbsolutePercentageError()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [4.0]])
    >>> round(float(metric.result()), 4)
    75.0
    """

    row = "mean_absolute_percentage_error"
    direction = "down"

    def __init__(self, name: str | None = "mean_absolute_percentage_error") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return of_losses.mean_absolute_percentage_error(y_true, y_pred)


class MeanSquaredLogarithmicError(MeanOfRows):
    """Mean of (log(1 + y) - log(1 + t))^2, where y and t count as 1e-7 at least.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.MeanSquaredLogarithmicError()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [4.0]])
    >>> round(float(metric.result()), 4)
    0.1554
    """

    row = "mean_squared_logarithmic_error"
    direction = "down"

    def __init__(self, name: str | None = "mean_squared_logarithmic_error") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return of_losses.mean_squared_logarithmic_error(y_true, y_pred)


class LogCoshError(MeanOfRows):
    """Mean of log(cosh(y - t)).

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.LogCoshError()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [4.0]])
    >>> round(float(metric.result()), 4)
    0.7226
    """

    row = "log_cosh"
    direction = "down"

    def __init__(self, name: str | None = "logcosh") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return of_losses.log_cosh(y_true, y_pred)


class CosineSimilarity(MeanOfRows):
    """Mean of the cosine of the angle between a row of outputs and its targets; the loss is its negative.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.CosineSimilarity()
    >>> metric.update_state([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    0.8354
    """

    direction = "up"

    def __init__(self, name: str | None = "cosine_similarity") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.cosine_similarity(y_true, y_pred)


class R2Score(Metric):
    """1 - sum((y - t)^2) / sum((t - mean of t)^2), of each output.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        The mean over the outputs, or that weighted by the targets' variances; None: an array.
    num_regressors : int
        Above 0: the adjusted score, for so many inputs.
    name : str

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.R2Score()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [4.0]])
    >>> round(float(metric.result()), 4)
    -7.5
    """

    direction = "up"

    def __init__(
        self, class_aggregation: str | None = "uniform_average", num_regressors: int = 0, name: str | None = "r2_score"
    ) -> None:
        super().__init__(name)
        if class_aggregation not in (known := ("uniform_average", "variance_weighted_average", None)):
            raise ValueError(f"class_aggregation got {class_aggregation!r}; wants one of {known}")
        self.class_aggregation = class_aggregation
        self.num_regressors = positive_integer(num_regressors, "num_regressors", least=0)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        t, p = (a.astype(np.float64) for a in of_losses.arrays(y_true, y_pred))
        t, p = (a[:, np.newaxis] if a.ndim == 1 else a for a in (t, p))
        weight: Array = np.ones(len(t)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        weight = np.broadcast_to(weight[:, np.newaxis] if weight.ndim == 1 else weight, t.shape)
        if not self._total("count of rows"):
            self._add("origin", t[0])  # sums of squares about a target cancel less than about 0
        about = t - self._total("origin")
        self._add("sum", (about * weight).sum(axis=0))
        self._add("squares", (about * about * weight).sum(axis=0))
        self._add("residual", ((t - p) ** 2 * weight).sum(axis=0))
        self._add("weight", weight.sum(axis=0))
        self._add("count of rows", t.size)

    def result(self) -> Any:
        with np.errstate(all="ignore"):
            total = self._total("squares") - self._total("sum") ** 2 / np.asarray(self._total("weight"))
            scores = 1 - np.asarray(self._total("residual")) / total
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            score: Any = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            score = (total * scores).sum() / total.sum()
        else:
            score = scores
        count, inputs = self._total("count of rows"), self.num_regressors
        if inputs and inputs >= count - 1:
            warn(f"num_regressors got {inputs} for {count} targets; wants less: the score is not adjusted")
        elif inputs:
            score = 1 - (1 - score) * (count - 1) / (count - inputs - 1)
        return float(score) if np.ndim(score) == 0 else score
