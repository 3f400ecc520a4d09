"""MLPClassifier and MLPRegressor, as scikit-learn has them, and more."""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state, column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import HasMethods, Hidden, Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing."""

    def with_callbacks(method: Any) -> Any:
        """The method itself."""
        return method


from fastnn import activations, losses, optimizers
from fastnn.callbacks import Callback, CallbackList, ProgressBar
from fastnn.engine import SLICE_SECONDS, Data, Training

from .network import Network, activation_of, loss_of, optimizer_of, rows_of, thread_limit

__all__ = ["MLPClassifier", "MLPRegressor"]

Array = npt.NDArray[Any]

RULES = ("loss", "validation_loss", "validation_score")
ORDERED = 2**20
"""Rows of orders that are drawn ahead of a run of several epochs."""
EPOCHS = 1000
"""Most epochs of such a run."""

_lock = threading.Lock()


def _keep(estimator: Any, arguments: dict[str, Any]) -> None:
    """A constructor's arguments, as attributes."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


class _Held:
    """What is held out of training, ready to be scored."""

    def __init__(self, x: Any, y: Any, targets: Array, weight: Array | None, labels: bool) -> None:
        self.y, self.weight = y, weight
        self.data = Data(rows_of(x), targets, labels, weight)
        self.total = float(len(targets) if weight is None else weight.sum())


