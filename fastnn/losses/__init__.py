"""Losses: how far outputs are from targets, the number that training makes small.

In the equations y is an output and t its target. The loss of a batch is the mean over its rows of the row's loss times
the row's weight, where rows have weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from fastnn import names
from fastnn.absent import missing
from fastnn.names import publish, resolve, snake_case
from . import functions
from .base import Custom, Loss, LossPlan
from .classification import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from .functions import (
    BCE,
    KLD,
    MAE,
    MAPE,
    MSE,
    MSLE,
    bce,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    cosine_similarity,
    half_squared_error,
    hinge,
    huber,
    kl_divergence,
    kld,
    kullback_leibler_divergence,
    log_cosh,
    logcosh,
    mae,
    mape,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    mse,
    msle,
    pinball,
    poisson,
    quantile,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from .regression import (
    CosineSimilarity,
    HalfSquaredError,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Quantile,
)

__all__ = ["BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy"]
__all__ += ["CategoricalHinge", "CosineSimilarity", "Custom", "HalfSquaredError", "Hinge", "Huber", "KLDivergence"]
__all__ += ["LogCosh", "Loss", "LossPlan", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError"]
__all__ += ["MeanSquaredLogarithmicError", "Poisson", "Quantile", "SparseCategoricalCrossentropy", "SquaredHinge"]
__all__ += ["deserialize", "get", "serialize"]
__all__ += ["BCE", "KLD", "MAE", "MAPE", "MSE", "MSLE", "bce", "binary_crossentropy", "binary_focal_crossentropy"]
__all__ += ["categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "cosine_similarity"]
__all__ += ["half_squared_error", "hinge", "huber", "kl_divergence", "kld", "kullback_leibler_divergence", "log_cosh"]
__all__ += ["logcosh", "mae", "mape", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error"]
__all__ += ["mean_squared_logarithmic_error", "mse", "msle", "pinball", "poisson", "quantile"]
__all__ += ["sparse_categorical_crossentropy", "squared_hinge"]

_CLASSES: list[type[Loss]] = [MeanSquaredError, HalfSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError]
_CLASSES += [MeanSquaredLogarithmicError, CosineSimilarity, Huber, LogCosh, Quantile, Poisson, KLDivergence, Hinge]
_CLASSES += [SquaredHinge, CategoricalHinge, BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy]
_CLASSES += [CategoricalFocalCrossentropy, SparseCategoricalCrossentropy]

NAMES: dict[str, type[Loss]] = {snake_case(found.__name__): found for found in _CLASSES}
NAMES["kl_divergence"] = NAMES["kldivergence"]
FUNCTIONS = {function: NAMES[name] for name, function in vars(functions).items() if name in NAMES}
NAMES |= {name: FUNCTIONS[found] for name, found in vars(functions).items() if id(found) in map(id, FUNCTIONS)}
NAMES["huber_loss"] = Huber
"""Losses by their names, and by Keras's functions."""


def get(identifier: object, argument: str = "loss") -> Loss:
    """Make a loss of a name, a class, a configuration or a function; a loss is returned as it is.

    Keras's functions, such as `mean_squared_error`, stand for the classes; any other is a function of batches.
    """
    if callable(identifier) and not isinstance(identifier, type | Loss):
        found = FUNCTIONS.get(identifier) if inspect.isfunction(identifier) else None
        return Custom(identifier) if found is None else found()
    return resolve(identifier, Loss, NAMES, argument)


def serialize(loss: Loss) -> dict[str, Any]:
    """Describe a loss by its class and its arguments."""
    return names.serialize(get(loss))


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """Make the loss that `serialize` described."""
    with names.custom_object_scope(custom_objects):
        return names.deserialize(config, Loss, "loss")


def __getattr__(name: str) -> type[Loss]:
    raise missing(__name__, name)


publish(__name__)
