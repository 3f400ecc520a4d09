"""Optimizers: the scalars of a step, and the new weight and slots.

``prepare`` is scalar arithmetic, once a step (``step`` counts from 1).  ``update`` is for each parameter, which
decoupled weight decay has made smaller before: of arrays, the weights, their gradient and the slots, and of what
``prepare`` gives.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .arrays import Array, absolute, maximum, minimum, power, reciprocal, sqrt, square_root, where


def sgd_prepare(learning_rate):
    return learning_rate


def sgd_update(weight, gradient, learning_rate):
    return weight - learning_rate * gradient


def momentum_prepare(learning_rate, momentum):
    return learning_rate, momentum


def momentum_update(weight, gradient, velocity, learning_rate, momentum):
    moved = momentum * velocity - learning_rate * gradient
    return weight + moved, moved


def nesterov_update(weight, gradient, velocity, learning_rate, momentum):
    moved = momentum * velocity - learning_rate * gradient
    return weight + (momentum * moved - learning_rate * gradient), moved


def adam_prepare(learning_rate, beta_1, beta_2, epsilon, step):
    rate = learning_rate / (1.0 - power(beta_1, step))
    scale = 1.0 / square_root(1.0 - power(beta_2, step))
    return rate, scale, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon


def adam_update(weight, gradient, mean, variance, rate, scale, beta_1, rest_1, beta_2, rest_2, epsilon):
    new_mean = beta_1 * mean + rest_1 * gradient
    new_variance = beta_2 * variance + rest_2 * gradient * gradient
    return weight - rate * new_mean * reciprocal(sqrt(new_variance) * scale + epsilon), new_mean, new_variance


def keras_adam_prepare(learning_rate, beta_1, beta_2, epsilon, step):
    rate = learning_rate / (1.0 - power(beta_1, step))
    scale = 1.0 / square_root(1.0 - power(beta_2, step))
    return rate, scale, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon * scale  # to the root before its correction


def amsgrad_update(weight, gradient, mean, variance, largest, rate, scale, beta_1, rest_1, beta_2, rest_2, epsilon):
    new_mean = beta_1 * mean + rest_1 * gradient
    new_variance = beta_2 * variance + rest_2 * gradient * gradient
    new_largest = maximum(new_variance, largest)
    return (
        weight - rate * new_mean * reciprocal(sqrt(new_largest) * scale + epsilon),
        new_mean,
        new_variance,
        new_largest,
    )


def nadam_prepare(learning_rate, beta_1, beta_2, epsilon, step):
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
    weight, gradient, mean, variance, of_mean, of_gradient, scale, beta_1, rest_1, beta_2, rest_2, epsilon
):
    new_mean = beta_1 * mean + rest_1 * gradient
    new_variance = beta_2 * variance + rest_2 * gradient * gradient
    moved = of_mean * new_mean + of_gradient * gradient
    return weight - moved * reciprocal(sqrt(new_variance) * scale + epsilon), new_mean, new_variance


def adamax_prepare(learning_rate, beta_1, beta_2, epsilon, step):
    return learning_rate / (1.0 - power(beta_1, step)), beta_1, 1.0 - beta_1, beta_2, epsilon


def adamax_update(weight, gradient, mean, norm, rate, beta_1, rest_1, beta_2, epsilon):
    new_mean = beta_1 * mean + rest_1 * gradient
    new_norm = maximum(absolute(gradient), beta_2 * norm)
    return weight - rate * new_mean * reciprocal(new_norm + epsilon), new_mean, new_norm


def adagrad_prepare(learning_rate, epsilon):
    return learning_rate, epsilon


def adagrad_update(weight, gradient, accumulator, learning_rate, epsilon):
    sum_ = accumulator + gradient * gradient
    return weight - learning_rate * gradient * reciprocal(sqrt(sum_ + epsilon)), sum_


def adadelta_prepare(learning_rate, rho, epsilon):
    return learning_rate, rho, 1.0 - rho, epsilon


def adadelta_update(weight, gradient, of_gradients, of_changes, learning_rate, rho, rest, epsilon):
    squares = rho * of_gradients + rest * gradient * gradient
    change = sqrt(of_changes + epsilon) * reciprocal(sqrt(squares + epsilon)) * gradient
    return weight - learning_rate * change, squares, rho * of_changes + rest * change * change


def rmsprop_prepare(learning_rate, rho, epsilon):
    return learning_rate, rho, 1.0 - rho, epsilon


def rmsprop_update(weight, gradient, variance, learning_rate, rho, rest, epsilon):
    new_variance = rho * variance + rest * gradient * gradient
    return weight - learning_rate * gradient * reciprocal(sqrt(new_variance + epsilon)), new_variance


def rmsprop_momentum_prepare(learning_rate, rho, epsilon, momentum):
    return learning_rate, rho, 1.0 - rho, epsilon, momentum


def rmsprop_momentum_update(weight, gradient, variance, velocity, learning_rate, rho, rest, epsilon, momentum):
    new_variance = rho * variance + rest * gradient * gradient
    moved = momentum * velocity + learning_rate * gradient * reciprocal(sqrt(new_variance + epsilon))
    return weight - moved, new_variance, moved


def rmsprop_centered_update(weight, gradient, variance, velocity, mean, learning_rate, rho, rest, epsilon, momentum):
    new_variance = rho * variance + rest * gradient * gradient
    new_mean = rho * mean + rest * gradient
    spread = maximum(new_variance - new_mean * new_mean, 0.0)  # below 0 by rounding alone
    moved = momentum * velocity + learning_rate * gradient * reciprocal(sqrt(spread + epsilon))
    return weight - moved, new_variance, moved, new_mean


def lion_prepare(learning_rate, beta_1, beta_2):
    return learning_rate, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2


def lion_update(weight, gradient, mean, learning_rate, beta_1, rest_1, beta_2, rest_2):
    c = beta_1 * mean + rest_1 * gradient
    sign = where(c > 0.0, 1.0, where(c < 0.0, -1.0, c * 0.0))
    return weight - learning_rate * sign, beta_2 * mean + rest_2 * gradient


def rprop_prepare(decrease, increase, least, most):
    return decrease, increase, least, most


def rprop_update(weight, gradient, previous, size, decrease, increase, least, most):
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


ADAM = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(sgd_prepare, sgd_update, (), {"learning_rate": 0.01}),
    "momentum": Optimizer(momentum_prepare, momentum_update, ("velocity",), {"learning_rate": 0.01, "momentum": 0.9}),
    "nesterov": Optimizer(momentum_prepare, nesterov_update, ("velocity",), {"learning_rate": 0.01, "momentum": 0.9}),
    "adam": Optimizer(adam_prepare, adam_update, ("mean", "variance"), ADAM),
    "keras_adam": Optimizer(keras_adam_prepare, adam_update, ("mean", "variance"), ADAM),
    "amsgrad": Optimizer(adam_prepare, amsgrad_update, ("mean", "variance", "largest"), ADAM),
    "keras_amsgrad": Optimizer(keras_adam_prepare, amsgrad_update, ("mean", "variance", "largest"), ADAM),
    "nadam": Optimizer(nadam_prepare, nadam_update, ("mean", "variance"), ADAM),
    "adamax": Optimizer(adamax_prepare, adamax_update, ("mean", "norm"), ADAM),
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
