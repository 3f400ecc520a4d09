"""What is told of each epoch, whoever trains: its scores by name, to the rules, the callbacks and the histories."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from fastnn.callbacks import CallbackList
from fastnn.callbacks.base import Logs
from fastnn.data import Feed, batches, evaluate
from fastnn.engine import Data, Engine, Training
from fastnn.metrics import Metric
from fastnn.typing import Array
from .stream import Steps


def named(values: Array, metrics: Sequence[Metric], prefix: str = "") -> Logs:
    """The loss and the metrics by name, from their means over the rows."""
    loss, *rest = values.tolist()
    logs = {f"{prefix}loss": loss}
    for metric, value in zip(metrics, rest, strict=True):
        logs[prefix + metric.name] = math.sqrt(value) if metric.root else value
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


def tested(engine: Engine, held: Held, metrics: Sequence[Metric], callbacks: CallbackList | None) -> Logs:
    """The loss and the metrics of rows, by name; callbacks are told."""
    if callbacks is None:
        return named(evaluate(engine, held.rows), metrics)
    callbacks.call("on_test_begin", {})
    if callbacks.wants("on_test_batch_begin", "on_test_batch_end"):
        logs = _by_batches(engine, held, metrics, callbacks)
    else:
        logs = named(evaluate(engine, held.rows), metrics)
    callbacks.call("on_test_end", logs)
    return logs


def _by_batches(engine: Engine, held: Held, metrics: Sequence[Metric], callbacks: CallbackList) -> Logs:
    callbacks.model.stop_evaluating = False
    sums, count, logs = np.zeros(1 + len(metrics)), 0, {}
    for number, batch in enumerate(batches(held.rows, held.batch_size, engine.dtype)):
        callbacks.call("on_test_batch_begin", number, {})
        sums, count = sums + engine.evaluate(batch) * len(batch), count + len(batch)
        logs = named(sums / count, metrics)
        callbacks.call("on_test_batch_end", number, logs)
        if callbacks.model.stop_evaluating:
            break
    return logs


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


class Reporter:
    """Reports the epochs of a fit, one after the other, to rules, callbacks and histories.

    ``validation`` says of which rows loss and metrics are reported as "val_loss" and so on; ``epochs`` the numbers of
    the epochs, from 0.  ``timed`` gets the seconds that the steps of some epochs took, and the rows of each, before the
    callbacks hear of them.
    """

    def __init__(
        self,
        engine: Engine,
        metrics: Sequence[Metric],
        validation: Held | None,
        epochs: range,
        callbacks: CallbackList,
        timed: Callable[[list[float], int], object] = lambda seconds, rows: None,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.engine, self.metrics, self.validation = engine, metrics, validation
        self.epochs, self.callbacks, self.timed, self.rules = epochs, callbacks, timed, rules
        # Whether somebody must hear of an epoch before the next one begins, and not just some time after.
        self.each_epoch = callbacks.needs_epochs or validation is not None or any(rule.each_epoch for rule in rules)
        self.reported = 0  # epochs
        self.stopped = False  # by a rule
        self._begun = -1  # the epoch that the callbacks know of

    def begin(self, epoch: int) -> None:
        """Tell the callbacks that the epoch of this index begins, unless they know."""
        if self._begun != epoch:
            self._begun = epoch
            self.callbacks.on_epoch_begin(self.epochs[epoch])

    def end(self, means: Array, seconds: float, rows: int) -> None:
        """Report the next epoch: the means over its rows of the loss and the metrics, and how long its steps took."""
        epoch = self.epochs[self.reported]
        logs = named(means, self.metrics)
        if self.validation is not None and self.validation.due(epoch):
            scores = tested(self.engine, self.validation, self.metrics, self.callbacks)
            logs |= {f"val_{name}": value for name, value in scores.items()}
        self.reported += 1  # before the calls: Ctrl-C may strike in them
        for rule in self.rules:
            rule.update(logs)
        self.timed([seconds], rows)
        self.callbacks.on_epoch_end(epoch, logs)
        ends = [rule.ends() for rule in self.rules]
        self.stopped = any(ends)

    def end_all(self, training: Training, last: int, seconds: Sequence[float]) -> None:
        """Report the epochs before ``last`` to the histories, where they are all that want to hear of them."""
        first = self.reported
        if first >= last:
            return
        epochs, rows = self.epochs[first:last], training.rows
        columns = [[value / rows for value in column] for column in training.results[first:last].T.tolist()]
        logs = {"loss": columns[0]}
        for metric, column in zip(self.metrics, columns[1:], strict=True):
            logs[metric.name] = [math.sqrt(value) for value in column] if metric.root else column
        updates = [(vars(history).update, history.with_epochs(epochs, logs)) for history in self.callbacks.histories]
        self.timed(list(seconds[first:last]), rows)
        self.reported = last  # before the updates, each of which Ctrl-C cannot divide
        self.callbacks.last = {name: column[-1] for name, column in logs.items()}
        for update, values in updates:
            update(values)

    def tell_interrupted(self) -> None:
        """Say on stderr how far training came before Ctrl-C."""
        how_far = f"{self.reported} of {len(self.epochs)} epochs"
        print(f"\nfit: interrupted after {how_far}; the weights are kept", file=sys.stderr)
