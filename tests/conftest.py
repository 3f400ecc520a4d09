"""Every backend that can be imported, both dtypes, and models ready to train from given weights."""

import os

import numpy as np
import pytest
from backends import require
from guarded import Guarded

import fastnn
from fastnn.layers import Dense, Input


@pytest.fixture(params=["numba", "cython", "numpy"])
def backend(request):
    require(request.param)
    return request.param


@pytest.fixture
def extension():
    require("cython")


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def network():
    """Builds a compiled model: `network([2, 3, 1], ["tanh", "sigmoid"], weights, loss=..., backend=...)`."""

    def build(sizes, activations, weights=None, seed=0, loss="mse", **options):
        layers = [Dense(units, activation=name) for units, name in zip(sizes[1:], activations, strict=True)]
        model = fastnn.Sequential([Input(shape=(sizes[0],)), *layers], seed=seed)
        model.compile(loss=loss, **options)
        if weights is not None:
            model.set_weights(weights)
        return model

    return build


@pytest.fixture
def flat_gradients():
    """`model.gradients(x, y)` in the order of `get_weights`."""

    def flat(model, x, y):
        return [g for layer in model.gradients(x, y) for g in (layer["kernel"], layer["bias"])]

    return flat


@pytest.fixture
def assert_close():
    """All arrays of two lists agree, relative to the largest value of each, or to 0.001 where all are smaller."""

    def check(actual, expected, relative):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            scale = np.max(np.abs(e), initial=1e-3)
            np.testing.assert_allclose(a, e, rtol=relative, atol=relative * scale)

    return check


@pytest.fixture
def guarded():
    """Copies an array to the end of what can be read."""
    if os.name != "posix":
        pytest.skip("mprotect is POSIX's")
    held = []

    def copy(values):
        held.append(Guarded(values.nbytes))
        return held[-1].array(values)

    return copy
