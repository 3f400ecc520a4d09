"""LogisticRegression and LinearRegression: the network without a hidden layer."""

from __future__ import annotations

from inspect import signature
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnn.typing import Array
from .classifier import MLPClassifier
from .lbfgs import Coordinates, StandardizedColumns
from .network import Network
from .parameters import set_parameters
from .regressor import MLPRegressor


class _Linear:
    """What sets a linear model apart from a perceptron, whose other parameters are here constants, its defaults."""

    hidden_layer_sizes: ClassVar[Any] = ()
    activation: ClassVar[Any] = "identity"

    fit_intercept: bool
    alpha: Any
    coefs_: list[Array]
    intercepts_: list[Array]

    @property
    def _use_bias(self) -> bool:
        return bool(self.fit_intercept)

    def _drawn(self, fan_in: int, fan_out: int, activation: str) -> tuple[Array, Array | None]:
        """Initial weights of 0, for there is one minimum."""
        return np.zeros((fan_in, fan_out)), np.zeros(fan_out) if self._use_bias else None

    def _coordinates(self, network: Network, x: Any, weight: Array | None) -> Coordinates:
        return StandardizedColumns(network.coefs[0].shape, self._use_bias, self.alpha, x, weight)

    def _lbfgs_options(self) -> dict[str, Any]:
        return {"maxls": 50, "ftol": 64 * np.finfo(float).eps}


for _name, _parameter in signature(MLPRegressor).parameters.items():
    if not hasattr(_Linear, _name):
        setattr(_Linear, _name, _parameter.default)


def _constraints(perceptron: Any, *names: str) -> dict[str, Any]:
    """What parameters may be, as a perceptron says: of these names, and of those that both linear models have."""
    names += ("solver", "tol", "max_iter", "random_state", "verbose", "warm_start", "batch_size", "learning_rate_init")
    names += ("n_iter_no_change", "callbacks", "dtype", "backend", "threads")
    return {name: perceptron._parameter_constraints[name] for name in names} | {"fit_intercept": ["boolean"]}


class LogisticRegression(_Linear, MLPClassifier):
    """Logistic regression: one dense layer and a softmax, or a sigmoid for two classes.

    Minimises the mean of -log p of the true classes plus sum(coef^2) / (2 C rows), as scikit-learn's of the same name.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty; infinite: none.
    tol, fit_intercept, class_weight, random_state, max_iter, verbose, warm_start
        As scikit-learn's.
    solver : {"lbfgs", "sgd", "adam"}, or any fastnn optimizer by name or object
    batch_size, learning_rate_init, n_iter_no_change, callbacks, dtype, backend, threads
        As `MLPClassifier`'s.

    Attributes
    ----------
    coef_ : (classes, features) array; (1, features) for two classes
    intercept_ : (classes,) array; (1,) for two classes
    classes_, n_features_in_, n_iter_, loss_
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **_constraints(MLPClassifier, "class_weight"),
        "C": [Interval(Real, 0, None, closed="right")],
    }

    loss: ClassVar[Any] = "log_loss"

    def __init__(
        self,
        *,
        C: float = 1.0,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        class_weight: Any = None,
        random_state: Any = None,
        solver: Any = "lbfgs",
        max_iter: int = 100,
        verbose: bool | int = False,
        warm_start: bool = False,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        n_iter_no_change: float = 10,
        callbacks: Any = None,
        dtype: Any = None,
        backend: str = "auto",
        threads: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    @property
    def alpha(self) -> float:
        """Strength of the penalty."""
        return float(1 / self.C)

    @property
    def coef_(self) -> Array:
        """(classes, features), or (1, features): a view."""
        check_is_fitted(self)
        return self.coefs_[0].T

    @property
    def intercept_(self) -> Array:
        """(classes,), or (1,): a view; zeros without an intercept."""
        check_is_fitted(self)
        return self.intercepts_[0] if self.intercepts_ else np.zeros(self.coefs_[0].shape[1])

    def decision_function(self, X: Any) -> Array:
        """Logits, (rows, classes); (rows,) for two classes."""
        check_is_fitted(self)
        x = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        logits = np.asarray(x @ self.coefs_[0]) + self.intercept_
        return logits.ravel() if logits.shape[1] == 1 else logits


class LinearRegression(_Linear, MLPRegressor):
    """Linear regression: one dense layer, and nothing behind it.

    Minimises the mean of (y - t)^2 / 2 plus alpha sum(coef^2) / (2 rows).

    Parameters
    ----------
    fit_intercept : bool
    alpha : float
        Strength of the penalty.
    loss : {"squared_error", "poisson"}, or any fastnn loss by name or object
        "mean_absolute_error" and "huber" are robust against outliers.
    solver : {"lbfgs", "sgd", "adam"}, or any fastnn optimizer by name or object
    tol, max_iter, random_state, verbose, warm_start, batch_size, learning_rate_init, n_iter_no_change
        As `MLPRegressor`'s.
    callbacks, dtype, backend, threads
        As `MLPRegressor`'s.

    Attributes
    ----------
    coef_ : (features,) array; (outputs, features) for several outputs
    intercept_ : float; (outputs,) array for several outputs
    n_features_in_, n_iter_, loss_
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = _constraints(MLPRegressor, "alpha", "loss")

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        alpha: float = 0.0,
        loss: Any = "squared_error",
        solver: Any = "lbfgs",
        tol: float = 1e-6,
        max_iter: int = 1000,
        random_state: Any = None,
        verbose: bool | int = False,
        warm_start: bool = False,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        n_iter_no_change: float = 10,
        callbacks: Any = None,
        dtype: Any = None,
        backend: str = "auto",
        threads: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    @property
    def coef_(self) -> Array:
        """(features,), or (outputs, features): a view."""
        check_is_fitted(self)
        coef = self.coefs_[0].T
        return coef[0] if len(coef) == 1 else coef

    @property
    def intercept_(self) -> Any:
        """A number, or (outputs,)."""
        check_is_fitted(self)
        outputs = self.coefs_[0].shape[1]
        intercept = self.intercepts_[0] if self.intercepts_ else np.zeros(outputs)
        return float(intercept[0]) if outputs == 1 else intercept
