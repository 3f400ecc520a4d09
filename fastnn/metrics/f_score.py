"""The harmonic mean of precision and recall."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn.data import real_number
from fastnn.losses.functions import arrays
from fastnn.typing import Array
from .base import Metric

EPSILON = 1e-7  # Keras's


class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), of each output.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None: an array, a score an output.  "micro": of all outputs together; "macro": the mean of the scores;
        "weighted": weighted by the outputs' numbers of positive targets.
    beta : float
        What recall counts, where precision counts 1; above 0.
    threshold : float, optional
        An output above it is positive; None: the largest one of each row.
    name : str

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.FBetaScore(average="macro", beta=2.0)
    >>> metric.update_state([[0, 1], [1, 0], [0, 1]], [[0.2, 0.8], [0.4, 0.6], [0.1, 0.9]])
    >>> round(float(metric.result()), 4)
    0.4545
    """

    direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
    ) -> None:
        super().__init__(name)
        if average not in (known := (None, "micro", "macro", "weighted")):
            raise ValueError(f"average got {average!r}; wants one of {known}")
        self.average = average
        self.beta = real_number(beta, "beta", above=0)
        self.threshold = None if threshold is None else real_number(threshold, "threshold", above=0, most=1)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        t, p = arrays(y_true, y_pred)
        t, p = (a[:, np.newaxis] if a.ndim == 1 else a for a in (t, p))
        if self.threshold is None:
            positive = p == p.max(axis=1, keepdims=True)
            positive &= np.abs(p) > 1e-9  # else a row of zeros would be positive throughout
        else:
            positive = p > p.dtype.type(self.threshold)
        weight: Array = np.ones((len(t), 1))
        if sample_weight is not None:
            weight = np.asarray(sample_weight, np.float64).reshape(len(t), -1)
        t = t.astype(np.float64)
        axis = None if self.average == "micro" else 0
        for name, values in (
            ("true_positives", positive * t),
            ("false_positives", positive * (1 - t)),
            ("false_negatives", (1 - positive) * t),
            ("weights", t),
        ):
            self._add(name, (values * weight).sum(axis=axis))

    def result(self) -> Any:
        true = np.asarray(self._total("true_positives"))
        precision = true / (true + self._total("false_positives") + EPSILON)
        recall = true / (true + self._total("false_negatives") + EPSILON)
        scores = precision * recall / (self.beta**2 * precision + recall + EPSILON) * (1 + self.beta**2)
        if self.average == "weighted":
            weights = np.asarray(self._total("weights"))
            scores = (scores * weights / (weights.sum() + EPSILON)).sum()
        elif self.average is not None:
            scores = np.mean(scores)
        return float(scores) if np.ndim(scores) == 0 else scores


class F1Score(FBetaScore):
    """2 precision recall / (precision + recall), of each output.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None: an array, a score an output.  "micro": of all outputs together; "macro": the mean of the scores;
        "weighted": weighted by the outputs' numbers of positive targets.
    threshold : float, optional
        An output above it is positive; None: the largest one of each row.
    name : str

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.F1Score(average="macro")
    >>> metric.update_state([[0, 1], [1, 0], [0, 1]], [[0.2, 0.8], [0.4, 0.6], [0.1, 0.9]])
    >>> round(float(metric.result()), 4)
    0.4
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = "f1_score"
    ) -> None:
        super().__init__(average, 1.0, threshold, name)
