"""The area under a curve of the counts at many thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastnn.data import boolean, positive_integer, real_number
from fastnn.names import lookup
from fastnn.typing import Array
from .confusion import Counts, above_evenly, counted, parsed, plain, ratio

EPSILON = 1e-7  # by which the first and the last threshold are outside [0, 1], as in Keras


class AUC(Counts):
    """The area under the ROC curve, of recall over the false positives' rate, or under another one.

    It is the sum over trapezoids between thresholds: near the exact area, as in Keras, and the nearer the more
    thresholds there are.

    Parameters
    ----------
    num_thresholds : int
    curve : {"ROC", "PR", "PRGAIN"}
        Of recall over the rate of false positives, of precision over recall, or of their gains.
    summation_method : {"interpolation", "minoring", "majoring"}
        Trapezoids (of precision as Davis & Goadrich, 2006, interpolate it), or the lower or the higher end of each.
    name : str, optional
    thresholds : sequence of float, optional
        Those to use beside 0 and 1, instead of num_thresholds.
    multi_label : bool
        Each output has a curve of its own, and the areas are averaged; otherwise all outputs are thrown together.
    num_labels : int, optional
        How many outputs there are, where they have curves of their own; taken for Keras's sake.
    label_weights : sequence of float, optional
        What each output counts.
    from_logits : bool
        Outputs are logits, of which the sigmoid is taken.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.AUC()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    0.75
    """

    direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        *,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name)
        self.curve = lookup(curve.upper() if isinstance(curve, str) else curve, ["ROC", "PR", "PRGAIN"], "curve")
        method = summation_method.lower() if isinstance(summation_method, str) else summation_method
        self.summation_method = lookup(method, ["interpolation", "minoring", "majoring"], "summation_method")
        self.thresholds = plain(thresholds)
        count = positive_integer(num_thresholds, "num_thresholds", least=2)
        between = [(i + 1) / (count - 1) for i in range(count - 2)]
        if self.thresholds is not None:
            between = sorted(parsed(self.thresholds, 0.5))
        self.num_thresholds = len(between) + 2
        self._thresholds = [-EPSILON, *between, 1 + EPSILON]
        even = np.linspace(0, 1, len(between) + 2)
        self._evenly = len(even) > 2 and bool(np.allclose([0.0, *between, 1.0], even, atol=EPSILON))
        self._evenly = self._evenly or self.thresholds is None
        self.multi_label = boolean(multi_label, "multi_label")
        self.from_logits = boolean(from_logits, "from_logits")
        if num_labels is not None and not multi_label:
            raise ValueError(f"num_labels got {num_labels}; wants None, but where multi_label is set")
        self.num_labels = num_labels
        self.label_weights = None
        if label_weights is not None:
            self.label_weights = [real_number(value, "label_weights", least=0) for value in label_weights]

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        if self.from_logits:
            p = np.asarray(y_pred)
            y_pred = np.where(p >= 0, 1 / (1 + np.exp(-np.abs(p))), np.exp(-np.abs(p)) / (1 + np.exp(-np.abs(p))))
        super().update_state(y_true, y_pred, sample_weight)

    def _counted(self, t: Array, p: Array, weight: Array | None) -> Array:
        above = self._above(p)
        count = len(self._thresholds)
        if self.multi_label:
            if self.num_labels not in (None, p.shape[1]):
                raise ValueError(f"num_labels got {self.num_labels}, but there are {p.shape[1]} outputs")
            each = None if weight is None else np.broadcast_to(weight, p.shape)
            columns = [
                counted(t[:, i], above[:, i], count, None if each is None else each[:, i]) for i in range(p.shape[1])
            ]
            return np.stack(columns, axis=-1)
        if self.label_weights is not None:
            weight = np.asarray(self.label_weights) * (1.0 if weight is None else weight)
        flat = None if weight is None else np.broadcast_to(weight, p.shape).ravel()
        return counted(t.ravel(), above.ravel(), count, flat)

    def _above(self, p: Array) -> Array:
        if not self._evenly:
            return super()._above(p)
        return np.maximum(above_evenly(p, self.num_thresholds), 1)

    def result(self) -> float:
        """The area."""
        true_positives, false_positives, true_negatives, false_negatives = self._sums()
        positives, negatives = true_positives + false_negatives, true_negatives + false_positives
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._mean(self._interpolated(true_positives, false_positives, positives))
        recall, precision = ratio(true_positives, positives), ratio(true_positives, true_positives + false_positives)
        if self.curve == "ROC":
            x, y = ratio(false_positives, negatives), recall
        elif self.curve == "PR":
            x, y = recall, precision
        else:
            odds, none = ratio(positives, negatives), true_positives == 0
            x = np.maximum(np.where(none, 0.0, 1 - odds * ratio(false_negatives, true_positives)), 0)
            y = np.where(none, 1.0, 1 - odds * ratio(false_positives, true_positives))
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        else:
            heights = (np.minimum if self.summation_method == "minoring" else np.maximum)(y[:-1], y[1:])
        return self._mean(((x[:-1] - x[1:]) * heights).sum(axis=0))

    def _interpolated(self, true_positives: Array, false_positives: Array, positives: Array) -> Array:
        """The area under precision over recall, between whose points true and false positives grow together."""
        found = true_positives + false_positives
        grown, more = true_positives[:-1] - true_positives[1:], found[:-1] - found[1:]
        slope = ratio(grown, np.maximum(more, 0))
        intercept = true_positives[1:] - slope * found[1:]
        both = (found[:-1] > 0) & (found[1:] > 0)
        growth = np.where(both, ratio(found[:-1], np.maximum(found[1:], 0)), 1.0)
        return np.asarray(ratio(slope * (grown + intercept * np.log(growth)), np.maximum(positives[1:], 0)).sum(axis=0))

    def _mean(self, areas: Array) -> float:
        """The area, or the mean of those of several outputs."""
        if not self.multi_label:
            return float(areas)
        if self.label_weights is None:
            return float(np.mean(areas))
        weights = np.asarray(self.label_weights)
        return float(ratio((areas * weights).sum(), weights.sum()))
