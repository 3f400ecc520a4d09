"""Training many networks of one structure side by side in the lanes of vectors: see source/members of the kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from fastnn.kernels import records
from fastnn.kernels.formulas import LOSSES
from fastnn.kernels.machine import instruction_set
from fastnn.kernels.records import JobRecord, LayerRecord
from fastnn.typing import Array
from .backends import load
from .engine import Engine
from .jobs import MODE, SYNCHRONISATION_WORDS
from .memory import address, aligned

MEMBER_SCALARS: int = records.MEMBER_SCALARS
REFUSED = ("custom", "softmax")  # activations of hidden layers
ALONE = ("cosine_similarity", "categorical_hinge")  # losses that look at all outputs of a row


MOST_BYTES = 2**18
"""Of a group's weights: with their slots and gradients, and the rows of a batch, larger ones leave the second cache."""


def lanes_for(dtype: np.dtype[Any]) -> int:
    """How many members a group has."""
    return instruction_set()[1].vector_bytes // dtype.itemsize


def pay(engines: Sequence[Engine]) -> bool:
    """Whether networks are trained sooner side by side: they are small, and fill half of the lanes at least."""
    first = engines[0]
    lanes = lanes_for(first.dtype)
    groups = -(-len(engines) // lanes)
    group = sum(record.rows * record.outputs for record in first.layers) * lanes * first.dtype.itemsize
    return group <= MOST_BYTES and 2 * len(engines) >= groups * lanes


def suit(engines: Sequence[Engine]) -> bool:
    """Whether networks can be trained side by side: dense layers alone, and nothing but plain steps."""
    first = engines[0]
    job, plans = first.job, first.plans
    losses = list(LOSSES)
    loss = losses[job.loss.code] if job.loss.code >= 0 else ""
    crossentropy = loss == "categorical_crossentropy_from_logits"
    row = LOSSES.get(loss)
    plain = row is not None and row.gradient is not None and not row.of_log_softmax and loss not in ALONE
    last = plans[-1].activation
    return (
        first.backend in ("numba", "cython")
        and all(plan.dense and plan.activation not in REFUSED for plan in plans[:-1])
        and plans[-1].dense
        and (crossentropy or (plain and last not in REFUSED))
        and not job.loss.metric_count
        and not first.keeps_outputs
        and all(map(_is_plain, engines))
        and all(
            (each.job.optimizer.code, each.plans) == (job.optimizer.code, plans)
            and bytes(each._loss_parameters) == bytes(first._loss_parameters)
            and all(
                getattr(each.job.loss, name) == getattr(job.loss, name)
                for name in ("code", "on_logits", "scale", "target_scale", "target_shift")
            )
            for each in engines[1:]
        )
    )


def _is_plain(engine: Engine) -> bool:
    """Whether nothing but the optimizer's rule makes an update."""
    job, optimizer = engine.job, engine.job.optimizer
    layers = [getattr(record, name) for record in engine.layers for name in ("kernel_rate", "bias_rate")]
    return (
        engine.optimizer.plan is not None
        and optimizer.clip == 0
        and optimizer.average < 0
        and optimizer.accumulated_steps <= 1
        and not job.network.penalized
        and not job.network.constrained
        and job.network.first_trained == 0
        and all(rate == 1 for rate in layers)
        and not any(record.frozen for record in engine.layers)
    )


class MemberTraining:
    """Steps of many networks at once; they have the weights again when `give_back` has been called.

    Parameters
    ----------
    engines : sequence of Engine
        That `suit`.
    x, y : Array
        (rows, inputs) and (rows, outputs) for all, or (members, rows, ...) for each, in one piece and of the
        networks' dtype.
    batch_size : int
    seeds : sequence of int
        Of each member's order of rows; of the first alone where all have the same.
    shuffle, together : bool
        Whether rows are visited in a random order, and whether all members visit the same ones.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        x: Array,
        y: Array,
        batch_size: int,
        seeds: Sequence[int],
        shuffle: bool,
        together: bool,
    ) -> None:
        self.engines, self.x, self.y = list(engines), x, y
        first = engines[0]
        self.dtype, self.rows = first.dtype, x.shape[-2]
        self.batch_size = min(batch_size, self.rows)
        self.steps_per_epoch = -(-self.rows // self.batch_size)
        self.lanes = lanes_for(self.dtype)
        self.groups = -(-len(engines) // self.lanes)
        self.shuffle = shuffle
        self.together = together and x.ndim == y.ndim == 2
        self.seeds = self._padded(np.array(seeds, np.int64))
        self.hyper = self._padded(np.array([engine.optimizer._hyper for engine in engines]))
        self._lay_out()
        self.parameters = self._packed(lambda engine, number: engine.parameters.matrix(number))
        slots = first.job.network.slot_count
        self.slots = aligned(max(1, slots) * len(self.parameters), self.dtype)
        for slot in range(slots):
            part = self.slots[slot * len(self.parameters) :][: len(self.parameters)]
            part[:] = self._packed(partial(self._slot, slot))
        self.done = 0  # epochs

    def _padded(self, values: Array) -> Array:
        """Values of members, and of as many more as fill the last group."""
        missing = self.groups * self.lanes - len(values)
        return np.ascontiguousarray(np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]))

    def _lay_out(self) -> None:
        """The layers' records: where weights, and rows of a batch, stand."""
        first, lanes = self.engines[0], self.lanes
        self.layers = (LayerRecord * len(first.plans))()
        weights = 0
        inputs, before = first.inputs, 0
        row = (inputs + 1) * lanes
        for record, own in zip(self.layers, first.layers, strict=True):
            units = own.outputs
            record.kind, record.activation, record.parameter = records.DENSE, own.activation, own.parameter
            record.inputs, record.rows, record.outputs = inputs, own.rows, units * lanes
            record.weights, record.stride = weights, units * lanes
            record.height, record.width = own.rows, units * lanes
            record.kept = own.output_stride  # from one row of the loss's constants to the next
            record.input, record.input_stride = before, (inputs + 1) * lanes
            record.output_stride = (units + 1) * lanes
            record.output, record.delta = row, row + record.output_stride
            row += 2 * record.output_stride
            record.slope = -1
            if own.slope >= 0:
                record.slope = row
                row += record.output_stride
            weights += own.rows * units * lanes
            inputs, before = units, record.output
        self.group_values = weights
        self.target, self.target_stride = row, inputs * lanes
        self.row_values = row + self.target_stride

    def _packed(self, matrix: Callable[[Engine, int], Array]) -> Array:
        """Matrices of all members, side by side in the lanes."""
        found = aligned(self.groups * self.group_values, self.dtype)
        by_group = found.reshape(self.groups, self.group_values)
        for number, record in enumerate(self.layers):
            shape = (record.rows, record.outputs // self.lanes)
            stacked = self._padded(np.stack([matrix(engine, number) for engine in self.engines]))
            lanes = stacked.reshape(self.groups, self.lanes, *shape).transpose(0, 2, 3, 1)
            size = record.rows * record.outputs
            by_group[:, record.weights : record.weights + size] = lanes.reshape(self.groups, size)
        return found

    def _unpacked(self, vector: Array, number: int) -> Array:
        """A layer's matrices (members, rows, units)."""
        record = self.layers[number]
        size, units = record.rows * record.outputs, record.outputs // self.lanes
        part = vector.reshape(self.groups, self.group_values)[:, record.weights : record.weights + size]
        lanes = part.reshape(self.groups, record.rows, units, self.lanes).transpose(0, 3, 1, 2)
        return lanes.reshape(-1, record.rows, units)[: len(self.engines)]

    @staticmethod
    def _slot(slot: int, engine: Engine, number: int) -> Array:
        count = len(engine.parameters.values)
        return engine.parameters.matrix(number, engine.parameters.slots[slot * count :][:count])

    def train(self, epochs: int, threads: int) -> Array:
        """Some more epochs; the sums of the losses of each member's rows, (epochs, members)."""
        sums = np.zeros((epochs, self.groups * self.lanes))
        first, last = self.done * self.steps_per_epoch, (self.done + epochs) * self.steps_per_epoch
        rates = self._rates(first, last)
        threads = max(1, min(threads, self.groups))
        jobs = [self._job(n, threads, sums, rates, first, last) for n in range(threads)]
        _, entry = load(self.engines[0].backend, self.dtype.name)

        def run(job: Any) -> Any:
            return entry(ctypes.addressof(self.layers), ctypes.addressof(job[0]), 0)

        if threads == 1:
            ended = [run(jobs[0])]
        else:
            with ThreadPoolExecutor(threads) as pool:
                ended = list(pool.map(run, jobs))
        if any(ended):
            raise RuntimeError(f"the kernels have vectors of another length than {self.lanes}")
        self.done += epochs
        return sums[:, : len(self.engines)]

    @property
    def steps(self) -> int:
        """Steps that have been made."""
        return int(self.done * self.steps_per_epoch)

    @property
    def finite(self) -> Array:
        """Whether all of each member's weights are finite, (members,)."""
        found = np.ones(len(self.engines), np.bool_)
        for number in range(len(self.layers)):
            found &= np.isfinite(self._unpacked(self.parameters, number)).all(axis=(1, 2))
        return found

    def _rates(self, first: int, last: int) -> Array | None:
        """The learning rate of each member's steps, (members, steps), where some have a schedule."""
        if all(engine.optimizer.rates is None for engine in self.engines):
            return None
        found = np.empty((len(self.engines), last - first))
        for row, engine, hyper in zip(found, self.engines, self.hyper, strict=False):
            steps = engine.iterations + np.arange(first, last)
            row[:] = hyper[0] if engine.optimizer.rates is None else engine.optimizer.rates(steps)
        return self._padded(found)

    def _job(
        self, number: int, threads: int, sums: Array, rates: Array | None, first: int, last: int
    ) -> tuple[Any, ...]:
        """The job of a thread, and what it must not outlive."""
        job, engine = JobRecord(), self.engines[0]
        words, scratch = aligned(SYNCHRONISATION_WORDS, np.int64), aligned(self._scratch_values(), np.float64)
        workspace = aligned(self.batch_size * self.row_values, self.dtype)
        gradients = aligned(self.group_values, self.dtype)
        job.run.mode, job.run.threads, job.run.synchronisation = MODE["members"], 1, address(words)
        job.run.first_step, job.run.last_step, job.run.steps_per_epoch = first, last, self.steps_per_epoch
        job.run.first_epoch = self.done
        job.network.layer_count, job.network.parameter_count = len(self.layers), len(self.parameters)
        job.network.slot_count = engine.job.network.slot_count
        job.network.parameters, job.network.slots = address(self.parameters), address(self.slots)
        job.loss = engine.job.loss
        job.optimizer.code, job.optimizer.iterations = engine.job.optimizer.code, engine.iterations + first
        size = self.dtype.itemsize
        data, bits = job.data, (self.rows - 1).bit_length()
        data.x, data.x_row = address(self.x), self.x.shape[-1] * size
        data.y, data.y_row = address(self.y), self.y.shape[-1] * size
        data.x_end, data.y_end = data.x + self.x.nbytes, data.y + self.y.nbytes
        data.rows, data.batch_size = self.rows, self.batch_size
        job.order.shuffle, job.order.mask, job.order.shift = self.shuffle, (1 << bits) - 1, max(1, bits // 2)
        memory, members = job.memory, job.members
        memory.workspace, memory.capacity = address(workspace), self.batch_size
        memory.workspace_size, memory.scratch_size, memory.gradient_levels = workspace.nbytes, scratch.nbytes, 1
        memory.target, memory.target_stride = self.target, self.target_stride
        memory.gradients, memory.scratch = address(gradients), address(scratch)
        memory.results, memory.output_row = address(sums), sums.shape[1]
        members.lanes, members.group_values = self.lanes, self.group_values
        members.first, members.end = (self.groups * n // threads for n in (number, number + 1))
        members.seeds, members.hyper = address(self.seeds), address(self.hyper)
        members.rates, members.rate_stride = address(rates), 0 if rates is None else rates.shape[1]
        members.x_member = self.rows * data.x_row if self.x.ndim == 3 else 0
        members.y_member = self.rows * data.y_row if self.y.ndim == 3 else 0
        members.together = self.together or (self.x.ndim == self.y.ndim == 2 and not self.shuffle)
        return job, words, scratch, workspace, gradients

    def _scratch_values(self) -> int:
        outputs = int(self.layers[len(self.layers) - 1].outputs)
        return MEMBER_SCALARS * self.lanes + outputs + 2 * self.lanes + MEMBER_SCALARS + 64

    def give_back(self, chosen: Sequence[int]) -> None:
        """Write weights, slots and counts to the networks of these numbers."""
        matrices = [self._unpacked(self.parameters, number) for number in range(len(self.layers))]
        count = len(self.parameters)
        slots = {
            (slot, number): self._unpacked(self.slots[slot * count :][:count], number)
            for slot in range(self.engines[0].job.network.slot_count)
            for number in range(len(self.layers))
        }
        for place in chosen:
            engine = self.engines[place]
            with engine.busy:
                for number, found in enumerate(matrices):
                    engine.parameters.matrix(number)[...] = found[place]
                engine.parameters.set_slots({key: found[place] for key, found in slots.items()})
                engine.iterations += self.steps
