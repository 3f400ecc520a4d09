"""LogisticRegression and LinearRegression: the network without a hidden layer."""

from __future__ import annotations

from inspect import signature
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnn import losses
from fastnn.typing import Array
from .classifier import MLPClassifier
from .lbfgs import Coordinates, StandardizedColumns, penalized_loss
from .least_squares import least_squares
from .network import Network, loss_of
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

    # --- coef_ and intercept_: views of coefs_ and intercepts_, which may be set, before or after fit ---

    @property
    def coef_(self) -> Array:
        """The weights: a view."""
        self._check_there("coef")
        return self._shaped(self.coefs_[0].T)

    @coef_.setter
    def coef_(self, value: Any) -> None:
        coef = np.asarray(value)
        if coef.ndim not in (1, 2) or coef.dtype.kind not in "iufb":
            raise ValueError(f"coef_ got {value!r}; wants an array (features,) or (outputs, features) of real numbers")
        self._set("coefs_", np.atleast_2d(coef).T)
        self._one_target = coef.ndim == 1

    @property
    def intercept_(self) -> Any:
        """What is added to each output: a view."""
        self._check_there("intercept")
        return self._shaped_intercept()

    @intercept_.setter
    def intercept_(self, value: Any) -> None:
        intercept = np.asarray(value)
        if intercept.ndim > 1 or intercept.dtype.kind not in "iufb":
            raise ValueError(f"intercept_ got {value!r}; wants a real number, or an array (outputs,) of them")
        self._set("intercepts_", np.atleast_1d(intercept))

    def _check_there(self, *names: str) -> None:
        """Refuse to go on without the weights of a name."""
        check_is_fitted(self)
        for name in names:
            if f"{name}s_" not in self.__dict__:
                raise AttributeError(
                    f"this {type(self).__name__} has no {name}_ yet; wants it set, or fit to be called"
                )

    def _output(self, x: Any) -> Array:
        self._check_there("coef", "intercept")
        output: Array = super()._output(x)  # type: ignore[misc]
        return output

    def _set(self, name: str, array: Array) -> None:
        """Keep an array of real numbers of one's own as the only one of a list."""
        kind = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(float)
        setattr(self, name, [np.array(array, kind)])

    _one_target = False  # whether y, or the coef_ that was set, has one dimension

    def _shaped(self, coef: Array) -> Array:
        """coef_ as scikit-learn shapes it."""
        return coef

    def _shaped_intercept(self) -> Any:
        """intercept_ as scikit-learn shapes it."""
        raise NotImplementedError

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

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastnn.sklearn import LogisticRegression
    >>> x, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression().fit(x, y)
    >>> model.score(x, y) > 0.95
    True
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

    def _shaped_intercept(self) -> Any:
        return self.intercepts_[0] if self.intercepts_ else np.zeros_like(self.coefs_[0][0])

    def _check_classes(self, classes: Array) -> None:
        if len(classes) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one class: "
                f"{classes[0]!r}"
            )

    def _kind(self) -> str:
        if "_label_binarizer" in self.__dict__:
            return super()._kind()
        return "multiclass" if self.coefs_[0].shape[1] > 1 else "binary"  # classes_ and coef_ have been set

    def _fit(self, *arguments: Any, **options: Any) -> Any:
        super()._fit(*arguments, **options)
        self.n_iter_: Any = np.array([self.n_iter_], np.int32)
        return self

    def decision_function(self, X: Any) -> Array:
        """Logits, (rows, classes); (rows,) for two classes."""
        check_is_fitted(self)
        x = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        logits: Array = np.asarray(x @ self.coefs_[0]) + self.intercept_
        return logits.ravel() if logits.shape[1] == 1 else logits


