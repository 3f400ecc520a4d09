"""The small models of the sections, of double precision and on one thread."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.layers import Dense, Input
from fastnn.models import Sequential


def small_model(inputs: int, *layers: Dense, loss: str = "mse", optimizer: Any = "sgd", seed: int = 0) -> Sequential:
    """Build and compile a model."""
    model = Sequential([Input((inputs,)), *layers], seed=seed)
    model.compile(optimizer=optimizer, loss=loss, dtype="float64", threads=1)
    return model


def kernel(*neurons: Sequence[float]) -> NDArray[np.float64]:
    """Return the kernel, (inputs, neurons), of a layer whose neurons have these weights."""
    return np.array(neurons, dtype="float64").T
