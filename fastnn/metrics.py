"""Metrics: numbers to watch while the loss is made small.  Each is a mean over all rows, without weights of rows.

Where targets are class numbers, a metric is given one-hot rows.  "accuracy" stands for the accuracy that suits the
model: with binary crossentropy and several outputs each output counts for itself, and not rows in which all are right.
In the equations y is an output and t its target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .losses import BinaryCrossentropy, Loss
from .names import Configurable, unique
from .names import resolve as resolve_name

__all__ = ["BinaryAccuracy", "CategoricalAccuracy", "MeanAbsoluteError", "MeanSquaredError", "Metric"]
__all__ += ["RootMeanSquaredError", "SparseCategoricalAccuracy", "get", "resolve"]


@dataclass(frozen=True, repr=False)
class Metric(Configurable):
    """A metric, by its formula.

    Parameters
    ----------
    name : str
        Its key in the history.
    row : str
        Name of its formula in the table of losses; "accuracy" stands for the accuracy that suits the model.
    root : bool
        Whether the square root of the mean is taken.
    """

    name: str
    row: str
    root: bool = False


class BinaryAccuracy(Metric):
    """The part of the outputs that are on the same side of 0.5 as their targets."""

    def __init__(self, name: str = "binary_accuracy") -> None:
        super().__init__(name, "binary_accuracy")


class CategoricalAccuracy(Metric):
    """The part of the rows whose largest output is in the column of the largest target."""

    def __init__(self, name: str = "categorical_accuracy") -> None:
        super().__init__(name, "categorical_accuracy")


class SparseCategoricalAccuracy(Metric):
    """The part of the rows whose largest output is in the column of their class; targets are class numbers."""

    def __init__(self, name: str = "sparse_categorical_accuracy") -> None:
        super().__init__(name, "categorical_accuracy")


class MeanSquaredError(Metric):
    """Mean of (y - t)^2."""

    def __init__(self, name: str = "mean_squared_error") -> None:
        super().__init__(name, "mean_squared_error")


class RootMeanSquaredError(Metric):
    """Square root of the mean of (y - t)^2."""

    def __init__(self, name: str = "root_mean_squared_error") -> None:
        super().__init__(name, "mean_squared_error", root=True)


class MeanAbsoluteError(Metric):
    """Mean of abs(y - t)."""

    def __init__(self, name: str = "mean_absolute_error") -> None:
        super().__init__(name, "mean_absolute_error")


_NAMES: dict[str, Callable[[], Metric]] = {
    "accuracy": partial(Metric, "accuracy", "accuracy"),
    "acc": partial(Metric, "acc", "accuracy"),
    "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "mean_squared_error": MeanSquaredError,
    "mse": partial(MeanSquaredError, "mse"),
    "root_mean_squared_error": RootMeanSquaredError,
    "rmse": partial(RootMeanSquaredError, "rmse"),
    "mean_absolute_error": MeanAbsoluteError,
    "mae": partial(MeanAbsoluteError, "mae"),
}


def get(identifier: object, argument: str = "metrics") -> Metric:
    """Make a metric of a name, a class or a configuration; a metric is returned as it is."""
    metric = resolve_name(identifier, Metric, _NAMES, argument)
    # As in Keras, metrics=["MSE"] gives the key "MSE", but metrics=["MeanSquaredError"] that of the class.
    upper = isinstance(identifier, str) and identifier.lower() == metric.name
    return Metric(str(identifier), metric.row, metric.root) if upper else metric


def resolve(metrics: object, loss: Loss | None, outputs: int) -> list[Metric]:
    """Make the metrics of a model: their names differ, and each "accuracy" becomes the one that suits the model.

    That is the binary one if the model's last layer has one of ``outputs``, or with binary crossentropy.  TypeError or
    ValueError: a metric is unknown, or has no meaning for the model.
    """
    found = [get(m) for m in _listed(metrics)]
    binary = outputs == 1 or isinstance(loss, BinaryCrossentropy)
    accuracy = "binary_accuracy" if binary else "categorical_accuracy"
    result = []
    for metric, name in zip(found, unique((m.name for m in found), taken={"loss"}), strict=True):
        row = accuracy if metric.row == "accuracy" else metric.row
        if row == "categorical_accuracy" and outputs == 1:
            raise ValueError(
                f"metrics got {metric.name!r}, which compares classes, but the model has one output; "
                "wants 'accuracy' or 'binary_accuracy'"
            )
        same = (row, name) == (metric.row, metric.name)
        result.append(metric if same else Metric(name, row, metric.root))
    return result


def _listed(metrics: object) -> list[Any]:
    if metrics is None:
        return []
    if isinstance(metrics, str | Metric):
        return [metrics]
    if isinstance(metrics, Mapping) or not isinstance(metrics, Iterable):
        raise TypeError(f"metrics got {metrics!r}; wants a list of names or metrics")
    return list(metrics)
