"""Every activation, loss and optimizer of fastnn, once.

Plain arithmetic over the vocabulary of primitives.py.  From these tables come both compiled backends (render.py), the
NumPy backend, the names that the API accepts, its default hyper-parameters, its error messages and the parametrised
tests.  To add one, write its formulas and its row.

A formula's argument names say what it needs: ``x`` the input of an activation, ``y`` its output, ``target`` what the
output should be, ``parameter`` the one constant that some formulas have (``second`` and ``third``: further ones of a
loss, each an output's own where they differ).
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
    reciprocal,
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


LOG_2 = 0.69314718055994530942


def log_cosh_value(y: Array, target: Array) -> Array:
    size = absolute(y - target)
    grown = expm1(minimum(size, 20.0))  # cosh(e) - 1 = (exp(e) - 1)**2 / (2 exp(e)) does not cancel near 0
    return where(size > 20.0, size - LOG_2, log1p(0.5 * grown * (grown / (1.0 + grown))))


def log_cosh_gradient(y: Array, target: Array) -> Array:
    return tanh(y - target)


def quantile_value(y: Array, target: Array, parameter: Array) -> Array:
    return where(target > y, parameter * (target - y), (1.0 - parameter) * (y - target))


def quantile_gradient(y: Array, target: Array, parameter: Array) -> Array:
    return where(target > y, -parameter, where(y > target, 1.0 - parameter, (y - target) * 0.0))


POISSON_FLOOR = 1e-7  # Keras's


def poisson_value(y: Array, target: Array) -> Array:
    return y - target * log(y + POISSON_FLOOR)


def poisson_gradient(y: Array, target: Array) -> Array:
    return 1.0 - target / (y + POISSON_FLOOR)


SMALLEST = 1e-37  # a floor for logarithms and divisors: a normal number in float32 too


def kl_divergence_value(y: Array, target: Array) -> Array:
    p = maximum(minimum(y, 1.0), PROBABILITY_FLOOR)
    t = maximum(minimum(target, 1.0), PROBABILITY_FLOOR)
    return t * log(t / p)


def kl_divergence_gradient(y: Array, target: Array) -> Array:
    p = maximum(minimum(y, 1.0), PROBABILITY_FLOOR)
    t = maximum(minimum(target, 1.0), PROBABILITY_FLOOR)
    return where(p == y, -t / p, (y - p) * 0.0)


def hinge_value(y: Array, target: Array) -> Array:
    return maximum(1.0 - where(target > 0.0, 1.0, -1.0) * y, 0.0)


def hinge_gradient(y: Array, target: Array) -> Array:
    sign = where(target > 0.0, 1.0, -1.0)
    return where(1.0 - sign * y > 0.0, -sign, y * 0.0)


def squared_hinge_value(y: Array, target: Array) -> Array:
    short = maximum(1.0 - where(target > 0.0, 1.0, -1.0) * y, 0.0)
    return short * short


def squared_hinge_gradient(y: Array, target: Array) -> Array:
    sign = where(target > 0.0, 1.0, -1.0)
    return -2.0 * sign * maximum(1.0 - sign * y, 0.0)


# In the focal losses ``off`` is how far the probability of what is true is from 1; ``parameter`` is gamma.


def binary_focal_crossentropy_value(y: Array, target: Array, parameter: Array, second: Array, third: Array) -> Array:
    p = maximum(minimum(y, 1.0 - PROBABILITY_FLOOR), PROBABILITY_FLOOR)
    off = target * (1.0 - p) + (1.0 - target) * p
    weight = (target * second + (1.0 - target) * third) * exp(parameter * log(off))
    return weight * (-target * log(p) - (1.0 - target) * log(1.0 - p))


def binary_focal_crossentropy_gradient(y: Array, target: Array, parameter: Array, second: Array, third: Array) -> Array:
    p = maximum(minimum(y, 1.0 - PROBABILITY_FLOOR), PROBABILITY_FLOOR)
    off = target * (1.0 - p) + (1.0 - target) * p
    weight = (target * second + (1.0 - target) * third) * exp(parameter * log(off))
    cost = -target * log(p) - (1.0 - target) * log(1.0 - p)
    slope = parameter * (1.0 - 2.0 * target) / off * cost + (p - target) / (p * (1.0 - p))
    return where(absolute(y - 0.5) <= 0.5 - PROBABILITY_FLOOR, weight * slope, (y - p) * 0.0)


def binary_focal_crossentropy_from_logits_value(
    y: Array, target: Array, parameter: Array, second: Array, third: Array
) -> Array:
    small = exp(-absolute(y))
    p = where(y >= 0.0, 1.0, small) * reciprocal(1.0 + small)
    rest = where(y >= 0.0, small, 1.0) * reciprocal(1.0 + small)
    off = maximum(target * rest + (1.0 - target) * p, SMALLEST)
    weight = (target * second + (1.0 - target) * third) * exp(parameter * log(off))
    return weight * (maximum(y, 0.0) - y * target + log1p(small))


def binary_focal_crossentropy_from_logits_gradient(
    y: Array, target: Array, parameter: Array, second: Array, third: Array
) -> Array:
    small = exp(-absolute(y))
    p = where(y >= 0.0, 1.0, small) * reciprocal(1.0 + small)
    rest = where(y >= 0.0, small, 1.0) * reciprocal(1.0 + small)
    off = maximum(target * rest + (1.0 - target) * p, SMALLEST)
    weight = (target * second + (1.0 - target) * third) * exp(parameter * log(off))
    cost = maximum(y, 0.0) - y * target + log1p(small)
    return weight * (parameter * (1.0 - 2.0 * target) * (p * rest / off) * cost + (p - target))


# Of the logarithm of softmax's output, and the derivative by that: network.py goes on to the logits.


def kl_divergence_from_logits_value(y: Array, target: Array) -> Array:
    return where(target == 0.0, 0.0, target * (log(maximum(target, SMALLEST)) - y))


def kl_divergence_from_logits_gradient(y: Array, target: Array) -> Array:
    return y * 0.0 - target


def categorical_focal_crossentropy_from_logits_value(y: Array, target: Array, parameter: Array, second: Array) -> Array:
    off = maximum(-expm1(y), SMALLEST)
    return where(target == 0.0, 0.0, -second * target * exp(parameter * log(off)) * y)


def categorical_focal_crossentropy_from_logits_gradient(
    y: Array, target: Array, parameter: Array, second: Array
) -> Array:
    off = maximum(-expm1(y), SMALLEST)
    slope = 1.0 - parameter * (exp(y) / off) * y
    return where(target == 0.0, 0.0, -second * target * exp(parameter * log(off)) * slope)


# Half the Poisson deviance of the mean exp(y), less what does not depend on y.


def poisson_from_logarithm_value(y: Array, target: Array) -> Array:
    return exp(y) - target * y


def poisson_from_logarithm_gradient(y: Array, target: Array) -> Array:
    return exp(y) - target


def binary_accuracy_value(y: Array, target: Array) -> Array:
    return where(y > 0.5, where(target > 0.5, 1.0, 0.0), where(target > 0.5, 0.0, 1.0))


@dataclass(frozen=True)
class Loss:
    """A row of the table.  ``mean``: averaged over the outputs, else summed.  ``value`` None: by row, in network.py.

    ``of_log_softmax``: the formulas' y is the logarithm of softmax's output.
    """

    value: Callable[..., Array] | None
    gradient: Callable[..., Array] | None
    mean: bool = True
    parameter: tuple[str, float] | None = None
    of_log_softmax: bool = False


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
    "log_cosh": Loss(log_cosh_value, log_cosh_gradient),
    "quantile": Loss(quantile_value, quantile_gradient, parameter=("quantiles", 0.5)),
    "poisson": Loss(poisson_value, poisson_gradient),
    "poisson_from_logarithm": Loss(poisson_from_logarithm_value, poisson_from_logarithm_gradient, mean=False),
    "kl_divergence": Loss(kl_divergence_value, kl_divergence_gradient, mean=False),
    "kl_divergence_from_logits": Loss(
        kl_divergence_from_logits_value, kl_divergence_from_logits_gradient, mean=False, of_log_softmax=True
    ),
    "hinge": Loss(hinge_value, hinge_gradient),
    "squared_hinge": Loss(squared_hinge_value, squared_hinge_gradient),
    "binary_focal_crossentropy": Loss(
        binary_focal_crossentropy_value, binary_focal_crossentropy_gradient, parameter=("gamma", 2.0)
    ),
    "binary_focal_crossentropy_from_logits": Loss(
        binary_focal_crossentropy_from_logits_value,
        binary_focal_crossentropy_from_logits_gradient,
        parameter=("gamma", 2.0),
    ),
    "categorical_focal_crossentropy_from_logits": Loss(
        categorical_focal_crossentropy_from_logits_value,
        categorical_focal_crossentropy_from_logits_gradient,
        mean=False,
        parameter=("gamma", 2.0),
        of_log_softmax=True,
    ),
    "binary_accuracy": Loss(binary_accuracy_value, None),
    "categorical_accuracy": Loss(None, None),
}

# --- Optimizers: the scalars of a step, and the new weight and slots --------------------------------------------------
# ``prepare`` is scalar arithmetic, once a step (``step`` counts from 1); ``update`` is for each parameter, which
# decoupled weight decay has made smaller before.


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
    return weight - rate * new_mean * reciprocal(sqrt(new_variance) * scale + epsilon), new_mean, new_variance


def keras_adam_prepare(
    learning_rate: float, beta_1: float, beta_2: float, epsilon: float, step: float
) -> tuple[float, ...]:
    rate = learning_rate / (1.0 - power(beta_1, step))
    scale = 1.0 / square_root(1.0 - power(beta_2, step))
    return rate, scale, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon * scale  # to the root before its correction


def amsgrad_update(
    weight: Array,
    gradient: Array,
    mean: Array,
    variance: Array,
    largest: Array,
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
    new_largest = maximum(new_variance, largest)
    return (
        weight - rate * new_mean * reciprocal(sqrt(new_largest) * scale + epsilon),
        new_mean,
        new_variance,
        new_largest,
    )


def nadam_prepare(learning_rate: float, beta_1: float, beta_2: float, epsilon: float, step: float) -> tuple[float, ...]:
    now = beta_1 * (1.0 - 0.5 * power(0.96, step))
    next_ = beta_1 * (1.0 - 0.5 * power(0.96, step + 1.0))
    # The product of all momenta so far, beta_1**step * prod(1 - 0.96**i / 2), without a loop over the steps: minus the
    # logarithm of the infinite product prod(1 - x * 0.96**i) is the sum of x**k / (k (1 - 0.96**k)), and a finite
    # product is the ratio of two.
    x = 0.5 * power(0.96, step + 1.0)
    here = 1.0
    first = 1.0
    decay = 1.0
    count = 0.0
    logarithm = 0.0
    for _ in range(48):
        here = here * x
        first = first * 0.48
        decay = decay * 0.96
        count = count + 1.0
        logarithm = logarithm + (here - first) / (count * (1.0 - decay))
    product = power(beta_1, step) * power(2.718281828459045, logarithm)
    of_mean = learning_rate * next_ / (1.0 - product * next_)
    of_gradient = learning_rate * (1.0 - now) / (1.0 - product)
    scale = 1.0 / square_root(1.0 - power(beta_2, step))
    return of_mean, of_gradient, scale, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon


def nadam_update(
    weight: Array,
    gradient: Array,
    mean: Array,
    variance: Array,
    of_mean: float,
    of_gradient: float,
    scale: float,
    beta_1: float,
    rest_1: float,
    beta_2: float,
    rest_2: float,
    epsilon: float,
) -> tuple[Array, ...]:
    new_mean = beta_1 * mean + rest_1 * gradient
    new_variance = beta_2 * variance + rest_2 * gradient * gradient
    moved = of_mean * new_mean + of_gradient * gradient
    return weight - moved * reciprocal(sqrt(new_variance) * scale + epsilon), new_mean, new_variance


def adamax_prepare(
    learning_rate: float, beta_1: float, beta_2: float, epsilon: float, step: float
) -> tuple[float, ...]:
    return learning_rate / (1.0 - power(beta_1, step)), beta_1, 1.0 - beta_1, beta_2, epsilon


def adamax_update(
    weight: Array,
    gradient: Array,
    mean: Array,
    norm: Array,
    rate: float,
    beta_1: float,
    rest_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, ...]:
    new_mean = beta_1 * mean + rest_1 * gradient
    new_norm = maximum(absolute(gradient), beta_2 * norm)
    return weight - rate * new_mean * reciprocal(new_norm + epsilon), new_mean, new_norm


def adagrad_prepare(learning_rate: float, epsilon: float) -> tuple[float, ...]:
    return learning_rate, epsilon


def adagrad_update(
    weight: Array, gradient: Array, accumulator: Array, learning_rate: float, epsilon: float
) -> tuple[Array, ...]:
    sum_ = accumulator + gradient * gradient
    return weight - learning_rate * gradient * reciprocal(sqrt(sum_ + epsilon)), sum_


def adadelta_prepare(learning_rate: float, rho: float, epsilon: float) -> tuple[float, ...]:
    return learning_rate, rho, 1.0 - rho, epsilon


def adadelta_update(
    weight: Array,
    gradient: Array,
    of_gradients: Array,
    of_changes: Array,
    learning_rate: float,
    rho: float,
    rest: float,
    epsilon: float,
) -> tuple[Array, ...]:
    squares = rho * of_gradients + rest * gradient * gradient
    change = sqrt(of_changes + epsilon) * reciprocal(sqrt(squares + epsilon)) * gradient
    return weight - learning_rate * change, squares, rho * of_changes + rest * change * change


def rmsprop_prepare(learning_rate: float, rho: float, epsilon: float) -> tuple[float, ...]:
    return learning_rate, rho, 1.0 - rho, epsilon


def rmsprop_update(
    weight: Array, gradient: Array, variance: Array, learning_rate: float, rho: float, rest: float, epsilon: float
) -> tuple[Array, ...]:
    new_variance = rho * variance + rest * gradient * gradient
    return weight - learning_rate * gradient * reciprocal(sqrt(new_variance + epsilon)), new_variance


def rmsprop_momentum_prepare(learning_rate: float, rho: float, epsilon: float, momentum: float) -> tuple[float, ...]:
    return learning_rate, rho, 1.0 - rho, epsilon, momentum


def rmsprop_momentum_update(
    weight: Array,
    gradient: Array,
    variance: Array,
    velocity: Array,
    learning_rate: float,
    rho: float,
    rest: float,
    epsilon: float,
    momentum: float,
) -> tuple[Array, ...]:
    new_variance = rho * variance + rest * gradient * gradient
    moved = momentum * velocity + learning_rate * gradient * reciprocal(sqrt(new_variance + epsilon))
    return weight - moved, new_variance, moved


def rmsprop_centered_update(
    weight: Array,
    gradient: Array,
    variance: Array,
    velocity: Array,
    mean: Array,
    learning_rate: float,
    rho: float,
    rest: float,
    epsilon: float,
    momentum: float,
) -> tuple[Array, ...]:
    new_variance = rho * variance + rest * gradient * gradient
    new_mean = rho * mean + rest * gradient
    spread = maximum(new_variance - new_mean * new_mean, 0.0)  # below 0 by rounding alone
    moved = momentum * velocity + learning_rate * gradient * reciprocal(sqrt(spread + epsilon))
    return weight - moved, new_variance, moved, new_mean


def lion_prepare(learning_rate: float, beta_1: float, beta_2: float) -> tuple[float, ...]:
    return learning_rate, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2


def lion_update(
    weight: Array,
    gradient: Array,
    mean: Array,
    learning_rate: float,
    beta_1: float,
    rest_1: float,
    beta_2: float,
    rest_2: float,
) -> tuple[Array, ...]:
    c = beta_1 * mean + rest_1 * gradient
    sign = where(c > 0.0, 1.0, where(c < 0.0, -1.0, c * 0.0))
    return weight - learning_rate * sign, beta_2 * mean + rest_2 * gradient


def rprop_prepare(decrease: float, increase: float, least: float, most: float) -> tuple[float, ...]:
    return decrease, increase, least, most


def rprop_update(
    weight: Array,
    gradient: Array,
    previous: Array,
    size: Array,
    decrease: float,
    increase: float,
    least: float,
    most: float,
) -> tuple[Array, ...]:
    agreement = gradient * previous
    factor = where(agreement > 0.0, increase, where(agreement < 0.0, decrease, 1.0))
    new_size = minimum(maximum(size * factor, least), most)
    kept = where(agreement < 0.0, 0.0, gradient)
    sign = where(kept > 0.0, 1.0, where(kept < 0.0, -1.0, kept * 0.0))
    return weight - new_size * sign, kept, new_size


@dataclass(frozen=True)
class Optimizer:
    """A row of the table: ``hyper`` names the arguments of ``prepare`` (less ``step``), ``slots`` the state.

    ``learning_rate`` is the first of ``hyper``.  ``initial`` says which of ``hyper`` a slot begins with, if not with 0.
    """

    prepare: Callable[..., float | tuple[float, ...]]
    update: Callable[..., Array | tuple[Array, ...]]
    slots: tuple[str, ...] = ()
    hyper: dict[str, float] = field(default_factory=dict)
    initial: dict[str, str] = field(default_factory=dict)


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
    "keras_adam": Optimizer(
        keras_adam_prepare,
        adam_update,
        ("mean", "variance"),
        {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    ),
    "amsgrad": Optimizer(
        adam_prepare,
        amsgrad_update,
        ("mean", "variance", "largest"),
        {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    ),
    "nadam": Optimizer(
        nadam_prepare,
        nadam_update,
        ("mean", "variance"),
        {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    ),
    "adamax": Optimizer(
        adamax_prepare,
        adamax_update,
        ("mean", "norm"),
        {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    ),
    "adagrad": Optimizer(
        adagrad_prepare,
        adagrad_update,
        ("accumulator",),
        {"learning_rate": 0.001, "epsilon": 1e-7, "initial_accumulator_value": 0.1},
        {"accumulator": "initial_accumulator_value"},
    ),
    "adadelta": Optimizer(
        adadelta_prepare,
        adadelta_update,
        ("of_gradients", "of_changes"),
        {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-7},
    ),
    "rmsprop": Optimizer(
        rmsprop_prepare, rmsprop_update, ("variance",), {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7}
    ),
    "rmsprop_momentum": Optimizer(
        rmsprop_momentum_prepare,
        rmsprop_momentum_update,
        ("variance", "velocity"),
        {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7, "momentum": 0.0},
    ),
    "rmsprop_centered": Optimizer(
        rmsprop_momentum_prepare,
        rmsprop_centered_update,
        ("variance", "velocity", "mean"),
        {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7, "momentum": 0.0},
    ),
    "lion": Optimizer(lion_prepare, lion_update, ("mean",), {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.99}),
    "rprop": Optimizer(
        rprop_prepare,
        rprop_update,
        ("previous", "size"),
        {"learning_rate": 0.01, "decrease": 0.5, "increase": 1.2, "least": 1e-6, "most": 50.0},
        {"size": "learning_rate"},
    ),
}
