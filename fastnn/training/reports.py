"""What is told of each epoch, whoever trains: its scores by name, to the rules, the callbacks and the histories."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fastnn.data import Feed, evaluate
from fastnn.engine import Data, Engine, Training
from fastnn.typing import Array

if TYPE_CHECKING:
    from fastnn.callbacks import CallbackList
    from fastnn.metrics import Metric

    from .rules import Rule

Logs = dict[str, float]


def named(values: Array, metrics: Sequence[Metric], prefix: str = "") -> Logs:
    """The loss and the metrics by name, from their means over the rows."""
    loss, *rest = values.tolist()
    logs = {f"{prefix}loss": loss}
    for metric, value in zip(metrics, rest, strict=True):
        logs[prefix + metric.name] = _value(metric, value)
    return logs


def _value(metric: Metric, mean: float) -> float:
    """A metric, from its mean over the rows."""
    return math.sqrt(mean) if metric.root else mean


class Reporter:
    """Reports the epochs of a fit, one after the other.

    Parameters
    ----------
    engine : Engine
    metrics : sequence of Metric
    validation : Data, Feed or None
        Rows whose loss and metrics are reported as "val_loss" and so on.
    epochs : range
        The numbers of the epochs, from 0.
    callbacks : CallbackList
    timed : callable
        Gets the seconds that the steps of some epochs took, and the rows of each, before the callbacks hear of them.
    rules : sequence of Rule

    Attributes
    ----------
    reported : int
        How many epochs have been.
    each_epoch : bool
        Whether somebody must hear of an epoch before the next one begins, and not just some time after.
    stopped : bool
        Whether a rule ends training.
    """

    def __init__(
        self,
        engine: Engine,
        metrics: Sequence[Metric],
        validation: Data | Feed | None,
        epochs: range,
        callbacks: CallbackList,
        timed: Callable[[list[float], int], object] = lambda seconds, rows: None,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.engine, self.metrics, self.validation = engine, metrics, validation
        self.epochs, self.callbacks, self.timed, self.rules = epochs, callbacks, timed, rules
        self.each_epoch = callbacks.needs_epochs or validation is not None or any(rule.each_epoch for rule in rules)
        self.reported = 0
        self.stopped = False
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
        if self.validation is not None:
            logs |= named(evaluate(self.engine, self.validation), self.metrics, "val_")
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
            logs[metric.name] = [_value(metric, value) for value in column]
        updates = [(vars(history).update, history.with_epochs(epochs, logs)) for history in self.callbacks.histories]
        self.timed(list(seconds[first:last]), rows)
        self.reported = last  # before the updates, each of which Ctrl-C cannot divide
        for update, values in updates:
            update(values)

    def tell_interrupted(self) -> None:
        """Say on stderr how far training came before Ctrl-C."""
        print(
            f"\nfit: interrupted after {self.reported} of {len(self.epochs)} epochs; the weights are kept",
            file=sys.stderr,
        )
