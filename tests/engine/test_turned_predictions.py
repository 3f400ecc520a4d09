"""Narrow networks are predicted with vectors of several rows: to the bit what row by row gives."""

import numpy as np
import pytest

import fastnn
from fastnn.layers import Dense, Input, LayerNormalization

# inputs, and units and activation of each layer; the first layer has no bias where its activation is the sigmoid
NETWORKS = {
    "one output": (2, [(8, "relu"), (1, "linear")]),
    "classes": (5, [(17, "tanh"), (3, "gelu"), (10, "softmax")]),
    "two classes": (16, [(64, "selu"), (2, "softmax")]),
    "without a bias": (1, [(3, "sigmoid"), (7, "linear")]),
}


def made(inputs, layers, **options):
    stack = [Dense(units, activation=name, use_bias=name != "sigmoid") for units, name in layers]
    model = fastnn.Sequential([Input((inputs,)), *stack], seed=4)
    model.compile(loss="mse", **options)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_many_rows_are_what_the_layers_give_row_by_row(backend, dtype, name):
    for threads in (1, 2, 3):
        model = made(*NETWORKS[name], backend=backend, dtype=dtype, threads=threads)
        engine = model._built(NETWORKS[name][0])
        for rows in (16, 17, 130, 1001):
            assert engine.costs.turns(rows) == (backend != "numpy")
            x = np.random.default_rng(rows).normal(size=(rows, engine.inputs)).astype("float32")
            expected = model.forward(x)[-1]
            for given in (x, x.astype("float64"), np.asfortranarray(x)):
                np.testing.assert_array_equal(model.predict(given, verbose=0), expected)
            if backend != "numpy":  # whose BLAS sums the last rows otherwise
                np.testing.assert_array_equal(model.predict(x[::-1], verbose=0)[::-1], expected)


def test_few_rows_and_other_networks_are_predicted_row_by_row():
    assert not made(*NETWORKS["classes"])._built(5).costs.turns(15)
    for inputs, layers in ((17, [(3, "relu")]), (3, [(65, "relu"), (3, "linear")])):
        assert not made(inputs, layers)._built(inputs).costs.turns(100)
    model = fastnn.Sequential([Input((3,)), LayerNormalization(), Dense(3)])
    model.compile(loss="mse")
    assert not model._built(3).costs.turns(100)
