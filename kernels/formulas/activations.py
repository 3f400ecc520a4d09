"""Activations: the value of each, and its slope, which is its derivative.

A slope in x is computed beside the value and kept for the way back; what both of them write alike, such as exp(x) or
the one division, is computed once.  A slope in y costs no memory.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from .arrays import (
    Array,
    absolute,
    exp,
    expm1,
    fma,
    log1p,
    maximum,
    minimum,
    normal_tail,
    reciprocal,
    sqrt,
    tanh,
    where,
)


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
    return where(x >= 0.0, 1.0, small) * reciprocal(1.0 + small)


def sigmoid_slope(x: Array) -> Array:
    small = exp(-absolute(x))
    inverse = reciprocal(1.0 + small)
    return small * inverse * inverse


def tanh_value(x: Array) -> Array:
    return tanh(x)


def tanh_slope(x: Array) -> Array:
    inverse = reciprocal(expm1(-2.0 * absolute(x)) + 2.0)
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
    complement = where(x >= 0.0, small, 1.0) * reciprocal(1.0 + small)
    return sigmoid_value(x) * (1.0 + x * complement)


def mish_value(x: Array) -> Array:
    e = exp(minimum(x, 40.0))  # tanh(softplus(x)) = e (e + 2) / (e (e + 2) + 2), which is 1 from here on
    n = e * (e + 2.0)
    return x * (n * reciprocal(n + 2.0))


def mish_slope(x: Array) -> Array:
    near = minimum(x, 40.0)
    e = exp(near)
    n = e * (e + 2.0)
    inverse = reciprocal(n + 2.0)
    return n * inverse + near * (4.0 * e * (e + 1.0) * inverse * inverse)


def relu6_value(x: Array) -> Array:
    return minimum(maximum(x, 0.0), 6.0)


def relu6_slope(y: Array) -> Array:
    return where(y > 0.0, where(y < 6.0, 1.0, 0.0), 0.0)


def celu_value(x: Array, parameter: float) -> Array:
    return where(x > 0.0, x, parameter * expm1(minimum(x, 0.0) * reciprocal(parameter)))


def celu_slope(x: Array, parameter: float) -> Array:
    return where(x > 0.0, 1.0, exp(minimum(x, 0.0) * reciprocal(parameter)))


def exponential_value(x: Array) -> Array:
    return exp(x)


def exponential_slope(y: Array) -> Array:
    return y


def softsign_value(x: Array) -> Array:
    return x * reciprocal(1.0 + absolute(x))


def softsign_slope(x: Array) -> Array:
    inverse = reciprocal(1.0 + absolute(x))
    return inverse * inverse


ONE_SIXTH = 0.16666666666666666667


def hard_sigmoid_value(x: Array) -> Array:
    return minimum(maximum(x + 3.0, 0.0), 6.0) * ONE_SIXTH


def hard_sigmoid_slope(x: Array) -> Array:
    return where(absolute(x) < 3.0, ONE_SIXTH, 0.0)


def hard_silu_value(x: Array) -> Array:
    return x * hard_sigmoid_value(x)


def hard_silu_slope(x: Array) -> Array:
    return hard_sigmoid_value(x) + x * hard_sigmoid_slope(x)


def hard_tanh_value(x: Array) -> Array:
    return minimum(maximum(x, -1.0), 1.0)


def hard_tanh_slope(y: Array) -> Array:
    return where(absolute(y) < 1.0, 1.0, 0.0)


def log_sigmoid_value(x: Array) -> Array:
    return minimum(x, 0.0) - log1p(exp(-absolute(x)))


def log_sigmoid_slope(x: Array) -> Array:
    return sigmoid_value(-x)


def squareplus_value(x: Array, parameter: float) -> Array:
    root = sqrt(x * x + parameter)
    below = 0.5 * parameter * reciprocal(absolute(x) + root)  # where the sum would cancel
    return where(x > 0.0, 0.5 * (x + root), below)


def squareplus_slope(x: Array, parameter: float) -> Array:
    return squareplus_value(x, parameter) * reciprocal(sqrt(x * x + parameter))


def soft_shrink_value(x: Array, parameter: float) -> Array:
    return where(x > parameter, x - parameter, minimum(x + parameter, 0.0))


def soft_shrink_slope(y: Array) -> Array:
    return where(absolute(y) > 0.0, 1.0, 0.0)


def hard_shrink_value(x: Array, parameter: float) -> Array:
    return where(absolute(x) > parameter, x, x * 0.0)


def hard_shrink_slope(y: Array) -> Array:
    return where(absolute(y) > 0.0, 1.0, 0.0)


def sparse_plus_value(x: Array) -> Array:
    raised = maximum(x + 1.0, 0.0)
    return where(x < 1.0, 0.25 * raised * raised, x)


def sparse_plus_slope(x: Array) -> Array:
    return minimum(maximum(0.5 * (x + 1.0), 0.0), 1.0)


def sparse_sigmoid_value(x: Array) -> Array:
    return minimum(maximum(0.5 * (x + 1.0), 0.0), 1.0)


def sparse_sigmoid_slope(x: Array) -> Array:
    return where(absolute(x) < 1.0, 0.5, 0.0)


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
    "relu6": Activation(relu6_value, relu6_slope),
    "celu": Activation(celu_value, celu_slope, ("alpha", 1.0)),
    "exponential": Activation(exponential_value, exponential_slope),
    "softsign": Activation(softsign_value, softsign_slope),
    "hard_sigmoid": Activation(hard_sigmoid_value, hard_sigmoid_slope),
    "hard_silu": Activation(hard_silu_value, hard_silu_slope),
    "hard_tanh": Activation(hard_tanh_value, hard_tanh_slope),
    "log_sigmoid": Activation(log_sigmoid_value, log_sigmoid_slope),
    "squareplus": Activation(squareplus_value, squareplus_slope, ("b", 4.0)),
    "soft_shrink": Activation(soft_shrink_value, soft_shrink_slope, ("threshold", 0.5)),
    "hard_shrink": Activation(hard_shrink_value, hard_shrink_slope, ("threshold", 0.5)),
    "sparse_plus": Activation(sparse_plus_value, sparse_plus_slope),
    "sparse_sigmoid": Activation(sparse_sigmoid_value, sparse_sigmoid_slope),
}

VALUES = {name: row for name, row in ACTIVATIONS.items() if row.value}
KEPT_SLOPES = {name: row for name, row in ACTIVATIONS.items() if row.keeps_slope}
DERIVED_SLOPES = {name: row for name, row in ACTIVATIONS.items() if row.slope and not row.keeps_slope}
"""Those that kernels are compiled for, one each: values of one output, and slopes of either sort."""

LINEAR, SOFTMAX = (list(ACTIVATIONS).index(name) for name in ("linear", "softmax"))
