"""Training over a stream: a run of compiled steps for each block that is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastnn.data import Block, End, Feed, Passes, Reader
from fastnn.engine import Engine, Training, grown, processors
from fastnn.errors import warn
from fastnn.typing import Array

SHARED_SECONDS = 0.004
"""How long the kernels leave a processor to a reader that has work, before they look whether it still does."""


class StreamTraining:
    """A training run over a stream: a `Training` for each block, with the same attributes and methods."""

    not_finite = False  # the reader has looked at x

    def __init__(self, engine: Engine, feed: Feed | Passes, epochs: int, shuffle: bool, seed: int) -> None:
        self.engine, self.data, self.shuffle, self.seed = engine, feed, shuffle, seed
        self._shuffle_rows = shuffle and not feed.as_they_come
        self.batch_size = None if feed.as_they_come else feed.batch_size
        self.step = self.epoch = 0  # that it has taken, and that have ended
        self.diverged = 0  # the first epoch that was not finite, from 1
        self.steps_per_epoch = feed.steps_per_epoch  # None as long as it is not known
        self.epochs, self.finished = epochs, epochs == 0
        self.results = np.zeros((0, 1 + len(engine.metrics)))  # sums over the rows of loss and metrics, by epoch
        self.rows = np.zeros(0, np.int64)  # that these are sums over
        self._grow()
        self.seconds_a_step = engine.guessed_seconds(feed.batch_size)
        self.observe: Callable[[Training], None] | None = None  # see Training
        self.good = 0  # the step to which a run that diverged goes back
        self._epoch_step = 0  # at which this epoch began
        self._block: Block | None = None
        self._run: Training | None = None
        self._reader: Reader | None = None

    def _grow(self) -> None:
        """Have room for the results of the epoch at hand."""
        rows = min(self.epoch + 1, self.epochs)
        self.results, self.rows = grown(self.results, rows, self.epochs), grown(self.rows, rows, self.epochs)

    def _begin(self) -> Reader:
        """Begin to read, with the epoch at hand."""
        first, epochs, dtype = self.epoch, self.epochs, self.engine.dtype
        return Reader(lambda take: self.data.blocks(take, epochs, dtype, self.shuffle, self.seed, first))

    def close(self) -> None:
        """End the reader."""
        if self._run is not None:
            self._run.close()
        if self._reader is not None:
            self._reader.close()

    def get_state(self) -> dict[str, Any]:
        """Where the run is, at the end of an epoch."""
        state = {name: getattr(self, name) for name in ("step", "epoch", "steps_per_epoch", "seed")}
        return {**state, "sums": None}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was called, with the blocks that were to come then."""
        self.step, self.epoch, self.seed = state["step"], state["epoch"], state["seed"]
        self.steps_per_epoch = state["steps_per_epoch"]
        self._epoch_step = self.good = self.step
        self.finished = self.epoch >= self.epochs
        self._grow()

    @property
    def resumable(self) -> bool:
        """Whether another run can go on from here, as at the end of an epoch."""
        return self._run is None and self.step == self._epoch_step

    @property
    def finite(self) -> bool:
        return not self.diverged and self.engine.parameters.finite

    def end_of(self, epochs: int) -> int:
        """``advance`` stops of itself where an epoch ends."""
        return sys.maxsize

    def means(self, epoch: int) -> Array:
        return np.asarray(self.results[epoch] / max(1, self.rows[epoch]))

    def samples(self, epoch: int) -> int:
        return int(self.rows[epoch])

    def place(self) -> tuple[int, int]:
        if self.epoch and self.step == self._epoch_step:
            return self.epoch - 1, self.steps_per_epoch or 0
        return self.epoch, self.step - self._epoch_step

    def keep_good(self) -> None:
        """Keep the weights as they are now as the last good ones; a new block does so itself."""
        if self._run is not None:
            self._run.keep_good()
            self.good = self.step

    def restore_good(self) -> None:
        """Back to the weights before the block at hand, if what is there is not finite."""
        if self._run is not None:
            self._run.restore_good()

    def ready(self) -> bool:
        """Whether there is another step in the epoch at hand, whose block is read then; if not, the epoch has ended."""
        if self._reader is None:
            self._reader = self._begin()
            self._reader.start()
        if self._run is None:
            item = self._reader.get()
            if isinstance(item, End):
                self._end(item)
                return False
            self._block = item
            self._run = Training(self.engine, item.data, item.batch_size, 1, self._shuffle_rows, item.seed)
            self._run.observe = self.observe
            self._run.results[0] = self.results[self.epoch]  # which it adds to: as a run over all of them does
            self._before = self.step, self.rows[self.epoch]
            self.good = self.step
            self._threads = self._run.threads
            self._makes_room = self.engine.threads is None and 1 < self._threads == processors()
        return True

    @property
    def batch(self) -> int:
        """The number of the next step in its epoch."""
        return self.step - self._epoch_step

    def advance(self, last: int) -> None:
        """Take the steps up to ``last``, or to the end of the epoch, or to where the run diverged."""
        while self.step < last and not self.diverged:
            if not self.ready():
                return
            run, reader = self._run, self._reader
            assert run is not None
            assert reader is not None
            stop = min(run.steps, run.step + last - self.step)
            run.threads = self._threads
            if self._makes_room and reader.busy:
                run.threads -= 1
                stop = min(stop, run.step + max(1, int(SHARED_SECONDS / self.seconds_a_step)))
            try:
                run.advance(stop)
            finally:  # Ctrl-C strikes when the kernel has returned: see what it did
                self._take_stock(run)

    def _take_stock(self, run: Training) -> None:
        assert self._block is not None
        assert self._reader is not None
        step, rows = self._before
        self.step = step + run.step
        self.rows[self.epoch] = rows + min(run.step * run.batch_size, len(run.data))
        self.results[self.epoch] = run.results[0]
        if run.diverged:
            self.diverged = self.epoch + 1
        elif run.step == run.steps:
            run.close()
            self._run = None
            self._reader.give(self._block.buffer)

    def _end(self, end: End) -> None:
        if end.ran_out:
            self.finished = True
            warn(
                f"x ran out of batches after {self.epoch} of {self.epochs} epochs, and training ends; wants "
                "what begins anew each epoch, as a function that returns a generator does, or fewer epochs"
            )
            return
        self.epoch += 1
        self.steps_per_epoch = self.step - self._epoch_step
        self._epoch_step = self.step
        self.finished = self.epoch == self.epochs
        self._grow()


Steps = Training | StreamTraining
"""Whatever takes compiled steps."""
