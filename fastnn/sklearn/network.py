"""An estimator's network: a Sequential that shares its weights with ``coefs_`` and ``intercepts_``."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from joblib.parallel import get_active_backend

from fastnn import activations, layers, losses, optimizers
from fastnn.engine import Data, Engine
from fastnn.models import Sequential

__all__ = ["Network", "activation_of", "loss_of", "optimizer_of", "rows_of", "thread_limit"]

Array = npt.NDArray[Any]

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}
"""scikit-learn's names that are others here."""

OUTPUTS = {"logistic": "sigmoid", "exp": "linear"}
"""Of the last layer; "exp" is taken by the loss, and by predict."""


class LogPoisson(losses.Loss):
    """Half the Poisson deviance, of the logarithm of the mean, less what does not depend on the network."""

    row: ClassVar[str] = "poisson_from_logarithm"


class EarlyEpsilonAdam(optimizers.Adam):
    """Adam as scikit-learn and Keras have it: epsilon is added to the root before its correction."""

    @property
    def row(self) -> str:
        """Its formulas in the table."""
        return "keras_adam"


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


def optimizer_of(solver: Any, settings: Any) -> optimizers.Optimizer:
    """The optimizer of a solver; scikit-learn's ones, and others by name, take their constants from the estimator."""
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
    """One where joblib runs fits side by side on threads; its processes are limited by OMP_NUM_THREADS."""
    alone = threading.current_thread() is threading.main_thread() or not get_active_backend()[0].nesting_level
    if threads is None and not alone:
        return 1
    return threads if threads is None else int(threads)


class Rows:
    """Rows of a CSR matrix that come to be dense a block at a time."""

    dtype = np.dtype(object)  # none that the kernels read where it lies
    nbytes = 0

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape = matrix.shape
        self.ndim = 2

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> Array:
        dense: Array = self.matrix[rows].toarray()
        return dense


def rows_of(x: Any) -> Any:
    """What the engine reads: arrays where they lie, sparse matrices by rows."""
    return Rows(x.tocsr()) if hasattr(x, "tocsr") else x


