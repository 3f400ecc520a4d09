"""Parameters of the perceptrons: what each may be, what it means, and which settings of the layers follow from it."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import HasMethods, Hidden, Interval, Options, StrOptions

from fastnn import activations, losses, optimizers
from fastnn.callbacks import Callback
from .network import activation_of
from .stopping import MONITORED

_COUNT, _AT_LEAST_0 = Interval(Integral, 1, None, closed="left"), Interval(Real, 0, None, closed="left")
_ABOVE_0, _BELOW_1 = Interval(Real, 0, None, closed="neither"), Interval(Real, 0, 1, closed="left")

CONSTRAINTS: dict[str, Any] = {
    **{key: ["boolean"] for key in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping")},
    **{key: ["boolean"] for key in ("reset_optimizer", "progress_bar")},
    **{key: [_COUNT] for key in ("max_iter", "max_fun", "n_ensemble")},
    **{key: [_AT_LEAST_0] for key in ("alpha", "power_t", "tol")},
    **{key: [_ABOVE_0] for key in ("learning_rate_init", "epsilon")},
    **{key: [_BELOW_1] for key in ("validation_fraction", "beta_1", "beta_2")},
    "loss": [str, losses.Loss],
    "hidden_layer_sizes": ["array-like", _COUNT],
    "activation": [str, activations.Activation, list, tuple],
    "solver": [str, optimizers.Optimizer],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "dropout": [_BELOW_1, "array-like"],
    "stop_on": [StrOptions(set(MONITORED)), list, tuple, None],
    "max_time": [_ABOVE_0, None],
    "callbacks": [list, tuple, Callback, None],
    "dtype": [StrOptions({"float32", "float64"}), Hidden(type), Hidden(HasMethods("newbyteorder")), None],
    "backend": [StrOptions({"auto", "numba", "cython", "numpy"})],
    "threads": [_COUNT, None],
}
"""What scikit-learn's validation of parameters accepts."""

# --- Docstrings: what the classifier and the regressor have in common ---

SCIKIT_LEARNS = """hidden_layer_sizes : int or sequence of int
    activation : {"identity", "logistic", "tanh", "relu"}, or any of fastnn's by name or object, or one for each layer
    solver : {"adam", "sgd", "lbfgs"}, or any fastnn optimizer by name or object
        A name takes ``learning_rate_init``; an object has its own learning rate, and is copied.
    alpha : float
        Strength of the penalty alpha sum(w^2) / (2 rows), over the weights without the biases.
    batch_size : int or "auto"
        "auto": 200, or all rows if there are fewer.
    learning_rate, learning_rate_init, power_t, momentum, nesterovs_momentum, beta_1, beta_2, epsilon
    max_iter, max_fun, shuffle, random_state, tol, n_iter_no_change, verbose, warm_start
    early_stopping, validation_fraction
        All as in scikit-learn."""

FURTHER = """dropout : float, or one for each hidden layer
        The fraction of a hidden layer's outputs that each step leaves out.
    stop_on : {"loss", "validation_loss", "validation_score"}, or some of them, optional
        Further values that end training, beside the one that scikit-learn watches: when one has not improved by
        ``tol`` for more than ``n_iter_no_change`` epochs. The best weights by "validation_loss" are kept.
    max_time : float, optional
        Seconds after which training ends.
    n_ensemble : int
        More than 1: so many networks, of seeds that ``random_state`` draws, are trained side by side, and predict the
        mean of their probabilities or values. They are in ``estimators_``; there are no ``coefs_`` and curves here.
    reset_optimizer : bool
        False: with ``warm_start`` the optimizer's state is kept, too.
    callbacks : Callback or list of Callback, optional
        fastnn's; ``set_callbacks`` takes scikit-learn's, where it has them.
    progress_bar : bool
    dtype : {"float32", "float64"}, optional
        Of weights and arithmetic; None: float32 where X is, else float64.
    backend, threads
        As in `Sequential.compile`. Where joblib runs fits on threads side by side, each has one."""

ATTRIBUTES = """coefs_, intercepts_ : list of array
        Weights (inputs, units) and biases (units,) of each layer: views, which may be written or replaced.
    estimators_ : list of estimator
        The networks, with ``n_ensemble`` above 1; ``n_iter_`` is the most of theirs, ``loss_`` the mean.
    validation_loss_curve_ : list of float, or None
        The loss of the validation rows after each epoch, without the penalty."""

LIKE_SCIKIT_LEARNS = """best_loss_, best_validation_score_, feature_names_in_, loss_, loss_curve_, n_features_in_
    n_iter_, n_layers_, n_outputs_, out_activation_, t_, validation_scores_
        All as in scikit-learn."""


def documented(kind: type) -> type:
    """Put what both perceptrons have in common where the docstring of one names it in braces."""
    for name in ("SCIKIT_LEARNS", "FURTHER", "ATTRIBUTES", "LIKE_SCIKIT_LEARNS"):
        kind.__doc__ = (kind.__doc__ or "").replace(f"{{{name}}}", globals()[name])
    return kind


# --- Settings ---


def set_parameters(estimator: Any, arguments: dict[str, Any]) -> None:
    """Keep the arguments of a constructor, its ``locals()``, as attributes, as scikit-learn wants it."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


def hidden_sizes(given: Any) -> list[int]:
    """The units of each hidden layer."""
    sizes = list(given) if hasattr(given, "__iter__") else [given]
    if any(not isinstance(size, Integral) or size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


def hidden_activations(given: Any, count: int) -> list[activations.Activation]:
    """The activation of each of ``count`` hidden layers."""
    several = list(given) if isinstance(given, list | tuple) else [given] * count
    if len(several) != count:
        raise ValueError(f"activation got {len(several)} of them; wants one, or one for each of {count} layers")
    found = [activation_of(each) for each in several]
    if any(each.name == "softmax" for each in found):
        raise ValueError("activation got 'softmax' in a hidden layer; wants another")
    return found


def dropout_rates(given: Any, count: int) -> list[float]:
    """The rate of dropout behind each of ``count`` hidden layers."""
    rates = [given] * count if np.ndim(given) == 0 else list(given)
    if len(rates) != count or not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"dropout got {given!r}; wants a number from 0 to below 1, or one for each of {count} layers")
    return [float(rate) for rate in rates]
