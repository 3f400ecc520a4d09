"""Local steps: each rank trains by itself, and all take the mean of their weights now and then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.engine import Engine, Training, aligned, epoch_order
from fastnn.typing import Array
from .interrupts import Interrupts
from .shares import OwnRows, Share


class AveragedTraining(Training):
    """A `Training` on this rank's rows that meets the others' every ``sync_every`` steps, and as an epoch ends.

    An epoch visits the same number of rows on each rank, for all must take as many steps: where rows do not divide
    evenly, some ranks visit some of theirs twice.

    Losses and metrics are those of all ranks, up to where they last met.
    """

    def __init__(self, engine: Engine, share: Share, epochs: int, interrupts: Interrupts) -> None:
        plan = self.plan = share.plan
        ranks, self._own_rows = plan.ranks, isinstance(share, OwnRows)
        most = max(ranks.gather(len(share.data))) if self._own_rows else math.ceil(share.rows / ranks.count)
        local = math.ceil(most / share.steps)
        self._good: Array = np.empty(0)
        self._ordered_rows: tuple[int, int, Array] | None = None  # an epoch, its seed, and its rows
        super().__init__(engine, share.data, local, epochs, share.shuffle, share.seed, most)
        if self.threads > ranks.processors and engine.threads is None:
            self.threads, self.team = ranks.processors, None
        self.interrupts, self._identity = interrupts, (share.rows, share.fingerprint)
        self._pace = self._own_pace = engine.guessed_seconds(local, self.costs)
        self._numbers = np.zeros(self.results.shape[1] + 2)
        self._shared = self.results.copy()  # sums over all ranks' rows, an epoch a row
        self._shared_steps = 0  # of all epochs, up to where they last met
        self._message = aligned(engine.parameters.saved_count, engine.dtype)
        self._anchor: Array = np.empty(0)
        self._momentum: Array = np.empty(0)
        if plan.outer_momentum:
            self._anchor, self._momentum = engine.parameters.values.copy(), np.zeros_like(engine.parameters.values)

    @property
    def seconds_a_step(self) -> float:
        return self._pace

    @seconds_a_step.setter
    def seconds_a_step(self, seconds: float) -> None:
        self._own_pace = seconds
        self.engine.pace = self.batch_size, seconds

    def identity(self) -> tuple[int, str]:
        return self._identity

    def keep_good(self) -> None:
        """Keep the weights of the last time that all ranks had the same; the kernels keep this one's own elsewhere."""
        super().keep_good()
        engine = self.engine
        with engine.busy:
            if len(self._good) != engine.parameters.saved_count:
                self._good = aligned(engine.parameters.saved_count, engine.dtype)
            engine.parameters.save(self._good)
            self._good_updates = engine.iterations

    def restore_good(self) -> None:
        if not self.finite:
            with self.engine.busy:
                self.engine.parameters.restore(self._good, self._good_updates)

    @property
    def resumable(self) -> bool:
        """Whether all ranks have the same weights."""
        return self.step == self._shared_steps

    def totals(self, first: int, last: int) -> Array:
        return self._shared[first:last] / self.plan.size

    def means(self, epoch: int) -> list[float]:
        steps = min(max(self._shared_steps - epoch * self.steps_per_epoch, 0), self.steps_per_epoch)
        rows = max(1, self.rows_done(steps)) * self.plan.size
        return [total / rows for total in self._shared[epoch].tolist()]

    def advance(self, last: int) -> None:
        while self.step < last and not self.diverged:
            epoch = self.step // self.steps_per_epoch
            self.lay_down(self._visits(epoch), None)
            end = (epoch + 1) * self.steps_per_epoch
            meet = min(self._shared_steps + self.plan.sync_every, end)
            super().advance(min(last, meet))
            if self.step == meet or self.diverged:
                self._meet(epoch)
                self.interrupts.check()

    def _visits(self, epoch: int) -> Array:
        """The rows of an epoch, (1, rows), put in order once, however often ranks meet in it."""
        if self._ordered_rows is None or self._ordered_rows[:2] != (epoch, self.seed):
            self._ordered_rows = epoch, self.seed, self._order_of(epoch)
        return self._ordered_rows[2]

    def _order_of(self, epoch: int) -> Array:
        """This rank's part of the order that one process would visit."""
        count, rows = len(self.data), self.rows
        if self._own_rows:
            order = np.arange(count) if not self.shuffle else epoch_order(count, self.seed, epoch, 0, count)
            return np.resize(order, (1, rows))
        first = count * self.plan.rank // self.plan.size
        order = np.arange(first, first + rows)
        if self.shuffle:
            order = epoch_order(count, self.seed, epoch, first, first + rows)
        return np.ascontiguousarray(order[np.newaxis])

    def _meet(self, epoch: int) -> None:
        """Take the mean of all ranks' weights, slots and moving statistics, and the sums of their scores."""
        engine, ranks, numbers, message = self.engine, self.plan.ranks, self._numbers, self._message
        with engine.busy:
            if len(message) != engine.parameters.saved_count:
                message = self._message = aligned(engine.parameters.saved_count, engine.dtype)
            engine.parameters.save(message)
            if self.diverged:
                message[:1] = np.nan  # on all of them
            numbers[:-2] = self.results[epoch]
            numbers[-2], numbers[-1] = self.interrupts.came, self._own_pace if ranks.first else 0.0
            ranks.sum(message, numbers, ranks.count & (ranks.count - 1) == 0)
            message /= ranks.count
            if self.plan.outer_momentum:
                self._step_out(message[: len(self._anchor)])
            self._grow_shared()
            self._shared[epoch] = numbers[:-2]
            self._shared_steps, self._pace = self.step, float(numbers[-1])
            self.interrupts.told = self.interrupts.told or numbers[-2] > 0
            finite = np.isfinite(message).all() and math.isfinite(numbers[0])
            if finite:
                engine.parameters.restore(message, engine.iterations)
                self._good[:], self._good_updates = message, engine.iterations
                self._keep_good()
            elif not self.diverged:
                self.diverged = epoch + 1

    def _step_out(self, mean: Array) -> None:
        """Put the weights of Nesterov's momentum in the place of their mean."""
        step = mean - self._anchor
        self._momentum *= self.plan.outer_momentum
        self._momentum += step
        self._anchor += step + self.plan.outer_momentum * self._momentum
        mean[:] = self._anchor

    def _grow_shared(self) -> None:
        if len(self._shared) < len(self.results):
            shared = np.zeros_like(self.results)
            shared[: len(self._shared)] = self._shared
            self._shared = shared

    def get_state(self) -> dict[str, Any]:
        outer = {"anchor": self._anchor, "momentum": self._momentum} if self.plan.outer_momentum else None
        state = super().get_state() | {"outer": outer}
        if state["sums"] is not None:  # a rank's part of all ranks' sums, whichever goes on with it
            state["sums"] = (self._shared[self.step // self.steps_per_epoch] / self.plan.size).tolist()
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        super().set_state(state)
        self._shared_steps, epoch = self.step, self.step // self.steps_per_epoch
        self._grow_shared()
        if epoch < self.epochs:
            self._shared[epoch] = self.results[epoch] * self.plan.size
        if state.get("outer"):
            self._anchor, self._momentum = state["outer"]["anchor"], state["outer"]["momentum"]
