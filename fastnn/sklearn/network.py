"""An estimator's network: a Sequential that shares its weights with ``coefs_`` and ``intercepts_``."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from joblib.parallel import get_active_backend

from fastnn import activations, layers, losses, optimizers
from fastnn.engine import Data, Engine, SparseRows
from fastnn.models import Sequential
from fastnn.typing import Array

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}
"""fastnn's names of scikit-learn's activations, where they differ."""

OUTPUT_ACTIVATIONS = {**ACTIVATIONS, "exp": "linear"}
"""Those of the last layer: the loss and predict take the exponential themselves."""

WORKSPACE_BYTES = 2**27  # of sparse rows' outputs at a time, for a gradient
BLOCK_BYTES = 2**23  # of inputs that are converted at a time for a gradient, where the kernels cannot read them


class LogPoisson(losses.Loss):
    """Half the Poisson deviance of a network that predicts the logarithm of the mean, without `loss_constant`."""

    row: ClassVar[str] = "poisson_from_logarithm"


class EarlyEpsilonAdam(optimizers.KerasAdam):
    """Adam as scikit-learn has it, by the name that files of estimators have for it."""


def activation_of(given: Any) -> activations.Activation:
    """The activation that scikit-learn's name, fastnn's, or an object stands for."""
    return activations.get(ACTIVATIONS.get(given, given) if isinstance(given, str) else given)


def loss_of(given: Any, out_activation: str) -> losses.Loss:
    """The loss that scikit-learn's name, fastnn's, or an object stands for."""
    if given == "log_loss":
        softmax = out_activation == "softmax"
        return losses.SparseCategoricalCrossentropy() if softmax else losses.BinaryCrossentropy()
    if given == "squared_error":
        return losses.HalfSquaredError()
    return LogPoisson() if given == "poisson" else losses.get(given)


def loss_constant(given: Any, targets: Any, weight: Array | None) -> float:
    """What a loss that is reported has beyond what the kernels compute, because no weight depends on it."""
    if given != "poisson":
        return 0.0
    t = np.asarray(targets, float)
    rest = np.where(t > 0, t * np.log(np.where(t > 0, t, 1)), 0) - t
    return float(np.average(rest, axis=0, weights=weight).sum())


def optimizer_of(solver: Any, settings: Any) -> optimizers.Optimizer:
    """The optimizer of a solver; scikit-learn's, and others by name, take their constants from the estimator."""
    rate = settings.learning_rate_init
    if solver == "sgd":
        return optimizers.SGD(rate, settings.momentum, bool(settings.nesterovs_momentum))
    if solver == "adam":
        return EarlyEpsilonAdam(rate, settings.beta_1, settings.beta_2, settings.epsilon)
    optimizer = copy.deepcopy(optimizers.get(solver))
    if optimizer.full_batch:
        raise ValueError(f"solver got {solver!r}, which takes all rows at once; wants 'lbfgs', or another optimizer")
    if isinstance(solver, str) and hasattr(optimizer, "learning_rate"):
        optimizer.learning_rate = rate
    return optimizer


def thread_limit(threads: int | None) -> int | None:
    """How many threads a network may have: one if joblib runs fits side by side on threads, unless ``threads`` says.

    joblib limits its processes itself, by OMP_NUM_THREADS.
    """
    alone = threading.current_thread() is threading.main_thread() or not get_active_backend()[0].nesting_level
    if threads is None and not alone:
        return 1
    return threads if threads is None else int(threads)


class Architecture(NamedTuple):
    """The layers of a network."""

    inputs: int
    units: Sequence[int]  # of each dense layer
    activations: Sequence[activations.Activation]  # of each hidden layer
    dropout: Sequence[float]  # the rate behind each hidden layer
    out_activation: str  # as scikit-learn names it
    use_bias: bool

    def stack(self) -> list[layers.Layer]:
        """The layers, with weights of 0."""
        found: list[layers.Layer] = [layers.Input((self.inputs,))]
        options: dict[str, Any] = {"kernel_initializer": "zeros", "use_bias": self.use_bias}
        for units, activation, rate in zip(self.units[:-1], self.activations, self.dropout, strict=True):
            found.append(layers.Dense(units, activation=activation, **options))
            if rate:
                found.append(layers.Dropout(rate))
        last = OUTPUT_ACTIVATIONS.get(self.out_activation, self.out_activation)
        return [*found, layers.Dense(self.units[-1], activation=last, **options)]


