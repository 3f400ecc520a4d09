"""Every activation, slope and loss to some units in the last place, over the whole range of numbers.

The reference is computed in NumPy's longdouble, and so is exact as far as float64 sees.
"""

import naive
import numpy as np
import pytest

import fastnn
from fastnn import losses
from fastnn.layers import Activation, Dense, Input

RELATIVE = {"float32": 5e-7, "float64": 1e-14}
SMALLEST = {"float32": 2e-36, "float64": 2e-305}  # exp(z) is flushed to 0 below 1e-38 or 2e-308, times z a little above
SCALES = [1e-30, 1e-3, 1, 10, 80, 1e30]
"""Factors of normally distributed inputs; the differences of some are neither small nor all out of exp's range."""

UNITS = 1024  # a power of two: a mean over them is a shift of the exponent

pytestmark = pytest.mark.skipif(
    np.finfo(np.longdouble).eps > 1e-18, reason="longdouble is no wider than float64 on this platform"
)


def wide(x):
    return np.asarray(x, np.longdouble)


def erfc(x):
    """A series up to 2, a continued fraction beyond."""
    x, near = wide(x), np.minimum(np.abs(wide(x)), 2)
    term = total = near
    for n in range(1, 80):
        term = term * 2 * near**2 / (2 * n + 1)
        total = total + term
    root = np.sqrt(np.arctan(wide(1)) * 4)
    inner = 1 - 2 / root * np.exp(-(near**2)) * total
    far = np.clip(np.abs(x), 2, 200)
    fraction = far
    for n in range(300, 0, -1):
        fraction = far + wide(n) / 2 / fraction
    outer = np.exp(-(far**2)) / (root * fraction)
    positive = np.where(np.abs(x) <= 2, inner, outer)
    return np.where(x >= 0, positive, 2 - positive)


def normal_cdf(z):
    return erfc(-z / np.sqrt(wide(2))) / 2


def normal_density(z):
    return np.exp(-(np.clip(z, -200, 200) ** 2) / 2) / np.sqrt(8 * np.arctan(wide(1)))


def mish_gate(z):
    """tanh(softplus(z))."""
    e = np.exp(np.minimum(z, 2000))
    return e * (e + 2) / (e * (e + 2) + 2)


def mish_bend(z):
    """z times the slope of mish_gate."""
    e = np.exp(np.minimum(z, 2000))
    return z * 4 * e * (e + 1) / (e * (e + 2) + 2) ** 2


# name: value and slope, of a longdouble z; each as the terms of a sum, which may cancel
REFERENCE = {name: ([value], [slope]) for name, (value, slope) in naive.ACTIVATIONS.items() if slope}
REFERENCE["gelu"] = ([lambda z: z * normal_cdf(z)], [normal_cdf, lambda z: z * normal_density(z)])
REFERENCE["silu"][1][:] = [naive.sigmoid, lambda z: z * naive.sigmoid(z) * naive.sigmoid(-z)]
REFERENCE["hard_silu"][1][:] = [
    lambda z: 0.5 * (np.abs(z) < 3) + (z >= 3),
    lambda z: z / 6 * (np.abs(z) < 3),
    lambda z: z * naive.slope_of_hard_sigmoid(z),
]
REFERENCE["squareplus"] = (
    [lambda z: z / 2, lambda z: np.sqrt(z * z + 4) / 2],
    [lambda z: np.full_like(z, 0.5), lambda z: z / (2 * np.sqrt(z * z + 4))],
)
REFERENCE["mish"] = ([lambda z: z * mish_gate(z)], [mish_gate, mish_bend])


# The largest inputs that have finite values: beyond them these are infinite, as Keras's are.
LARGEST = {
    ("exponential", "float32"): 88,
    ("exponential", "float64"): 709,
    ("squareplus", "float32"): 1e18,
    ("squareplus", "float64"): 1e153,
}


def over_the_range(dtype, activation=""):
    """UNITS numbers of the dtype: 0, near 0 on both sides, where functions bend, their tails, and the extremes."""
    rng = np.random.default_rng(0)
    low, high = {"float32": (-37, 37), "float64": (-300, 300)}[dtype]
    far = {"float32": 110, "float64": 760}[dtype]
    positive = np.concatenate(
        [
            10 ** rng.uniform(low, 0, 100),
            rng.uniform(0, 1, 100),
            rng.uniform(0, 20, 161),
            rng.uniform(0, far, 100),
            10 ** rng.uniform(0, high, 50),
        ]
    )
    x = np.concatenate([positive, -positive, [0.0, -0.0]])
    return np.resize(x[np.abs(x) <= LARGEST.get((activation, dtype), np.inf)], UNITS).astype(dtype)


def assert_near(actual, terms, dtype, smallest=1):
    """Within the relative error of the largest term, or of what is flushed to 0, times ``smallest``."""
    assert np.isfinite(actual).all()
    exact = sum(terms)
    allowed = RELATIVE[dtype] * np.max(np.abs(terms), axis=0) + smallest * SMALLEST[dtype]
    wrong = np.flatnonzero(~(np.abs(wide(actual) - exact) <= allowed))
    assert not len(wrong), [(float(actual[i]), float(exact[i])) for i in wrong[:5]]


def softmax_of_rounded(x):
    """That of the differences to the largest, each rounded: by half a unit in its last place, which exp multiplies."""
    return naive.softmax(wide(x - x.max(axis=-1, keepdims=True)))


def compiled(layers, backend, dtype, loss="mse"):
    model = fastnn.Sequential(layers)
    model.compile(loss=loss, backend=backend, dtype=dtype)
    return model