class LinearRegression(_Linear, MLPRegressor):
    """Linear regression: one dense layer without an activation.

    Minimises the mean of (y - t)^2 / 2 plus alpha sum(coef^2) / (2 rows).  That is done by decomposition, as in
    scikit-learn: exactly, and where columns depend on each other with the shortest of all such weights.

    Parameters
    ----------
    fit_intercept : bool
    alpha : float
        Strength of the penalty.
    loss : {"squared_error", "poisson"}, or any fastnn loss by name or object
        "mean_absolute_error" and "huber" are robust against outliers.
    solver : {"auto", "lbfgs", "sgd", "adam"}, or any fastnn optimizer by name or object
        "auto": the decomposition for the squared error, "lbfgs" for any other loss.
    tol : float
        By decomposition, singular values below ``tol`` times the largest count as 0; a sparse X is multiplied until
        the weights are as exact.  Otherwise as `MLPRegressor`'s.
    max_iter, random_state, verbose, warm_start, batch_size, learning_rate_init, n_iter_no_change, callbacks
        As `MLPRegressor`'s; nothing for the decomposition, which has neither iterations nor a start.
    positive : bool
        Weights of at least 0; for the decomposition.
    n_jobs : int, optional
        Threads that take outputs side by side, by decomposition, with a sparse X or ``positive``.
    copy_X : bool
        As in scikit-learn, though X is never overwritten.
    dtype, backend, threads
        As `MLPRegressor`'s.

    Attributes
    ----------
    coef_ : (features,) array; (outputs, features) where y has two dimensions
    intercept_ : float; (outputs,) array where y has two dimensions; 0.0 without an intercept
    rank_, singular_ : of a dense X by decomposition
    n_features_in_, n_iter_, loss_

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.sklearn import LinearRegression
    >>> x = np.arange(6.0).reshape(-1, 1)
    >>> model = LinearRegression().fit(x, 2 * x.ravel() + 1)
    >>> model.coef_.round(6), round(float(model.intercept_), 6)
    (array([2.]), 1.0)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = _constraints(MLPRegressor, "alpha", "loss") | {
        "positive": ["boolean"],
        "copy_X": ["boolean"],
        "n_jobs": [Integral, None],
    }
    _ravels_y: ClassVar[bool] = False

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        alpha: float = 0.0,
        loss: Any = "squared_error",
        solver: Any = "auto",
        tol: float = 1e-6,
        positive: bool = False,
        copy_X: bool = True,
        n_jobs: int | None = None,
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
    def _takes_all_rows(self) -> bool:
        return self.solver == "auto" or super()._takes_all_rows

    @property
    def _decomposes(self) -> bool:
        """Whether the weights are found by decomposition."""
        if self.solver != "auto":
            return False
        loss = loss_of(self.loss, self._out_activation())
        # Of the mean, a penalty is a larger part than of half the sum.
        return isinstance(loss, losses.HalfSquaredError) or (
            isinstance(loss, losses.MeanSquaredError) and not self.alpha
        )

    def _check_parameters(self, validated: bool) -> list[int]:
        hidden = super()._check_parameters(validated)
        if self.positive and not self._decomposes:
            raise ValueError("positive got True; wants the solver 'auto' and the loss 'squared_error'")
        return hidden

    def _checked(self, x: Any, y: Any, reset: bool, incremental: bool, validation: bool = False) -> tuple[Any, Any]:
        x, y = super()._checked(x, y, reset, incremental, validation)
        if not validation:
            self._one_target = y.ndim == 1
        return x, y

    def _checked_weight(self, x: Any, sample_weight: Any) -> Array:
        return np.asarray(_check_sample_weight(sample_weight, x, ensure_non_negative=True))

    def _fit_network(self, network: Network, x: Any, y: Any, weight: Any, given: Any, incremental: bool) -> None:
        for name in ("rank_", "singular_"):
            self.__dict__.pop(name, None)
        if not self._decomposes:
            super()._fit_network(network, x, y, weight, given, incremental)
            return
        targets = y.reshape(len(y), -1).astype(float)
        found = least_squares(
            x, targets, weight, float(self.alpha), self.fit_intercept, self.tol, self.positive, self.n_jobs
        )
        if found.rank is not None:
            self.rank_, self.singular_ = found.rank, np.asarray(found.singular, x.dtype)
        weights = np.concatenate([found.coef.ravel(), found.intercept if self.fit_intercept else []])
        self.loss_ = penalized_loss(self, network, weights, x, y, weight)
        self.n_iter_ = 1

    def _shaped(self, coef: Array) -> Array:
        return coef[0] if self._one_target else coef

    def _shaped_intercept(self) -> Any:
        if not self.intercepts_:
            return 0.0
        return self.intercepts_[0][0] if self._one_target else self.intercepts_[0]

    def predict(self, X: Any) -> Array:
        """The values of each row: (rows,); (rows, outputs) where y, or a ``coef_`` that was set, has two dimensions."""
        output = self._output(X)
        return output[:, 0] if self._one_target else output

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.positive
        tags.target_tags.multi_output = True
        return tags
