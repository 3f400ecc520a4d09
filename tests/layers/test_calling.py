"""Layers that are called with arrays, as programs call Keras's."""

import numpy as np
import pytest

import fastnn
from fastnn import activations, layers
from fastnn.layers import Input, Normalization

X = np.random.default_rng(0).normal(1, 2, size=(4, 6))
SQUARE = activations.Custom(lambda x: x * x, lambda x: 2 * x, name="square")
PLAIN = {
    "relu": layers.ReLU(1.0, 0.1, 0.2),
    "relu6": layers.ReLU(6),
    "leaky relu": layers.LeakyReLU(0.1),
    "elu": layers.ELU(0.5),
    "softmax": layers.Softmax(),
    "activation": layers.Activation("gelu"),
    "own activation": layers.Activation(SQUARE),
    "rescaling": layers.Rescaling(2.0, 1.0),
    "rescaling each": layers.Rescaling([1.0, 2.0, 3.0], 0.5),
    "normalization": layers.Normalization(mean=1.0, variance=4.0),
    "normalization inverted": layers.Normalization(mean=[1.0, 2.0, 0.0], variance=[4.0, 1.0, 2.0], invert=True),
    "flatten": layers.Flatten(),
}


@pytest.mark.parametrize("name", PLAIN)
def test_it_computes_what_a_model_of_it_does(name):
    layer = PLAIN[name]
    found = layer(X)
    assert found.dtype == np.float32
    assert isinstance(found.numpy(), np.ndarray)
    fresh = layers.Activation(SQUARE) if name == "own activation" else type(layer).from_config(layer.get_config())
    model = fastnn.Sequential([Input((6,)), fresh])
    np.testing.assert_allclose(found, model.predict(X), atol=1e-6)
    np.testing.assert_array_equal(layer(X.tolist(), training=True), found)
    assert layer(X[:0]).shape == (0, 6)


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in ("softmax", "flatten")])
def test_rows_of_any_shape(name):
    layer = PLAIN[name]
    np.testing.assert_allclose(layer(X.reshape(4, 2, 3)), layer(X).reshape(4, 2, 3))
    np.testing.assert_allclose(layer(X[0]), layer(X)[0])


def test_values_of_keras():
    """Keras 3.15 gave these."""
    normalizer = Normalization()
    normalizer.adapt(np.arange(12.0).reshape(4, 3))
    np.testing.assert_allclose(normalizer(np.ones((1, 3))), [[-1.0434984, -1.3416408, -1.6397833]], rtol=1e-6)
    of_all = Normalization(axis=None)
    of_all.adapt(np.arange(12.0))
    np.testing.assert_allclose(of_all(np.ones(3)), [-1.3035722] * 3, rtol=1e-6)
    np.testing.assert_allclose(layers.Softmax()(np.ones((2, 2, 3))), np.full((2, 2, 3), 1 / 3), rtol=1e-6)
    np.testing.assert_array_equal(layers.Rescaling(2)(np.ones((2, 2), np.uint8)), np.full((2, 2), 2))
    pixels = layers.Flatten()(np.ones((2, 2, 2), np.uint8))
    assert (pixels.shape, pixels.dtype) == ((2, 4), np.uint8)
    assert layers.Flatten()(np.ones(3)).shape == (3, 1)
    assert layers.Reshape((-1, 2))(X).shape == (4, 3, 2)
    assert layers.Reshape((3, 2))(X).dtype == np.float32


@pytest.mark.parametrize("kind", ["Dense", "Dropout", "PReLU", "BatchNormalization", "Scaling"])
def test_what_learns_or_draws_is_no_function(kind):
    layer = getattr(layers, kind)(*([2] if kind in ("Dense",) else [0.5] if kind == "Dropout" else []))
    with pytest.raises(TypeError, match=rf"got called; wants Sequential\(\[Input\(\(n,\)\), {kind}\(\.\.\.\)"):
        layer(X)


def test_there_is_no_functional_api():
    with pytest.raises(TypeError, match="no functional API"):
        layers.ReLU()(Input((3,)))
    with pytest.raises(TypeError, match="x has dtype"):
        layers.ReLU()(["a"])
    with pytest.raises(ValueError, match="wants as many"):
        layers.Rescaling([1.0, 2.0])(np.ones((2, 3)))
    with pytest.raises(ValueError, match="put a Flatten"):
        fastnn.Sequential([Input((2, 3)), layers.Softmax()])


def test_what_a_property_says_is_heard():
    """Python asks `__getattr__` where a property raises AttributeError, whose sentence must not get lost."""
    with pytest.raises(AttributeError, match="no symbolic input and output"):
        _ = layers.Dense(2).output
