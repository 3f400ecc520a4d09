"""What is told of each epoch, whoever trains: its scores by name, to the rules, the callbacks and the histories."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import data
from fastnn.callbacks import Callback, CallbackList, History
from fastnn.callbacks.base import Logs
from fastnn.callbacks.history import Addition, extend
from fastnn.data import Feed, batches
from fastnn.engine import Data, Engine, Training
from fastnn.metrics import Watch, Watched
from fastnn.typing import Array
from .stream import Steps


def named(values: Sequence[float], metrics: Sequence[Watched], kept: Sequence[Any] = ()) -> Logs:
    """The loss and the metrics by name, from their means over the rows, and what NumPy made of outputs."""
    means, others = iter(values), iter(kept)
    logs = {"loss": next(means)}
    for name, metric, row, _ in metrics:
        value = next(means) if row else next(others)
        logs[name] = math.sqrt(value) if row and metric.root else value
    return logs


@dataclass
class Held:
    """Rows that a fit is validated with: in which epochs, and in batches of how many rows, if a callback sees these."""

    rows: Data | Feed
    batch_size: int = 32
    freq: int | Collection[int] = 1

    def due(self, epoch: int) -> bool:
        """Whether this epoch, counted from 0, is validated."""
        number = epoch + 1
        return number % self.freq == 0 if isinstance(self.freq, int) else number in self.freq

    def fingerprint(self) -> str:
        """A digest of the rows."""
        return self.rows.fingerprint()

    def scores(self, engine: Engine, metrics: Sequence[Watched], callbacks: CallbackList | None) -> Logs:
        """The loss and the metrics of all of them, by name; callbacks are told."""
        return tested(engine, self, metrics, callbacks)


def tested(engine: Engine, held: Held, metrics: Sequence[Watched], callbacks: CallbackList | None) -> Logs:
    """The loss and the metrics of rows, by name; callbacks are told."""
    if callbacks is None:
        return evaluate(engine, held.rows, metrics, held.batch_size)
    callbacks.call("on_test_begin", {})
    if callbacks.wants("on_test_batch_begin", "on_test_batch_end"):
        logs = _by_batches(engine, held, metrics, callbacks)
    else:
        logs = evaluate(engine, held.rows, metrics, held.batch_size)
    callbacks.call("on_test_end", logs)
    return logs


def _by_batches(engine: Engine, held: Held, metrics: Sequence[Watched], callbacks: CallbackList) -> Logs:
    callbacks.model.stop_evaluating = False
    watch, sums, count, logs = Watch(metrics), np.zeros(1 + len(engine.metrics)), 0, {}
    for number, batch in enumerate(batches(held.rows, held.batch_size, engine.dtype)):
        callbacks.call("on_test_batch_begin", number, {})
        sums, count = sums + _measured(engine, batch, watch, len(batch)) * len(batch), count + len(batch)
        logs = named((sums / count).tolist(), metrics, watch.results())
        callbacks.call("on_test_batch_end", number, logs)
        if callbacks.model.stop_evaluating:
            break
    return logs


def evaluate(engine: Engine, rows: Data | Feed, metrics: Sequence[Watched], batch_size: int) -> Logs:
    """The loss and the metrics of rows, in memory or not, by name.

    ``batch_size`` matters to metrics that are functions or loss objects.
    """
    watch = Watch(metrics)
    if not watch:
        return named(data.evaluate(engine, rows).tolist(), metrics)
    if isinstance(rows, Feed):
        means = rows.means(engine, lambda part, size: _measured(engine, part, watch, size))
    else:
        means = _measured(engine, rows, watch, batch_size)
    return named(means.tolist(), metrics, watch.results())


def _measured(engine: Engine, rows: Data, watch: Watch, batch_size: int) -> Array:
    """The means over rows of the loss and of what the compiled run measures; ``watch`` sees the outputs."""
    if not watch:
        return engine.evaluate(rows)
    outputs = np.empty((len(rows), engine.outputs), engine.dtype)
    means = engine.evaluate(rows, outputs)
    watch.update(rows, outputs, batch_size)
    return means


class Rule:
    """Has a say, beside the callbacks, in the order of the rows and in when to stop; what it leaves out does nothing.

    `begin` is called before the steps of an epoch, or of several that share a compiled run; `update` and `ends` are
    called for each of these epochs when its steps have been taken, before and after the callbacks.
    """

    each_epoch = False
    """It must hear of an epoch before the next one begins, since it looks at the weights, or changes them or the rate.

    Otherwise a compiled run may go over as many epochs as `patience` allows.
    """

    @property
    def patience(self) -> float:
        """How many epochs can be trained, at least, before it may end training, or must `begin` anew."""
        return math.inf

    def begin(self, training: Steps, epochs: int) -> None:
        """The next epochs begin, so many, of which the callbacks know: the place for `Training.lay_down`."""

    def update(self, logs: Logs) -> None:
        """Take note of an epoch, and add to its logs, before the callbacks get them."""

    def ends(self) -> bool:
        """Whether training ends with the epoch that was told last; every rule is asked, whatever the others say.

        Of epochs that share a compiled run, the answer after the last one counts.
        """
        return False


class _Ending:
    """An epoch whose steps are done: its index, its logs, and who has not heard of its end yet."""

    def __init__(self, index: int, logs: Logs, rules: Sequence[Rule], callbacks: Sequence[Callback]) -> None:
        self.index, self.logs, self.rules, self.callbacks = index, logs, iter(rules), iter(callbacks)


class Reporter:
    """Reports the epochs of a fit, one after the other, to rules, callbacks and histories.

    ``validation`` says of which rows loss and metrics are reported as "val_loss" and so on; ``epochs`` the numbers of
    the epochs, from 0.  ``history`` is the one that fit returns: it also gets the seconds that the steps of each took.

    Ctrl-C may come at any time: `end`, called again, goes on where it was cut off, and nobody is told twice.  An epoch
    is in all histories, and counted as reported, or in none.
    """

    def __init__(
        self,
        engine: Engine,
        metrics: Sequence[Watched],
        validation: Held | None,
        epochs: range,
        callbacks: CallbackList,
        history: History | None = None,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.engine, self.metrics, self.validation = engine, metrics, validation
        self.epochs, self.callbacks, self.history, self.rules = epochs, callbacks, history, rules
        self.watch = Watch(metrics)
        # Whether somebody must hear of an epoch before the next one begins, and not just some time after.
        self.each_epoch = callbacks.needs_epochs or validation is not None or any(rule.each_epoch for rule in rules)
        self.each_epoch = self.each_epoch or bool(self.watch)
        self.stopped = False  # by a rule
        self._reported: list[None] = []  # as long as there are epochs in the histories
        self._ending: _Ending | None = None
        self._begun = -1  # the epoch that the callbacks know of

    @property
    def reported(self) -> int:
        """How many epochs have been."""
        return len(self._reported)

    @reported.setter
    def reported(self, epochs: int) -> None:
        self._reported = [None] * epochs

    @property
    def next(self) -> int:
        """The index of the epoch that is to be reported, or of which not everybody has heard."""
        return self.reported if self._ending is None else self._ending.index

    def begin(self, epoch: int) -> None:
        """Tell the callbacks that the epoch of this index begins, unless they know."""
        if self._begun != epoch:
            self._begun = epoch
            self.watch.reset()
            self.callbacks.on_epoch_begin(self.epochs[epoch])

    def logs(self, means: Sequence[float]) -> Logs:
        """The loss and the metrics by name, from their means over the rows so far of the epoch at hand."""
        return named(means, self.metrics, self.watch.results())

    def end(self, logs: Logs, seconds: float, rows: int) -> None:
        """Report the next epoch: its loss and metrics by name, and how long its steps took."""
        if self._ending is None:
            if self.validation is not None and self.validation.due(self.epochs[self.reported]):
                scores = self.validation.scores(self.engine, self.metrics, self.callbacks)
                logs |= {f"val_{name}": value for name, value in scores.items()}
            self._ending = _Ending(self.reported, logs, self.rules, self.callbacks.others)
        ending = self._ending
        epoch, logs = self.epochs[ending.index], ending.logs
        self.callbacks.last = logs
        if self.history is not None:  # callbacks find it there; to say so twice is to say it once
            self.history.seconds[ending.index :] = [seconds]
        for rule in ending.rules:
            rule.update(logs)
        try:
            for callback in ending.callbacks:
                callback.on_epoch_end(epoch, logs)
        finally:
            if self.reported == ending.index:
                self._record([epoch], {name: [value] for name, value in logs.items()}, [], rows)
        ends = [rule.ends() for rule in self.rules]
        self.stopped = any(ends)
        self._ending = None

    def end_all(self, training: Training, last: int, seconds: Sequence[float]) -> None:
        """Report the epochs before ``last`` to the histories, where they are all that want to hear of them."""
        first = self.reported
        if first >= last:
            return
        rows = training.rows
        columns = [[value / rows for value in column] for column in training.totals(first, last).T.tolist()]
        logs = {"loss": columns[0]}
        for (name, metric, _, _), column in zip(self.metrics, columns[1:], strict=True):
            logs[name] = [math.sqrt(value) for value in column] if metric.root else column
        self.callbacks.last = {name: column[-1] for name, column in logs.items()}
        self._record(self.epochs[first:last], logs, list(seconds[first:last]), rows)

    def _record(self, epochs: Sequence[int], logs: Mapping[str, list[float]], seconds: list[float], rows: int) -> None:
        """Put epochs into the histories, and count them."""
        additions: list[Addition] = [(self._reported, [None] * len(epochs))]
        for history in self.callbacks.histories:
            additions += history.additions(epochs, logs)
        if self.history is not None:
            self.history.samples = rows
            additions.append((self.history.seconds, seconds))
        extend(additions)

    def tell_interrupted(self) -> None:
        """Say on stderr how far training came before Ctrl-C."""
        how_far = f"{self.reported} of {len(self.epochs)} epochs"
        print(f"\nfit: interrupted after {how_far}; the weights are kept", file=sys.stderr)
