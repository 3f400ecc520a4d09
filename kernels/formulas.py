"""Every activation, loss and optimizer of fastnn, once.

Plain arithmetic over the vocabulary of primitives.py.  From these tables come both compiled backends (render.py), the
NumPy backend, the names that the API accepts, its default hyper-parameters, its error messages and the parametrised
tests.  To add one, write its formulas and its row.

A formula's argument names say what it needs: ``x`` the input of an activation, ``y`` its output, ``target`` what the
output should be, ``parameter`` the one constant that some formulas have.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

from .primitives import (
    Array,
    absolute,
    exp,
    expm1,
    fma,
    log,
    log1p,
    maximum,
    minimum,
    normal_tail,
    power,
    sqrt,
    square_root,
    tanh,
    where,
)

# --- Activations: the value, and the slope (derivative) --------------------------------------------------------------
# A slope in x is computed beside the value and kept for the way back; what both of them write alike, such as exp(x) or
# the one division, is computed once.  A slope in y costs no memory.


def linear_value(x: Array) -> Array:
    return x


def linear_slope(y: Array) -> Array:
    return y * 0.0 + 1.0


def relu_value(x: Array) -> Array:
    return maximum(x, 0.0)


def relu_slope(y: Array) -> Array:
    return where(y > 0.0, 1.0, 0.0)


def leaky_relu_value(x: Array, parameter: float) -> Array:
    return where(x > 0.0, x, x * parameter)


def leaky_relu_slope(x: Array, parameter: float) -> Array:
    return where(x > 0.0, 1.0, parameter)


def sigmoid_value(x: Array) -> Array:
    small = exp(-absolute(x))
    return where(x >= 0.0, 1.0, small) * (1.0 / (1.0 + small))


def sigmoid_slope(x: Array) -> Array:
    small = exp(-absolute(x))
    inverse = 1.0 / (1.0 + small)
    return small * inverse * inverse


def tanh_value(x: Array) -> Array:
    return tanh(x)


def tanh_slope(x: Array) -> Array:
    inverse = 1.0 / (expm1(-2.0 * absolute(x)) + 2.0)
    return 4.0 * exp(-2.0 * absolute(x)) * inverse * inverse  # 1 - tanh(x)**2 would cancel


def elu_value(x: Array, parameter: float) -> Array:
    return where(x > 0.0, x, parameter * expm1(minimum(x, 0.0)))


def elu_slope(x: Array, parameter: float) -> Array:
    return where(x > 0.0, 1.0, parameter * exp(minimum(x, 0.0)))


SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def selu_value(x: Array) -> Array:
    return SELU_SCALE * where(x > 0.0, x, SELU_ALPHA * expm1(minimum(x, 0.0)))


def selu_slope(x: Array) -> Array:
    return SELU_SCALE * where(x > 0.0, 1.0, SELU_ALPHA * exp(minimum(x, 0.0)))


def softplus_value(x: Array) -> Array:
    return maximum(x, 0.0) + log1p(exp(-absolute(x)))


def softplus_slope(x: Array) -> Array:
    return sigmoid_value(x)


INVERSE_SQRT_2_PI = 0.39894228040143267794


def gelu_value(x: Array) -> Array:
    return 0.5 * x * normal_tail(-x)


def gelu_slope(x: Array) -> Array:
    near = maximum(minimum(x, 40.0), -40.0)  # beyond it the bell is 0, and x * exp(-x * x) would be inf * 0
    square = near * near
    bell = exp(-0.5 * square) * (1.0 - 0.5 * fma(near, near, -square))  # with what rounding the square lost
    return 0.5 * normal_tail(-x) + near * INVERSE_SQRT_2_PI * bell


def silu_value(x: Array) -> Array:
    return x * sigmoid_value(x)


def silu_slope(x: Array) -> Array:
    small = exp(-absolute(x))
    complement = where(x >= 0.0, small, 1.0) * (1.0 / (1.0 + small))
    return sigmoid_value(x) * (1.0 + x * complement)


def mish_value(x: Array) -> Array:
    e = exp(minimum(x, 40.0))  # tanh(softplus(x)) = e (e + 2) / (e (e + 2) + 2), which is 1 from here on
    n = e * (e + 2.0)
    return x * (n * (1.0 / (n + 2.0)))


def mish_slope(x: Array) -> Array:
    near = minimum(x, 40.0)
    e = exp(near)
    n = e * (e + 2.0)
    inverse = 1.0 / (n + 2.0)
    return n * inverse + near * (4.0 * e * (e + 1.0) * inverse * inverse)


@dataclass(frozen=True)
class Activation:
    """A row of the table.  ``parameter`` is its name and default; ``value`` is None where a whole row is needed."""

    value: Callable[..., Array] | None
    slope: Callable[..., Array] | None
    parameter: tuple[str, float] | None = None

    @property
    def keeps_slope(self) -> bool:
        """Whether the slope needs the input, so that the forward pass computes and keeps it."""
        return self.slope is not None and "x" in inspect.signature(self.slope).parameters


ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(linear_value, linear_slope),
    "relu": Activation(relu_value, relu_slope),
    "leaky_relu": Activation(leaky_relu_value, leaky_relu_slope, ("negative_slope", 0.2)),
    "sigmoid": Activation(sigmoid_value, sigmoid_slope),
    "tanh": Activation(tanh_value, tanh_slope),
    "elu": Activation(elu_value, elu_slope, ("alpha", 1.0)),
    "selu": Activation(selu_value, selu_slope),
    "softplus": Activation(softplus_value, softplus_slope),
    "gelu": Activation(gelu_value, gelu_slope),
    "silu": Activation(silu_value, silu_slope),
    "mish": Activation(mish_value, mish_slope),
    "softmax": Activation(None, None),
}

# --- Noise -----------------------------------------------------------------------------------------------------------


def normal_quantile(uniform: Array) -> Array:
    """Standard normal numbers from uniform ones, multiples of 2**-23 in [0, 1), each at the middle of its step.

    sqrt(2) erfinv(2 u - 1) by M. Giles's polynomials (Approximating the erfinv function, 2011), relative error 1e-6.
    """
    t = fma(uniform, 2.0, -0.99999988079071044921875)
    w = -log((1.0 - t) * (1.0 + t))
    v = w - 2.5
    p = fma(v, 2.81022636e-08, 3.43273939e-07)
    p = fma(v, p, -3.5233877e-06)
    p = fma(v, p, -4.39150654e-06)
    p = fma(v, p, 0.00021858087)
    p = fma(v, p, -0.00125372503)
    p = fma(v, p, -0.00417768164)
    p = fma(v, p, 0.246640727)
    p = fma(v, p, 1.50140941)
    r = sqrt(w) - 3.0
    q = fma(r, -0.000200214257, 0.000100950558)
    q = fma(r, q, 0.00134934322)
    q = fma(r, q, -0.00367342844)
    q = fma(r, q, 0.00573950773)
    q = fma(r, q, -0.0076224613)
    q = fma(r, q, 0.00943887047)
    q = fma(r, q, 1.00167406)
    q = fma(r, q, 2.83297682)
    return 1.4142135623730951 * t * where(w < 5.0, p, q)


# --- Losses: the value for one output, and its derivative by that output ---------------------------------------------


def mean_squared_error_value(y: Array, target: Array) -> Array:
    return (y - target) * (y - target)


def mean_squared_error_gradient(y: Array, target: Array) -> Array:
    return 2.0 * (y - target)


def half_squared_error_value(y: Array, target: Array) -> Array:
    return 0.5 * (y - target) * (y - target)


def half_squared_error_gradient(y: Array, target: Array) -> Array:
    return y - target


def mean_absolute_error_value(y: Array, target: Array) -> Array:
    return absolute(y - target)


def mean_absolute_error_gradient(y: Array, target: Array) -> Array:
    return where(y > target, 1.0, where(y < target, -1.0, (y - target) * 0.0))


def huber_value(y: Array, target: Array, parameter: float) -> Array:
    size = absolute(y - target)
    return where(size <= parameter, 0.5 * size * size, parameter * (size - 0.5 * parameter))


def huber_gradient(y: Array, target: Array, parameter: float) -> Array:
    return maximum(minimum(y - target, parameter), -parameter)


PROBABILITY_FLOOR = 1e-7  # Keras clips probabilities to [1e-7, 1 - 1e-7]


def binary_crossentropy_value(y: Array, target: Array) -> Array:
    p = maximum(minimum(y, 1.0 - PROBABILITY_FLOOR), PROBABILITY_FLOOR)
    return -target * log(p) - (1.0 - target) * log1p(-p)


def binary_crossentropy_gradient(y: Array, target: Array) -> Array:
    p = maximum(minimum(y, 1.0 - PROBABILITY_FLOOR), PROBABILITY_FLOOR)
    return where(absolute(y - 0.5) <= 0.5 - PROBABILITY_FLOOR, (p - target) / (p * (1.0 - p)), (y - p) * 0.0)


def binary_crossentropy_from_logits_value(y: Array, target: Array) -> Array:
    return maximum(y, 0.0) - y * target + log1p(exp(-absolute(y)))


def binary_crossentropy_from_logits_gradient(y: Array, target: Array) -> Array:
    return sigmoid_value(y) - target


def binary_accuracy_value(y: Array, target: Array) -> Array:
    return where(y > 0.5, where(target > 0.5, 1.0, 0.0), where(target > 0.5, 0.0, 1.0))


@dataclass(frozen=True)
class Loss:
    """A row of the table.  ``mean``: averaged over the outputs, else summed.  ``value`` None: by row, in network.py."""

    value: Callable[..., Array] | None
    gradient: Callable[..., Array] | None
    mean: bool = True
    parameter: tuple[str, float] | None = None


LOSSES: dict[str, Loss] = {
    "mean_squared_error": Loss(mean_squared_error_value, mean_squared_error_gradient),
    "half_squared_error": Loss(half_squared_error_value, half_squared_error_gradient, mean=False),
    "mean_absolute_error": Loss(mean_absolute_error_value, mean_absolute_error_gradient),
    "huber": Loss(huber_value, huber_gradient, parameter=("delta", 1.0)),
    "binary_crossentropy": Loss(binary_crossentropy_value, binary_crossentropy_gradient),
    "binary_crossentropy_from_logits": Loss(
        binary_crossentropy_from_logits_value, binary_crossentropy_from_logits_gradient
    ),
    "categorical_crossentropy_from_logits": Loss(None, None, mean=False),
    "binary_accuracy": Loss(binary_accuracy_value, None),
    "categorical_accuracy": Loss(None, None),
}

# --- Optimizers: the scalars of a step, and the new weight and slots --------------------------------------------------
# ``prepare`` is scalar arithmetic, once a step (``step`` counts from 1); ``update`` is for each parameter.


def sgd_prepare(learning_rate: float) -> float:
    return learning_rate


def sgd_update(weight: Array, gradient: Array, learning_rate: float) -> Array:
    return weight - learning_rate * gradient


def momentum_prepare(learning_rate: float, momentum: float) -> tuple[float, ...]:
    return learning_rate, momentum


def momentum_update(
    weight: Array, gradient: Array, velocity: Array, learning_rate: float, momentum: float
) -> tuple[Array, ...]:
    moved = momentum * velocity - learning_rate * gradient
    return weight + moved, moved


def nesterov_update(
    weight: Array, gradient: Array, velocity: Array, learning_rate: float, momentum: float
) -> tuple[Array, ...]:
    moved = momentum * velocity - learning_rate * gradient
    return weight + (momentum * moved - learning_rate * gradient), moved


def adam_prepare(learning_rate: float, beta_1: float, beta_2: float, epsilon: float, step: float) -> tuple[float, ...]:
    rate = learning_rate / (1.0 - power(beta_1, step))
    scale = 1.0 / square_root(1.0 - power(beta_2, step))
    return rate, scale, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon


def adam_update(
    weight: Array,
    gradient: Array,
    mean: Array,
    variance: Array,
    rate: float,
    scale: float,
    beta_1: float,
    rest_1: float,
    beta_2: float,
    rest_2: float,
    epsilon: float,
) -> tuple[Array, ...]:
    new_mean = beta_1 * mean + rest_1 * gradient
    new_variance = beta_2 * variance + rest_2 * gradient * gradient
    return weight - rate * new_mean / (sqrt(new_variance) * scale + epsilon), new_mean, new_variance


@dataclass(frozen=True)
class Optimizer:
    """A row of the table: ``hyper`` names the arguments of ``prepare`` (less ``step``), ``slots`` the state."""

    prepare: Callable[..., float | tuple[float, ...]]
    update: Callable[..., Array | tuple[Array, ...]]
    slots: tuple[str, ...] = ()
    hyper: dict[str, float] = field(default_factory=dict)


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(sgd_prepare, sgd_update, (), {"learning_rate": 0.01}),
    "momentum": Optimizer(momentum_prepare, momentum_update, ("velocity",), {"learning_rate": 0.01, "momentum": 0.9}),
    "nesterov": Optimizer(momentum_prepare, nesterov_update, ("velocity",), {"learning_rate": 0.01, "momentum": 0.9}),
    "adam": Optimizer(
        adam_prepare,
        adam_update,
        ("mean", "variance"),
        {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    ),
}
