"""Training many networks of one structure side by side in the lanes of vectors: see source/members of the kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from fastnn.kernels import records
from fastnn.kernels.formulas import LOSSES, OPTIMIZERS
from fastnn.kernels.machine import instruction_set
from fastnn.kernels.records import JobRecord, LayerRecord
from fastnn.typing import Array
from .backends import load
from .engine import Engine
from .jobs import MODE, SYNCHRONISATION_WORDS
from .layer_plan import LayerPlan
from .memory import address, aligned
from .optimizer import OptimizerPlan, Rates

MEMBER_SCALARS: int = records.MEMBER_SCALARS
REFUSED = ("custom", "softmax")  # activations of hidden layers
ALONE = ("cosine_similarity", "categorical_hinge")  # losses that look at all outputs of a row


MOST_BYTES = 2**18
"""Of a group's weights: with their slots and gradients, and the rows of a batch, larger ones leave the second cache."""


def lanes_for(dtype: np.dtype[Any]) -> int:
    """How many members a group has."""
    return instruction_set()[1].vector_bytes // dtype.itemsize


class MemberStates(NamedTuple):
    """What training changes of many networks of one layout, and what each is trained by.

    Attributes
    ----------
    values : (members, parameters) array
        Laid out like an engine's parameters.
    slots : (members, slots * parameters) array
    hyper : (members, constants) array
        Of each one's optimizer, as `hyper_of` returns them.
    rates : list of Rates or None
        Each one's learning rate, where it is a function.
    iterations : (members,) array of int
        How many updates each has made.
    penalties : (members, layers, 4) array, optional
        l1 and l2 of each layer's kernel and of its bias.
    """

    values: Array
    slots: Array
    hyper: Array
    rates: list[Rates | None]
    iterations: Array
    penalties: Array | None = None

    def of(self, chosen: Array) -> MemberStates:
        """Those of some members, by their numbers."""
        values, slots, hyper, rates, iterations, penalties = self
        return MemberStates(
            values[chosen],
            slots[chosen],
            hyper[chosen],
            [rates[number] for number in chosen],
            iterations[chosen],
            None if penalties is None else penalties[chosen],
        )


