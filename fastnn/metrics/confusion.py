"""Metrics of yes and no at thresholds: true and false positives and negatives, and what is made of them.

An output counts as positive where it is above a threshold, a target where it is not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fastnn.data import positive_integer, real_number
from fastnn.losses.functions import arrays
from fastnn.typing import Array
from .base import Metric


class Counts(Metric):
    """Base of the metrics of counts at thresholds; `counts` are sums of weights, of 1 where there are none."""

    _thresholds: list[float]  # in rising order
    top_k: int | None = None
    class_id: int | None = None

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        t, p = arrays(y_true, y_pred)
        t, p = (a[:, np.newaxis] if a.ndim == 1 else a for a in (t, p))
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float64).reshape(len(t), -1)
        if self.top_k is not None:
            p = _only_top(p, self.top_k)
        if self.class_id is not None:
            if self.class_id >= p.shape[1]:
                raise ValueError(f"class_id got {self.class_id}, but there are {p.shape[1]} outputs; wants less")
            t, p = (a[:, self.class_id, np.newaxis] for a in (t, p))
        if np.isnan(p).any():
            self._add("counts", np.nan)
            return
        self._add("counts", self._counted(t != 0, p, weight))

    def _counted(self, t: Array, p: Array, weight: Array | None) -> Array:
        """True and false positives, true and false negatives, (4, thresholds), of rows."""
        return counted(t.ravel(), self._above(p.ravel()), len(self._thresholds), _spread(weight, p))

    def _above(self, p: Array) -> Array:
        """How many of the thresholds each output is above, those being in rising order."""
        return np.searchsorted(np.asarray(self._thresholds, p.dtype), p, side="left")

    def _sums(self) -> tuple[Array, Array, Array, Array]:
        """True and false positives, true and false negatives, each (thresholds,), or (thresholds, outputs)."""
        sums = np.asarray(self._total("counts"))
        if sums.ndim == 0:
            sums = np.full((4, len(self._thresholds)), sums)  # of no rows, or of a NaN
        return sums[0], sums[1], sums[2], sums[3]

    def _single(self, values: Array) -> Any:
        """A number where there is one threshold, else an array."""
        return float(values[0]) if len(self._thresholds) == 1 else values


def counted(t: Array, above: Array, thresholds: int, weight: Array | None) -> Array:
    """True and false positives, true and false negatives, (4, thresholds), from how many thresholds each is above.

    A histogram for each kind of target: what is added are whole numbers, or weights in the order of the rows.
    """
    places = above + (thresholds + 1) * t
    found = np.bincount(places, weight, 2 * (thresholds + 1)).astype(np.float64).reshape(2, -1)
    positive = found[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]  # of outputs above threshold i there are those above more
    negative = found.sum(axis=1, keepdims=True) - positive
    return np.array([positive[1], positive[0], negative[0], negative[1]])


def ratio(part: Array, whole: Array) -> Array:
    """part / whole; 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(np.asarray(part, np.float64)), where=whole != 0)


def _spread(weight: Array | None, p: Array) -> Array | None:
    return None if weight is None else np.broadcast_to(weight, p.shape).ravel()


def _only_top(p: Array, k: int) -> Array:
    """Outputs of which all but the k largest of a row are as small as can be."""
    order = np.argsort(-p, axis=1, kind="stable")
    kept = np.full_like(p, -np.inf)
    top = order[:, : min(k, p.shape[1])]
    np.put_along_axis(kept, top, np.take_along_axis(p, top, axis=1), axis=1)
    return kept


def parsed(thresholds: float | Sequence[float] | None, default: float) -> list[float]:
    """Thresholds as a list of numbers from 0 to 1; the default alone where there are none."""
    if thresholds is None:
        return [default]
    several = list(thresholds) if isinstance(thresholds, Sequence | np.ndarray) else [thresholds]
    if not several:
        raise ValueError("thresholds got none; wants at least one")
    return [real_number(value, "thresholds", least=0, most=1) for value in several]


def plain(thresholds: float | Sequence[float] | None) -> float | list[float] | None:
    """Thresholds as they were given, but for arrays."""
    if isinstance(thresholds, Sequence | np.ndarray):
        return [float(value) for value in thresholds]
    return thresholds


class _Count(Counts):
    """Base of the counts of one kind."""

    kind: ClassVar[int]

    def __init__(self, thresholds: float | Sequence[float] | None = None, name: str | None = None) -> None:
        super().__init__(name)
        several = parsed(thresholds, 0.5)
        self._order = np.argsort(np.argsort(several, kind="stable"), kind="stable")
        self._thresholds, self.thresholds = sorted(several), plain(thresholds)

    def result(self) -> Any:
        """The count; of several thresholds an array."""
        return self._single(self._sums()[self.kind][self._order])


class TruePositives(_Count):
    """The number of outputs that are positive, as their target is.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1; default 0.5.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.TruePositives()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    1.0
    """

    kind = 0


class FalsePositives(_Count):
    """The number of outputs that are positive although the target is negative.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1; default 0.5.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.FalsePositives()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    1.0
    """

    kind = 1


class TrueNegatives(_Count):
    """The number of outputs that are negative, as their target is.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1; default 0.5.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.TrueNegatives()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    1.0
    """

    kind = 2


class FalseNegatives(_Count):
    """The number of outputs that are negative although the target is positive.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1; default 0.5.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.FalseNegatives()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    1.0
    """

    kind = 3


class _Part(Counts):
    """Base of precision and recall: the true positives as a part of something."""

    direction = "up"
    others: ClassVar[int]  # what is in the whole beside the true positives

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.top_k = None if top_k is None else positive_integer(top_k, "top_k")
        self.class_id = None if class_id is None else positive_integer(class_id, "class_id", least=0)
        several = parsed(thresholds, 0.5 if top_k is None else -1e10)
        self._order = np.argsort(np.argsort(several, kind="stable"), kind="stable")
        self._thresholds, self.thresholds = sorted(several), plain(thresholds)

    def result(self) -> Any:
        """The part; of several thresholds an array."""
        sums = self._sums()
        return self._single(ratio(sums[0], sums[0] + sums[self.others])[self._order])


class Precision(_Part):
    """The fraction of the positive outputs whose target is positive; 0 if no output is positive.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1; default 0.5, or none where top_k is given.
    top_k : int, optional
        Only the k largest outputs of a row may be positive.
    class_id : int, optional
        Only this column of outputs and targets counts.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.Precision()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    0.5
    """

    others = 1


class Recall(_Part):
    """The fraction of the positive targets whose output is positive; 0 if no target is positive.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1; default 0.5, or none where top_k is given.
    top_k : int, optional
        Only the k largest outputs of a row may be positive.
    class_id : int, optional
        Only this column of outputs and targets counts.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.Recall()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    0.5
    """

    others = 3


def evenly(count: int) -> list[float]:
    """Thresholds from 0 to 1."""
    return [0.0, *((i + 1) / (count - 1) for i in range(count - 2)), 1.0]


def above_evenly(p: Array, count: int) -> Array:
    """How many of so many thresholds, evenly from 0 to 1, each output is above: as Keras rounds.

    Thus 0 is above none and 1 above all but the last; for an area under a curve 0 is above the first.
    """
    clipped = np.clip(p, 0, 1)
    above: Array = np.ceil(clipped * p.dtype.type(count - 1)).astype(np.int64)
    return above
