"""Training whose steps all ranks take together: each the gradient of its parts of a batch, and all the same update."""

from __future__ import annotations

import math
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np

from fastnn.engine import Data, Engine, Training
from fastnn.engine.parts import PartSteps
from fastnn.typing import Array
from .interrupts import Interrupts
from .shares import Share


class SharedTraining(Training):
    """A `Training` that ranks share; ``share`` says which rows are this one's.

    What is told of it, losses, metrics and outputs, is of all ranks' rows, and the same on each.  Ctrl-C is told to
    all with the next message, and ends it on all after the same step.
    """

    def __init__(self, engine: Engine, share: Share, epochs: int, interrupts: Interrupts) -> None:
        super().__init__(engine, share.data, share.batch_size, epochs, share.shuffle, share.seed, share.rows)
        plan = self.plan = share.plan
        self.share, self.interrupts = share, interrupts
        self.steps_per_epoch, self.steps = share.steps, epochs * share.steps
        self.team = None
        self.threads = self._thread_count(share.largest * len(plan.own_parts))
        message = plan.ranks.room(PartSteps.size(engine), engine.dtype)
        self._part_steps = PartSteps(engine, len(plan.own_parts), share.largest, message)
        self._numbers = np.zeros(self.results.shape[1] + 2)  # scores; who was interrupted; the first one's pace
        self._pace = self._own_pace = engine.guessed_seconds(self.batch_size, self.costs)
        self._seen: list[tuple[int, Array, Array | None, Array | None]] = []  # outputs, targets, weights of own rows
        self._targets: Array | None = None
        self._weights: Array | None = None

    def _thread_count(self, rows: int) -> int:
        """How many threads take so many rows of a step: ranks on one machine share its processors."""
        wanted = self.costs.training_threads(rows, rows)
        return wanted if self.engine.threads is not None else min(wanted, self.plan.ranks.processors)

    @property
    def seconds_a_step(self) -> float:
        """How long one takes on the first rank, as all were told: so all take as many before Python has control."""
        return self._pace

    @seconds_a_step.setter
    def seconds_a_step(self, seconds: float) -> None:
        self._own_pace = seconds

    def identity(self) -> tuple[int, str]:
        return self.share.rows, self.share.fingerprint

    def rows_done(self, steps: int) -> int:
        return self.share.rows_before(steps)

    def advance(self, last: int) -> None:
        engine = self.engine
        with engine.busy:
            if len(self._memory.backup) != engine.parameters.saved_count:
                self._keep_good()
            while (first := self.step) < last and not (self.diverged or self.interrupts.told):
                stop = first + engine.schedule(min(last, self._epoch_end(first)) - first)
                self._steps(first, stop)
        if self.engine.keeps_outputs:
            self._exchange_outputs()
        if self.observe is not None:
            self.observe(self)
        self.interrupts.check()

    def _epoch_end(self, step: int) -> int:
        return (step // self.steps_per_epoch + 1) * self.steps_per_epoch

    def _steps(self, first: int, stop: int) -> None:
        """Steps of one epoch, or as many of them as there are until Ctrl-C is told or it diverges."""
        engine, own = self.engine, self._part_steps
        epoch = first // self.steps_per_epoch
        self._grow(epoch + 1)
        begin = perf_counter()
        if self.data.direct:
            order = self.share.order(engine, epoch)
            own.attach(self.data, self.batch_size, self.steps_per_epoch, order, self.threads)
        for step in range(first, stop):
            if not self.data.direct:
                self._convert(step)
            self._step(epoch, step, step - first)
            if self.interrupts.told:
                break
        engine.parameters.came_along()
        self._own_pace = (perf_counter() - begin) / max(1, self.step - first)
        if self.step == self._epoch_end(first):
            if math.isfinite(self.results[epoch, 0]) and engine.parameters.finite:
                self._keep_good()
            else:
                self.diverged = epoch + 1

    def _step(self, epoch: int, step: int, number: int) -> None:
        own, scores, ranks = self._part_steps, self._numbers[:-2], self.plan.ranks
        place = self.share.place(epoch, step % self.steps_per_epoch)
        if self.data.direct:
            own.differentiate(*place)
        else:
            starts = [start - place.starts[0] for start in place.starts]
            own.differentiate(0, starts, place.rows, place.own.start)
        scores[:] = _tree(own.scores)
        self._numbers[-2] = self.interrupts.came
        self._numbers[-1] = self._own_pace if ranks.first else 0.0
        ranks.sum(own.message, self._numbers, self.plan.deterministic)
        self._pace = float(self._numbers[-1])
        penalty = own.update(number)
        self.results[epoch] += scores
        self.results[epoch, 0] += penalty * place.rows
        if own.outputs is not None:
            self._see(epoch, step, place.own)
        self.step = step + 1
        if self._numbers[-2]:
            self.interrupts.told = True

    def _convert(self, step: int) -> None:
        """Have the kernels see this rank's rows of a step alone, converted, in the order of their visit."""
        epoch, number = divmod(step, self.steps_per_epoch)
        self._converted = self.data.block(self.share.visited(epoch, number), self.engine.dtype)
        order = type(self.engine.blank.order).from_buffer_copy(self.engine.blank.order)
        order.seed = self.seed
        self._part_steps.attach(self._converted, self.batch_size, self.steps_per_epoch, order, self.threads)

    # --- What the network gave, where metrics ask for it ---

    def _see(self, epoch: int, step: int, own: slice) -> None:
        """Keep the outputs of this rank's rows of a step, and what they are compared with, to tell the others."""
        number = step % self.steps_per_epoch
        visited, data, outputs = self.share.visited(epoch, number), self.data, self._part_steps.outputs
        assert outputs is not None
        weight = None if data.weight is None else data.weight[visited]
        first = self.share.rows_before(number) + own.start
        self._seen.append((first, outputs[: own.stop - own.start].copy(), data.y[visited], weight))  # type: ignore[index]

    def _exchange_outputs(self) -> None:
        assert self.outputs is not None
        for seen in self.plan.ranks.gather(self._seen):
            for first, outputs, y, weight in seen:
                rows = slice(first, first + len(outputs))
                self.outputs[rows] = outputs
                self._targets = _placed(self._targets, rows, y, self.rows)
                self._weights = _placed(self._weights, rows, weight, self.rows)
        self._seen = []

    def scored(self, first: int, last: int) -> tuple[Data, Array]:
        assert self.outputs is not None
        assert self._targets is not None
        weight = None if self._weights is None else self._weights[first:last]
        return Data(self.data.x[:0], self._targets[first:last], self.data.labels, weight), self.outputs[first:last]

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"targets": self._targets, "weights": self._weights}

    def set_state(self, state: Mapping[str, Any]) -> None:
        super().set_state(state)
        self.share.seed = self.seed
        self._targets, self._weights = state.get("targets"), state.get("weights")


def _placed(array: Array | None, rows: slice, values: Array | None, count: int) -> Array | None:
    """The array, or a new one of so many rows, with some values in it."""
    if values is None:
        return array
    if array is None:
        array = np.zeros((count, *values.shape[1:]), values.dtype)
    array[rows] = values
    return array


def _tree(rows: Array) -> Array:
    """The sum of rows, as a tree."""
    while len(rows) > 1:
        rows = rows[::2] + rows[1::2]
    total: Array = rows[0]
    return total
