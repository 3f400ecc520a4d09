"""The stochastic fit, as scikit-learn has it: epochs of compiled steps, until a stopping rule ends them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from fastnn.engine import SLICE_SECONDS, Data, Training

from .network import Network, loss_constant, rows_of
from .observers import Observers
from .stopping import ImprovementRule, Rule, StopOnRule, TimeRule, monitored
from .validation import Validation, given_validation, split
from .warning import warn

if TYPE_CHECKING:
    from .base import BaseMLP

__all__ = ["fit_stochastic"]

Array = npt.NDArray[Any]

ORDERED = 2**20
"""Rows whose order is drawn ahead of a run of several epochs, at most."""
EPOCHS = 1000
"""Epochs of such a run, at most."""


@dataclass(frozen=True)
class TrainingRows:
    """What is trained on."""

    data: Data
    chosen: Array | None  # the numbers of the rows; None: all
    batch_size: int

    @property
    def count(self) -> int:
        """How many rows an epoch visits."""
        return len(self.data) if self.chosen is None else len(self.chosen)


def fit_stochastic(
    estimator: BaseMLP,
    network: Network,
    x: Any,
    y: Any,
    weight: Array | None,
    given: tuple[Any, Any, Any],
    incremental: bool,
) -> None:
    """Train by steps over batches of rows.

    Parameters
    ----------
    estimator, network
    x, y, weight
        The rows and their weights, checked.
    given : tuple
        X_val, y_val and sample_weight_val, as they were given to fit.
    incremental : bool
        One epoch, for ``partial_fit``: without callbacks and the end by a rule.
    """
    if estimator.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    if not hasattr(estimator, "_optimizer") or (estimator.reset_optimizer and not incremental):
        estimator._optimizer = estimator._optimizer_now()
        network.begin(estimator._optimizer)
    network.engine.penalize(float(estimator.alpha) / 2, True)
    chosen, validation = None, given_validation(estimator, network, *given)
    if validation is None and set(monitored(estimator)) - {"loss"}:
        chosen, validation = split(estimator, network, x, y, weight)
    targets = estimator._targets(y, network.labels)
    batch_size = _batch_size(estimator.batch_size, len(targets) if chosen is None else len(chosen))
    rows = TrainingRows(Data(rows_of(x), targets, network.labels, weight), chosen, batch_size)
    observers = None if incremental else Observers(estimator, network, -(-rows.count // batch_size))
    loop = Loop(estimator, network, rows, validation, observers or None, incremental)
    if observers is not None:
        observers.begin(x, y)
    try:
        loop.run()
    except KeyboardInterrupt:
        warn("Training interrupted by user.")
    finally:
        if observers is not None:
            observers.end_training()
    if loop.best is not None:
        network.take(loop.best)
        network.touched()
    if observers is not None:
        observers.end_fit(x, y)


def _batch_size(given: int | str, rows: int) -> int:
    """Rows of a batch, where an epoch has so many."""
    if given == "auto":
        return min(200, rows)
    if int(given) > rows:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return rows
    return int(given)


class Loop:
    """The epochs of one fit.

    Compiled runs go over as many epochs as cannot end training before the last of them: a rule that wants n epochs
    without improvement is not fulfilled sooner.  A run is of one epoch if callbacks or validation need each.

    Attributes
    ----------
    best : list of array, or None
        The weights to keep instead of the last ones.
    """

    def __init__(
        self,
        estimator: BaseMLP,
        network: Network,
        rows: TrainingRows,
        validation: Validation | None,
        observers: Observers | None,
        incremental: bool,
    ) -> None:
        self.estimator, self.network, self.rows = estimator, network, rows
        self.validation, self.observers, self.incremental = validation, observers, incremental
        self.best: list[Array] | None = None
        if estimator.early_stopping:
            self._keep()
        self.rules: list[Rule] = [ImprovementRule(estimator, network, self._keep)]
        for name in monitored(estimator)[1:]:
            kept = name == "validation_loss" and not estimator.early_stopping
            self.rules.append(StopOnRule(estimator, name, self._keep if kept else None))
        self.rules.append(TimeRule(estimator.max_time))
        self.constant = loss_constant(estimator.loss, rows.data.y, rows.data.weight)
        self.scales_rate = estimator.solver == "sgd" and estimator.learning_rate == "invscaling"
        self.each_epoch = validation is not None or observers is not None or incremental or self.scales_rate
        self.epochs = 1 if incremental else estimator.max_iter
        self.index = np.arange(rows.count) if rows.chosen is None else rows.chosen
        if validation is not None and getattr(estimator, "validation_loss_curve_", None) is None:
            estimator.validation_loss_curve_ = []

    def run(self) -> None:
        """Train until a rule or a callback ends it, or ``max_iter`` epochs are over."""
        estimator, training = self.estimator, None
        estimator.n_iter_ = 0
        while estimator.n_iter_ < self.epochs:
            if training is None or training.finished:
                epochs = min(EPOCHS, self.epochs - estimator.n_iter_)
                engine, seed = self.network.engine, self.network.seed
                training = Training(
                    engine, self.rows.data, self.rows.batch_size, epochs, False, seed, rows=self.rows.count
                )
            stop = self._run_epochs(training)
            if training.diverged:
                self._warn_of_divergence()
            if stop or training.diverged or self.incremental:
                return
            if self.each_epoch:
                training.keep_good()
        warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
            "converged yet.",
            ConvergenceWarning,
        )

    def _run_epochs(self, training: Training) -> bool:
        """Train for one epoch, or for as many as nobody has to look at.  Returns whether training ends."""
        first = training.epoch
        count = min(training.steps // training.steps_per_epoch - first, self._epochs_at_once())
        order = self._order(count)
        training.lay_down(order, self._row_weights(order, count))
        if self.observers is not None:
            self.observers.begin_epoch()
        if self.each_epoch:
            self.network.set_optimizer()  # a callback or a rule may have changed it
        self._advance(training, training.end_of(first + count))
        stop = False
        for epoch in range(first, training.diverged or first + count):
            stop = self._end_epoch(float(training.results[epoch, 0] / self.rows.count + self.constant))
        self.network.optimizer.iterations = self.network.engine.iterations
        return stop

    def _epochs_at_once(self) -> int:
        """How many epochs can run before anything may have to be decided."""
        if self.each_epoch:
            return 1
        patience = min(rule.patience for rule in self.rules)
        return int(max(1, min(patience, EPOCHS, ORDERED // self.rows.count)))

    def _order(self, epochs: int) -> Array | None:
        """The numbers of the rows as the next epochs visit them, (epochs, rows), shuffled as scikit-learn does.

        None: all rows as they are.
        """
        count = self.rows.count
        if self.estimator.shuffle:
            order, start = np.empty((epochs, count), np.int64), np.arange(count)
            for row in order:
                places = start.copy()
                self.estimator._random_state.shuffle(places)
                self.index = row[:] = self.index[places]
            return order
        return None if self.rows.chosen is None else np.broadcast_to(self.index, (epochs, count)).copy()

    def _row_weights(self, order: Array | None, epochs: int) -> Array | None:
        """What each step multiplies the weights of its rows by, (epochs, steps), so that they add up to 1."""
        weight, count = self.rows.data.weight, self.rows.count
        if weight is None:
            return None
        visited = np.broadcast_to(weight[np.arange(count) if order is None else order], (epochs, count))
        sums = np.add.reduceat(visited, np.arange(0, count, self.rows.batch_size), axis=1)
        if not (sums > 0).all():
            raise ZeroDivisionError("sample_weight adds up to 0 in a batch; wants a batch_size that avoids it")
        return np.asarray(1 / sums)

    def _advance(self, training: Training, last: int) -> None:
        """Take steps up to a last one, in slices of about SLICE_SECONDS, so that Ctrl-C and progress come through."""
        while training.step < last and not training.diverged:
            begin, first = time.perf_counter(), training.step
            training.advance(min(last, first + max(1, int(SLICE_SECONDS / training.seconds_a_step))))
            training.seconds_a_step = max(1e-9, (time.perf_counter() - begin) / max(1, training.step - first))
            if self.observers is not None and self.observers.need_progress and not training.diverged:
                epoch = (training.step - 1) // training.steps_per_epoch
                step = training.step - epoch * training.steps_per_epoch
                loss = training.results[epoch, 0] / min(step * self.rows.batch_size, self.rows.count)
                self.observers.progress(step, training.steps_per_epoch, {"loss": loss})

    def _end_epoch(self, loss: float) -> bool:
        """Keep count of an epoch.  Returns whether training ends."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.loss_ = loss
        estimator.t_ += self.rows.count
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        logs = {"loss": loss}
        if self.validation is not None:
            logs |= self.validation.evaluate()
            estimator.validation_loss_curve_.append(logs["val_loss"])
        for rule in self.rules:
            rule.update(logs)
        stop = self.observers is not None and self.observers.end_epoch(logs)
        if self.scales_rate:
            rate = float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t
            self.network.optimizer.learning_rate = rate
        ended = [rule.ends() for rule in self.rules]  # each is asked: an adaptive rate falls even in a last epoch
        return stop or any(ended)

    def _keep(self) -> None:
        """Keep the weights as the best ones."""
        self.best = [view.copy() for view in self.network.views]

    def _warn_of_divergence(self) -> None:
        if self.best is not None:  # else fit raises an error
            warn(
                "training diverged: the loss or a weight became infinite. The best weights before are kept; try a "
                "smaller learning_rate_init, or scaled data",
                ConvergenceWarning,
            )