class Network:
    """A Sequential whose weights are views, in the lists ``coefs`` and ``intercepts``; ``seed`` is that of dropout."""

    def __init__(
        self,
        architecture: Architecture,
        loss: losses.Loss,
        optimizer: optimizers.Optimizer,
        *,
        dtype: str,
        backend: str,
        threads: int | None,
        seed: int,
    ) -> None:
        self.seed = seed
        self.model = Sequential(architecture.stack(), seed=seed)
        self.model.compile(optimizer, loss, dtype=dtype, backend=backend, threads=threads)
        self.model.build()
        assert self.model._engine is not None
        assert self.model._loss_plan is not None
        self.engine: Engine = self.model._engine
        self.labels: bool = self.model._loss_plan.labels
        self.optimizer = optimizer
        if isinstance(loss, losses.BinaryCrossentropy):
            self.engine.job.loss.scale = 1.0  # scikit-learn adds up the outputs' losses
        if isinstance(loss, losses.HalfSquaredError):
            self.engine.job.loss.score_scale = (
                1 / architecture.units[-1]
            )  # it trains on their sum, and reports their mean
        self.coefs, self.intercepts = self._weights_in(self.engine.parameters.values)

    def _weights_in(self, vector: Array) -> tuple[list[Array], list[Array]]:
        """Views of the weights (inputs, units) and biases (units,) of each dense layer in a vector of parameters."""
        coefs, intercepts = [], []
        for number in self._dense:
            matrix, width = self.engine.parameters.matrix(number, vector), self.engine.layers[number].inputs
            coefs.append(matrix[:width])
            if self.engine.plans[number].use_bias:
                intercepts.append(matrix[width])
        return coefs, intercepts

    @property
    def _dense(self) -> list[int]:
        """The numbers of the dense layers."""
        return [number for number, plan in enumerate(self.engine.plans) if plan.dense]

    @property
    def views(self) -> list[Array]:
        """All that is trained."""
        return [*self.coefs, *self.intercepts]

    def take(self, arrays: Iterable[Array]) -> None:
        """Copy weights that are not these views."""
        for view, array in zip(self.views, arrays, strict=True):
            if array is not view:
                view[...] = array
        self.touched()

    def touched(self) -> None:
        """Say that whoever holds the views may have written them."""
        self.engine.parameters.mark_written()

    def begin(self, optimizer: optimizers.Optimizer) -> None:
        """Train with a new optimizer, its state as at the beginning."""
        self.engine.forget()
        vars(self.model)["optimizer"] = self.optimizer = optimizer
        optimizer.configure(self.engine)

    def state(self) -> tuple[int, list[Array]]:
        """The optimizer's count of steps and copies of its slots."""
        return self.engine.iterations, [slot.copy() for slot in self.engine.parameters.slot_matrices().values()]

    def restore(self, state: tuple[int, list[Array]]) -> None:
        """Go on from a state."""
        self.optimizer.configure(self.engine)
        self.engine.iterations, matrices = state
        parameters = self.engine.parameters
        parameters.set_slots(dict(zip(parameters.slot_matrices(), matrices, strict=True)))

    def rows_of(self, x: Any) -> Any:
        """What the engine reads of x: an array itself, a sparse matrix by its entries."""
        return SparseRows.of(x, self.engine.dtype) if hasattr(x, "tocsr") else x

    def predict(self, x: Any) -> Array:
        """The network's output, (rows, outputs)."""
        return self.engine.predict(Data(self.rows_of(x)))

    def value_and_gradient(self, data: Data, total: float) -> tuple[float, list[Array]]:
        """The loss of all rows and its gradient by the views, both over ``total``, the sum of the rows' weights.

        Rows that must be converted, and sparse ones where the network is wide, are taken by blocks.
        """
        engine = self.engine
        count = len(data)
        if isinstance(data.x, SparseRows):
            count = max(1, WORKSPACE_BYTES // (engine.costs_of(data).row_values * engine.dtype.itemsize))
        elif not data.direct:
            count = max(1, BLOCK_BYTES // (engine.inputs * engine.dtype.itemsize))
        value, gradient = 0.0, np.zeros(engine.parameter_count)
        for start in range(0, len(data), count):
            block = data if count >= len(data) else data.part(slice(start, start + count))
            vector, mean = engine.gradient(block)
            weight = len(block) / total
            value += mean * weight
            gradient += vector * weight
        coefs, intercepts = self._weights_in(gradient)
        return value, [*coefs, *intercepts]