def pay(engine: Engine, members: int) -> bool:
    """Whether networks are trained sooner side by side: they are small, and fill half of the lanes at least."""
    lanes = lanes_for(engine.dtype)
    groups = -(-members // lanes)
    group = sum(record.rows * record.outputs for record in engine.layers) * lanes * engine.dtype.itemsize
    return group <= MOST_BYTES and 2 * members >= groups * lanes


def suit(engines: Sequence[Engine], rules: Sequence[OptimizerPlan]) -> bool:
    """Whether networks can be trained side by side: dense layers alone, and nothing but plain steps.

    ``rules`` are the optimizers of more networks, which are as the first engine otherwise.
    """
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
        and all(_is_plain_rule(rule) and rule.row == list(OPTIMIZERS)[job.optimizer.code] for rule in rules)
        and all(
            each.job.optimizer.code == job.optimizer.code
            and list(map(_unpenalized, each.plans)) == list(map(_unpenalized, plans))
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
    job, plan = engine.job, engine.optimizer.plan
    layers = [getattr(record, name) for record in engine.layers for name in ("kernel_rate", "bias_rate")]
    return (
        plan is not None
        and _is_plain_rule(plan)
        and not (job.network.penalized and job.network.penalty_by_row)
        and not job.network.constrained
        and job.network.first_trained == 0
        and all(rate == 1 for rate in layers)
        and not any(record.frozen for record in engine.layers)
    )


PENALTIES = ("kernel_l1", "kernel_l2", "bias_l1", "bias_l2")


def penalties_of(engine: Engine) -> list[list[float]]:
    """l1 and l2 of each layer's kernel and of its bias, as they count in a step."""
    return [[getattr(record, name) * record.penalized for name in PENALTIES] for record in engine.layers]


def _unpenalized(plan: LayerPlan) -> LayerPlan:
    """A layer but for its penalties, which members may have of their own."""
    rest = {name: value for name, value in plan.constants.items() if name not in (*PENALTIES, "penalized")}
    return plan._replace(constants=rest)


def _is_plain_rule(plan: OptimizerPlan) -> bool:
    return not plan.clip[0] and plan.average is None and plan.accumulated_steps <= 1


class MemberTraining:
    """Steps of many networks at once.

    Parameters
    ----------
    engine : Engine
        Of one of them; they `suit`.
    states : MemberStates
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
        engine: Engine,
        states: MemberStates,
        x: Array,
        y: Array,
        batch_size: int,
        seeds: Sequence[int],
        shuffle: bool,
        together: bool,
    ) -> None:
        self.engine, self.x, self.y, self.count = engine, x, y, len(states.values)
        self.dtype, self.rows = engine.dtype, x.shape[-2]
        self.batch_size = min(batch_size, self.rows)
        self.steps_per_epoch = -(-self.rows // self.batch_size)
        self.lanes = lanes_for(self.dtype)
        self.groups = -(-self.count // self.lanes)
        self.shuffle = shuffle
        self.together = together and x.ndim == y.ndim == 2
        self.seeds = self._padded(np.array(seeds, np.int64))
        self.hyper, self.rates = self._padded(states.hyper), states.rates
        self.iterations = self._padded(np.asarray(states.iterations, np.int64))
        self.penalties = None if states.penalties is None else self._padded(states.penalties)
        self._lay_out()
        self.parameters = self._packed(states.values)
        self.slot_count = states.slots.shape[1] // states.values.shape[1]
        parts = np.split(states.slots, self.slot_count, axis=1) if self.slot_count else []
        self.slots = np.concatenate([self._packed(part) for part in parts] or [aligned(1, self.dtype)])
        self.done = self._begun = 0  # epochs

    def _padded(self, values: Array) -> Array:
        """Values of members, and of as many more as fill the last group."""
        missing = self.groups * self.lanes - len(values)
        return np.ascontiguousarray(np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]))

    def _lay_out(self) -> None:
        """The layers' records: where weights, and rows of a batch, stand."""
        first, lanes = self.engine, self.lanes
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
            record.bias = own.inputs  # the first row that is of the bias
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

    def _packed(self, vectors: Array) -> Array:
        """Parameters (members, parameters), or what is laid out like them, side by side in the lanes."""
        found = aligned(self.groups * self.group_values, self.dtype)
        for own, lanes in self._matrices(self._padded(vectors), found):
            lanes[...] = own.reshape(self.groups, self.lanes, *own.shape[1:]).transpose(0, 2, 3, 1)
        return found

    def _unpacked(self, packed: Array) -> Array:
        """What `_packed` was given; the padding between matrices is 0."""
        found = np.zeros((self.groups * self.lanes, len(self.engine.parameters.values)), self.dtype)
        for own, lanes in self._matrices(found, packed):
            own[...] = lanes.transpose(0, 3, 1, 2).reshape(own.shape)
        return found[: self.count]

    def _matrices(self, vectors: Array, packed: Array) -> Iterator[tuple[Array, Array]]:
        """Views of each layer: (members, rows, units) of vectors, (groups, rows, units, lanes) of what is packed."""
        by_group = packed.reshape(self.groups, self.group_values)
        for number, record in enumerate(self.layers):
            rows, units = record.rows, record.outputs // self.lanes
            part = by_group[:, record.weights : record.weights + rows * record.outputs]
            yield (self.engine.parameters.matrices(number, vectors), part.reshape(self.groups, rows, units, self.lanes))

    def train(self, epochs: int, threads: int) -> Array:
        """Some more epochs; the sums of the losses of each member's rows, (epochs, members)."""
        sums = np.zeros((epochs, self.groups * self.lanes))
        first, last = self.done * self.steps_per_epoch, (self.done + epochs) * self.steps_per_epoch
        rates = self._rates(first, last)

        def prepare(job: Any) -> None:
            job.run.first_step, job.run.last_step, job.run.first_epoch = first, last, self.done
            job.members.rates, job.members.rate_stride = address(rates), 0 if rates is None else rates.shape[1]

        self.iterations += self.steps
        try:
            self._run(threads, self.x, self.y, sums, prepare)
        finally:
            self.iterations -= self.steps
        self.done += epochs
        return sums[:, : self.count]

    def measure(self, x: Array, y: Array, threads: int) -> Array:
        """The sums of the losses of other rows, (members,)."""
        sums = np.zeros((1, self.groups * self.lanes))
        self._run(threads, x, y, sums, lambda job: None, measures=True)
        return sums[0, : self.count]

    def outputs(self, x: Array, threads: int) -> Array:
        """The outputs for some rows (members, rows, units): before a last softmax, what goes into it."""
        units = self.layers[len(self.layers) - 1].outputs // self.lanes
        found = np.empty((self.groups * self.lanes, x.shape[-2], units), self.dtype)
        y, sums = np.zeros((x.shape[-2], units), self.dtype), np.zeros((1, self.groups * self.lanes))

        def prepare(job: Any) -> None:
            job.members.outputs = address(found)

        self._run(threads, x, y, sums, prepare, measures=True)
        return found[: self.count]

    def _run(
        self, threads: int, x: Array, y: Array, sums: Array, prepare: Callable[[Any], None], measures: bool = False
    ) -> None:
        """Call the kernels, with a part of the groups in each thread."""
        threads = max(1, min(threads, self.groups))
        jobs = []
        for number in range(threads):
            job, memory = self._job(x, y, sums, measures)
            job.members.first, job.members.end = (self.groups * n // threads for n in (number, number + 1))
            prepare(job)
            jobs.append((job, memory))
        _, entry = load(self.engine.backend, self.dtype.name)

        def run(job: Any) -> Any:
            return entry(ctypes.addressof(self.layers), ctypes.addressof(job[0]), 0)

        if threads == 1:
            ended = [run(jobs[0])]
        else:
            with ThreadPoolExecutor(threads) as pool:
                ended = list(pool.map(run, jobs))
        if any(ended):
            raise RuntimeError(f"the kernels have vectors of another length than {self.lanes}")

    @property
    def steps(self) -> int:
        """Steps that have been made since this was."""
        return int((self.done - self._begun) * self.steps_per_epoch)

    def states(self) -> MemberStates:
        """What training has left."""
        count = len(self.parameters)
        slots = [self._unpacked(self.slots[n * count :][:count]) for n in range(self.slot_count)]
        values = self._unpacked(self.parameters)
        kept = np.concatenate(slots, axis=1) if slots else values[:, :0]
        iterations, penalties = self.iterations[: self.count] + self.steps, self.penalties
        if penalties is not None:
            penalties = penalties[: self.count]
        return MemberStates(values, kept, self.hyper[: self.count], self.rates, iterations, penalties)

    def of(self, chosen: Array) -> MemberTraining:
        """The training of some members alone, from here on."""
        x, y = (array if array.ndim == 2 else array[chosen] for array in (self.x, self.y))
        seeds = self.seeds[chosen].tolist()
        kept = self.batch_size, seeds, self.shuffle, self.together
        found = MemberTraining(self.engine, self.states().of(chosen), x, y, *kept)
        found.done = found._begun = self.done  # the orders of rows go on
        return found

    def _rates(self, first: int, last: int) -> Array | None:
        """The learning rate of each member's steps, (members, steps), where some have a schedule."""
        if not any(self.rates):
            return None
        found = np.empty((self.count, last - first))
        for row, rate, hyper, before in zip(found, self.rates, self.hyper, self.iterations, strict=False):
            row[:] = hyper[0] if rate is None else rate(before + self.steps + np.arange(last - first))
        return self._padded(found)

    def _job(self, x: Array, y: Array, sums: Array, measures: bool) -> tuple[Any, Any]:
        """The job of a thread, and what it must not outlive."""
        job, engine = JobRecord(), self.engine
        words, scratch = aligned(SYNCHRONISATION_WORDS, np.int64), aligned(self._scratch_values(), np.float64)
        workspace = aligned(self.batch_size * self.row_values, self.dtype)
        gradients = aligned(self.group_values, self.dtype)
        job.run.mode, job.run.threads, job.run.synchronisation = MODE["members"], 1, address(words)
        job.run.steps_per_epoch = self.steps_per_epoch
        job.network.layer_count, job.network.parameter_count = len(self.layers), len(self.parameters)
        job.network.slot_count = self.slot_count
        job.network.parameters, job.network.slots = address(self.parameters), address(self.slots)
        job.loss, job.optimizer.code = engine.job.loss, engine.job.optimizer.code
        size, rows = self.dtype.itemsize, x.shape[-2]
        data, bits = job.data, (rows - 1).bit_length()
        data.x, data.x_row = address(x), x.shape[-1] * size
        data.y, data.y_row = address(y), y.shape[-1] * size
        data.x_end, data.y_end = data.x + x.nbytes, data.y + y.nbytes
        data.rows, data.batch_size = rows, self.batch_size
        job.order.shuffle = self.shuffle and not measures
        job.order.mask, job.order.shift = (1 << bits) - 1, max(1, bits // 2)
        memory, members = job.memory, job.members
        memory.workspace, memory.capacity = address(workspace), self.batch_size
        memory.workspace_size, memory.scratch_size, memory.gradient_levels = workspace.nbytes, scratch.nbytes, 1
        memory.target, memory.target_stride = self.target, self.target_stride
        memory.gradients, memory.scratch = address(gradients), address(scratch)
        memory.results, memory.output_row = address(sums), sums.shape[1]
        members.lanes, members.group_values = self.lanes, self.group_values
        members.seeds, members.hyper = address(self.seeds), address(self.hyper)
        members.iterations, members.penalties = address(self.iterations), address(self.penalties)
        members.x_member = rows * data.x_row if x.ndim == 3 else 0
        members.y_member = rows * data.y_row if y.ndim == 3 else 0
        members.together = x.ndim == y.ndim == 2 and (self.together or not job.order.shuffle)
        members.measures = measures
        return job, (words, scratch, workspace, gradients)

    def _scratch_values(self) -> int:
        outputs = int(self.layers[len(self.layers) - 1].outputs)
        return MEMBER_SCALARS * self.lanes + outputs + 2 * self.lanes + MEMBER_SCALARS + 64
