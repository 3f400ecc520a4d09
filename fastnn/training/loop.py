"""The loop of fit: compiled runs of many steps, and Python's part between them.

Python has control at the end of an epoch where somebody wants it (a callback, a rule, validation, a bar), and about
twenty times a second for Ctrl-C and progress; otherwise a compiled run goes on over the epochs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from fastnn.engine import SLICE_SECONDS, Training, fits
from fastnn.optimizers import Optimizer
from . import divergence
from .reports import Logs, Reporter
from .stream import Steps, StreamTraining


class Loop:
    """Trains over the epochs of a fit, and has each reported.

    ``stopping`` says whether a callback has asked to stop; ``nan_check`` raises what is wrong with x, where only the
    steps of training look at it.  ``diverged`` is called when a loss or a weight has become infinite: training ends
    then.
    """

    def __init__(
        self,
        training: Steps,
        optimizer: Optimizer,
        reporter: Reporter,
        *,
        stopping: Callable[[], bool] = lambda: False,
        nan_check: Callable[[], None] | None = None,
        diverged: Callable[[Loop], None] = divergence.take_back,
    ) -> None:
        self.training, self.optimizer, self.reporter = training, optimizer, reporter
        self.engine, self.epochs, self.callbacks = training.engine, reporter.epochs, reporter.callbacks
        self.stopping, self.nan_check, self.diverged = stopping, nan_check, diverged
        self.seconds: list[float] = []  # of the epochs that there have been
        if reporter.watch:
            training.observe = reporter.watch.observe
        self.completed = False  # True: neither Ctrl-C nor an error was the end
        self._live = self.callbacks.needs_progress
        self._stepping = False  # in compiled steps, and not in a callback
        self._restored = False  # it is known from where to go on

    @fits
    def run(self) -> bool:
        """Train.  Returns whether Ctrl-C ended it: after the steps at hand, with the epochs so far reported."""
        training, reporter = self.training, self.reporter
        try:
            for backup in self.callbacks.backups:
                backup.restore(self)
            self._restored = True
            while not (training.finished or reporter.stopped or self.stopping()):
                self._epoch()
                if training.diverged:
                    self.diverged(self)
                    break
            self.completed = True
        except KeyboardInterrupt:
            if not self._restored:
                return True
            if isinstance(training, Training) and training.observe is not None:
                training.observe(training)  # steps that nobody has seen
            settled = self._stepping and not self.callbacks.is_stop(training.step)  # no callback is behind the others
            self._report()
            if settled:
                self._keep(always=True)
            training.restore_good()
            return True
        finally:
            try:
                training.close()
            finally:  # Ctrl-C may have cut that short
                training.close()
        return False

    def begin_epoch(self) -> None:
        """Tell the callbacks of the epoch at hand, unless they know of it."""
        self.reporter.begin(self.training.epoch)

    def _last_epoch(self) -> int:
        """The epochs that will have ended when somebody next wants to hear of one."""
        here = self.training.epoch
        if self.reporter.each_epoch:
            return here + 1
        patience = [rule.patience for rule in self.reporter.rules]
        return here + max(1, int(min([len(self.epochs) - here, *patience])))

    def _epoch(self) -> None:
        """Train to the end of the epoch, or of all where nobody wants to be called in between."""
        training, callbacks, reporter = self.training, self.callbacks, self.reporter
        last = self._last_epoch()
        if reporter.each_epoch:
            self.begin_epoch()
        for rule in reporter.rules:
            rule.begin(training, last - training.epoch)
        if reporter.each_epoch:
            self.optimizer.configure(self.engine)  # a callback may have changed it
        end = training.end_of(last)
        while training.epoch < last and not training.diverged and not training.finished:
            first = training.step
            if callbacks.batch_begins and not self._begin_batch():
                continue
            self._stepping = True
            stop = callbacks.next_stop(training.step, end) if callbacks.step_callbacks else end
            _slice(training, stop, self.seconds)
            self._stepping = False
            if training.not_finite:
                divergence.refuse_data(self)
            if training.step == first:  # nothing but the end of a stream's epoch
                continue
            if self._live and not training.diverged:
                epoch, step, logs = self._so_far()
                callbacks.on_progress(self.epochs[epoch], step, training.steps_per_epoch, logs)
            if callbacks.step_callbacks and callbacks.is_stop(training.step) and not training.diverged:
                epoch, step, logs = self._so_far()
                callbacks.on_train_batch_end(training.step, step - 1, logs)
                self.optimizer.configure(self.engine)
                if self.stopping():
                    break
                if training.epoch < last:
                    self._keep()
        unfinished = training.epoch < last and not training.finished
        if unfinished and not training.diverged and not training.finite:  # which is looked for at an epoch's end alone
            training.diverged = training.epoch + 1
        self._report(unfinished)
        if callbacks.backups and not training.diverged:
            self._keep(epoch_ended=training.epoch == last)

    def _begin_batch(self) -> bool:
        """Tell the callbacks of the step that comes next; False: there is none in the epoch at hand."""
        training = self.training
        if not training.ready():
            return False
        self.callbacks.on_train_batch_begin(training.step, training.batch)
        self.optimizer.configure(self.engine)
        return True

    def _so_far(self) -> tuple[int, int, Logs]:
        """The index of the epoch at hand, how many steps it has had, and its scores."""
        epoch, step = self.training.place()
        return epoch, step, self.reporter.logs(self.training.means(epoch))

    def _report(self, unfinished: bool = False) -> None:
        """Report the epochs that have ended; ``unfinished``: and the one that was stopped within."""
        training, reporter = self.training, self.reporter
        last = training.diverged - 1 if training.diverged else training.epoch
        if unfinished and not training.diverged:
            last += 1
        self.seconds.extend([0.0] * (last - len(self.seconds)))
        if isinstance(training, Training) and not (reporter.each_epoch or reporter.rules):
            reporter.end_all(training, min(last, training.epoch), self.seconds)
        while (epoch := reporter.next) < last:
            reporter.end(reporter.logs(training.means(epoch)), self.seconds[epoch], training.samples(epoch))
            if reporter.each_epoch:
                training.keep_good()  # a callback may have set weights

    # --- Keeping, and going on ---

    def _keep(self, epoch_ended: bool = False, always: bool = False) -> None:
        """Call the backups that are due; what has run off to infinity is not worth keeping."""
        step = self.training.step
        if not (self.callbacks.backups and self.training.finite and self.training.resumable):
            return
        for backup in self.callbacks.backups:
            n = backup.every_n_steps
            if always or (epoch_ended if n is None else step % n == 0):
                backup.keep(self)

    def description(self) -> dict[str, Any]:
        """What must be the same for a run to go on where another one was."""
        training, validation = self.training, self.reporter.validation
        rows, fingerprint = training.identity()
        return {
            "rows": rows,
            "columns": self.engine.inputs,
            "batch_size": training.batch_size,
            "shuffle": training.shuffle,
            "initial_epoch": self.epochs.start,
            "data": fingerprint,
            "validation data": None if validation is None else validation.fingerprint(),
        }

    def get_state(self) -> dict[str, Any]:
        """Where the run is; the parameters, slots and count of updates are the engine's."""
        return {"reported": self.reporter.reported, **self.training.get_state()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was called; the engine has been brought back."""
        self.training.set_state(state)
        self.reporter.reported = state["reported"]


def _slice(training: Steps, end: int, seconds: list[float]) -> None:
    """Steps for about SLICE_SECONDS, and how long one takes; their time is added to that of their epochs."""
    first, here = training.step, training.epoch
    steps = max(1, int(SLICE_SECONDS / training.seconds_a_step))
    begin = time.perf_counter()
    try:
        training.advance(min(end, first + steps))
    finally:  # Ctrl-C strikes when the steps have been taken
        passed = time.perf_counter() - begin
        taken = training.step - first
        a_step = passed / max(1, taken)
        if taken:
            training.seconds_a_step = max(a_step, 1e-9)
        there = training.place()[0]
        seconds.extend([0.0] * (max(here, there) + 1 - len(seconds)))
        if here >= there or isinstance(training, StreamTraining):
            seconds[here] += passed
        else:
            in_epoch = training.steps_per_epoch
            seconds[here] += ((here + 1) * in_epoch - first) * a_step
            seconds[here + 1 : there] = [in_epoch * a_step] * (there - here - 1)
            seconds[there] += (training.step - there * in_epoch) * a_step
