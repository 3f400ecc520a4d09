"""Estimators of scikit-learn's own as those here, and back: fitted, with all that a fit goes on from."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import linear_model, neural_network
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelBinarizer

from fastnn import layers, optimizers
from fastnn.models import Sequential
from fastnn.typing import Array
from .base import BaseMLP
from .classifier import MLPClassifier
from .linear import LinearRegression, LogisticRegression
from .network import ACTIVATIONS, EarlyEpsilonAdam
from .parameters import hidden_activations
from .regressor import MLPRegressor

PAIRS = {
    neural_network.MLPClassifier: MLPClassifier,
    neural_network.MLPRegressor: MLPRegressor,
    linear_model.LogisticRegression: LogisticRegression,
    linear_model.LinearRegression: LinearRegression,
}
"""Estimators of both, which have the same names."""

LINEAR = LogisticRegression, LinearRegression

ALIKE: tuple[str, ...] = (
    "n_iter_",
    "t_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "classes_",
)
ALIKE += ("validation_scores_", "best_validation_score_", "n_features_in_", "feature_names_in_", "rank_", "singular_")
ALIKE += ("_label_binarizer", "_no_improvement_count")
"""Attributes of a fitted estimator that mean the same on both sides."""

SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga")
"""scikit-learn's ways to the minimum that "lbfgs" finds here; "liblinear" has another one."""

NEUTRAL: dict[str, Any] = {
    "dropout": 0.0,
    "class_weight": None,
    "stop_on": None,
    "max_time": None,
    "reset_optimizer": True,
    "callbacks": None,
    "progress_bar": False,
}
"""Parameters of a perceptron that scikit-learn's has not, and what they must be."""

NAMES = {ours: theirs for theirs, ours in ACTIVATIONS.items()} | {"tanh": "tanh", "relu": "relu"}
"""scikit-learn's names of activations."""


def from_sklearn(estimator: Any) -> Any:
    """Convert one of scikit-learn's own estimators into the one of the same name here.

    A fitted one is fitted here too: it predicts the same, and ``partial_fit``, or ``fit`` with ``warm_start``, goes on
    from its weights and with its optimizer's state.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, LogisticRegression or LinearRegression
        Of scikit-learn; it is left as it is.

    Returns
    -------
    MLPClassifier, MLPRegressor, LogisticRegression or LinearRegression
        Of `fastnn.sklearn`.

    Raises
    ------
    TypeError
        An estimator of another class.
    ValueError
        A parameter that has no counterpart here: an l1 penalty, the solver "liblinear".

    Examples
    --------
    >>> from sklearn import linear_model
    >>> from fastnn.sklearn import from_sklearn
    >>> from_sklearn(linear_model.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])).predict([[2.0]])
    array([5.])
    """
    kind = PAIRS.get(type(estimator))
    if kind is None:
        raise TypeError(f"estimator got a {_called(estimator, 'scikit-learn', PAIRS)}")
    parameters = copy.deepcopy(estimator.get_params(deep=False))
    if kind is LogisticRegression:
        parameters = _logistic_parameters(parameters)
    made = kind(**parameters)
    if not _is_fitted(estimator):
        return made
    _copy_attributes(estimator, made)
    if isinstance(made, LINEAR):
        _take_linear(estimator, made)
        return made
    made.coefs_ = [np.array(coef, order="C") for coef in estimator.coefs_]
    made.intercepts_ = [np.array(intercept) for intercept in estimator.intercepts_]
    made.validation_loss_curve_, made._others = None, {}
    if "_optimizer" in vars(estimator):
        _take_optimizer(estimator._optimizer, made)
    return made


