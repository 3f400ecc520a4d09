"""Accuracies: the part of the outputs, or of the rows, that are right."""

from __future__ import annotations

from numpy.typing import ArrayLike

from fastnn.data import positive_integer, real_number
from . import functions
from .base import MeanOfRows


class Accuracy(MeanOfRows):
    """The fraction of the outputs that equal their targets.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.Accuracy()
    >>> metric.update_state([1, 2, 3], [1, 2, 0])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    direction = "up"

    def __init__(self, name: str | None = "accuracy") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.accuracy(y_true, y_pred)


class BinaryAccuracy(MeanOfRows):
    """The fraction of the outputs that are above the threshold if the target is 1, and not above it if the target is 0.

    A target that is neither, as -1 or 0.7 are, is never met.

    Parameters
    ----------
    name : str
    threshold : float

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.BinaryAccuracy()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> round(float(metric.result()), 4)
    0.5
    """

    row = "binary_accuracy"
    direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", threshold: float = 0.5) -> None:
        super().__init__(name)
        self.threshold = real_number(threshold, "threshold")

    @property
    def compiled_row(self) -> str:
        return super().compiled_row if self.threshold == 0.5 else ""

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.binary_accuracy(y_true, y_pred, self.threshold)


class CategoricalAccuracy(MeanOfRows):
    """The fraction of the rows whose largest output is in the column of the largest target.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.CategoricalAccuracy()
    >>> metric.update_state([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    1.0
    """

    row = "categorical_accuracy"
    direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.categorical_accuracy(y_true, y_pred)


class SparseCategoricalAccuracy(MeanOfRows):
    """The fraction of the rows whose largest output is in the column of their class; targets are class numbers.

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.SparseCategoricalAccuracy()
    >>> metric.update_state([1, 2], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    1.0
    """

    row = "categorical_accuracy"  # of one-hot rows, which the kernels make of class numbers
    direction = "up"
    sparse = True

    def __init__(self, name: str | None = "sparse_categorical_accuracy") -> None:
        super().__init__(name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.sparse_categorical_accuracy(y_true, y_pred)


class TopKCategoricalAccuracy(MeanOfRows):
    """The fraction of the rows with fewer than k outputs above that in the column of the largest target.

    Parameters
    ----------
    k : int
    name : str

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.TopKCategoricalAccuracy(k=2)
    >>> metric.update_state([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    1.0
    """

    direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy") -> None:
        super().__init__(name)
        self.k = positive_integer(k, "k")

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.top_k_categorical_accuracy(y_true, y_pred, self.k)


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The fraction of the rows with fewer than k outputs above that of their class; targets are class numbers.

    Parameters
    ----------
    k : int
    name : str

    Examples
    --------
    >>> import fastnn
    >>> metric = fastnn.metrics.SparseTopKCategoricalAccuracy(k=2)
    >>> metric.update_state([1, 2], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    >>> round(float(metric.result()), 4)
    1.0
    """

    sparse = True

    def __init__(self, k: int = 5, name: str | None = "sparse_top_k_categorical_accuracy") -> None:
        super().__init__(k, name)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> ArrayLike:
        return functions.sparse_top_k_categorical_accuracy(y_true, y_pred, self.k)
