"""What MLPClassifier, MLPRegressor and the linear models share: checks, the network and its weights, and pickling."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnn.typing import Array

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing."""

    def with_callbacks(method: Any) -> Any:
        """The method itself."""
        return method


from fastnn.callbacks import BackupAndRestore
from fastnn.engine import Data
from fastnn.optimizers import Optimizer
from .lbfgs import Coordinates, fit_lbfgs, value_and_gradient
from .members import fit_members, mean_output
from .network import Architecture, Network, loss_of, optimizer_of, thread_limit
from .parameters import CONSTRAINTS, dropout_rates, hidden_activations, hidden_sizes
from .refusals import all_or_nothing
from .stochastic import NON_FINITE, Validation, fit_stochastic

_lock = threading.RLock()


class BaseMLP(CallbackSupportMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    """A multilayer perceptron; what depends on the kind of y is left to the classifier and the regressor."""

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS
    _ravels_y: ClassVar[bool] = True

    # --- What the classifier and the regressor, or the linear models, differ in ---

    @property
    def _use_bias(self) -> bool:
        """Whether the layers have biases."""
        return True

    def _checked(self, x: Any, y: Any, reset: bool, incremental: bool, validation: bool = False) -> tuple[Any, Any]:
        """x and y as scikit-learn validates them; ``validation``: they are X_val and y_val."""
        raise NotImplementedError

    def _targets(self, y: Any, labels: bool) -> Array:
        """What the engine learns, from a y that was checked; ``labels``: numbers of classes, if y has classes."""
        raise NotImplementedError

    def _count_outputs(self, y: Any) -> int:
        """Units of the last layer."""
        raise NotImplementedError

    def _out_activation(self) -> str:
        """scikit-learn's name of the last layer's activation."""
        raise NotImplementedError

    def _score_of(self, output: Array, validation: Validation) -> float:
        """What ``score`` would be, of the network's output for the validation rows."""
        raise NotImplementedError

    def _class_weighted(self, y: Any, sample_weight: Any) -> Any:
        """The weights of rows that are trained on, with those of their classes."""
        return sample_weight

    def _strata(self, y: Any) -> Any:
        """What validation rows are stratified by; None: nothing."""
        return None

    def _coordinates(self, network: Network, x: Any, weight: Array | None) -> Coordinates:
        """The vector that L-BFGS moves."""
        return Coordinates()

    def _lbfgs_options(self) -> dict[str, Any]:
        """Further options of SciPy's L-BFGS-B."""
        return {}

    def _check_classes(self, classes: Array) -> None:
        """Refuse classes that there cannot be."""

    def _checked_weight(self, x: Any, sample_weight: Any) -> Array:
        """The weights of rows as scikit-learn validates them."""
        return np.asarray(_check_sample_weight(sample_weight, x))

    @property
    def _members(self) -> int:
        """How many networks it is."""
        return int(getattr(self, "n_ensemble", 1))

    @property
    def _takes_all_rows(self) -> bool:
        """Whether the solver takes all rows at once."""
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    # --- The network ---

    def _optimizer_now(self) -> Optimizer:
        """An optimizer with the settings as they are now."""
        return optimizer_of("sgd" if self._takes_all_rows else self.solver, self)

    def _make_network(
        self,
        inputs: int,
        units: Sequence[int],
        dtype: str,
        optimizer: Optimizer,
        use_bias: bool,
        seed: int | None = None,
    ) -> Network:
        """A network of so many inputs, and units of each layer."""
        hidden = len(units) - 1
        rates = dropout_rates(self.dropout, hidden)
        if seed is None:
            seed = int(self._random_state.randint(2**31 - 1)) if any(rates) else 0
        loss = loss_of(self.loss, self.out_activation_)
        activations = hidden_activations(self.activation, hidden)
        architecture = Architecture(inputs, units, activations, rates, self.out_activation_, use_bias)
        threads = thread_limit(self.threads)
        return Network(architecture, loss, optimizer, dtype=dtype, backend=self.backend, threads=threads, seed=seed)

    def _network(self) -> Network:
        """The network, with the weights that ``coefs_`` and ``intercepts_`` hold, and the settings as they are now."""
        if "estimators_" in self.__dict__:
            raise ValueError(f"n_ensemble got {len(self.estimators_)} networks; wants one of them: estimators_[0]")
        network: Network | None = self.__dict__.get("_shared")
        if network is not None and self._made_of == self._settings():
            network.take([*self.coefs_, *self.intercepts_])
            return network
        with _lock:
            network = self.__dict__.get("_shared")
            if network is None or self._made_of != self._settings():
                network = self._adopted(network)
        return network

    def _settings(self) -> tuple[Any, ...]:
        """What a network is made of: where any of it has changed, there must be another one."""
        shapes = [np.shape(coef) for coef in self.coefs_], [np.shape(intercept) for intercept in self.intercepts_]
        return (*shapes, self.activation, self.out_activation_, self.loss, self.dropout, self.backend)

    def _adopted(self, before: Network | None) -> Network:
        """A new network with the weights that are there, which are from now on views of its own.

        ``before``: the one that has been there, whose optimizer's state is kept where it fits.
        """
        if not hasattr(self, "_random_state"):
            self._random_state = check_random_state(self.random_state)
        if "out_activation_" not in self.__dict__:  # weights have been set, and nothing fitted
            self.out_activation_ = self._out_activation()
        coefs = [np.asarray(coef) for coef in self.coefs_]
        dtype = "float32" if all(coef.dtype == np.float32 for coef in coefs) else "float64"
        optimizer = self.__dict__.get("_optimizer") or self._optimizer_now()
        units, seed = [coef.shape[1] for coef in coefs], self.__dict__.pop("_seed", None)
        state = self.__dict__.pop("_optimizer_state", None)
        if before is not None:
            seed = before.seed or None
            if self._made_of[:2] != self._settings()[:2]:  # other shapes
                self.__dict__.pop("_optimizer", None)
            elif "_optimizer" in self.__dict__:
                state = before.state()
        network = self._make_network(len(coefs[0]), units, dtype, optimizer, bool(self.intercepts_), seed)
        network.take([*self.coefs_, *self.intercepts_])
        network.touched()
        if state is not None:
            network.restore(state)
        self._share(network)
        return network

    def _share(self, network: Network) -> None:
        """Make the attributes views of a network's weights."""
        self.coefs_, self.intercepts_ = list(network.coefs), list(network.intercepts)
        self._shared, self._made_of = network, self._settings()

    def _weights_now(self) -> dict[str, Any]:
        """The attributes of a copy of the estimator that predicts as this one does now."""
        return {
            "coefs_": [coef.copy() for coef in self.coefs_],
            "intercepts_": [intercept.copy() for intercept in self.intercepts_],
            "_shared": None,
        }

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # which may be __dict__ itself
        network = state.pop("_shared", None)
        state.pop("_made_of", None)
        if network is not None:
            for name in ("coefs_", "intercepts_"):
                state[name] = [np.array(array, order="C") for array in state[name]]
            if "_optimizer" in state:
                state["_optimizer_state"], state["_seed"] = network.state(), network.seed
        return state

    def _initialize(self, units: Sequence[int], dtype: str) -> None:
        """Draw weights for layers of so many units, the inputs first, and forget earlier training."""
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(units)
        optimizer = self._optimizer_now()
        names = [each.name for each in hidden_activations(self.activation, len(units) - 2)] or ["linear"]
        drawn = []
        for fan_in, fan_out, name in zip(units[:-1], units[1:], [*names, names[-1]], strict=False):
            drawn.append(self._drawn(fan_in, fan_out, name))
        network = self._make_network(units[0], units[1:], dtype, optimizer, self._use_bias)
        network.take([*(coef for coef, _ in drawn), *(intercept for _, intercept in drawn if intercept is not None)])
        network.touched()
        self._share(network)
        self.__dict__.pop("_optimizer", None)
        self.__dict__.pop("_optimizer_state", None)
        if not self._takes_all_rows:
            self._initialize_curves()

    def _initialize_curves(self) -> None:
        """What a stochastic fit keeps of its epochs, as scikit-learn has it."""
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: Any = None
        self._no_improvement_count = 0
        self._others: dict[str, tuple[float, int]] = {}
        early = self.early_stopping
        self.validation_scores_: Any = [] if early else None
        self.best_validation_score_: Any = -np.inf if early else None
        self.best_loss_: Any = None if early else np.inf

    def _drawn(self, fan_in: int, fan_out: int, activation: str) -> tuple[Array, Array | None]:
        """Initial weights after Glorot and Bengio (2010), as scikit-learn draws them."""
        bound = np.sqrt((2.0 if activation == "sigmoid" else 6.0) / (fan_in + fan_out))
        coef = self._random_state.uniform(-bound, bound, (fan_in, fan_out))
        return coef, self._random_state.uniform(-bound, bound, fan_out) if self._use_bias else None

    # --- Fitting ---

    @with_callbacks  # type: ignore[untyped-decorator, unused-ignore]
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the network to all rows.

        Parameters
        ----------
        X : (rows, features) array, data frame, or sparse matrix
            A sparse one is never made dense.
        y : (rows,) or (rows, outputs) array
            Values; for a classifier classes, or 0 and 1 for each of several labels.
        sample_weight : (rows,) array, optional
        X_val, y_val, sample_weight_val : optional
            Rows that are not trained on: their loss is in ``validation_loss_curve_``, and ``early_stopping`` and
            ``stop_on`` look at them instead of splitting some off. For every solver but "lbfgs".

        Raises
        ------
        ValueError
            A parameter, or data, that cannot be; weights that became infinite.

        Warns
        -----
        ConvergenceWarning
            ``max_iter`` epochs were not enough.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @all_or_nothing
    def _fit(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        given: tuple[Any, Any, Any] = (None, None, None),
        incremental: bool = False,
    ) -> Self:
        """Fit.  ``given``: X_val, y_val, sample_weight_val; ``incremental``: for an epoch, from the present weights."""
        hidden = self._check_parameters(given[0] is not None)
        if self._members > 1:
            fit_members(self, x, y, sample_weight, given, incremental, hidden)
            return self
        self.__dict__.pop("estimators_", None)
        goes_on = bool(self.warm_start or incremental) and "coefs_" in self.__dict__
        first_pass = not goes_on or "n_layers_" not in self.__dict__
        x, y = self._checked(x, y, first_pass, incremental)
        if sample_weight is not None:
            sample_weight = self._checked_weight(x, sample_weight)
        self.n_outputs_ = self._count_outputs(y)
        self._random_state = check_random_state(self.random_state)
        if first_pass:
            self.out_activation_ = self._out_activation()
            dtype = x.dtype.name if self.dtype is None else np.dtype(self.dtype).name
            start = [*self.coefs_, *self.intercepts_] if goes_on else None  # which have been set
            self._initialize([x.shape[1], *hidden, self.n_outputs_], dtype)
            if start is not None:
                self._start_from(start)
        network = self._network()
        network.touched()
        network.engine.threads = thread_limit(self.threads)
        self._share(network)
        with np.errstate(over="ignore", invalid="ignore"):
            self._fit_network(network, x, y, sample_weight, given, incremental)
        if not all(np.isfinite(array).all() for array in [*self.coefs_, *self.intercepts_]):
            raise ValueError(NON_FINITE)
        return self

    def _start_from(self, weights: list[Array]) -> None:
        """Let a network that has just been made begin with weights that were set before the first fit."""
        views = self._shared.views
        if [np.shape(view) for view in views] != [np.shape(array) for array in weights]:
            shapes, wanted = ([np.shape(array) for array in arrays] for arrays in (weights, views))
            raise ValueError(f"warm_start got weights of shapes {shapes}; wants {wanted}, as X and y have it")
        self._shared.take(weights)

    def _fit_network(
        self, network: Network, x: Any, y: Any, sample_weight: Any, given: tuple[Any, Any, Any], incremental: bool
    ) -> None:
        """Train by the solver."""
        if self._takes_all_rows:
            fit_lbfgs(self, network, x, y, self._class_weighted(y, sample_weight))
        else:
            fit_stochastic(self, network, x, y, sample_weight, given, incremental)

    def _check_parameters(self, validated: bool) -> list[int]:
        """Check the parameters before anything changes; ``validated``: X_val is given.  Returns the hidden sizes."""
        self._validate_params()
        hidden = hidden_sizes(self.hidden_layer_sizes)
        hidden_activations(self.activation, len(hidden))
        rates = dropout_rates(self.dropout, len(hidden))
        for callback in self.callbacks if isinstance(self.callbacks, list | tuple) else [self.callbacks]:
            if isinstance(callback, BackupAndRestore):
                raise ValueError(
                    "callbacks got a BackupAndRestore, which keeps models alone; wants warm_start and pickle"
                )
        if self._takes_all_rows:
            given = {name: getattr(self, name) for name in ("stop_on", "callbacks", "progress_bar")}
            given |= {"dropout": any(rates), "X_val": validated}
            if ignored := [name for name, value in given.items() if value]:
                raise ValueError(
                    f"{ignored[0]} is nothing that the solver {self.solver!r} heeds; wants another solver: 'adam'"
                )
        return hidden

    def _validated(self, x: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Any]:
        """x and y as scikit-learn validates them; for a perceptron, a y of one column is (rows,)."""
        options |= {"accept_sparse": ["csr", "csc"], "multi_output": True, "dtype": (np.float64, np.float32)}
        x, y = validate_data(self, x, y, reset=reset, **options)
        if self._ravels_y and y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return x, y

    def _loss_grad_lbfgs(
        self, packed: Array, x: Any, y: Any, sample_weight: Any = None, *_: Any
    ) -> tuple[float, Array]:
        """The penalised loss of all rows and its gradient, by all of ``coefs_``, then ``intercepts_``."""
        network = self._network()
        targets = y.argmax(axis=1) if network.labels and y.ndim == 2 else y
        data = Data(network.rows_of(x), np.asarray(targets, np.int64 if network.labels else float), network.labels)
        data.weight = sample_weight
        total = len(data) if sample_weight is None else sample_weight.sum()
        return value_and_gradient(network, packed, data, total, self.alpha)

    # --- Using ---

    def _output(self, x: Any) -> Array:
        """The network's output, (rows, outputs), behind its last activation."""
        check_is_fitted(self)
        x = validate_data(self, x, accept_sparse=["csr", "csc"], reset=False)
        return mean_output(self.estimators_, x) if "estimators_" in self.__dict__ else self._network_output(x)

    def _network_output(self, x: Any) -> Array:
        """The output of the one network that this is, for rows that have been checked."""
        output = self._network().predict(x)
        return np.exp(output, out=output) if self.out_activation_ == "exp" else output

    def _check_solver(self) -> bool:
        """Whether there is a partial_fit."""
        if self._takes_all_rows:
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
