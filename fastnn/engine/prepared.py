"""One call, a few microseconds: a step or a prediction on few rows, with everything prepared beforehand.

What a call of the engine sets up each time, these keep: a job of their own, their buffers, and whatever they have found
out about the arrays they are given.
"""

from __future__ import annotations

import ctypes
import math
from time import perf_counter
from typing import Any

import numpy as np

from .engine import (
    MODE,
    ROW_BLOCK,
    SYNCHRONISATION_WORDS,
    WIDTH_MULTIPLE,
    Array,
    Data,
    Engine,
    JobRecord,
    Part,
    address,
    aligned,
    point_at,
)
from .threads import Crew

__all__ = ["Predictor", "Step", "finite", "fits", "predictor"]


def fits(array: Any, width: int, dtype: np.dtype[Any]) -> bool:
    """Whether it is a (rows, width) array of the dtype, with some rows."""
    return (
        type(array) is np.ndarray
        and array.dtype is dtype
        and array.ndim == 2
        and array.shape[1] == width
        and len(array) > 0
    )


def finite(array: Array) -> bool:
    """Whether all of a small array is, as far as a glance shows: a value whose square overflows is doubtful too."""
    return array.size <= 8192 and math.isfinite(np.vdot(array, array))  # no warning, unlike a sum


