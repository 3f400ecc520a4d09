"""The stochastic fit, as scikit-learn has it: epochs of compiled steps, until a stopping rule ends them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from fastnn.callbacks import Callback, CallbackList, ProgressBar
from fastnn.engine import SLICE_SECONDS, Data, Training

from .network import Network, loss_constant, rows_of
from .stopping import ImprovementRule, Rule, StopOnRule, TimeRule, monitored
from .validation import Validation, given_validation, split
from .warning import warn

if TYPE_CHECKING:
    from .base import BaseMLP

__all__ = ["fit_stochastic"]

Array = npt.NDArray[Any]

ORDERED = 2**20  # rows whose order is drawn ahead of a run of several epochs, at most
EPOCHS = 1000  # epochs of such a run, at most


def fit_stochastic(
    estimator: BaseMLP,
    network: Network,
    x: Any,
    y: Any,
    weight: Array | None,
    given: tuple[Any, Any, Any],
    incremental: bool,
) -> None:
    """Train by steps over batches of rows, which have been checked.

    ``given``: X_val, y_val and sample_weight_val; ``incremental``: one epoch without callbacks, for ``partial_fit``.
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
    chosen = np.arange(len(targets)) if chosen is None else chosen
    batch_size = _batch_size(estimator.batch_size, len(chosen))
    data = Data(rows_of(x), targets, network.labels, weight)
    observers = Observers(estimator, network, -(-len(chosen) // batch_size), incremental)
    loop = Loop(estimator, network, data, chosen, batch_size, validation, observers, incremental)
    observers.begin(x, y)
    try:
        loop.run()
    except KeyboardInterrupt:
        warn("Training interrupted by user.")
    finally:
        observers.end_training()
    if loop.best is not None:
        network.take(loop.best)
        network.touched()
    observers.end_fit(x, y)


def _batch_size(given: int | str, rows: int) -> int:
    """Rows of a batch, where an epoch has so many."""
    if given == "auto":
        return min(200, rows)
    if int(given) > rows:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return rows
    return int(given)


class Observers:
    """The callbacks of a fit: fastnn's (``callbacks``, ``progress_bar``) and scikit-learn's (``set_callbacks``)."""

    def __init__(self, estimator: BaseMLP, network: Network, steps: int, incremental: bool) -> None:
        self.estimator, self.model = estimator, network.model
        self.callbacks: CallbackList | None = None
        self.context: Any = None  # scikit-learn's, of the fit
        self.task: Any = None  # scikit-learn's, of the epoch at hand
        if incremental:
            return
        given = [] if estimator.callbacks is None else estimator.callbacks
        given = [given] if isinstance(given, Callback) else list(given)
        if estimator.progress_bar:
            given = [ProgressBar(1), *given]
        if given:
            self.model.stop_training = False
            params = {"epochs": estimator.max_iter, "steps": steps, "verbose": 0}
            self.callbacks = CallbackList(given, self.model, params)
        if "_skl_callbacks" in estimator.__dict__ or hasattr(estimator, "_parent_callback_ctx"):
            self.context = estimator._init_callback_context(max_subtasks=estimator.max_iter)

    def __bool__(self) -> bool:
        return self.callbacks is not None or self.context is not None

    @property
    def need_progress(self) -> bool:
        """Whether one wants to be called within epochs."""
        return self.callbacks is not None and self.callbacks.needs_progress

    def begin(self, x: Any, y: Any) -> None:
        if self.context is not None:
            self.context.call_on_fit_task_begin(estimator=self.estimator, X=x, y=y)
        if self.callbacks is not None:
            self.callbacks.on_train_begin()

    def begin_epoch(self) -> None:
        if self.callbacks is not None:
            self.callbacks.on_epoch_begin(self.estimator.n_iter_)
        if self.context is not None:
            self.task = self.context.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(estimator=self.estimator)

    def progress(self, step: int, steps: int, logs: dict[str, float]) -> None:
        if self.callbacks is not None:
            self.callbacks.on_progress(self.estimator.n_iter_, step, steps, logs)

    def end_epoch(self, logs: dict[str, float]) -> bool:
        """Tell them what an epoch brought.  Returns whether one of them ends training."""
        stop = False
        if self.callbacks is not None:
            self.callbacks.on_epoch_end(self.estimator.n_iter_ - 1, logs)
            stop = self.model.stop_training
        if self.task is not None:
            weights = self.estimator._weights_now
            asked = self.task.call_on_fit_task_end(estimator=self.estimator, reconstruction_attributes=weights)
            stop = stop or bool(asked)
        return stop

    def end_training(self) -> None:
        if self.callbacks is not None:
            self.callbacks.on_train_end()

    def end_fit(self, x: Any, y: Any) -> None:
        if self.context is not None:
            weights = self.estimator._weights_now
            self.context.call_on_fit_task_end(estimator=self.estimator, X=x, y=y, reconstruction_attributes=weights)


class Loop:
    """The epochs of one fit.

    Compiled runs go over as many epochs as cannot end training before the last of them: a rule that wants n epochs
    without improvement is not fulfilled sooner.  A run is of one epoch if callbacks or validation need each.
    It trains on the rows of ``data`` whose numbers are ``chosen``.  In the end ``best``, where it is not None, has the
    weights to keep instead of the last ones.
    """

    def __init__(
        self,
        estimator: BaseMLP,
        network: Network,
        data: Data,
        chosen: Array,
        batch_size: int,
        validation: Validation | None,
        observers: Observers,
        incremental: bool,
    ) -> None:
        self.estimator, self.network, self.data, self.batch_size = estimator, network, data, batch_size
        self.validation, self.observers, self.incremental = validation, observers, incremental
        self.index, self.count = chosen, len(chosen)
        self.best: list[Array] | None = None
        if estimator.early_stopping:
            self._keep()
        self.rules: list[Rule] = [ImprovementRule(estimator, network, self._keep)]
        for name in monitored(estimator)[1:]:
            kept = name == "validation_loss" and not estimator.early_stopping
            self.rules.append(StopOnRule(estimator, name, self._keep if kept else None))
        self.rules.append(TimeRule(estimator.max_time))
        self.constant = loss_constant(estimator.loss, data.y, data.weight)
        self.scales_rate = estimator.solver == "sgd" and estimator.learning_rate == "invscaling"
        self.each_epoch = validation is not None or bool(observers) or incremental or self.scales_rate
        self.epochs = 1 if incremental else estimator.max_iter
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
                training = Training(engine, self.data, self.batch_size, epochs, False, seed, rows=self.count)
            stop = self._run_epochs(training)
            if training.diverged and self.best is not None:  # without weights to keep fit raises an error
                warn(
                    "training diverged: the loss or a weight became infinite. The best weights before are kept; try a "
                    "smaller learning_rate_init, or scaled data",
                    ConvergenceWarning,
                )
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
        self.observers.begin_epoch()
        if self.each_epoch:
            self.network.set_optimizer()  # a callback or a rule may have changed it
        self._advance(training, training.end_of(first + count))
        stop = False
        for epoch in range(first, training.diverged or first + count):
            stop = self._end_epoch(float(training.results[epoch, 0] / self.count + self.constant))
        self.network.optimizer.iterations = self.network.engine.iterations
        return stop

    def _epochs_at_once(self) -> int:
        """How many epochs can run before anything may have to be decided."""
        if self.each_epoch:
            return 1
        patience = min(rule.patience for rule in self.rules)
        return int(max(1, min(patience, EPOCHS, ORDERED // self.count)))

    def _order(self, epochs: int) -> Array | None:
        """The numbers of the rows as the next epochs visit them, (epochs, rows), shuffled as scikit-learn does.

        None: all rows as they lie.
        """
        count = self.count
        if self.estimator.shuffle:
            order, start = np.empty((epochs, count), np.int64), np.arange(count)
            for row in order:
                places = start.copy()
                self.estimator._random_state.shuffle(places)
                self.index = row[:] = self.index[places]
            return order
        return None if count == len(self.data) else np.broadcast_to(self.index, (epochs, count)).copy()

    def _row_weights(self, order: Array | None, epochs: int) -> Array | None:
        """What each step multiplies the weights of its rows by, (epochs, steps), so that they add up to 1."""
        weight, count = self.data.weight, self.count
        if weight is None:
            return None
        visited = np.broadcast_to(weight[np.arange(count) if order is None else order], (epochs, count))
        sums = np.add.reduceat(visited, np.arange(0, count, self.batch_size), axis=1)
        if not (sums > 0).all():
            raise ZeroDivisionError("sample_weight adds up to 0 in a batch; wants a batch_size that avoids it")
        return np.asarray(1 / sums)

    def _advance(self, training: Training, last: int) -> None:
        """Take steps up to a last one, in slices of about SLICE_SECONDS, so that Ctrl-C and progress come through."""
        while training.step < last and not training.diverged:
            begin, first = time.perf_counter(), training.step
            training.advance(min(last, first + max(1, int(SLICE_SECONDS / training.seconds_a_step))))
            training.seconds_a_step = max(1e-9, (time.perf_counter() - begin) / max(1, training.step - first))
            if self.observers.need_progress and not training.diverged:
                epoch = (training.step - 1) // training.steps_per_epoch
                step = training.step - epoch * training.steps_per_epoch
                loss = training.results[epoch, 0] / min(step * self.batch_size, self.count)
                self.observers.progress(step, training.steps_per_epoch, {"loss": loss})

    def _end_epoch(self, loss: float) -> bool:
        """Keep count of an epoch.  Returns whether training ends."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.loss_ = loss
        estimator.t_ += self.count
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        logs = {"loss": loss}
        if self.validation is not None:
            logs |= self.validation.evaluate()
            estimator.validation_loss_curve_.append(logs["val_loss"])
        for rule in self.rules:
            rule.update(logs)
        stop = self.observers.end_epoch(logs)
        if self.scales_rate:
            rate = float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t
            self.network.optimizer.learning_rate = rate
        ended = [rule.ends() for rule in self.rules]  # each is asked: an adaptive rate falls even in a last epoch
        return stop or any(ended)

    def _keep(self) -> None:
        """Keep the weights as the best ones."""
        self.best = [view.copy() for view in self.network.views]