def to_sklearn(estimator: Any, classes: Sequence[Any] | None = None) -> Any:
    """Convert an estimator of `fastnn.sklearn`, or a Sequential, into one of scikit-learn's own.

    A fitted one is fitted there too, and goes on as `from_sklearn` says.  A Sequential becomes an MLPClassifier where
    it ends with sigmoid or softmax, and else an MLPRegressor: with its weights, and scikit-learn's own settings of
    training.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, LogisticRegression, LinearRegression, or Sequential
        It is left as it is.
    classes : sequence, optional
        Those of a Sequential that classifies, in the order of its outputs; default: 0, 1, ...

    Raises
    ------
    TypeError
        An estimator of another class.
    ValueError
        What scikit-learn cannot hold: dropout, another activation, several of them, another optimizer or loss, ...;
        ``set_params`` leaves it behind.
    """
    if isinstance(estimator, Sequential):
        return _perceptron_of(estimator, classes)
    kind = next((theirs for theirs, ours in PAIRS.items() if type(estimator) is ours), None)
    if kind is None:
        raise TypeError(f"estimator got a {_called(estimator, 'fastnn.sklearn', PAIRS)}, or a Sequential")
    if classes is not None:
        raise ValueError("classes got some for an estimator that has its own; wants None")
    _check_held(estimator)
    if "estimators_" in vars(estimator):
        estimator._network()  # which says that there are several
    parameters = copy.deepcopy(estimator.get_params(deep=False))
    if "activation" in parameters:
        parameters["activation"] = _activation(estimator)
    made = kind(**{name: value for name, value in parameters.items() if name in kind().get_params(deep=False)})
    if not _is_fitted(estimator):
        return made
    _copy_attributes(estimator, made)
    if isinstance(estimator, LINEAR):
        _give_linear(estimator, made)
        return made
    estimator._network()  # says what the last activation is, where weights were set and nothing fitted
    made.coefs_ = [np.array(coef, order="C") for coef in estimator.coefs_]
    made.intercepts_ = [np.array(intercept) for intercept in estimator.intercepts_]
    made.out_activation_ = estimator.out_activation_
    made.n_layers_, made.n_outputs_ = len(made.coefs_) + 1, made.coefs_[-1].shape[1]
    made._best_coefs, made._best_intercepts = made.coefs_, made.intercepts_  # as behind a fit with early_stopping
    if "_optimizer" in vars(estimator):
        made._optimizer = _given_optimizer(estimator, made)
    return made


# --- What both have in common ---


def _called(estimator: Any, where: str, known: Mapping[Any, Any]) -> str:
    name = type(estimator).__name__
    if isinstance(estimator, Pipeline):
        return f"{name}; wants its last step, estimator[-1], for what is before it stays as it is"
    return f"{name} of {type(estimator).__module__}; wants one of {where}'s {', '.join(k.__name__ for k in known)}"


def _is_fitted(estimator: Any) -> bool:
    return "coefs_" in vars(estimator) or "coef_" in vars(estimator)


def _copy_attributes(source: Any, target: Any) -> None:
    for name in ALIKE:
        if name in vars(source):
            setattr(target, name, copy.deepcopy(vars(source)[name]))


# --- The optimizer of a perceptron ---


def _take_optimizer(theirs: Any, made: BaseMLP) -> None:
    """Go on with scikit-learn's Adam or SGD, with momentum's state where there is one."""
    if isinstance(theirs, AdamOptimizer):
        constants = theirs.learning_rate_init, theirs.beta_1, theirs.beta_2, theirs.epsilon
        made._optimizer = EarlyEpsilonAdam(*constants)
        slots, steps = [theirs.ms, theirs.vs], theirs.t
    else:
        made._optimizer = optimizers.SGD(theirs.learning_rate, theirs.momentum, bool(theirs.nesterov))
        slots, steps = [theirs.velocities] if theirs.momentum else [], 0
    count = len(made.coefs_)
    matrices = [np.vstack(pair) for slot in slots for pair in zip(slot[:count], slot[count:], strict=True)]
    made._optimizer_state = steps, matrices