class _Prepared:
    """A job of its own on an engine, for a number of rows, an equal part of which is each thread's."""

    def __init__(self, engine: Engine, rows: int, mode: str, threads: int = 1) -> None:
        self.engine, self.rows, self.threads, self.run = engine, rows, threads, engine.run
        job = self.job = JobRecord.from_buffer_copy(engine.job)
        size = engine.dtype.itemsize
        capacity = -(-rows // (8 * threads)) * 8
        self.workspace = aligned(threads * capacity * engine.row_values, engine.dtype)
        self.synchronisation = aligned(SYNCHRONISATION_WORDS, np.int64)
        (
            job.run.mode,
            job.run.threads,
            job.split.chunks,
            job.order.shuffle,
            job.data.origin,
            job.network.keeps_transposed,
        ) = MODE[mode], 1, 0, 0, 0, 1
        job.memory.capacity, job.memory.workspace, job.split.by_columns, job.split.from_data = (
            capacity,
            address(self.workspace),
            0,
            0,
        )
        job.split.replicated = job.data.lazy_nan_check = 0
        job.memory.workspace_size = capacity * engine.row_values * size
        self.scratch = aligned(threads * engine.scratch_size, np.uint8)
        job.memory.scratch, job.memory.scratch_size = address(self.scratch), engine.scratch_size
        blocks = -(-rows // ROW_BLOCK)
        self.partials = aligned(blocks * job.memory.partial_values, engine.dtype)
        self.sums = aligned(engine.sum_count, np.float64)
        job.memory.partials, job.memory.sums = address(self.partials), address(self.sums)
        job.run.synchronisation = address(self.synchronisation)
        job.data.rows = job.data.batch_size = rows
        job.run.first_step, job.run.last_step, job.run.steps_per_epoch, job.run.first_epoch = (
            0,
            -(-rows // capacity),
            1,
            0,
        )
        self.layers_address, self.job_address = ctypes.addressof(engine.layers), ctypes.addressof(job)


class Predictor(_Prepared):
    """Predictions for a fixed number of rows: what `Sequential.predictor` returns.

    Call it with (rows, inputs) values, or (inputs,) for one row, of any real dtype; it returns (rows, units).  Nothing
    is validated but the shape.  It sees the model's weights as they are at the call, until the model is compiled anew.
    One thread at a time may call it.
    """

    def __init__(self, engine: Engine, rows: int) -> None:
        by_units = engine.unit_threads(rows)
        super().__init__(engine, rows, "predict", by_units or engine.inference_threads(rows))
        if by_units:  # all rows are one block of all threads
            self.job.split.by_columns, self.job.memory.capacity, self.job.run.last_step = (
                1,
                -(-rows // ROW_BLOCK) * ROW_BLOCK,
                1,
            )
            self.job.split.column_block = WIDTH_MULTIPLE
        self.x = np.zeros((rows, engine.inputs), engine.dtype)
        self.output = np.zeros((rows, engine.outputs), engine.dtype)
        # On one thread, in seconds: 100 GFLOP/s, and weights at 25 GB/s.
        size = engine.parameter_count * engine.dtype.itemsize
        self.long = engine.row_operations * rows / 3e11 + size / 2.5e10 > 1e-3
        self.last, self.streak, self.woken, self.alone = 0.0, 0, 0, math.inf
        self.copies = self.threads == 1 and self.x.size + self.output.size <= COPIED_VALUES
        self.part = Part(self.run, self.layers_address, [self.job_address] * self.threads, self.synchronisation)
        self.copies_output = self.output.size <= COPIED_VALUES
        self.plain = self.threads == 1 and not engine.functions
        point_at(self.job, Data(self.x))
        self.job.memory.output, self.job.memory.output_row = address(self.output), engine.outputs

    def __call__(self, x: Any) -> Array:
        if self.copies:
            self.x[:] = x
            self.run(self.layers_address, self.job_address, 0)
            return self.output.copy()
        if not fits(x, self.x.shape[1], self.x.dtype) or len(x) != self.rows or not x.flags.c_contiguous:
            self.x[:] = x
            x = self.x
        start = address(x)
        job, output = self.job, self.output
        job.data.x, job.data.x_end = start, start + self.x.nbytes
        if not self.copies_output:
            output = np.empty_like(output)
            job.memory.output = address(output)
        if self.plain:
            self.run(self.layers_address, self.job_address, 0)
        else:
            self._call()
        return output.copy() if self.copies_output else output

    def _call(self) -> None:
        """On as many threads as there are at once."""
        job = self.job
        if self.threads == 1 or self.long:
            self.engine.call(job, self.synchronisation, self.threads)
            return
        begin = perf_counter()
        if begin - self.last > STREAK_SECONDS:
            self.streak, self.woken, self.alone = 0, 0, math.inf
        together = self.streak >= STREAK
        if together:
            self.synchronisation.fill(0)
            with Crew(self.threads) as crew:
                job.run.threads = crew.size
                self.part.together(crew)
            self.engine.check_functions(self.synchronisation)
        else:
            self.engine.call(job, self.synchronisation, 1)
        self.last = perf_counter()
        self.streak += 1
        if not together:
            self.alone = min(self.alone, self.last - begin)
        elif self.last - begin > 2 * self.alone:  # the helpers had gone
            self.woken += 2
            if self.woken > 40:  # again and again
                self.streak, self.woken = -8 * STREAK, 0
        elif self.woken:
            self.woken -= 1


STREAK, STREAK_SECONDS = 16, 2e-4
"""Calls that follow each other so fast, so many times, find the helpers of the last one standing by.  To wake them
takes half a millisecond, which is worth it for many calls in a row only, or for a long one."""
COPIED_VALUES = 8192
"""Up to so many values are copied, which costs less than the address of an array."""


def predictor(engine: Engine, rows: int) -> Predictor | None:
    """The engine's own for so many rows, where each thread's stay in the second cache, or each takes some units."""
    if rows not in engine.prepared:
        if len(engine.prepared) > 8:  # every batch another size: keep no more
            engine.prepared.clear()
        small = rows * engine.row_values * engine.dtype.itemsize <= 2**20 * engine.inference_threads(rows)
        engine.prepared[rows] = Predictor(engine, rows) if small or engine.unit_threads(rows) else None
    held: Predictor | None = engine.prepared[rows]
    return held


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
        point_at(job, Data(self.x, self.y, labels, self.weight))
        self.rate = np.zeros(1)
        self.scores = np.zeros((rows, 1 + len(engine.metrics)))
        self.results = np.zeros(1 + len(engine.metrics))
        self.backup = aligned(engine.kept_count, engine.dtype)
        self.changes = -1  # of the parameters, when the backup was the same
        self.gradients = aligned(engine.parameter_count, engine.dtype)
        job.memory.gradients = address(self.gradients)
        job.memory.scores, job.memory.results, job.network.backup = (
            address(self.scores),
            address(self.results),
            address(self.backup),
        )
        job.order.seed = 0

    @staticmethod
    def suits(engine: Engine, rows: int) -> bool:
        """Whether a step on so many rows is one for a single thread, and summed in one piece."""
        operations = engine.row_operations * rows
        return not engine.functions and engine.thread_count(operations, rows) == 1 and engine.chunks(rows) == 0

    def __call__(self, data: Data) -> Array | None:
        """Take a step.

        Returns the means over the rows of the loss before it and of the metrics; None if the loss or a weight became
        NaN or infinite: then all is as before.
        """
        engine, job = self.engine, self.job
        with engine.busy:
            engine.follow()
            if self.changes != engine.changes:
                engine.keep(self.backup)
            self.x[:] = data.x  # copies of few rows cost less than the addresses of new arrays
            self.y[:] = data.y  # type: ignore[assignment]
            if data.weight is not None or self.weighted:
                self.weight[:] = 1.0 if data.weight is None else data.weight
                self.weighted = data.weight is not None
            job.optimizer.iterations = engine.iterations
            job.optimizer.rates = 0
            if engine.rates is not None:
                self.rate[:] = engine.rates(np.array([engine.iterations]))
                job.optimizer.rates = address(self.rate)
            self.results[:] = 0.0
            diverged = 1
            try:
                diverged = self.run(self.layers_address, self.job_address, 0)
            finally:  # where Ctrl-C strikes before it is known, the step has not been
                if diverged:
                    engine.put_back(self.backup)
                    self.synchronisation[:] = 0
                else:
                    engine.iterations += 1
                engine.changes += 1
                self.changes = engine.changes
        return None if diverged else self.results / self.rows