class _BaseMLP(CallbackSupportMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    """What both have in common."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "loss": [str, losses.Loss],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [str, activations.Activation, list, tuple],
        "solver": [str, optimizers.Optimizer],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "stop_on": [StrOptions(set(RULES)), list, tuple, None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "reset_optimizer": ["boolean"],
        "callbacks": [list, tuple, Callback, None],
        "progress_bar": ["boolean"],
        "dtype": [StrOptions({"float32", "float64"}), Hidden(type), Hidden(HasMethods("newbyteorder")), None],
        "backend": [StrOptions({"auto", "numba", "cython", "numpy"})],
        "threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    @property
    def _use_bias(self) -> bool:
        return True

    # --- What the two differ in ---

    def _targets(self, y: Any, labels: bool) -> Array:
        """What the engine is to learn, from what was validated."""
        raise NotImplementedError

    def _checked(self, x: Any, y: Any, reset: bool, incremental: bool, held: bool = False) -> tuple[Any, Any]:
        raise NotImplementedError

    def _count_outputs(self, y: Any) -> int:
        raise NotImplementedError

    def _score_of(self, output: Array, held: _Held) -> float:
        raise NotImplementedError

    # --- The network ---

    def _hidden(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(not isinstance(size, Integral) or size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return [int(size) for size in sizes]

    def _activations(self, count: int) -> list[activations.Activation]:
        """One a hidden layer."""
        given = self.activation
        several = list(given) if isinstance(given, list | tuple) else [given] * count
        if len(several) != count:
            raise ValueError(f"activation got {len(several)} of them; wants one, or one for each of {count} layers")
        found = [activation_of(each) for each in several]
        if any(each.name == "softmax" for each in found):
            raise ValueError("activation got 'softmax' in a hidden layer; wants another")
        return found

    def _rates(self, count: int) -> list[float]:
        """Of dropout, one a hidden layer."""
        rates = [self.dropout] * count if np.ndim(self.dropout) == 0 else list(self.dropout)
        if len(rates) != count or not all(0 <= rate < 1 for rate in rates):
            raise ValueError(
                f"dropout got {self.dropout!r}; wants a number from 0 to below 1, or one for each of {count} layers"
            )
        return [float(rate) for rate in rates]

    def _optimizer_now(self) -> optimizers.Optimizer:
        return optimizer_of(self.solver if self.solver != "lbfgs" else "sgd", self)

    def _make_network(
        self,
        inputs: int,
        units: Sequence[int],
        dtype: str,
        optimizer: optimizers.Optimizer,
        seed: int | None = None,
    ) -> Network:
        hidden = len(units) - 1
        rates = self._rates(hidden)
        if seed is None:
            seed = int(self._random_state.randint(2**31 - 1)) if any(rates) else 0
        loss = loss_of(self.loss, self.out_activation_)
        return Network(
            inputs,
            units,
            self._activations(hidden),
            rates,
            self.out_activation_,
            loss,
            optimizer,
            dtype=dtype,
            backend=self.backend,
            threads=thread_limit(self.threads),
            seed=seed,
            use_bias=self._use_bias,
        )

    def _network(self) -> Network:
        """The network, with the weights that ``coefs_`` and ``intercepts_`` hold."""
        network: Network | None = self.__dict__.get("_shared")
        if network is None:
            with _lock:
                network = self.__dict__.get("_shared")
                if network is None:
                    network = self._adopted()
        else:
            network.take([*self.coefs_, *self.intercepts_])
        return network

    def _adopted(self) -> Network:
        """A network made of the weights that are there; they become views of its own."""
        if not hasattr(self, "_random_state"):
            self._random_state = check_random_state(self.random_state)
        coefs = [np.asarray(coef) for coef in self.coefs_]
        dtype = "float32" if all(coef.dtype == np.float32 for coef in coefs) else "float64"
        optimizer = self.__dict__.get("_optimizer") or self._optimizer_now()
        units, seed = [coef.shape[1] for coef in coefs], self.__dict__.pop("_seed", None)
        network = self._make_network(len(coefs[0]), units, dtype, optimizer, seed)
        network.take([*self.coefs_, *self.intercepts_])
        network.touched()
        state = self.__dict__.pop("_optimizer_state", None)
        if state is not None:
            network.restore(state)
        self._share(network)
        return network

    def _share(self, network: Network) -> None:
        self.coefs_, self.intercepts_ = list(network.coefs), list(network.intercepts)
        self._shared = network

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # which may be __dict__ itself
        network = state.pop("_shared", None)
        if network is not None:
            for name in ("coefs_", "intercepts_"):
                state[name] = [np.array(array, order="C") for array in state[name]]
            if "_optimizer" in state:
                state["_optimizer_state"], state["_seed"] = network.state(), network.seed
        return state

    def _initialize(self, units: Sequence[int], dtype: str) -> None:
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(units)
        optimizer = self._optimizer_now()
        names = [each.name for each in self._activations(len(units) - 2)] or ["linear"]
        drawn = []
        for fan_in, fan_out, name in zip(units[:-1], units[1:], [*names, names[-1]], strict=False):
            drawn.append(self._drawn(fan_in, fan_out, name))
        network = self._make_network(units[0], units[1:], dtype, optimizer)
        network.take([*(coef for coef, _ in drawn), *(intercept for _, intercept in drawn if intercept is not None)])
        network.touched()
        self._share(network)
        self.__dict__.pop("_optimizer", None)
        self.__dict__.pop("_optimizer_state", None)
        if self.solver != "lbfgs":
            self.loss_curve_: list[float] = []
            self.validation_loss_curve_: list[float] | None = None
            self._no_improvement_count = 0
            self._others: dict[str, tuple[float, int]] = {}
            self.validation_scores_: list[float] | None = None
            self.best_validation_score_: float | None = None
            self.best_loss_: float | None = np.inf
            if self.early_stopping:
                self.validation_scores_, self.best_validation_score_, self.best_loss_ = [], -np.inf, None

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
            A sparse one is made dense a block of rows at a time.
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

    def _fit(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        validation: tuple[Any, Any, Any] = (None, None, None),
        incremental: bool = False,
    ) -> Self:
        self._validate_params()
        hidden = self._hidden()
        self._activations(len(hidden))
        rates = self._rates(len(hidden))
        if self.solver == "lbfgs":
            given = {name: getattr(self, name) for name in ("stop_on", "callbacks", "progress_bar")}
            given |= {"dropout": any(rates), "X_val": validation[0] is not None}
            if ignored := [name for name, value in given.items() if value]:
                raise ValueError(f"{ignored[0]} is nothing that the solver 'lbfgs' heeds; wants another solver: 'adam'")
        first_pass = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        x, y = self._checked(x, y, first_pass, incremental)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x)
        sample_weight = self._class_weighted(y, sample_weight)
        self.n_outputs_ = self._count_outputs(y)
        self._random_state = check_random_state(self.random_state)
        if first_pass:
            self.out_activation_ = self._out_activation()
            dtype = x.dtype.name if self.dtype is None else np.dtype(self.dtype).name
            self._initialize([x.shape[1], *hidden, self.n_outputs_], dtype)
        network = self._network()
        network.touched()
        network.engine.threads = thread_limit(self.threads)
        self._share(network)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.solver == "lbfgs":
                self._fit_lbfgs(network, x, y, sample_weight)
            else:
                self._fit_stochastic(network, x, y, sample_weight, validation, incremental)
        if not all(np.isfinite(array).all() for array in [*self.coefs_, *self.intercepts_]):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                "preprocessed."
            )
        return self

    def _class_weighted(self, y: Any, sample_weight: Any) -> Any:
        return sample_weight

    def _out_activation(self) -> str:
        raise NotImplementedError

    def _constant(self, targets: Array, weight: Array | None) -> float:
        """What the loss is told to have beyond what the kernels compute."""
        if self.loss != "poisson":
            return 0.0
        t = np.asarray(targets, float)
        rest = np.where(t > 0, t * np.log(np.where(t > 0, t, 1)), 0) - t
        return float(np.average(rest, axis=0, weights=weight).sum())

    # L-BFGS

    def _loss_grad_lbfgs(
        self, packed: Array, x: Any, y: Any, sample_weight: Any = None, *_: Any
    ) -> tuple[float, Array]:
        """The penalised loss of all rows and its gradient, by all of ``coefs_``, then ``intercepts_``."""
        network = self._network()
        targets = y.argmax(axis=1) if network.labels and y.ndim == 2 else y
        data = Data(rows_of(x), np.asarray(targets, np.int64 if network.labels else float), network.labels)
        data.weight = sample_weight
        return self._value_and_gradient(
            network, packed, data, len(data) if sample_weight is None else sample_weight.sum()
        )

    def _value_and_gradient(self, network: Network, packed: Array, data: Data, total: float) -> tuple[float, Array]:
        start = 0
        for view in network.views:
            view[...] = packed[start : start + view.size].reshape(view.shape)
            start += view.size
        network.touched()
        value, parts = network.value_and_gradient(data, total)
        gradient = np.concatenate([part.ravel() for part in parts])
        kernels = sum(view.size for view in network.coefs)
        weights = packed[:kernels]
        value += 0.5 * self.alpha * float(weights @ weights) / total
        gradient[:kernels] += self.alpha / total * weights
        return value, gradient

    def _fit_lbfgs(self, network: Network, x: Any, y: Any, sample_weight: Any) -> None:
        from scipy.optimize import minimize  # type: ignore[import-untyped, unused-ignore]

        network.engine.penalize(0.0, True)
        data = Data(rows_of(x), self._targets(y, network.labels), network.labels, sample_weight)
        total = float(len(data) if sample_weight is None else sample_weight.sum())
        packed = np.concatenate([np.asarray(view, float).ravel() for view in network.views])
        deadline = math.inf if self.max_time is None else time.monotonic() + self.max_time

        def until(_: Array) -> None:
            if time.monotonic() > deadline:
                raise StopIteration

        there, back = self._preconditioned(network, x, sample_weight)

        def value_and_gradient(packed: Array) -> tuple[float, Array]:
            value, gradient = self._value_and_gradient(network, there(packed), data, total)
            return value, back(gradient)

        one = network.engine.backend != "numpy"  # SciPy's vectors are short: a second thread costs more than it brings
        with threadpool_limits(1, user_api="blas") if one else nullcontext():
            result = minimize(
                value_and_gradient,
                packed,
                method="L-BFGS-B",
                jac=True,
                callback=None if self.max_time is None else until,
                options={"maxfun": self.max_fun, "maxiter": self.max_iter, "gtol": self.tol, **self._lbfgs_options()},
            )
        value_and_gradient(result.x)
        self.n_iter_ = min(int(result.nit), self.max_iter)
        self.loss_ = float(result.fun) + self._constant(data.y, sample_weight)  # type: ignore[arg-type]
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}, {result.message}")
        if result.status not in (0, 99):
            warnings.warn(
                f"lbfgs failed to converge after {self.n_iter_} iteration(s) (status={result.status}):\n"
                f"{result.message}\n\nIncrease the number of iterations to improve the convergence "
                f"(max_iter={self.max_iter}), or scale the data: "
                "https://scikit-learn.org/stable/modules/preprocessing.html",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _preconditioned(self, network: Network, x: Any, weight: Any) -> tuple[Any, Any]:
        """The packed weights that those of L-BFGS stand for, and its gradient from that by them."""
        return (lambda packed: packed), (lambda gradient: gradient)

    def _lbfgs_options(self) -> dict[str, Any]:
        return {}

    # Stochastic

    def _fit_stochastic(
        self, network: Network, x: Any, y: Any, weight: Any, validation: tuple[Any, Any, Any], incremental: bool
    ) -> None:
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        fresh = not hasattr(self, "_optimizer")
        if fresh or (self.reset_optimizer and not incremental):
            self._optimizer = self._optimizer_now()
            network.begin(self._optimizer)
        network.engine.penalize(float(self.alpha) / 2, True)
        chosen, held = self._held_out(network, x, y, weight, validation)
        targets = self._targets(y, network.labels)
        rows = len(targets) if chosen is None else len(chosen)
        batch = self.batch_size
        if batch == "auto":
            batch = min(200, rows)
        elif batch > rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=5
            )
            batch = rows
        data = Data(rows_of(x), targets, network.labels, weight)
        chain = None if incremental else self._chain(network, -(-rows // batch))
        watched = not incremental and ("_skl_callbacks" in self.__dict__ or hasattr(self, "_parent_callback_ctx"))
        context = self._init_callback_context(max_subtasks=self.max_iter) if watched else None
        loop = _Loop(self, network, data, chosen, rows, int(batch), held, chain, incremental, context)
        if context is not None:
            context.call_on_fit_task_begin(estimator=self, X=x, y=y)
        if chain is not None:
            chain.on_train_begin()
        try:
            loop.run()
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        finally:
            if chain is not None:
                chain.on_train_end()
        if loop.best is not None:
            network.take(loop.best)
            network.touched()
        if context is not None:
            context.call_on_fit_task_end(estimator=self, X=x, y=y, reconstruction_attributes=self._weights_now)

    def _weights_now(self) -> dict[str, Any]:
        """What makes a copy of the estimator that predicts as this one does now."""
        return {
            "coefs_": [coef.copy() for coef in self.coefs_],
            "intercepts_": [intercept.copy() for intercept in self.intercepts_],
            "_shared": None,
        }

    def _chain(self, network: Network, steps: int) -> CallbackList | None:
        given = [] if self.callbacks is None else self.callbacks
        given = [given] if isinstance(given, Callback) else list(given)
        if self.progress_bar:
            given = [ProgressBar(1), *given]
        if not given:
            return None
        network.model.stop_training = False
        return CallbackList(given, network.model, {"epochs": self.max_iter, "steps": steps, "verbose": 0})

    def _held_out(
        self, network: Network, x: Any, y: Any, weight: Any, validation: tuple[Any, Any, Any]
    ) -> tuple[Array | None, _Held | None]:
        """The rows to train on, where not all are, and what is held out."""
        given_x, given_y, given_weight = validation
        if (given_x is None) != (given_y is None):
            raise ValueError(
                f"{'X_val' if given_x is None else 'y_val'} is missing; wants both X_val and y_val, or none"
            )
        if given_x is not None:
            given_x, given_y = self._checked(given_x, given_y, False, True, held=True)
            if given_weight is not None:
                given_weight = _check_sample_weight(given_weight, given_x)
            return None, _Held(given_x, given_y, self._targets(given_y, network.labels), given_weight, network.labels)
        if not (self.early_stopping or set(self._rules()) - {"loss"}):
            return None, None
        numbers = np.arange(x.shape[0])
        chosen, rest = train_test_split(
            numbers, random_state=self._random_state, test_size=self.validation_fraction, stratify=self._strata(y)
        )
        if len(rest) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        held = _Held(
            x[rest],
            y[rest],
            self._targets(y[rest], network.labels),
            None if weight is None else weight[rest],
            network.labels,
        )
        return chosen, held

    def _strata(self, y: Any) -> Any:
        return None

    def _rules(self) -> tuple[str, ...]:
        """What training may stop on, the one that scikit-learn has first."""
        first = "validation_score" if self.early_stopping else "loss"
        asked = (
            () if self.stop_on is None else (self.stop_on,) if isinstance(self.stop_on, str) else tuple(self.stop_on)
        )
        for rule in asked:
            if rule not in RULES:
                raise ValueError(f"stop_on got {rule!r}; wants some of {', '.join(RULES)}")
        return tuple(dict.fromkeys((first, *asked)))

    # --- Using ---

    def _output(self, x: Any, check: bool = True) -> Array:
        if check:
            check_is_fitted(self)
            x = validate_data(self, x, accept_sparse=["csr", "csc"], reset=False)
        output = self._network().predict(x)
        return np.exp(output, out=output) if self.out_activation_ == "exp" else output

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _Loop:
    """The epochs of one fit.

    Compiled runs go over as many epochs as cannot end training before the last of them: a rule that wants n epochs
    without improvement is not fulfilled sooner.  Where somebody looks at each epoch, a run has one.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        data: Data,
        chosen: Array | None,
        rows: int,
        batch: int,
        held: _Held | None,
        chain: CallbackList | None,
        incremental: bool,
        context: Any,
    ) -> None:
        self.context: Any = context
        self.task: Any = None
        self.estimator, self.network, self.data, self.chosen, self.rows = estimator, network, data, chosen, rows
        self.batch, self.held, self.chain, self.incremental = batch, held, chain, incremental
        self.rules = estimator._rules()
        self.others = estimator._others = dict(getattr(estimator, "_others", {}))
        self.best: list[Array] | None = None
        if estimator.early_stopping:
            self.best = [view.copy() for view in network.views]
        self.constant = estimator._constant(data.y, data.weight)
        self.held_constant = estimator._constant(held.data.y, held.weight) if held else 0.0
        self.each = held is not None or chain is not None or context is not None or incremental
        self.each = self.each or (estimator.learning_rate == "invscaling" and estimator.solver == "sgd")
        self.epochs = 1 if incremental else estimator.max_iter
        self.index = np.arange(rows) if chosen is None else chosen
        self.deadline = math.inf if estimator.max_time is None else time.monotonic() + estimator.max_time
        if held is not None and getattr(estimator, "validation_loss_curve_", None) is None:
            estimator.validation_loss_curve_ = []

    def run(self) -> None:
        estimator, network = self.estimator, self.network
        estimator.n_iter_ = 0
        training = None
        while estimator.n_iter_ < self.epochs:
            if training is None or training.step == training.steps:
                several = min(EPOCHS, self.epochs - estimator.n_iter_)
                training = Training(network.engine, self.data, self.batch, several, False, network.seed, rows=self.rows)
            left = (training.steps - training.step) // training.steps_per_epoch
            count = min(left, self.most_epochs())
            self.prepare(training, count)
            if self.chain is not None:
                self.chain.on_epoch_begin(estimator.n_iter_)
            if self.context is not None:
                self.task = self.context.subcontext(task_name="epoch")
                self.task.call_on_fit_task_begin(estimator=estimator)
            if self.each:
                network.set_optimizer()
            first = training.step // training.steps_per_epoch
            self.advance(training, training.step + count * training.steps_per_epoch)
            done = training.diverged - first if training.diverged else count
            stop = False
            for epoch in range(first, first + done):
                stop = self.end_epoch(training.results[epoch, 0] / self.rows + self.constant)
            network.optimizer.iterations = network.engine.iterations
            if training.diverged:
                self.diverged()
                return
            if stop or self.incremental:
                return
            if self.each:
                training.keep_good()
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
            "converged yet.",
            ConvergenceWarning,
            stacklevel=6,
        )

    def most_epochs(self) -> int:
        """How many can be run before anything may have to be decided."""
        estimator = self.estimator
        if self.each:
            return 1
        patience = estimator.n_iter_no_change + 1 - estimator._no_improvement_count
        return int(max(1, min(patience, EPOCHS, ORDERED // self.rows)))

    def prepare(self, training: Training, epochs: int) -> None:
        """Lay down the order of the next epochs, as scikit-learn shuffles, and what rows of their steps count."""
        order = shares = None
        if self.estimator.shuffle:
            order = np.empty((epochs, self.rows), np.int64)
            start = np.arange(self.rows)
            for row in order:
                places = start.copy()
                self.estimator._random_state.shuffle(places)
                self.index = row[:] = self.index[places]
        elif self.chosen is not None:
            order = np.broadcast_to(self.index, (epochs, self.rows)).copy()
        if self.data.weight is not None:
            visited = self.data.weight[np.arange(self.rows) if order is None else order]
            visited = np.broadcast_to(visited, (epochs, self.rows))
            sums = np.add.reduceat(visited, np.arange(0, self.rows, self.batch), axis=1)
            if not (sums > 0).all():
                raise ZeroDivisionError("sample_weight adds up to 0 in a batch; wants a batch_size that avoids it")
            shares = 1 / sums
        training.lay_down(order, shares)

    def advance(self, training: Training, last: int) -> None:
        """Steps, in slices of about SLICE_SECONDS, between which Ctrl-C strikes and progress is told."""
        while training.step < last and not training.diverged:
            begin, first = time.perf_counter(), training.step
            training.advance(min(last, first + max(1, int(SLICE_SECONDS / training.seconds_a_step))))
            training.seconds_a_step = max(1e-9, (time.perf_counter() - begin) / max(1, training.step - first))
            if self.chain is not None and self.chain.needs_progress and not training.diverged:
                epoch = (training.step - 1) // training.steps_per_epoch
                step = training.step - epoch * training.steps_per_epoch
                loss = training.results[epoch, 0] / min(step * self.batch, self.rows)
                self.chain.on_progress(self.estimator.n_iter_, step, training.steps_per_epoch, {"loss": loss})

    def end_epoch(self, loss: float) -> bool:
        """Keep count of an epoch; whether training is to end."""
        estimator = self.estimator
        loss = float(loss)
        estimator.n_iter_ += 1
        estimator.loss_ = loss
        estimator.t_ += self.rows
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        logs = {"loss": loss}
        if self.held is not None:
            logs |= self.validate(self.held)
        self.count_improvement(loss, logs)
        stop = self.others_stop(logs)
        if self.chain is not None:
            self.chain.on_epoch_end(estimator.n_iter_ - 1, logs)
            stop = stop or self.network.model.stop_training
        if self.task is not None:
            asked = self.task.call_on_fit_task_end(
                estimator=estimator, reconstruction_attributes=estimator._weights_now
            )
            stop = stop or bool(asked)
        optimizer = self.network.optimizer
        if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
            optimizer.learning_rate = float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            what = "Validation score" if estimator.early_stopping else "Training loss"
            told = (
                f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} "
                "consecutive epochs."
            )
            if self.rate_is_last(told):
                stop = True
            else:
                estimator._no_improvement_count = 0
        return stop or time.monotonic() > self.deadline

    def rate_is_last(self, told: str) -> bool:
        """Whether to stop for want of improvement; an adaptive learning rate becomes smaller first."""
        estimator, optimizer = self.estimator, self.network.optimizer
        rate: float = getattr(optimizer, "learning_rate", 0.0)
        stop = not (estimator.solver == "sgd" and estimator.learning_rate == "adaptive") or rate <= 1e-6
        if not stop:
            optimizer.learning_rate = rate / 5.0
            self.network.set_optimizer()
            told += f" Setting learning rate to {rate / 5.0:f}"
        else:
            told += " Learning rate too small. Stopping." if rate <= 1e-6 else " Stopping."
        if estimator.verbose:
            print(told)
        return stop

    def validate(self, held: _Held) -> dict[str, float]:
        estimator, network = self.estimator, self.network
        rows = len(held.data)
        output = network.engine.predict(Data(held.data.x))
        if estimator.out_activation_ == "exp":
            output = np.exp(output)
        score = estimator._score_of(output, held) if np.isfinite(output).all() else float("nan")
        loss = float(network.engine.evaluate(held.data)[0]) * rows / held.total
        loss = loss * network.engine.job.score_scale + self.held_constant
        estimator.validation_loss_curve_.append(loss)
        return {"val_loss": loss, "val_score": score}

    def count_improvement(self, loss: float, logs: dict[str, float]) -> None:
        estimator = self.estimator
        if estimator.early_stopping:
            score = logs["val_score"]
            estimator.validation_scores_.append(score)
            if estimator.verbose:
                print(f"Validation score: {score:f}")
            worse = score < estimator.best_validation_score_ + estimator.tol
            if score > estimator.best_validation_score_:
                estimator.best_validation_score_ = score
                self.best = [view.copy() for view in self.network.views]
        else:
            worse = loss > estimator.best_loss_ - estimator.tol
            if loss < estimator.best_loss_:
                estimator.best_loss_ = loss
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if worse else 0

    def others_stop(self, logs: dict[str, float]) -> bool:
        """Whether one of the further rules ends training."""
        stop = False
        names = {"loss": ("loss", 1.0), "validation_loss": ("val_loss", 1.0), "validation_score": ("val_score", -1.0)}
        for rule in self.rules[1:]:
            name, sign = names[rule]
            value = sign * logs[name]
            best, count = self.others.get(rule, (math.inf, 0))
            count = count + 1 if value > best - self.estimator.tol else 0
            if value < best and rule == "validation_loss" and not self.estimator.early_stopping:
                self.best = [view.copy() for view in self.network.views]
            self.others[rule] = min(best, value), count
            stop = stop or count > self.estimator.n_iter_no_change
        return stop

    def diverged(self) -> None:
        if self.best is None:
            return  # fit raises
        warnings.warn(
            "training diverged: the loss or a weight became infinite. The best weights before are kept; try a smaller "
            "learning_rate_init, or scaled data",
            ConvergenceWarning,
            stacklevel=7,
        )


class MLPClassifier(ClassifierMixin, _BaseMLP):  # type: ignore[misc, unused-ignore]
    """scikit-learn's MLPClassifier, compiled, and with what its users have asked for.

    With the same settings and ``random_state`` it draws the same weights, visits rows in the same order and comes to
    the same result up to rounding.  What a wrong class costs has no limit: scikit-learn counts 36 (float64) or 16 at
    most in ``loss_curve_``, which with inputs that are not scaled is less, and may stop training earlier.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
    activation : {"identity", "logistic", "tanh", "relu"}, or any of fastnn's by name or object, or one for each layer
    solver : {"adam", "sgd", "lbfgs"}, or any fastnn optimizer by name or object
        By name it has ``learning_rate_init``; an object has its own, and is copied.
    alpha : float
        Strength of the penalty alpha sum(w^2) / (2 rows), over the weights without the biases.
    batch_size : int or "auto"
        "auto": 200, or all rows if there are fewer.
    learning_rate, learning_rate_init, power_t, momentum, nesterovs_momentum, beta_1, beta_2, epsilon
    max_iter, max_fun, shuffle, random_state, tol, n_iter_no_change, verbose, warm_start
    early_stopping, validation_fraction
        All as in scikit-learn.
    loss : "log_loss", or any fastnn loss by name or object
    class_weight : dict of class to weight, or "balanced", optional
        Multiplies sample_weight.
    dropout : float, or one for each hidden layer
        The part of a hidden layer's outputs that each step leaves out.
    stop_on : {"loss", "validation_loss", "validation_score"}, or some of them, optional
        What ends training beside scikit-learn's rule when it has not improved by ``tol`` for more than
        ``n_iter_no_change`` epochs. The best weights by "validation_loss" are kept.
    max_time : float, optional
        Seconds after which training ends.
    reset_optimizer : bool
        False: a ``warm_start`` goes on with the optimizer's state too.
    callbacks : Callback or list of Callback, optional
        fastnn's; ``set_callbacks`` takes scikit-learn's, where it has them.
    progress_bar : bool
    dtype : {"float32", "float64"}, optional
        Of weights and arithmetic; None: float32 where X is, else float64.
    backend, threads
        As in `Sequential.compile`. Where joblib runs fits on threads side by side, each has one.

    Attributes
    ----------
    coefs_, intercepts_ : list of array
        Weights (inputs, units) and biases (units,) of each layer: views, which may be written or replaced.
    validation_loss_curve_ : list of float, or None
        The loss of the rows held out, without the penalty, an epoch each.
    classes_ : array
    best_loss_, best_validation_score_, feature_names_in_, loss_, loss_curve_, n_features_in_, n_iter_, n_layers_
    n_outputs_, out_activation_, t_, validation_scores_
        All as in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), dropout=0.0, max_iter=300, random_state=0).fit(x, y)
    >>> model.predict(x[:2])
    array([0, 0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **_BaseMLP._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        stop_on: Any = None,
        max_time: float | None = None,
        reset_optimizer: bool = True,
        callbacks: Any = None,
        progress_bar: bool = False,
        dtype: Any = None,
        backend: str = "auto",
        threads: int | None = None,
    ) -> None:
        _keep(self, locals())

    def _checked(self, x: Any, y: Any, reset: bool, incremental: bool, held: bool = False) -> tuple[Any, Any]:
        x, y = validate_data(
            self,
            x,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y)
            self.classes_ = self._label_binarizer.classes_
            return x, y
        classes = unique_labels(y)
        if self.warm_start and not held:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )
        return x, y

    def _kind(self) -> str:
        return str(self._label_binarizer.y_type_)

    def _out_activation(self) -> str:
        return "softmax" if self._kind() == "multiclass" else "logistic"

    def _count_outputs(self, y: Any) -> int:
        if y.ndim == 2:
            return int(y.shape[1])
        return len(self.classes_) if len(self.classes_) > 2 or self._kind() == "multiclass" else 1

    def _targets(self, y: Any, labels: bool) -> Array:
        if y.ndim == 2:
            y = y.toarray() if hasattr(y, "toarray") else y
            return np.asarray(y != 0).view(np.uint8)
        numbers: Array = np.searchsorted(self.classes_, y)
        if labels:
            return numbers
        if self.n_outputs_ == 1:
            return np.asarray(numbers != 0).view(np.uint8)
        return np.asarray(np.eye(self.n_outputs_, dtype=np.uint8)[numbers])

    def _class_weighted(self, y: Any, sample_weight: Any) -> Any:
        if self.class_weight is None:
            return sample_weight
        weight = compute_sample_weight(self.class_weight, y)
        return weight if sample_weight is None else weight * sample_weight

    def _strata(self, y: Any) -> Any:
        """scikit-learn's: two classes are stratified."""
        if y.ndim == 2 or self.n_outputs_ != 1:
            return None
        return np.asarray(y == self.classes_[-1]).reshape(-1, 1) & (len(self.classes_) > 1)

    def _decided(self, output: Array) -> Any:
        """The classes that the network's output stands for."""
        if self._kind().startswith("multilabel"):
            return self._label_binarizer.inverse_transform(output)
        return self.classes_[self._numbers(output)]

    def _numbers(self, output: Array) -> Array:
        if output.shape[1] == 1:
            first: Array = (output[:, 0] > 0.5).astype(np.intp) & (len(self.classes_) > 1)
            return first
        return np.asarray(output.argmax(axis=1))

    def _score_of(self, output: Array, held: _Held) -> float:
        targets = held.data.y
        assert targets is not None
        if targets.ndim == 2 and self._kind().startswith("multilabel"):
            right = ((output > 0.5) == targets).all(axis=1)
        elif targets.ndim == 2:
            right = self._numbers(output) == targets.argmax(axis=1)
        else:
            right = self._numbers(output) == targets
        return float(np.average(right, weights=held.weight))

    @available_if(lambda est: est._check_solver())  # type: ignore[untyped-decorator, unused-ignore]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch, going on where the last call, or fit, ended.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array, optional
            All classes that there will be; wanted in the first call.
        """
        self._validate_params()
        if _check_partial_fit_first_call(self, classes):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y if type_of_target(y).startswith("multilabel") else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Any:
        """The class of each row, (rows,); for several labels 0 or 1 each, (rows, labels)."""
        return self._decided(self._output(X))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities, (rows, classes), in the order of ``classes_``; of each label for several, (rows, labels)."""
        output = self._output(X)
        return np.concatenate([1 - output, output], axis=1) if output.shape[1] == 1 else output

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of `predict_proba`."""
        output = self.predict_proba(X)
        np.log(output, out=output)
        return output

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, _BaseMLP):  # type: ignore[misc, unused-ignore]
    """scikit-learn's MLPRegressor, compiled, and with what its users have asked for; see `MLPClassifier`.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, or any fastnn loss by name or object
        Half the squared error; half the Poisson deviance, with the exponential as the last activation; "mae", "huber".
    hidden_layer_sizes : int or sequence of int
    activation : {"identity", "logistic", "tanh", "relu"}, or any of fastnn's by name or object, or one for each layer
    solver : {"adam", "sgd", "lbfgs"}, or any fastnn optimizer by name or object
        By name it has ``learning_rate_init``; an object has its own, and is copied.
    alpha : float
        Strength of the penalty alpha sum(w^2) / (2 rows), over the weights without the biases.
    batch_size : int or "auto"
        "auto": 200, or all rows if there are fewer.
    learning_rate, learning_rate_init, power_t, momentum, nesterovs_momentum, beta_1, beta_2, epsilon
    max_iter, max_fun, shuffle, random_state, tol, n_iter_no_change, verbose, warm_start
    early_stopping, validation_fraction
        All as in scikit-learn.
    dropout : float, or one for each hidden layer
        The part of a hidden layer's outputs that each step leaves out.
    stop_on : {"loss", "validation_loss", "validation_score"}, or some of them, optional
        What ends training beside scikit-learn's rule when it has not improved by ``tol`` for more than
        ``n_iter_no_change`` epochs. The best weights by "validation_loss" are kept.
    max_time : float, optional
        Seconds after which training ends.
    reset_optimizer : bool
        False: a ``warm_start`` goes on with the optimizer's state too.
    callbacks : Callback or list of Callback, optional
        fastnn's; ``set_callbacks`` takes scikit-learn's, where it has them.
    progress_bar : bool
    dtype : {"float32", "float64"}, optional
        Of weights and arithmetic; None: float32 where X is, else float64.
    backend, threads
        As in `Sequential.compile`. Where joblib runs fits on threads side by side, each has one.

    Attributes
    ----------
    coefs_, intercepts_ : list of array
        Weights (inputs, units) and biases (units,) of each layer: views, which may be written or replaced.
    validation_loss_curve_ : list of float, or None
        The loss of the rows held out, without the penalty, an epoch each.
    best_loss_, best_validation_score_, feature_names_in_, loss_, loss_curve_, n_features_in_, n_iter_, n_layers_
    n_outputs_, out_activation_, t_, validation_scores_
        All as in scikit-learn.
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        stop_on: Any = None,
        max_time: float | None = None,
        reset_optimizer: bool = True,
        callbacks: Any = None,
        progress_bar: bool = False,
        dtype: Any = None,
        backend: str = "auto",
        threads: int | None = None,
    ) -> None:
        _keep(self, locals())

    def _checked(self, x: Any, y: Any, reset: bool, incremental: bool, held: bool = False) -> tuple[Any, Any]:
        x, y = validate_data(
            self,
            x,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return x, y

    def _count_outputs(self, y: Any) -> int:
        return 1 if y.ndim == 1 else int(y.shape[1])

    def _out_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def _targets(self, y: Any, labels: bool) -> Array:
        return y if y.dtype in (np.float32, np.float64) else np.asarray(y, float)

    def _score_of(self, output: Array, held: _Held) -> float:
        """R^2, mean over the outputs; scikit-learn's own where an output is constant."""
        y = np.reshape(held.y, output.shape)
        total = np.square(y - np.average(y, axis=0, weights=held.weight))
        total = np.average(total, axis=0, weights=held.weight)
        if not (total > 0).all():
            return float(r2_score(held.y, output, sample_weight=held.weight))
        return float(np.mean(1 - np.average(np.square(y - output), axis=0, weights=held.weight) / total))

    @available_if(lambda est: est._check_solver())  # type: ignore[untyped-decorator, unused-ignore]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch, going on where the last call, or fit, ended.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """The values of each row: (rows,), or (rows, outputs)."""
        output = self._output(X)
        return output[:, 0] if output.shape[1] == 1 else output