def _given_optimizer(estimator: BaseMLP, made: Any) -> Any:
    """scikit-learn's Adam or SGD that goes on where the estimator's is."""
    optimizer, (steps, matrices) = estimator._optimizer, estimator._network().state()
    weights = [*made.coefs_, *made.intercepts_]
    count = len(made.coefs_)
    slots = [matrices[start : start + count] for start in range(0, len(matrices), count)]
    divided = [[*(matrix[:-1] for matrix in slot), *(matrix[-1] for matrix in slot)] for slot in slots]
    if isinstance(optimizer, EarlyEpsilonAdam):
        constants = optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
        theirs = AdamOptimizer(weights, *constants)
        theirs.t, (theirs.ms, theirs.vs) = steps, divided
        return theirs
    if not isinstance(optimizer, optimizers.SGD):
        raise ValueError(f"estimator got one that was trained by {type(optimizer).__name__}; wants Adam or SGD")
    schedule = estimator.learning_rate, optimizer.momentum, optimizer.nesterov, estimator.power_t
    theirs = SGDOptimizer(weights, estimator.learning_rate_init, *schedule)
    theirs.learning_rate = optimizer.learning_rate
    if divided:
        theirs.velocities = divided[0]
    return theirs


# --- What scikit-learn can hold ---


def _check_held(estimator: Any) -> None:
    """Refuse parameters that scikit-learn has not."""
    name = type(estimator).__name__
    wanted: dict[str, Any]
    if isinstance(estimator, LinearRegression):
        wanted = {"alpha": (0,), "loss": ("squared_error",), "solver": ("auto",)}
    elif isinstance(estimator, LogisticRegression):
        wanted = {"solver": ("lbfgs",), "callbacks": (None,)}
        if _is_fitted(estimator) and estimator._kind().startswith("multilabel"):
            raise ValueError("estimator got a LogisticRegression of several labels; wants one of classes")
    else:
        wanted = {name: (value,) for name, value in NEUTRAL.items() if hasattr(estimator, name)}
        wanted["solver"] = ("lbfgs", "sgd", "adam")
        wanted["loss"] = ("log_loss",) if isinstance(estimator, MLPClassifier) else ("squared_error", "poisson")
    for parameter, values in wanted.items():
        got = getattr(estimator, parameter)
        got = 0.0 if parameter == "dropout" and not np.any(got) else got
        if not (isinstance(got, (str, bool, int, float, type(None))) and got in values):
            said = " or ".join(map(repr, values))
            raise ValueError(
                f"{parameter} got {got!r}, which scikit-learn's {name} cannot hold; wants {said}: "
                f"set_params({parameter}={values[0]!r}) leaves it behind"
            )


def _activation(estimator: Any) -> str:
    """scikit-learn's name of the one activation of all hidden layers."""
    given = estimator.activation
    several = given if isinstance(given, list | tuple) else [given]
    return _name_of({each.name for each in hidden_activations(list(several), len(several))})


def _name_of(names: set[str]) -> str:
    if len(names) > 1 or not names <= NAMES.keys():
        got = ", ".join(map(repr, sorted(names)))
        raise ValueError(
            f"activation got {got}, which scikit-learn's perceptrons cannot hold; wants one of "
            f"{', '.join(map(repr, sorted(NAMES.values())))} for all hidden layers"
        )
    return NAMES[next(iter(names))] if names else "relu"


# --- Linear models ---


def _logistic_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a LogisticRegression here, from scikit-learn's.  ValueError: it minimises something else."""
    penalty, ratio = parameters.pop("penalty", "l2"), parameters.pop("l1_ratio", 0.0) or 0.0
    solver, dual = parameters.pop("solver"), parameters.pop("dual")
    for name in ("intercept_scaling", "n_jobs", "multi_class"):
        parameters.pop(name, None)
    if penalty is None:
        parameters["C"] = math.inf
    elif penalty == "l1" or (ratio and not math.isinf(parameters["C"])):
        raise ValueError("estimator got a LogisticRegression with an l1 penalty; wants l2, or none: l1_ratio=0")
    if solver not in SOLVERS or dual:
        raise ValueError(f"solver got {solver!r}, which penalises the intercept; wants one of {', '.join(SOLVERS)}")
    return parameters | {"solver": "lbfgs"}