class Network:
    """A Sequential whose weights are views, in the lists ``coefs`` and ``intercepts``.

    Parameters
    ----------
    inputs : int
    units : sequence of int
        Of each dense layer.
    hidden : sequence of activations
        One a hidden layer.
    dropout : sequence of float
        Behind each hidden layer.
    out_activation : str
        scikit-learn's name of it.
    loss, optimizer
    dtype, backend, threads
    seed : int
    use_bias : bool
    """

    def __init__(
        self,
        inputs: int,
        units: Sequence[int],
        hidden: Sequence[activations.Activation],
        dropout: Sequence[float],
        out_activation: str,
        loss: losses.Loss,
        optimizer: optimizers.Optimizer,
        *,
        dtype: str,
        backend: str,
        threads: int | None,
        seed: int,
        use_bias: bool = True,
    ) -> None:
        last = ACTIVATIONS.get(out_activation, OUTPUTS.get(out_activation, out_activation))
        stack: list[layers.Layer] = [layers.Input((inputs,))]
        options: dict[str, Any] = {"kernel_initializer": "zeros", "use_bias": use_bias}
        for count, activation, rate in zip(units[:-1], hidden, dropout, strict=True):
            stack.append(layers.Dense(count, activation=activation, **options))
            if rate:
                stack.append(layers.Dropout(rate))
        stack.append(layers.Dense(units[-1], activation=last, **options))
        self.seed = seed  # of dropout
        self.model = Sequential(stack, seed=seed)
        self.model.compile(optimizer, loss, dtype=dtype, backend=backend, threads=threads)
        self.model.build()
        assert self.model._engine is not None
        assert self.model._loss_plan is not None
        self.engine: Engine = self.model._engine
        self.labels: bool = self.model._loss_plan.labels
        self.optimizer = optimizer
        if isinstance(loss, losses.BinaryCrossentropy):
            self.engine.job.loss_scale = 1.0  # scikit-learn adds up the outputs
        if isinstance(loss, losses.HalfSquaredError):
            self.engine.job.score_scale = 1 / units[-1]  # and tells the mean of them, though it follows their sum
        self.coefs: list[Array] = []
        self.intercepts: list[Array] = []
        for number, plan in enumerate(self.engine.plans):
            if plan.dense:
                matrix = self.engine.matrix(number)
                width = self.engine.layers[number].inputs
                self.coefs.append(matrix[:width])
                if plan.use_bias:
                    self.intercepts.append(matrix[width])

    @property
    def views(self) -> list[Array]:
        """All that is trained."""
        return [*self.coefs, *self.intercepts]

    def take(self, arrays: Iterable[Array]) -> None:
        """Copy weights that are not these views."""
        for view, array in zip(self.views, arrays, strict=True):
            if array is not view:
                view[...] = array
                self.engine.changes += 1

    def touched(self) -> None:
        """Whoever holds the views may have written: bring what follows from them in step."""
        self.engine.changes += 1
        self.engine.refresh_all()

    def begin(self, optimizer: optimizers.Optimizer) -> None:
        """Train with a new optimizer, its state as at the beginning."""
        self.engine.forget()
        optimizer.iterations = 0
        self.model.optimizer = self.optimizer = optimizer
        self.set_optimizer()

    def set_optimizer(self) -> None:
        """Tell the engine of the optimizer's constants as they are now."""
        self.engine.set_optimizer(self.optimizer.row, self.optimizer.hyper(), *self.optimizer.options())

    def state(self) -> tuple[int, list[Array]]:
        """The optimizer's count of steps and its slots, by what they belong to."""
        engine = self.engine
        vectors = engine.slots.reshape(-1, engine.parameter_count)
        dense = [number for number, plan in enumerate(engine.plans) if plan.dense]
        return engine.iterations, [engine.matrix(number, vector).copy() for vector in vectors for number in dense]

    def restore(self, state: tuple[int, list[Array]]) -> None:
        """Go on from a state."""
        engine = self.engine
        self.set_optimizer()
        engine.iterations, matrices = state
        self.optimizer.iterations = engine.iterations
        vectors = engine.slots.reshape(-1, engine.parameter_count)
        dense = [number for number, plan in enumerate(engine.plans) if plan.dense]
        places = [(vector, number) for vector in vectors for number in dense]
        for (vector, number), matrix in zip(places, matrices, strict=True):
            engine.matrix(number, vector)[...] = matrix

    def predict(self, x: Any) -> Array:
        """The network's output, (rows, outputs)."""
        return self.engine.predict(Data(rows_of(x)))

    def value_and_gradient(self, data: Data, total: float) -> tuple[float, list[Array]]:
        """The loss of all rows and its gradient by the views, both over ``total``, the sum of the rows' weights.

        Rows that must be converted are taken by blocks.
        """
        engine = self.engine
        count = len(data)
        if not data.direct:
            count = max(1, BLOCK_BYTES // (engine.inputs * engine.dtype.itemsize))
        value, gradient = 0.0, np.zeros(engine.parameter_count)
        for start in range(0, len(data), count):
            part = data if count >= len(data) else data.part(slice(start, start + count))
            vector, mean = engine.gradient(part)
            share = len(part) / total
            value += mean * share
            gradient += vector * share
        coefs, intercepts = [], []
        for number, plan in enumerate(engine.plans):
            if plan.dense:
                matrix, width = engine.matrix(number, gradient), engine.layers[number].inputs
                coefs.append(matrix[:width])
                if plan.use_bias:
                    intercepts.append(matrix[width])
        return value, [*coefs, *intercepts]


BLOCK_BYTES = 2**23
"""Of inputs that the kernels cannot read where they lie and that are converted at a time for a gradient of all rows."""
