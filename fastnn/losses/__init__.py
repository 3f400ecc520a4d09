"""Losses: how far outputs are from targets, the number that training makes small.

In the equations y is an output and t its target. The loss of a batch is the mean over its rows, each times
its weight where rows have weights.
"""

from __future__ import annotations

from .classification import (
    _NAMES,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    Custom,
    HalfSquaredError,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    Loss,
    LossPlan,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    Quantile,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    get,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "Custom",
    "HalfSquaredError",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossPlan",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "get",
]


def __getattr__(name: str) -> type[Loss]:
    """The classes by the names of Keras's functions: compile(loss=losses.mean_squared_error)."""
    if name in _NAMES:
        return _NAMES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
