"""Steps on batches that ranks share: the gradient of a rank's parts of one, and the update by all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.kernels import tuning
from fastnn.kernels.records import JobRecord
from .cost_model import ROW_BLOCK
from .dataset import Data, point_at
from .jobs import MODE, place_workspace
from .memory import BYTE, DOUBLE, Array, address, aligned

if TYPE_CHECKING:
    from .engine import Engine


def part_starts(rows: int, parts: int) -> list[int]:
    """Where each part of a batch of so many rows starts, and where the last one ends: multiples of ROW_BLOCK."""
    blocks = -(-rows // ROW_BLOCK)
    return [min(blocks * part // parts * ROW_BLOCK, rows) for part in range(parts + 1)]


class PartSteps:
    """What takes such steps on an engine, for the length of one call of `attach`.

    Attributes
    ----------
    message : (parameter_count + state_count,) array
        What ranks exchange: the sum of the gradients by this one's parts, and of what they move the moving statistics
        by.
    scores : (parts, 1 + metrics) array of float64
        The sums of loss and metrics over the rows of each part.
    outputs : (rows, outputs) array or None
        What the network gave for each row of the parts, if the engine keeps it.
    """

    def __init__(self, engine: Engine, parts: int, rows: int, message: Array | None = None) -> None:
        layout = engine.layout
        self.engine, self.parts = engine, parts
        self.capacity = -(-int(rows) // ROW_BLOCK) * ROW_BLOCK  # rows of the largest part
        self.message = aligned(self.size(engine), engine.dtype) if message is None else message
        self.gradient = self.message[: layout.parameter_count]
        self.moved = self.message[layout.parameter_count :]
        self.scores = np.zeros((parts, 1 + len(engine.metrics)))
        self.outputs = np.empty((parts * rows, engine.outputs), engine.dtype) if engine.keeps_outputs else None
        self._penalties = np.zeros(1 + len(engine.metrics))
        self._starts, self._row_weight = np.zeros(parts + 1, np.int64), np.zeros(1)
        # Where batches are normalised, each part is a call of its own, with a gradient and statistics of its own.
        self._apart = layout.partial_values > 0
        levels = parts.bit_length() if self._apart else 0
        self._branches = [aligned(len(self.message), engine.dtype) for _ in range(levels)]
        self._state = aligned(layout.state_count if self._apart else 0, engine.dtype)

    @staticmethod
    def size(engine: Engine) -> int:
        """Values of a message; one that the caller has made is of zeros, and begins on a cache line."""
        return engine.layout.parameter_count + engine.layout.state_count

    def attach(self, data: Data, batch_size: int, steps_per_epoch: int, order: Any, threads: int) -> None:
        """Prepare for steps on some data, which are visited in an order: a group of a job."""
        engine, layout, place = self.engine, self.engine.layout, self.engine.buffers.place
        costs, job, real = engine.costs_of(data), engine.job, engine.dtype
        self.threads, columns = threads, 1 + len(engine.metrics)
        job.run, job.split, job.memory, job.order = engine.blank.run, engine.blank.split, engine.blank.memory, order
        job.data = point_at(data, batch_size)
        memory, split = job.memory, job.split
        memory.scratch = place("scratch", threads * layout.scratch_size, BYTE)
        memory.sums = place("sums", layout.sum_count, DOUBLE)
        memory.gradients, memory.results = address(self.gradient), address(self._penalties)
        job.order.row_weights = address(self._row_weight)
        split.column_block = tuning.SUM_COLUMNS
        engine.parameters.lend(costs.keeps_transposed(self.parts * self.capacity, threads, 0))
        job.run.mode = MODE["update"]
        self._update = JobRecord.from_buffer_copy(job)

        job.run.mode, job.run.steps_per_epoch = MODE["parts"], steps_per_epoch
        place_workspace(engine, costs, self.capacity, self.parts)
        memory.partials = place("partials", -(-self.capacity // ROW_BLOCK) * layout.partial_values, real)
        memory.scores = place("scores", self.parts * self.capacity * columns, DOUBLE)
        memory.branch_count = (self.parts - 1).bit_length()
        values = threads * memory.branch_count * tuning.PANEL_ROWS * tuning.PANEL_COLUMNS
        memory.branches = place("branches", values, real)
        memory.results, memory.output, memory.output_row = address(self.scores), address(self.outputs), engine.outputs
        split.parts, split.part_starts = self.parts, address(self._starts)
        self._gradient = JobRecord.from_buffer_copy(job)

    def differentiate(self, step: int, starts: list[int], rows: int, batch_row: int = 0) -> None:
        """The gradient of this rank's parts of a batch into `message`, and their `scores`.

        Parameters
        ----------
        step : int
            Its place in the data follows from it.
        starts : list of int
            Where the parts start, from the batch's first row in the data; and where the last one ends.
        rows : int
            Of the whole batch.
        batch_row : int
            The number in the whole batch of the row that ``starts`` counts from.
        """
        job = self._gradient
        self._row_weight[0], self._starts[:] = 1 / rows, starts
        job.run.first_step, job.optimizer.iterations = step, self.engine.iterations
        job.split.batch_row = batch_row
        if self._apart:
            self._each_by_itself(job, starts, rows)
        else:
            self.engine.call(job, self.engine.synchronisation, self.threads)

    def _each_by_itself(self, job: Any, starts: list[int], rows: int) -> None:
        engine, branches = self.engine, self._branches
        columns, count, level = self.scores.shape[1], engine.parameter_count, 0
        for part in range(self.parts):
            branch = branches[level]
            state, own = engine.parameters.state, starts[part + 1] - starts[part]
            if own:
                self._state[:] = state
                job.network.state, job.memory.gradients = address(self._state), address(branch)
                job.memory.results = address(self.scores) + part * columns * 8
                job.split.parts, job.split.part_starts = 1, address(self._starts) + 8 * part
                if self.outputs is not None:
                    place = (starts[part] - starts[0]) * engine.outputs * engine.dtype.itemsize
                    job.memory.output = address(self.outputs) + place
                engine.call(job, engine.synchronisation, self.threads)
                np.multiply(np.subtract(self._state, state), engine.dtype.type(own / rows), out=branch[count:])
            else:
                branch[:], self.scores[part] = 0, 0
            level += 1
            pairs = part + 1
            while pairs % 2 == 0:
                level -= 1
                branches[level - 1] += branches[level]
                pairs //= 2
        self.message[:] = branches[0]

    def update(self, number: int) -> float:
        """One step of the optimizer along the sum of all ranks' messages, of the rates the one of this number.

        Returns the penalties on the weights as they were, for each row.
        """
        engine, job = self.engine, self._update
        job.optimizer = engine.job.optimizer
        if job.optimizer.rates:
            job.optimizer.rates += 8 * number
        job.optimizer.iterations = engine.iterations
        self._penalties[0] = 0
        engine.call(job, engine.synchronisation, self.threads)
        if self._apart:
            engine.parameters.state += self.moved
        return float(self._penalties[0])