@pytest.mark.parametrize("activation", REFERENCE)
def test_values_of_each_activation(backend, dtype, activation):
    model = compiled([Input((UNITS,)), Activation(activation)], backend, dtype)
    x = over_the_range(dtype, activation)
    assert_near(model.predict(x[None])[0], [f(wide(x)) for f in REFERENCE[activation][0]], dtype)


@pytest.mark.parametrize("activation", REFERENCE)
def test_slopes_of_each_activation(backend, dtype, activation):
    """The mean absolute error of outputs above their targets has the gradient 1 / UNITS by each output."""
    x = over_the_range(dtype, activation)
    model = compiled([Input((1,)), Dense(UNITS, activation)], backend, dtype, loss="mae")
    model.set_weights([np.zeros((1, UNITS)), x])
    below = np.full((1, UNITS), -np.finfo(dtype).max / 4)
    slopes = model.gradients(np.zeros((1, 1)), below)[0]["bias"] * UNITS
    assert_near(slopes, [f(wide(x)) for f in REFERENCE[activation][1]], dtype, smallest=UNITS)


@pytest.mark.parametrize("scale", SCALES)
def test_softmax_at_any_scale(backend, dtype, scale):
    units = 40  # several vectors, and so few that their sum rounds little
    model = compiled([Input((units,)), Activation("softmax")], backend, dtype)
    x = (np.random.default_rng(0).normal(size=(100, units)) * scale).astype(dtype)
    for actual, row in zip(model.predict(x), softmax_of_rounded(x), strict=True):
        assert_near(actual, [row], dtype)


def squared(y, p):
    return (p - y) ** 2


# name: loss of an output and its slope by it, each as terms, functions of longdouble target and output
LOSSES = {
    "mse": ([squared], [lambda y, p: 2 * (p - y)]),
    "half_squared_error": ([lambda y, p: squared(y, p) / 2], [lambda y, p: p - y]),
    "mae": ([lambda y, p: np.abs(p - y)], [lambda y, p: np.sign(p - y)]),
    "huber": ([lambda y, p: naive.huber(p - y)], [lambda y, p: np.clip(p - y, -1, 1)]),
    "logits": (
        [lambda y, z: y * naive.softplus(-z), lambda y, z: (1 - y) * naive.softplus(z)],
        [lambda y, z: naive.sigmoid(z), lambda y, z: -y],
    ),
}
LOSSES["binary_crossentropy"] = (
    [lambda y, p: -y * np.log(p), lambda y, p: -(1 - y) * np.log1p(-p)],
    [lambda y, p: (p - y) / (p * (1 - p))],
)
OBJECTS = {"logits": losses.BinaryCrossentropy(from_logits=True)}


def outputs_and_targets(loss, dtype):
    """UNITS of each."""
    rng = np.random.default_rng(1)
    size = 10 ** rng.uniform(-12, 12, UNITS)
    sign = rng.choice([-1, 1], UNITS)
    if loss == "logits":
        return (np.minimum(size, 2000) * sign).astype(dtype), rng.choice([0, 0.25, 1], UNITS).astype(dtype)
    if loss == "binary_crossentropy":  # between the probabilities where it clips
        p = 10 ** rng.uniform(-6.5, -0.1, UNITS)
        p = np.where(sign > 0, p, np.minimum(1 - p, 1 - 2e-7)).astype(dtype)
        return p, rng.choice([0, 0.25, 1], UNITS).astype(dtype)
    return (size * sign).astype(dtype), (rng.normal(size=UNITS) * 10 ** rng.uniform(-3, 3, UNITS)).astype(dtype)


@pytest.mark.parametrize("loss", LOSSES)
def test_values_of_each_loss(backend, dtype, loss):
    model = compiled([Input((1,)), Activation("linear")], backend, dtype, loss=OBJECTS.get(loss, loss))
    p, y = (array[:100] for array in outputs_and_targets(loss, dtype))
    actual = [model.evaluate(*pair, verbose=0) for pair in zip(p.reshape(-1, 1, 1), y.reshape(-1, 1, 1), strict=True)]
    assert_near(np.array(actual), [f(wide(y), wide(p)) for f in LOSSES[loss][0]], dtype)


@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_of_each_loss(backend, dtype, loss):
    p, y = outputs_and_targets(loss, dtype)
    model = compiled([Input((1,)), Dense(UNITS)], backend, dtype, loss=OBJECTS.get(loss, loss))
    model.set_weights([np.zeros((1, UNITS)), p])
    slopes = model.gradients(np.zeros((1, 1)), y[None])[0]["bias"]
    slopes = slopes * (1 if loss == "half_squared_error" else UNITS)
    assert_near(slopes, [f(wide(y), wide(p)) for f in LOSSES[loss][1]], dtype)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("right", [np.argmax, np.argmin])
def test_values_and_slopes_of_crossentropy_of_a_softmax(backend, dtype, scale, right):
    """Also where the right class is all but certain, and log(1 + little) all but 0, which is rounded as 1 is."""
    units = 5
    model = compiled([Input((1,)), Dense(units, "softmax")], backend, dtype, loss="sparse_categorical_crossentropy")
    for row in (np.random.default_rng(0).normal(size=(20, units)) * scale).astype(dtype):
        model.set_weights([np.zeros((1, units)), row])
        label, largest = right(row), np.argmax(row)
        little = np.exp(np.delete(wide(row), largest) - row[largest]).sum()
        terms = [np.array([term]) for term in (1, -1, wide(row[largest]), -wide(row[label]), np.log1p(little))]
        x, y = np.zeros((1, 1)), np.array([label])
        assert_near(np.array([model.evaluate(x, y, verbose=0)]), terms, dtype)
        assert_near(model.gradients(x, y)[0]["bias"], [softmax_of_rounded(row), -wide(np.eye(units)[label])], dtype)
