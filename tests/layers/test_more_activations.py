"""Activations that Keras has and few know: values of Keras 3.15, slopes by differences; and initializers."""

import numpy as np
import pytest

import fastnn
from fastnn import initializers
from fastnn.layers import Activation, Dense, Input

X = np.array([-30, -4, -3, -2.5, -1.5, -1, -0.5, -0.3, -1e-3, 0, 1e-3, 0.3, 0.5, 1, 1.5, 2.5, 3, 4, 6, 7, 30])
VALUES = {
    "relu6": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.001, 0.3, 0.5, 1, 1.5, 2.5, 3, 4, 6, 6, 6],
    "celu": [
        -1,
        -0.981684361,
        -0.950212932,
        -0.917915001,
        -0.77686984,
        -0.632120559,
        -0.39346934,
        -0.259181779,
        -0.000999500167,
        0,
        0.001,
        0.3,
        0.5,
        1,
        1.5,
        2.5,
        3,
        4,
        6,
        7,
        30,
    ],
    "exponential": [
        9.35762297e-14,
        0.0183156389,
        0.0497870684,
        0.0820849986,
        0.22313016,
        0.367879441,
        0.60653066,
        0.740818221,
        0.9990005,
        1,
        1.0010005,
        1.34985881,
        1.64872127,
        2.71828183,
        4.48168907,
        12.182494,
        20.0855369,
        54.59815,
        403.428793,
        1096.63316,
        1.06864746e13,
    ],
    "softsign": [
        -0.967741935,
        -0.8,
        -0.75,
        -0.714285714,
        -0.6,
        -0.5,
        -0.333333333,
        -0.230769231,
        -0.000999000999,
        0,
        0.000999000999,
        0.230769231,
        0.333333333,
        0.5,
        0.6,
        0.714285714,
        0.75,
        0.8,
        0.857142857,
        0.875,
        0.967741935,
    ],
    "hard_sigmoid": [
        0,
        0,
        0,
        0.0833333333,
        0.25,
        0.333333333,
        0.416666667,
        0.45,
        0.499833333,
        0.5,
        0.500166667,
        0.55,
        0.583333333,
        0.666666667,
        0.75,
        0.916666667,
        1,
        1,
        1,
        1,
        1,
    ],
    "hard_silu": [
        -0,
        -0,
        -0,
        -0.208333333,
        -0.375,
        -0.333333333,
        -0.208333333,
        -0.135,
        -0.000499833333,
        0,
        0.000500166667,
        0.165,
        0.291666667,
        0.666666667,
        1.125,
        2.29166667,
        3,
        4,
        6,
        7,
        30,
    ],
    "hard_tanh": [-1, -1, -1, -1, -1, -1, -0.5, -0.3, -0.001, 0, 0.001, 0.3, 0.5, 1, 1, 1, 1, 1, 1, 1, 1],
    "log_sigmoid": [
        -30,
        -4.01814993,
        -3.04858735,
        -2.57888973,
        -1.70141328,
        -1.31326169,
        -0.974076984,
        -0.854355244,
        -0.693647306,
        -0.693147181,
        -0.692647306,
        -0.554355244,
        -0.474076984,
        -0.313261688,
        -0.201413278,
        -0.0788897343,
        -0.0485873516,
        -0.0181499279,
        -0.00247568514,
        -0.000911466454,
        -9.35762297e-14,
    ],
    "squareplus": [
        0.0332963784,
        0.236067977,
        0.302775638,
        0.350781059,
        0.5,
        0.618033989,
        0.780776406,
        0.861187421,
        0.999500125,
        1,
        1.00050012,
        1.16118742,
        1.28077641,
        1.61803399,
        2,
        2.85078106,
        3.30277564,
        4.23606798,
        6.16227766,
        7.14005494,
        30.0332964,
    ],
    "soft_shrink": [-29.5, -3.5, -2.5, -2, -1, -0.5, 0, 0, 0, 0, 0, 0, 0, 0.5, 1, 2, 2.5, 3.5, 5.5, 6.5, 29.5],
    "hard_shrink": [-30, -4, -3, -2.5, -1.5, -1, 0, 0, 0, 0, 0, 0, 0, 1, 1.5, 2.5, 3, 4, 6, 7, 30],
    "sparse_plus": [
        0,
        0,
        0,
        0,
        0,
        0,
        0.0625,
        0.1225,
        0.24950025,
        0.25,
        0.25050025,
        0.4225,
        0.5625,
        1,
        1.5,
        2.5,
        3,
        4,
        6,
        7,
        30,
    ],
    "sparse_sigmoid": [0, 0, 0, 0, 0, 0, 0.25, 0.35, 0.4995, 0.5, 0.5005, 0.65, 0.75, 1, 1, 1, 1, 1, 1, 1, 1],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_keras_s(backend, dtype, name):
    model = fastnn.Sequential([Input((1,)), Dense(1, name)], seed=0)
    model.compile("sgd", "mse", backend=backend, dtype=dtype)
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    found = model.predict(X[:, None])[:, 0]
    np.testing.assert_allclose(found, VALUES[name], rtol=1e-5 if dtype == "float32" else 1e-8, atol=1e-7)
    np.testing.assert_allclose(Activation(name)(X[:, None])[:, 0], VALUES[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", VALUES)
def test_slopes_are_those_of_differences(backend, name):
    """Between the places where a slope changes at once."""
    model = fastnn.Sequential([Input((1,)), Dense(1, name)], seed=0)
    model.compile("sgd", "mse", backend=backend, dtype="float64")
    for x in (-3.7, -2.2, -0.7, -0.2, 0.2, 0.7, 2.2, 3.7, 6.4):
        values = []
        for at in (x - 1e-6, x + 1e-6, x):
            model.set_weights([np.zeros((1, 1)), np.array([at])])
            values.append(model.predict(np.ones((1, 1)))[0, 0])
        slope = model.gradients(np.ones((1, 1)), np.array([[values[2] - 0.5]]))[0]["bias"][
            0
        ]  # of (y - t)^2, y - t = 0.5
        assert slope == pytest.approx((values[1] - values[0]) / 2e-6, rel=1e-6, abs=1e-8)


def test_other_names_are_the_same():
    for name, other in [("hard_swish", "hard_silu"), ("swish", "silu")]:
        assert fastnn.activations.get(name) == fastnn.activations.get(other)


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (1, 5)])
def test_orthogonal(shape):
    matrix = initializers.Orthogonal(gain=2.0, seed=1)(shape, np.random.default_rng(0))
    assert matrix.shape == shape
    less = matrix.T @ matrix if shape[0] >= shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(less, 4 * np.eye(min(shape)), atol=1e-12)
    np.testing.assert_array_equal(initializers.Orthogonal(2.0, 1)(shape, np.random.default_rng(5)), matrix)
    with pytest.raises(ValueError, match="it is for kernels"):
        initializers.Orthogonal()((3,), np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_identity(shape):
    np.testing.assert_array_equal(initializers.Identity(3.0)(shape, np.random.default_rng(0)), 3 * np.eye(*shape))


def test_an_identity_gives_on_what_comes_in():
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_array_equal(fastnn.Sequential([Dense(4, kernel_initializer="identity")]).predict(x), x)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("orthogonal", "Orthogonal"),
        ("OrthogonalInitializer", "Orthogonal"),
        ("IdentityInitializer", "Identity"),
        ("normal", "RandomNormal"),
        ("uniform", "RandomUniform"),
        ("zero", "Zeros"),
        ("one", "Ones"),
        ("he_normal", "HeNormal"),
    ],
)
def test_aliases_of_initializers(alias, name):
    assert type(initializers.get(alias)).__name__ == name
    made = getattr(initializers, alias)()
    assert type(made).__name__ == name
    kept = fastnn.Sequential.from_config(
        fastnn.Sequential([Input((3,)), Dense(3, kernel_initializer=made)]).get_config()
    )
    assert type(kept.layers[0].kernel_initializer).__name__ == name
