"""Training over a stream: a run of compiled steps for each block that is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnn.data import Block, End, Feed, Passes, Reader
from fastnn.engine import Engine, Training, processors
from fastnn.errors import warn
from fastnn.typing import Array

SHARED_SECONDS = 0.004
"""How long the kernels leave a processor to a reader that has work, before they look whether it still does."""


class _Place(NamedTuple):
    """Where a run is: what has been done, but for the block at hand, whose own run knows what has been done of it."""

    step: int  # steps that have been taken
    epoch: int  # epochs that have ended
    epoch_step: int  # the step at which the epoch at hand began
    steps_per_epoch: int | None  # None as long as it is not known
    rows: int  # of the epoch at hand
    sums: Array  # over these of loss and metrics
    finished: bool
    block: Block | None = None
    run: Training | None = None


class StreamTraining:
    """A training run over a stream: a `Training` for each block, with the same attributes and methods.

    It moves from place to place by one assignment each time, so that Ctrl-C finds it at one of them.
    """

    not_finite = False  # the reader has looked at x

    def __init__(self, engine: Engine, feed: Feed | Passes, epochs: int, shuffle: bool, seed: int) -> None:
        self.engine, self.data, self.shuffle, self.seed = engine, feed, shuffle, seed
        self._shuffle_rows = shuffle and not feed.as_they_come
        self.batch_size = None if feed.as_they_come else feed.batch_size
        self.epochs = epochs
        self.seconds_a_step = engine.guessed_seconds(feed.batch_size)
        self.observe: Callable[[Training], None] | None = None  # see Training
        self._ended: dict[int, tuple[Array, int]] = {}  # the sums of epochs that have, and of how many rows
        self._place = _Place(0, 0, 0, feed.steps_per_epoch, 0, self._no_sums(), epochs == 0)
        self._reader: Reader | None = None

    def _no_sums(self) -> Array:
        return np.zeros(1 + len(self.engine.metrics))

    @property
    def step(self) -> int:
        """How many steps have been taken."""
        place = self._place
        return place.step if place.run is None else place.step + place.run.step

    @property
    def epoch(self) -> int:
        """Epochs that have ended."""
        return self._place.epoch

    @property
    def finished(self) -> bool:
        return self._place.finished

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps of an epoch; None as long as that is not known."""
        return self._place.steps_per_epoch

    @property
    def diverged(self) -> int:
        """The first epoch that was not finite, from 1; 0 while all is well."""
        place = self._place
        return place.epoch + 1 if place.run is not None and place.run.diverged else 0

    @diverged.setter
    def diverged(self, epoch: int) -> None:
        if self._place.run is not None:
            self._place.run.diverged = 1

    @property
    def good(self) -> int:
        """The step to which a run that diverged goes back."""
        return self._place.step

    def _reading(self) -> Reader:
        """The reader, which begins with the epoch at hand."""
        if self._reader is None:
            first, epochs, dtype = self.epoch, self.epochs, self.engine.dtype
            self._reader = Reader(lambda take: self.data.blocks(take, epochs, dtype, self.shuffle, self.seed, first))
            self._reader.start()
        return self._reader

    def close(self) -> None:
        """End the reader."""
        if self._place.run is not None:
            self._place.run.close()
        if self._reader is not None:
            self._reader.close()

    def get_state(self) -> dict[str, Any]:
        """Where the run is, at the end of an epoch."""
        state = {name: getattr(self, name) for name in ("step", "epoch", "steps_per_epoch", "seed")}
        return {**state, "sums": None}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was called, with the blocks that were to come then."""
        step, epoch, self.seed = state["step"], state["epoch"], state["seed"]
        ended = epoch >= self.epochs
        self._place = _Place(step, epoch, step, state["steps_per_epoch"], 0, self._no_sums(), ended)

    @property
    def resumable(self) -> bool:
        """Whether another run can go on from here, as at the end of an epoch."""
        return self._place.run is None and self.step == self._place.epoch_step

    @property
    def finite(self) -> bool:
        return not self.diverged and self.engine.parameters.finite

    def end_of(self, epochs: int) -> int:
        """``advance`` stops of itself where an epoch ends."""
        return sys.maxsize

    def identity(self) -> tuple[None, str]:
        """What tells the rows from others, however many there are."""
        return None, self.data.fingerprint()

    def _scores(self, epoch: int) -> tuple[Array, int]:
        """The sums of an epoch so far, and of how many rows."""
        place = self._place
        if epoch in self._ended:
            return self._ended[epoch]
        return (place.sums, place.rows) if place.run is None else _with_block(place, place.run)

    def means(self, epoch: int) -> list[float]:
        sums, rows = self._scores(epoch)
        return [total / max(1, rows) for total in sums.tolist()]

    def samples(self, epoch: int) -> int:
        return self._scores(epoch)[1]

    def place(self) -> tuple[int, int]:
        here, step = self._place, self.step
        if here.epoch and step == here.epoch_step:
            return here.epoch - 1, here.steps_per_epoch or 0
        return here.epoch, step - here.epoch_step

    def keep_good(self) -> None:
        """Keep the weights as they are now as the last good ones; a new block does so itself."""
        if self._place.run is not None:
            self._place.run.keep_good()

    def restore_good(self) -> None:
        """Back to the weights before the block at hand, if what is there is not finite."""
        if self._place.run is not None:
            self._place.run.restore_good()

    def ready(self) -> bool:
        """Whether there is another step in the epoch at hand, whose block is read then; if not, the epoch has ended."""
        reader, here = self._reading(), self._place
        if here.run is None:
            item = reader.get()
            if isinstance(item, End):
                self._end(item)
                reader.took()
                return False
            run = Training(self.engine, item.data, item.batch_size, 1, self._shuffle_rows, item.seed)
            run.observe = self.observe
            run.results[0] = here.sums  # which it adds to: as a run over all of them does
            self._threads = run.threads
            self._makes_room = self.engine.threads is None and 1 < self._threads == processors()
            self._place = here._replace(block=item, run=run)
            reader.took()
        return True

    @property
    def batch(self) -> int:
        """The number of the next step in its epoch."""
        return self.step - self._place.epoch_step

    def advance(self, last: int) -> None:
        """Take the steps up to ``last``, or to the end of the epoch, or to where the run diverged."""
        while self.step < last and not self.diverged:
            if not self.ready():
                return
            here, reader = self._place, self._reading()
            run, block = here.run, here.block
            assert run is not None
            assert block is not None
            stop = min(run.steps, run.step + last - self.step)
            run.threads = self._threads
            if self._makes_room and reader.busy:
                run.threads -= 1
                stop = min(stop, run.step + max(1, int(SHARED_SECONDS / self.seconds_a_step)))
            run.advance(stop)
            if run.finished and not run.diverged:
                sums, rows = _with_block(here, run)
                self._place = here._replace(step=here.step + run.step, rows=rows, sums=sums, block=None, run=None)
                run.close()
                reader.give(block.buffer)

    def _end(self, end: End) -> None:
        here = self._place
        if end.ran_out:
            self._place = here._replace(finished=True)
            warn(
                f"x ran out of batches after {self.epoch} of {self.epochs} epochs, and training ends; wants "
                "what begins anew each epoch, as a function that returns a generator does, or fewer epochs"
            )
            return
        self._ended[here.epoch] = here.sums, here.rows
        steps, epoch = here.step - here.epoch_step, here.epoch + 1
        self._place = _Place(here.step, epoch, here.step, steps, 0, self._no_sums(), epoch == self.epochs)


def _with_block(place: _Place, run: Training) -> tuple[Array, int]:
    """The sums of an epoch, and of how many rows, with those of the block at hand."""
    return run.results[0].copy(), place.rows + min(run.step * run.batch_size, len(run.data))


Steps = Training | StreamTraining
"""Whatever takes compiled steps."""
