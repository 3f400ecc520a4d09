"""One call, a few microseconds: a step or a prediction on few rows, with everything prepared beforehand.

What a call of the engine sets up each time, these keep: a job of their own, their buffers, and whatever they have found
out about the arrays they are given.
"""

from __future__ import annotations

import ctypes
import math
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from fastnn.kernels.records import LACKING, JobRecord
from .cost_model import ROW_BLOCK
from .dataset import Data, point_at
from .jobs import MODE, SYNCHRONISATION_WORDS
from .memory import WIDTH_MULTIPLE, Array, address, aligned

if TYPE_CHECKING:
    from .engine import Engine

_vdot = getattr(np.vdot, "__wrapped__", np.vdot)
"""Without a look for arrays of other libraries, which takes a third of the time."""


def fits(array: Any, width: int, dtype: np.dtype[Any]) -> bool:
    """Whether it is a (rows, width) array of the dtype, with some rows."""
    return (
        type(array) is ndarray
        and array.dtype is dtype
        and array.ndim == 2
        and array.shape[1] == width
        and len(array) > 0
    )


def finite(array: Array) -> bool:
    """Whether all of a small array is, as far as a glance shows: a value whose square overflows is doubtful too."""
    return array.size <= GLANCED_VALUES and math.isfinite(_vdot(array, array))  # no warning, unlike a sum


