"""Metrics: numbers to watch that training does not follow; means over all rows, weights of rows left out.

Where targets are class numbers, a metric sees them as one-hot rows.  "accuracy" is chosen by the model: with binary
crossentropy and several outputs it counts each output for itself, not rows in which all are right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .losses import BinaryCrossentropy, Loss
from .names import Configurable, unique
from .names import resolve as resolve_name

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "get",
    "resolve",
]


@dataclass(frozen=True, repr=False)
class Metric(Configurable):
    """A metric.

    Parameters
    ----------
    name : str
        Its key in the history.
    row : str
        Its formula in the table of losses; "accuracy" stands for whichever accuracy suits the model.
    root : bool
        The square root is taken of the mean.
    """

    name: str
    row: str
    root: bool = False


class BinaryAccuracy(Metric):
    """The part of outputs that are on the target's side of 0.5."""

    def __init__(self, name: str = "binary_accuracy") -> None:
        super().__init__(name, "binary_accuracy")


class CategoricalAccuracy(Metric):
    """The part of rows whose largest output is where the largest target is."""

    def __init__(self, name: str = "categorical_accuracy") -> None:
        super().__init__(name, "categorical_accuracy")


class SparseCategoricalAccuracy(Metric):
    """The part of rows whose largest output is that of their class."""

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
    """The metric that a name, a class, a configuration or the object itself stands for."""
    metric = resolve_name(identifier, Metric, _NAMES, argument)
    # Keras's history has "MSE" for metrics=["MSE"]; a class's name stands for the class.
    upper = isinstance(identifier, str) and identifier.lower() == metric.name
    return Metric(str(identifier), metric.row, metric.root) if upper else metric


def resolve(metrics: object, loss: Loss | None, outputs: int) -> list[Metric]:
    """The metrics of a model, with names that differ and each accuracy decided upon.

    Parameters
    ----------
    metrics : None, str, Metric, or an iterable of str and Metric
        As `Sequential.compile` takes them.
    loss : Loss or None
        The model's loss: with binary crossentropy, "accuracy" is of each output for itself.
    outputs : int
        Width of the last layer: with one output, "accuracy" is binary.

    Raises
    ------
    TypeError, ValueError
        A metric is unknown, or has no meaning for the model.
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
