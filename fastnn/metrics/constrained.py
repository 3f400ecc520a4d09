"""Metrics that are the best of one part of yes and no where another part is at least so large."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fastnn.data import positive_integer, real_number
from fastnn.typing import Array
from .confusion import Counts, above_evenly, evenly, ratio


class _Constrained(Counts):
    """Base of the metrics that are the best of one part where another one is at least so much."""

    direction = "up"
    what: ClassVar[str]  # the argument that says how much

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None) -> None:
        super().__init__(name)
        self.class_id = None if class_id is None else positive_integer(class_id, "class_id", least=0)
        self.num_thresholds = positive_integer(num_thresholds, "num_thresholds")
        setattr(self, self.what, real_number(value, self.what, least=0, most=1))
        self._thresholds = [0.5] if num_thresholds == 1 else evenly(num_thresholds)

    def _above(self, p: Array) -> Array:
        if self.num_thresholds < 3:
            return super()._above(p)
        return above_evenly(p, self.num_thresholds)

    def result(self) -> float:
        true_positives, false_positives, true_negatives, false_negatives = self._sums()
        parts = {
            "recall": ratio(true_positives, true_positives + false_negatives),
            "precision": ratio(true_positives, true_positives + false_positives),
            "specificity": ratio(true_negatives, true_negatives + false_positives),
        }
        parts["sensitivity"] = parts["recall"]
        enough = parts[self.what] >= getattr(self, self.what)
        return float(np.where(enough, parts[self.best], 0).max(initial=0))

    best: ClassVar[str]  # what is made large


class SensitivityAtSpecificity(_Constrained):
    """The largest sensitivity at a threshold where specificity is at least as large as asked for.

    Parameters
    ----------
    specificity : float
        From 0 to 1.
    num_thresholds : int
    class_id : int, optional
        Only this column of outputs and targets counts.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.SensitivityAtSpecificity(0.5)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    1.0
    """

    what, best = "specificity", "sensitivity"

    def __init__(
        self, specificity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name)


class SpecificityAtSensitivity(_Constrained):
    """The largest specificity at a threshold where sensitivity is at least as large as asked for.

    Parameters
    ----------
    sensitivity : float
        From 0 to 1.
    num_thresholds : int
    class_id : int, optional
        Only this column of outputs and targets counts.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.SpecificityAtSensitivity(0.5)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    1.0
    """

    what, best = "sensitivity", "specificity"

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name)


class PrecisionAtRecall(_Constrained):
    """The largest precision at a threshold where recall is at least as large as asked for.

    Parameters
    ----------
    recall : float
        From 0 to 1.
    num_thresholds : int
    class_id : int, optional
        Only this column of outputs and targets counts.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.PrecisionAtRecall(0.5)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    1.0
    """

    what, best = "recall", "precision"

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name)


class RecallAtPrecision(_Constrained):
    """The largest recall at a threshold where precision is at least as large as asked for.

    Parameters
    ----------
    precision : float
        From 0 to 1.
    num_thresholds : int
    class_id : int, optional
        Only this column of outputs and targets counts.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.RecallAtPrecision(0.6)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    1.0
    """

    what, best = "precision", "recall"

    def __init__(
        self, precision: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name)
