"""The epochs of a fit in lanes: losses, validation, and members that stop early."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

import numpy as np

from fastnn.callbacks import EarlyStopping, History
from fastnn.engine import MemberStates, MemberTraining
from fastnn.typing import Array


class Place:
    """What `EarlyStopping` sees of a member: its weights, all in one vector, and whether it is to stop."""

    _metrics = ()

    def __init__(self, course: Course, number: int) -> None:
        self._course, self._number = course, number
        self.stop_training = False

    def get_weights(self) -> list[Array]:
        return [self._course.now(self._number).copy()]

    def set_weights(self, weights: Sequence[Array]) -> None:
        self._course.states.values[self._number] = weights[0]


class Course:
    """Members that are trained epoch by epoch; those that stop are left out, and cost nothing from then on.

    Parameters
    ----------
    run : MemberTraining
    states : MemberStates
        What the run was made of; from `end` on what training has left.
    validation : (x, y), optional
        As the run takes them.
    stopping : list of EarlyStopping
        Of each member; or none at all.
    scale : float
        What the sum of the losses of rows is to be multiplied by.
    """

    def __init__(
        self,
        run: MemberTraining,
        states: MemberStates,
        validation: tuple[Array, Array] | None,
        stopping: Sequence[EarlyStopping],
        scale: float,
    ) -> None:
        self.run, self.states, self.validation, self.scale = run, states, validation, scale
        self.rows = run.rows
        self.stopping = [copy.deepcopy(each) for each in stopping]
        self.places = [Place(self, number) for number in range(len(self.stopping))]
        for each, place in zip(self.stopping, self.places, strict=True):
            each.set_model(place)
            each.on_train_begin()
        self.inside = np.arange(len(states.values))  # the members of the run
        self.going = np.ones(len(self.inside), np.bool_)  # of these: which have not stopped
        self.curves: dict[str, list[Array]] = {"loss": []}
        if validation is not None:
            self.curves["val_loss"] = []
        self.seconds: list[float] = []
        self._now: tuple[int, Array] = -1, np.empty(0)

    @property
    def watched(self) -> bool:
        """Whether something is to be done after each epoch."""
        return self.validation is not None or bool(self.stopping)

    def advance(self, epochs: int, threads: int) -> None:
        """Take so many more epochs; a single one where it is `watched`."""
        start = time.perf_counter()
        sums = self.run.train(epochs, threads) * (self.scale / self.rows)
        self.seconds += [(time.perf_counter() - start) / epochs] * epochs
        self.curves["loss"] += list(self._for_all(sums))
        if self.validation is not None:
            x, y = self.validation
            measured = self.run.measure(x, y, threads) * (self.scale / x.shape[-2])
            self.curves["val_loss"] += list(self._for_all(measured[np.newaxis]))
        if self.stopping:
            self._stop()

    def _for_all(self, values: Array) -> Array:
        """Values (epochs, members of the run) for all members: NaN for those that have stopped."""
        found = np.full((len(values), len(self.states.values)), np.nan)
        found[:, self.inside[self.going]] = values[:, self.going]
        return found

    def _stop(self) -> None:
        """Ask of each member whether it is to stop, and leave out those that are."""
        epoch = self.run.done - 1
        for number in self.inside[self.going].tolist():
            logs = {name: float(curve[-1][number]) for name, curve in self.curves.items()}
            self.stopping[number].on_epoch_end(epoch, logs)
        stopped = np.array([self.places[number].stop_training for number in self.inside]) & self.going
        if stopped.any():
            self._keep(stopped)
            self.going &= ~stopped
            if 2 * self.going.sum() <= len(self.going) and self.going.any():
                self.run = self.run.of(np.flatnonzero(self.going))
                self.inside = self.inside[self.going]
                self.going = np.ones(len(self.inside), np.bool_)

    def _keep(self, which: Array) -> None:
        """Write down where these members of the run are."""
        left, numbers = self.run.states(), self.inside[which]
        self.states.values[numbers], self.states.slots[numbers] = left.values[which], left.slots[which]
        self.states.iterations[numbers] = left.iterations[which]

    def now(self, number: int) -> Array:
        """A member's weights."""
        if self._now[0] != self.run.done:
            values = np.empty_like(self.states.values)
            values[self.inside] = self.run.states().values
            self._now = self.run.done, values
        weights: Array = self._now[1][number]
        return weights

    def end(self) -> None:
        """Write down where all are that have not stopped; give them their best weights, where that was asked for."""
        self._keep(self.going)
        for each in self.stopping:
            each.on_train_end()

    def sound(self) -> Array:
        """Whether all of a member's losses and weights are finite, (members,)."""
        lost = [np.isinf(values) for values in self.curves["loss"]]
        sound: Array = ~np.any(lost, axis=0) & np.isfinite(self.states.values).all(axis=1)
        return sound

    def history(self, number: int, interrupted: bool) -> History:
        """A member's."""
        found = History()
        epochs = len(self.seconds)
        if self.stopping and self.places[number].stop_training:
            epochs = self.stopping[number].stopped_epoch + 1
        found.history = {name: np.array(curve)[:epochs, number].tolist() for name, curve in self.curves.items()}
        found.epoch, found.seconds = list(range(epochs)), self.seconds[:epochs]
        found.samples, found.interrupted = self.rows, interrupted
        return found
