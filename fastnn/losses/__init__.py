"""Losses: how far outputs are from targets, the number that training makes small.

In the equations y is an output and t its target. The loss of a batch is the mean over its rows of the row's loss times
the row's weight, where rows have weights.
"""

from __future__ import annotations

from fastnn.absent import missing
from fastnn.names import publish, resolve, snake_case
from .base import Custom, Loss, LossPlan
from .classification import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    Hinge,
    KLDivergence,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from .regression import HalfSquaredError, Huber, LogCosh, MeanAbsoluteError, MeanSquaredError, Poisson, Quantile

__all__ = ["BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy"]
__all__ += ["Custom", "HalfSquaredError", "Hinge", "Huber", "KLDivergence", "LogCosh", "Loss", "LossPlan"]
__all__ += ["MeanAbsoluteError", "MeanSquaredError", "Poisson", "Quantile", "SparseCategoricalCrossentropy"]
__all__ += ["SquaredHinge", "get"]

_CLASSES: list[type[Loss]] = [MeanSquaredError, HalfSquaredError, MeanAbsoluteError, Huber, LogCosh, Quantile, Poisson]
_CLASSES += [KLDivergence, Hinge, SquaredHinge, BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy]
_CLASSES += [CategoricalFocalCrossentropy, SparseCategoricalCrossentropy]
_NAMES: dict[str, type[Loss]] = {snake_case(found.__name__): found for found in _CLASSES}
_NAMES |= {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "bce": BinaryCrossentropy,
    "kl_divergence": KLDivergence,
    "kld": KLDivergence,
    "logcosh": LogCosh,
    "pinball": Quantile,
}


def get(identifier: object, argument: str = "loss") -> Loss:
    """Make a loss of a name, a class, a configuration or a function of batches; a loss is returned as it is."""
    if callable(identifier) and not isinstance(identifier, type | Loss):
        return Custom(identifier)
    return resolve(identifier, Loss, _NAMES, argument)


def __getattr__(name: str) -> type[Loss]:
    """Find a class by the name of Keras's function: compile(loss=losses.mean_squared_error)."""
    if name in _NAMES:
        return _NAMES[name]
    raise missing(__name__, name)


publish(__name__)