class _Prepared:
    """A job of its own on an engine, for a number of rows.

    Each thread takes an equal part of the rows, or blocks of as many as ``capacity`` says, or, ``by_columns``, some
    columns for all of them.  It does not keep the engine alive, which may keep it: whoever calls it has both, and the
    engine's lock.
    """

    def __init__(
        self, engine: Engine, rows: int, mode: str, threads: int = 1, by_columns: bool = False, capacity: int = 0
    ) -> None:
        self.rows, self.threads, self.entry = rows, threads, engine.entry
        layout = engine.layout
        blocks, capacity = -(-rows // ROW_BLOCK), capacity or -(-rows // (ROW_BLOCK * threads)) * ROW_BLOCK
        self.workspace = aligned(threads * capacity * layout.row_values, engine.dtype)
        self.synchronisation = aligned(SYNCHRONISATION_WORDS, np.int64)
        self.scratch = aligned(threads * layout.scratch_size, np.uint8)
        self.partials = aligned(blocks * layout.partial_values, engine.dtype)
        self.sums = aligned(layout.sum_count, np.float64)
        if by_columns:
            capacity = blocks * ROW_BLOCK
        job = self.job = JobRecord.from_buffer_copy(engine.blank)
        job.network, job.loss, job.optimizer = engine.job.network, engine.job.loss, engine.job.optimizer
        job.network.keeps_transposed = 1
        job.run.mode, job.run.synchronisation = MODE[mode], address(self.synchronisation)
        job.run.threads, job.run.last_step, job.run.steps_per_epoch = 1, -(-rows // capacity), 1
        job.split.by_columns, job.split.column_block = by_columns, WIDTH_MULTIPLE
        memory = self.memory = job.memory
        memory.capacity, memory.workspace_size = capacity, capacity * layout.row_values * layout.size
        memory.workspace, memory.scratch = address(self.workspace), address(self.scratch)
        memory.partials, memory.sums = address(self.partials), address(self.sums)
        self.layers_address, self.job_address = ctypes.addressof(engine.layers), ctypes.addressof(job)


class Prediction(_Prepared):
    """Predictions for a fixed number of rows."""

    def __init__(self, engine: Engine, rows: int) -> None:
        costs = engine.costs
        columns, turned, capacity = costs.column_threads(rows), costs.turns(rows), 0
        threads = columns or costs.inference_threads(rows)
        if turned:
            threads, capacity, _ = costs.inference_blocks(rows, False)
        super().__init__(engine, rows, "predict", threads, columns > 0, capacity)
        self.job.split.turned = turned
        self.x = np.zeros((rows, engine.inputs), engine.dtype)
        self.values = self.x[0] if rows == 1 else self.x  # NumPy copies faster into a vector than into a matrix
        self.output = np.zeros((rows, engine.outputs), engine.dtype)
        self.long = engine.costs.predicts_long(rows)
        self.last, self.streak, self.woken, self.alone = 0.0, 0, 0, math.inf
        self.copies = self.threads == 1 and self.x.size + self.output.size <= COPIED_VALUES
        self.jobs = (ctypes.c_int64 * self.threads)(*[self.job_address] * self.threads)
        self.job.run.layers, self.job.run.jobs = self.layers_address, ctypes.addressof(self.jobs)
        self.copies_output = self.output.size <= COPIED_VALUES
        self.plain = self.threads == 1 and not engine.functions
        self.job.data = point_at(Data(self.x), rows)
        self.data = self.job.data  # a group alone is found faster at each call
        self.memory.output, self.memory.output_row = address(self.output), engine.outputs

    def __call__(self, engine: Engine, x: Any) -> Array:
        """The outputs of so many rows; the engine, which is the one it was made for, is this thread's now."""
        if self.copies:
            self.values[...] = x
            self.entry(self.layers_address, self.job_address, 0)
            return self.output.copy()
        if not fits(x, self.x.shape[1], self.x.dtype) or len(x) != self.rows or not x.flags.c_contiguous:
            self.x[...] = x
            x = self.x
        start = address(x)
        data, output = self.data, self.output
        data.x, data.x_end = start, start + self.x.nbytes
        if not self.copies_output:
            output = np.empty_like(output)
            self.memory.output = address(output)
        if self.plain:
            self.entry(self.layers_address, self.job_address, 0)
        else:
            self._call(engine)
        return output.copy() if self.copies_output else output

    def _call(self, engine: Engine) -> None:
        """On as many threads as there are at once."""
        job = self.job
        if self.threads == 1 or self.long:
            engine.call(job, self.synchronisation, self.threads)
            return
        begin = perf_counter()
        if begin - self.last > STREAK_SECONDS:
            self.streak, self.woken, self.alone = 0, 0, math.inf
        together = self.streak >= STREAK
        if together:
            job.run.threads = self.threads
            together = engine.crew.call(self.layers_address, job, self.threads) != LACKING
        if not together:
            job.run.threads = 1
            self.entry(self.layers_address, self.job_address, 0)
        engine.check_functions(self.synchronisation)
        self.last = perf_counter()
        self.streak += 1
        if not together:
            self.alone = min(self.alone, self.last - begin)
        elif self.last - begin > 2 * self.alone:  # the workers had gone
            self.woken += 2
            if self.woken > 40:  # again and again
                self.streak, self.woken = -8 * STREAK, 0
        elif self.woken:
            self.woken -= 1


class Predictor:
    """Predictions for a fixed number of rows: what `Sequential.predictor` returns.

    Call it with (rows, inputs) values, or (inputs,) for one row, of any real dtype; it returns (rows, units).  Nothing
    is validated but the shape.  It sees the model's weights as they are at the call; of a model that is compiled anew,
    those of before, which it keeps alive.  Threads that call it at once take turns.
    """

    def __init__(self, engine: Engine, rows: int) -> None:
        self._engine, self._turns = engine, engine.turns
        self._shapes = [(rows, engine.inputs)] if rows > 1 else [(1, engine.inputs), (engine.inputs,)]
        self._prediction = Prediction(engine, rows)

    def __call__(self, x: Any) -> Array:
        if type(x) is not ndarray or x.shape not in self._shapes or x.dtype.kind not in NUMBERS:
            x = self._checked(x)
        prediction, lock = self._prediction, self._turns.lock
        if lock._is_owned():  # type: ignore[attr-defined]
            lock = self._turns.first  # which says what is wrong
        with lock:
            if not prediction.copies:
                return prediction(self._engine, x)
            prediction.values[...] = x  # what the prediction does: to call it would take as long as this
            prediction.entry(prediction.layers_address, prediction.job_address, 0)
            return prediction.output.copy()

    def _checked(self, x: Any) -> Array:
        """x as an array of numbers of the right shape; TypeError or ValueError if it is something else."""
        try:
            array = np.asarray(x)
        except ValueError as error:  # rows of several lengths
            raise ValueError(f"x got rows that differ in length; wants an array {self._wanted}") from error
        if array.dtype.kind not in NUMBERS:
            raise TypeError(f"x got {x!r:.80}; wants {self._wanted} real numbers")
        if array.shape not in self._shapes:
            raise ValueError(f"x got shape {array.shape}; wants {self._wanted}")
        return array

    @property
    def _wanted(self) -> str:
        return " or ".join(map(str, self._shapes))


STREAK, STREAK_SECONDS = 16, 2e-4
"""Calls that follow each other so fast, so many times, find the workers of the last one standing by.  To wake them
takes half a millisecond, which is worth it for many calls in a row only, or for a long one."""
NUMBERS = "fiub"
"""The kinds of dtypes that hold real numbers."""
COPIED_VALUES = 8192
"""Up to so many values are copied, which costs less than the address of an array."""
GLANCED_VALUES = 10_000
"""Up to so many values are looked at by a product with themselves: BLAS takes several threads to more."""
KEPT = 8
"""Jobs that an engine keeps; more are of a program whose every batch has another size."""


def prediction(engine: Engine, rows: int) -> Prediction | None:
    """The engine's own for so many rows, if those are few enough."""
    if rows not in engine.prepared:
        _keep(engine, rows, Prediction(engine, rows) if engine.costs.prepares(rows) else None)
    kept: Prediction | None = engine.prepared[rows]
    return kept


def step(engine: Engine, rows: int, labels: bool) -> Step | None:
    """The engine's own for so many rows, if a step on them is one for a single thread, and summed in one piece."""
    kept: Step | None = engine.prepared.get(("step", rows))
    whole = kept is None and not engine.functions and engine.costs.chunks(rows) == 0
    if whole and engine.costs.training_threads(rows, rows) == 1:
        kept = Step(engine, rows, labels)
        _keep(engine, ("step", rows), kept)
    return kept


def _keep(engine: Engine, key: Any, prepared: Prediction | Step | None) -> None:
    if len(engine.prepared) > KEPT:
        engine.prepared.clear()
    engine.prepared[key] = prepared


class Step(_Prepared):
    """Training steps, one a call, on a fixed number of rows, which are copied.

    The engine's parameters, slots and hyper-parameters are read and written in place.
    """

    def __init__(self, engine: Engine, rows: int, labels: bool) -> None:
        super().__init__(engine, rows, "train")
        job = self.job
        self.x = np.zeros((rows, engine.inputs), engine.dtype)
        self.y = np.zeros(rows, np.int64) if labels else np.zeros((rows, engine.outputs), engine.dtype)
        self.weight, self.weighted = np.ones(rows), False
        job.data = point_at(Data(self.x, self.y, labels, self.weight), rows)
        self.rate = np.zeros(1)
        self.scores = np.zeros((rows, 1 + len(engine.metrics)))
        self.results = np.zeros(1 + len(engine.metrics))
        self.backup = aligned(engine.parameters.saved_count, engine.dtype)
        self.version = -1  # of the parameters, when the backup was the same
        self.gradients = aligned(engine.layout.parameter_count, engine.dtype)
        self.memory.gradients, job.network.backup = address(self.gradients), address(self.backup)
        self.memory.scores, self.memory.results = address(self.scores), address(self.results)
        self.optimizer = job.optimizer  # a group alone is found faster at each call

    def __call__(self, engine: Engine, data: Data) -> list[float] | None:
        """Take a step.

        Returns the means over the rows of the loss before it and of the metrics; None if the loss or a weight became
        NaN or infinite: then all is as before.
        """
        optimizer, parameters = self.optimizer, engine.parameters
        if self.version != parameters.version:
            parameters.save(self.backup)
        parameters.lend(keeps_transposed=True)
        self.x[...] = data.x  # copies of few rows cost less than the addresses of new arrays
        self.y[...] = data.y  # type: ignore[assignment]
        if data.weight is not None or self.weighted:
            self.weight[:] = 1.0 if data.weight is None else data.weight
            self.weighted = data.weight is not None
        optimizer.iterations = iterations = parameters.count.value
        optimizer.rates = 0
        if engine.optimizer.rates is not None:
            self.rate[:] = engine.optimizer.rates(np.array([iterations]))
            optimizer.rates = address(self.rate)
        self.results.fill(0.0)
        if self.entry(self.layers_address, self.job_address, 0):
            return None
        parameters.came_along()
        self.version = parameters.version
        rows = self.rows
        return [total / rows for total in self.results.tolist()]
