"""Losses and metrics: the value for one output, and its derivative by that output."""

from collections.abc import Callable
from dataclasses import dataclass

from .activations import sigmoid_value
from .arrays import Array, absolute, exp, expm1, log, log1p, maximum, minimum, reciprocal, tanh, where


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


# Of the logarithm of softmax's output, and the derivative by that: source/loss goes on to the logits.


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


KERAS_EPSILON = 1e-7


def mean_absolute_percentage_error_value(y: Array, target: Array) -> Array:
    return 100.0 * absolute(y - target) / maximum(absolute(target), KERAS_EPSILON)


def mean_absolute_percentage_error_gradient(y: Array, target: Array) -> Array:
    size = maximum(absolute(target), KERAS_EPSILON)
    return where(y > target, 100.0 / size, where(y < target, -100.0 / size, (y - target) * 0.0))


def mean_squared_logarithmic_error_value(y: Array, target: Array) -> Array:
    error = log1p(maximum(y, KERAS_EPSILON)) - log1p(maximum(target, KERAS_EPSILON))
    return error * error


def mean_squared_logarithmic_error_gradient(y: Array, target: Array) -> Array:
    p = maximum(y, KERAS_EPSILON)
    slope = 2.0 * (log1p(p) - log1p(maximum(target, KERAS_EPSILON))) / (1.0 + p)
    return where(y > KERAS_EPSILON, slope, (y - p) * 0.0)


def binary_accuracy_value(y: Array, target: Array) -> Array:
    return where(where(y > 0.5, 1.0, 0.0) == target, 1.0, 0.0)


@dataclass(frozen=True)
class Loss:
    """A row of the table.  ``mean``: averaged over the outputs, else summed.  ``parameter``: a name and a default.

    ``value`` None: it needs all outputs of a row, see source/loss.
    ``of_log_softmax``: the formulas' y is the logarithm of softmax's output.
    """

    value: Callable[..., Array] | None
    gradient: Callable[..., Array] | None
    mean: bool = True
    parameter: tuple[str, float] = ("", 1.0)
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
    "mean_absolute_percentage_error": Loss(
        mean_absolute_percentage_error_value, mean_absolute_percentage_error_gradient
    ),
    "mean_squared_logarithmic_error": Loss(
        mean_squared_logarithmic_error_value, mean_squared_logarithmic_error_gradient
    ),
    "cosine_similarity": Loss(None, None, mean=False),
    "categorical_hinge": Loss(None, None, mean=False),
    "binary_accuracy": Loss(binary_accuracy_value, None),
    "categorical_accuracy": Loss(None, None),
}

LOG_SOFTMAX_LOSSES = {name: row for name, row in LOSSES.items() if row.of_log_softmax}
LOSS_VALUES = {name: row for name, row in LOSSES.items() if row.value and not row.of_log_softmax}
LOSS_GRADIENTS = {name: row for name, row in LOSSES.items() if row.gradient and not row.of_log_softmax}
"""Those that kernels are compiled for, one each."""

CATEGORICAL_CROSSENTROPY_FROM_LOGITS, CATEGORICAL_ACCURACY = (
    list(LOSSES).index(name) for name in ("categorical_crossentropy_from_logits", "categorical_accuracy")
)
COSINE_SIMILARITY, CATEGORICAL_HINGE = (list(LOSSES).index(name) for name in ("cosine_similarity", "categorical_hinge"))
KL_DIVERGENCE_FROM_LOGITS, CATEGORICAL_FOCAL_CROSSENTROPY_FROM_LOGITS = (
    list(LOSSES).index(n) for n in LOG_SOFTMAX_LOSSES
)