def _take_linear(estimator: Any, made: Any) -> None:
    """The weights of a linear model, and what follows from them."""
    made.coef_ = estimator.coef_
    if estimator.fit_intercept:
        made.intercept_ = estimator.intercept_
    else:
        made.intercepts_ = []
    made.n_outputs_, made.n_layers_, made.t_ = made.coefs_[0].shape[1], 2, 0
    if isinstance(made, LogisticRegression):
        made._label_binarizer = LabelBinarizer().fit(estimator.classes_)
    else:
        made.n_iter_ = 1
    made.out_activation_ = made._out_activation()


def _give_linear(estimator: Any, made: Any) -> None:
    coef = np.array(estimator.coef_, order="C")
    intercept = estimator.intercept_
    made.coef_ = coef
    made.intercept_ = intercept.copy() if isinstance(intercept, np.ndarray) else intercept
    for name in set(ALIKE) - {"classes_", "n_iter_", "n_features_in_", "feature_names_in_", "rank_", "singular_"}:
        vars(made).pop(name, None)
    if isinstance(estimator, LinearRegression):
        vars(made).pop("n_iter_", None)


# --- A Sequential ---


def _perceptron_of(model: Sequential, classes: Sequence[Any] | None) -> Any:
    """A Sequential of Dense layers as scikit-learn's perceptron."""
    engine = model._built()
    for layer, place in zip(model._layers, model._places, strict=True):
        plan = engine.plans[place]
        if not plan.dense or not isinstance(layer, (layers.Dense, layers.Activation, layers.ReLU)) or not plan.use_bias:
            without = " without a bias" if plan.dense and not plan.use_bias else ""
            raise ValueError(
                f"the layer {layer.name!r} is a {type(layer).__name__}{without}, which scikit-learn's perceptrons "
                "cannot hold; wants Dense layers with biases alone"
            )
    *hidden, last = engine.plans
    activation = _name_of({plan.activation for plan in hidden})
    settings = {"hidden_layer_sizes": tuple(plan.units for plan in hidden), "activation": activation}
    arrays = model.get_weights()
    made: Any
    if last.activation in ("sigmoid", "softmax"):
        made = neural_network.MLPClassifier(**settings)
        _take_classes(made, last, classes)
    elif last.activation == "linear":
        if classes is not None:
            raise ValueError("classes got some for a model whose last activation is 'linear'; wants sigmoid or softmax")
        made = neural_network.MLPRegressor(**settings)
        made.out_activation_ = "identity"
    else:
        raise ValueError(
            f"the last activation is {last.activation!r}; wants 'linear', 'sigmoid' or 'softmax', as scikit-learn has"
        )
    units = last.units
    if last.activation == "softmax" and units == 2:  # of two units it is the sigmoid of their difference
        units, made.out_activation_ = 1, "logistic"
        arrays[-2:] = [np.diff(array) for array in arrays[-2:]]
    made.coefs_, made.intercepts_ = arrays[::2], arrays[1::2]
    made.n_layers_, made.n_outputs_, made.n_features_in_ = len(engine.plans) + 1, units, engine.inputs
    made.n_iter_, made.t_, made.loss_curve_, made._no_improvement_count = 0, 0, [], 0
    made.best_loss_, made.validation_scores_, made.best_validation_score_ = np.inf, None, None
    return made


def _take_classes(made: Any, last: Any, classes: Sequence[Any] | None) -> None:
    """The classes of a classifier with this last layer; several sigmoids are labels, each of which may be there."""
    made.out_activation_ = "softmax" if last.activation == "softmax" else "logistic"
    made._label_binarizer = LabelBinarizer()
    if last.activation == "sigmoid" and last.units > 1:
        if classes is not None:
            raise ValueError("classes got some for several sigmoid units, which are labels side by side; wants None")
        made._label_binarizer.fit(np.stack([np.zeros(last.units, int), np.ones(last.units, int)]))
    else:
        count = last.units + (last.activation == "sigmoid")
        found: Array = np.arange(count) if classes is None else np.asarray(classes)
        if found.shape != (count,) or (np.unique(found) != found).any():
            raise ValueError(f"classes got {classes!r}; wants {count}, sorted, for scikit-learn sorts them")
        made._label_binarizer.fit(found)
    made.classes_ = made._label_binarizer.classes_
