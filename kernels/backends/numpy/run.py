"""One call of the kernels: training, predicting, a gradient or an update alone."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ... import records
from ...formulas.arrays import Array
from .activation import activate, through_activation
from .data import Data
from .layers import Pass, layers_of
from .loss import Loss
from .memory import FailedError, Network, array_at
from .optimizer import constrain, penalize, step_of
from .shuffle import mixed


def load(
    dtype: str, called: Callable[[Callable[[], int]], int] = lambda function: function()
) -> Callable[[int, int, int], int]:
    """The kernels' entry for "float32" or "float64".

    ``called`` has a function called; but functions of the user's own are called where the entry is.
    """

    def run(layers: int, job: int, thread: int) -> int:
        if thread:
            return 0
        work = Run(layers, job, np.dtype(dtype))
        return work.quietly() if work.calls_functions else called(work.quietly)

    return run


class Run:
    """One call of the entry."""

    def __init__(self, layers: int, job: int, dtype: np.dtype[Any]) -> None:
        self.network = Network(layers, job, dtype)
        self.job, self.dtype = self.network.job, dtype
        self.layers = layers_of(self.network)
        self.loss = Loss(self.network)
        self.data = Data(self.job, self.layers[0].record.inputs, self.layers[-1].record.outputs, dtype)

    @property
    def calls_functions(self) -> bool:
        """Whether functions of the user's own are called."""
        return bool(self.job.loss.function) or any(layer.record.function for layer in self.layers)

    def quietly(self) -> int:
        """`run` without warnings: divergence shows in the loss."""
        self.synchronisation[[records.ABORTED, records.DIVERGED]] = 0
        with np.errstate(all="ignore"):
            try:
                return self.run()
            except FailedError:
                self.synchronisation[records.ABORTED] = 1
                return 1

    @property
    def synchronisation(self) -> Array:
        return array_at(self.job.run.synchronisation, (records.SYNCHRONISATION_WORDS,), np.int64)

    @property
    def updates(self) -> Array:
        """The count of updates, one word."""
        return array_at(self.job.network.updates, (1,), np.int64)

    def run(self) -> int:
        """Do what the job's mode says; 1 if training has ended early."""
        mode = self.job.run.mode
        if mode == records.SAMPLE:
            return self.sample()
        if mode in (records.EVALUATE, records.PREDICT):
            return self.infer()
        if mode == records.UPDATE:
            return self.update()
        return self.sum_gradients() if mode == records.PARTS else self.train()

    def forward(self, x: Array, why: Pass) -> tuple[list[Array], list[Array]]:
        """What goes into each layer's activation, and what comes out (first: x itself)."""
        before, after = [], [x]
        for layer in self.layers:
            before.append(layer.forward(after[-1], why))
            after.append(activate(layer.record, before[-1]))
        return before, after

    def backward(self, before: list[Array], after: list[Array], delta: Array, gradient: Array) -> None:
        """The gradient by each matrix, into a vector laid out like the parameters; delta is that by the last logits."""
        first = self.job.network.first_trained
        for layer in self.layers[:first]:
            self.network.matrix(gradient, layer.record)[...] = 0
        for i in reversed(range(first, len(self.layers))):
            layer = self.layers[i]
            matrix = self.network.matrix(gradient, layer.record)
            if layer.record.frozen:
                matrix[...] = 0
            else:
                layer.weight_gradient(after[i], delta, matrix)
            if i > first:
                delta = layer.input_gradient(delta)
                delta = through_activation(self.layers[i - 1].record, before[i - 1], after[i], delta)

    def results(self, row: int) -> Array:
        """The sums of the loss and of each metric, over an epoch or a block of rows: a view."""
        columns = 1 + len(self.loss.metrics)
        return array_at(self.job.memory.results + row * columns * 8, (columns,), np.float64)

    def train(self) -> int:
        """Steps over batches; without an update where only the gradient is wanted."""
        job = self.job
        gradient = self.network.vector(job.memory.gradients)
        if job.run.first_step % job.run.steps_per_epoch == 0:
            self.keep_count(job.run.first_step, job.optimizer.iterations)
        for step in range(job.run.first_step, job.run.last_step):
            epoch, number = divmod(step, job.run.steps_per_epoch)
            position = number * job.data.batch_size
            count = min(job.data.batch_size, job.data.rows - position)
            results = self.results(epoch - job.run.first_epoch)
            steps = step - job.run.first_step
            results += self.gradient(epoch, position, count, steps, gradient) + self.penalties(gradient, count, steps)
            if job.run.mode == records.TRAIN:
                step_of(self.network, gradient, step - job.run.first_step)
                constrain(self.network)
                for layer in self.layers:
                    layer.end_step()
                self.synchronisation[records.DONE] = step + 1
                self.updates[0] = job.optimizer.iterations + step - job.run.first_step + 1
                if position + count == job.data.rows and self.end_epoch(epoch, results[0]):
                    return 1
        return 0

    def sum_gradients(self) -> int:
        """The gradient of a rank's parts of one batch, added as a tree; and the sums of the scores of each."""
        job = self.job
        starts = array_at(job.split.part_starts, (job.split.parts + 1,), np.int64).tolist()
        epoch, number = divmod(job.run.first_step, job.run.steps_per_epoch)
        branches: list[Array] = []
        for part, (start, end) in enumerate(pairwise(starts)):
            branches.append(np.zeros(job.network.parameter_count, self.dtype))
            self.results(part)[:] = 0
            if end > start:
                place = number * job.data.batch_size + start
                self.results(part)[:] = self.gradient(epoch, place, end - start, 0, branches[-1], start)
            pairs = part + 1
            while pairs % 2 == 0:
                branches[-2:] = [branches[-2] + branches[-1]]
                pairs //= 2
        self.network.vector(job.memory.gradients)[:] = branches[0]
        for layer in self.layers if job.memory.partial_values else ():
            layer.end_step()
        return 0

    def update(self) -> int:
        """One step along a gradient that is there; the penalties are added to the first result, if there is one."""
        job, gradient = self.job, self.network.vector(self.job.memory.gradients)
        penalties = self.penalties(gradient, 1, 0)
        if job.memory.results:
            self.results(0)[:] += penalties
        step_of(self.network, gradient, 0)
        constrain(self.network)
        self.updates[0] = job.optimizer.iterations + 1
        return 0

    def penalties(self, gradient: Array, count: int, step: int) -> Array:
        """What the penalties on the weights add to the scores of so many rows; their gradient is added."""
        job, weight = self.job, 1.0
        if job.network.penalty_by_row:
            weight = 1 / count
            if job.order.row_weights:
                weight = array_at(job.order.row_weights + 8 * step, (1,), np.float64)[0]
        scores = np.zeros(1 + len(self.loss.metrics))
        scores[0] = penalize(self.network, gradient, weight) * count
        return scores

    def gradient(
        self, epoch: int, position: int, count: int, step: int, gradient: Array, first_row: int | None = None
    ) -> Array:
        """Write the gradient of a batch, so many steps after the run's first; returns the sums of its scores.

        ``first_row``: it is a part of one, which begins with this row.
        """
        job = self.job
        rows = self.data.rows(epoch, position, count)
        target, weight = self.data.y(rows), self.data.sample_weight(rows, count)
        key = mixed(job.order.seed + mixed(np.array([job.optimizer.iterations + step + 1])))
        noisy = job.run.mode in (records.TRAIN, records.PARTS)
        why = Pass(True, key if noisy else None, 0 if first_row is None else job.split.batch_row + first_row)
        before, after = self.forward(self.data.x(rows), why)
        row_weight = 1 / count
        scores = self.loss.scores(before[-1], after[-1], target, weight)
        scores[0] *= job.loss.score_scale
        if job.order.row_weights:
            row_weight = array_at(job.order.row_weights + 8 * step, (1,), np.float64)[0]
            scores[0] *= 1.0 if first_row is not None else row_weight * count
        starts = job.split.part_starts
        self.keep_output(after[-1], position if first_row is None else first_row - array_at(starts, (1,), np.int64)[0])
        delta = self.loss.delta(before[-1], after[-1], target, weight, row_weight)
        self.backward(before, after, delta, gradient)
        return scores

    def keep_output(self, output: Array, position: int) -> None:
        """Put the network's output, of rows from a position on, where the caller wants it, if anywhere."""
        memory, size = self.job.memory, self.dtype.itemsize
        if memory.output:
            start = memory.output + position * memory.output_row * size
            array_at(start, output.shape, self.dtype, (memory.output_row * size, size))[:] = output

    def end_epoch(self, epoch: int, loss: float) -> bool:
        """Keep the parameters, slots and state if all is finite; else say so, and bring the last good ones back."""
        network = self.network
        vectors = [network.parameters, *network.slots(self.job.network.slot_count)]
        backup = self.job.network.backup
        behind = backup + len(vectors) * network.parameters.nbytes
        kept = [network.vector(backup, i) for i in range(len(vectors))]
        kept.append(array_at(behind, network.state.shape, self.dtype))
        good = bool(np.isfinite(loss)) and all(np.isfinite(vector).all() for vector in [*vectors, network.state])
        for live, copy in zip([*vectors, network.state], kept, strict=True):
            (copy if good else live)[:] = live if good else copy
        if good:
            self.keep_count(self.synchronisation[records.DONE], self.updates[0])
        else:
            self.synchronisation[records.DIVERGED] = epoch + 1
            self.updates[0] = self.synchronisation[records.GOOD_UPDATES]
        return not good

    def keep_count(self, steps: int, updates: int) -> None:
        """Note which steps and updates the backup is of."""
        self.synchronisation[[records.GOOD_STEP, records.GOOD_UPDATES]] = steps, updates

    def sample(self) -> int:
        """Predictions as they are in training, of one batch: with noise, normalised by its own statistics."""
        job = self.job
        x = self.data.x(slice(0, job.data.rows))
        _, after = self.forward(x, Pass(True, mixed(np.array([job.order.seed]))))
        shape, strides = after[-1].shape, (job.memory.output_row * self.dtype.itemsize, self.dtype.itemsize)
        array_at(job.memory.output, shape, self.dtype, strides)[:] = after[-1]
        for layer in self.layers:
            layer.end_step()
        return 0

    def infer(self) -> int:
        """Outputs, or the sums of the loss and of each metric, a block of rows after another."""
        job, size = self.job, self.dtype.itemsize
        for block in range(job.run.first_step, job.run.last_step):
            position = block * job.memory.capacity
            count = min(job.memory.capacity, job.data.rows - position)
            rows = self.data.rows(0, position, count)
            before, after = self.forward(self.data.x(rows), Pass())
            if job.run.mode == records.EVALUATE:
                target, weight = self.data.y(rows), self.data.sample_weight(rows, count)
                self.results(block)[:] = self.loss.scores(before[-1], after[-1], target, weight)
                self.keep_output(after[-1], position)
                continue
            self.keep_output(after[-1], position)
            for layer, output in zip(self.network.layers, after[1:], strict=True):  # left in the workspace, as compiled
                start = job.memory.workspace + layer.output * job.memory.capacity * size
                array_at(start, output.shape, self.dtype, (layer.output_stride * size, size))[:] = output
        return 0
