"""Losses as metrics: crossentropies, divergences and hinges, as means over rows."""

from __future__ import annotations

from numpy.typing import ArrayLike

from fastnn.data import boolean, real_number
from fastnn.losses import functions
from .base import MeanOfRows


class BinaryCrossentropy(MeanOfRows):
    """Mean of -t log(y) - (1 - t) log(1 - y), y clipped to [1e-7, 1 - 1e-7].

    Parameters
    ----------
    name : str
    from_logits : bool
        Outputs are logits.
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / 2.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.BinaryCrossentropy()
    >>> metric.update_state([[0.0], [1.0]], [[0.2], [0.9]])
    >>> round(float(metric.result()), 4)
    0.1643
    """

    row = "binary_crossentropy"
    direction = "down"

    def __init__(
        self, name: str | None = "binary_crossentropy", from_logits: bool = False, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(name)
        self.from_logits = boolean(from_logits, "from_logits")
        self.label_smoothing = real_number(label_smoothing, "label_smoothing", least=0, most=1)

    @property
    def compiled_row(self) -> str:
        return "" if self.from_logits or self.label_smoothing else super().compiled_row

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.binary_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)


class CategoricalCrossentropy(MeanOfRows):
    """Mean of -sum(t log(y)), y divided by its sum and clipped to [1e-7, 1 - 1e-7].

    Parameters
    ----------
    name : str
    from_logits : bool
        Outputs are logits.
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / classes.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.CategoricalCrossentropy()
    >>> metric.update_state([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    0.5697
    """

    direction = "down"

    def __init__(
        self, name: str | None = "categorical_crossentropy", from_logits: bool = False, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(name)
        self.from_logits = boolean(from_logits, "from_logits")
        self.label_smoothing = real_number(label_smoothing, "label_smoothing", least=0, most=1)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.categorical_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)


class SparseCategoricalCrossentropy(MeanOfRows):
    """Mean of -log(y) of each row's class; targets are class numbers.

    Parameters
    ----------
    name : str
    from_logits : bool
        Outputs are logits.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.SparseCategoricalCrossentropy()
    >>> metric.update_state([1, 2], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    0.5697
    """

    direction = "down"
    sparse = True

    def __init__(self, name: str | None = "sparse_categorical_crossentropy", from_logits: bool = False) -> None:
        super().__init__(name)
        self.from_logits = boolean(from_logits, "from_logits")

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.sparse_categorical_crossentropy(y_true, y_pred, self.from_logits)


class KLDivergence(MeanOfRows):
    """Mean of the sum of t log(t / y), both clipped to [1e-7, 1].

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.KLDivergence()
    >>> metric.update_state([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    0.5697
    """

    direction = "down"

    def __init__(self, name: str | None = "kl_divergence") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.kl_divergence(y_true, y_pred)


class Poisson(MeanOfRows):
    """Mean of y - t log(y + 1e-7).

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.Poisson()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [4.0]])
    >>> round(float(metric.result()), 4)
    1.161
    """

    row = "poisson"
    direction = "down"

    def __init__(self, name: str | None = "poisson") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.poisson(y_true, y_pred)


class Hinge(MeanOfRows):
    """Mean of max(1 - t y, 0); in a batch whose targets are all 0 or 1, 0 counts as -1.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.Hinge()
    >>> metric.update_state([[1.0], [-1.0]], [[0.5], [-2.0]])
    >>> round(float(metric.result()), 4)
    0.25
    """

    direction = "down"
    by_batch = True

    def __init__(self, name: str | None = "hinge") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.hinge(y_true, y_pred)


class SquaredHinge(MeanOfRows):
    """Mean of max(1 - t y, 0)^2; in a batch whose targets are all 0 or 1, 0 counts as -1.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.SquaredHinge()
    >>> metric.update_state([[1.0], [-1.0]], [[0.5], [-2.0]])
    >>> round(float(metric.result()), 4)
    0.125
    """

    direction = "down"
    by_batch = True

    def __init__(self, name: str | None = "squared_hinge") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.squared_hinge(y_true, y_pred)


class CategoricalHinge(MeanOfRows):
    """Mean of max(n - p + 1, 0), with p = sum(t y) and n = max((1 - t) y).

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.CategoricalHinge()
    >>> metric.update_state([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    0.6
    """

    direction = "down"

    def __init__(self, name: str | None = "categorical_hinge") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.categorical_hinge(y_true, y_pred)
