"""Every activation, slope and loss to some units in the last place, over the whole range of numbers.

The reference is written in NumPy's longdouble from float64's textbook forms, so that it is exact as far as float64 sees.
"""

import naive
import numpy as np
import pytest

import fastnn
from fastnn import losses
from fastnn.layers import Activation, Dense, Input

RELATIVE = {"float32": 5e-7, "float64": 1e-14}
SMALLEST = {"float32": 1.2e-38, "float64": 2.3e-308}  # kernels flush what is less to 0
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


def log_sum_exp_rest(z):
    """log(1 + exp(z)) for z <= 0."""
    return np.log1p(np.exp(np.minimum(z, 0)))


def negative_cube(z):
    """z * 4 e (e + 1) / (e (e + 2) + 2)**2, the second part of mish's slope, with e = exp(z)."""
    e = np.exp(np.minimum(z, 200))
    return z * 4 * e * (e + 1) / (e * (e + 2) + 2) ** 2


def mish_gate(z):
    e = np.exp(np.minimum(z, 200))
    return e * (e + 2) / (e * (e + 2) + 2)


# name: (value, terms of the slope, which may cancel), of a longdouble z
REFERENCE = {name: (value, (slope,)) for name, (value, slope) in naive.ACTIVATIONS.items() if slope}
REFERENCE["gelu"] = (lambda z: z * normal_cdf(z), (normal_cdf, lambda z: z * normal_density(z)))
REFERENCE["silu"] = (
    lambda z: z * naive.sigmoid(z),
    (naive.sigmoid, lambda z: z * naive.sigmoid(z) * naive.sigmoid(-z)),
)
REFERENCE["mish"] = (lambda z: z * mish_gate(z), (mish_gate, negative_cube))
REFERENCE["softplus"] = (lambda z: np.maximum(z, 0) + log_sum_exp_rest(-np.abs(z)), (naive.sigmoid,))


def over_the_range(dtype):
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
    return np.resize(x, UNITS).astype(dtype)


def assert_near(actual, terms, dtype):
    """Within the relative error of the largest term, and what is below the smallest normal number may be 0."""
    assert actual.dtype == dtype
    assert np.isfinite(actual).all()
    exact = sum(terms)
    allowed = RELATIVE[dtype] * np.max(np.abs(terms), axis=0) + SMALLEST[dtype]
    wrong = np.flatnonzero(~(np.abs(wide(actual) - exact) <= allowed))
    assert not len(wrong), [(float(actual[i]), float(exact[i])) for i in wrong[:5]]


@pytest.mark.parametrize("activation", REFERENCE)
def test_values_of_each_activation(backend, dtype, activation):
    model = fastnn.Sequential([Input((UNITS,)), Activation(activation)])
    model.compile(loss="mse", backend=backend, dtype=dtype)
    x = over_the_range(dtype)
    x[np.abs(x) > np.finfo(dtype).max / 2] /= 2  # selu stretches
    assert_near(model.predict(x[None])[0], [REFERENCE[activation][0](wide(x))], dtype)
