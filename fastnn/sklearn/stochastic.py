"""The stochastic fit, as scikit-learn has it: epochs of compiled steps, until a stopping rule ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight

from fastnn.callbacks import Callback, CallbackList, ProgressBar
from fastnn.engine import Data, Training
from fastnn.errors import warn
from fastnn.training import Loop, Reporter, Rule
from fastnn.typing import Array
from .network import Network, loss_constant
from .stopping import ImprovementRule, StopOnRule, TimeRule, monitored

NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)

if TYPE_CHECKING:
    from .base import BaseMLP

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
    if chosen is None:
        chosen, weight = np.arange(len(targets)), estimator._class_weighted(y, weight)
    else:
        weight = _class_weighted(estimator, y, weight, chosen)
    batch_size = _batch_size(estimator.batch_size, len(chosen))
    data = Data(network.rows_of(x), targets, network.labels, weight)
    observers = Observers(estimator, network, -(-len(chosen) // batch_size), incremental)
    fit = Fit(estimator, network, data, chosen, batch_size, validation, incremental)
    observers.begin_fit(x, y)
    try:
        interrupted = fit.run(observers)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        fit.rules.clear()  # which have it
        observers.end_training()
    if interrupted:
        warn("Training interrupted by user.")
    if fit.best is not None:
        network.take(fit.best)
        network.touched()
    observers.end_fit(x, y)


def _class_weighted(estimator: BaseMLP, y: Any, weight: Array | None, chosen: Array) -> Array | None:
    """The weights of all rows, with those of the classes where they are chosen to be trained on, and counted there."""
    of_chosen = estimator._class_weighted(y[chosen], None if weight is None else weight[chosen])
    if of_chosen is None:
        return None
    result = np.ones(y.shape[0])
    result[chosen] = of_chosen
    return result


def _batch_size(given: int | str, rows: int) -> int:
    """Rows of a batch, where an epoch has so many."""
    if given == "auto":
        return min(200, rows)
    if int(given) > rows:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return rows
    return int(given)


# --- Validation rows: given, or split off the training rows; scored after each epoch ---


class Validation:
    """Rows that are not trained on, ready to be scored."""

    def __init__(self, estimator: BaseMLP, network: Network, x: Any, y: Any, weight: Array | None) -> None:
        self.estimator, self.network, self.y, self.weight = estimator, network, y, weight
        targets = estimator._targets(y, network.labels)
        self.data = Data(network.rows_of(x), targets, network.labels, weight)
        self.total = float(len(targets) if weight is None else weight.sum())
        self.constant = loss_constant(estimator.loss, self.data.y, weight)

    def evaluate(self) -> dict[str, float]:
        """The loss, without the penalty, and the score of the network as it is now."""
        engine = self.network.engine
        output = engine.predict(Data(self.data.x))
        if self.estimator.out_activation_ == "exp":
            output = np.exp(output)
        score = self.estimator._score_of(output, self) if np.isfinite(output).all() else float("nan")
        loss = float(engine.evaluate(self.data)[0]) * len(self.data) / self.total
        return {"val_loss": loss * engine.job.loss.score_scale + self.constant, "val_score": score}


def given_validation(estimator: BaseMLP, network: Network, x: Any, y: Any, weight: Array | None) -> Validation | None:
    """X_val, y_val and sample_weight_val, checked; None where they are not given."""
    if (x is None) != (y is None):
        raise ValueError(f"{'X_val' if x is None else 'y_val'} is missing; wants both X_val and y_val, or none")
    if x is None:
        return None
    x, y = estimator._checked(x, y, False, True, validation=True)
    return Validation(estimator, network, x, y, None if weight is None else _check_sample_weight(weight, x))


def split(estimator: BaseMLP, network: Network, x: Any, y: Any, weight: Array | None) -> tuple[Array, Validation]:
    """The numbers of the rows to train on, and the rest, ``validation_fraction`` of all rows, as validation rows."""
    chosen, rest = train_test_split(
        np.arange(x.shape[0]),
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=estimator._strata(y),
    )
    if len(rest) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return chosen, Validation(estimator, network, x[rest], y[rest], None if weight is None else weight[rest])


# --- The rules of a fit ---


class Observers(Rule):
    """The callbacks of a fit: fastnn's (``callbacks``, ``progress_bar``) and scikit-learn's (``set_callbacks``)."""

    def __init__(self, estimator: BaseMLP, network: Network, steps: int, incremental: bool) -> None:
        self.estimator, self.model = estimator, network.model
        self.callbacks: CallbackList | None = None  # which the loop calls
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
        self.each_epoch = self.callbacks is not None or self.context is not None

    def begin_fit(self, x: Any, y: Any) -> None:
        if self.context is not None:
            self.context.call_on_fit_task_begin(estimator=self.estimator, X=x, y=y)
        if self.callbacks is not None:
            self.callbacks.on_train_begin()

    def begin(self, training: Any, epochs: int) -> None:
        if self.context is not None:
            self.task = self.context.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(estimator=self.estimator)

    def ends(self) -> bool:
        stop = self.callbacks is not None and bool(self.model.stop_training)
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


class Fit(Rule):
    """One fit, as a rule of `fastnn.training.Loop`: the order of its rows, and what the estimator keeps of each epoch.

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
        incremental: bool,
    ) -> None:
        self.estimator, self.network, self.data, self.batch_size = estimator, network, data, batch_size
        self.validation, self.incremental = validation, incremental
        self.index, self.count = chosen, len(chosen)
        self.best: list[Array] | None = None
        if estimator.early_stopping:
            self._keep()
        self.rules: list[Rule] = [self, ImprovementRule(estimator, network, self._keep)]
        for name in monitored(estimator)[1:]:
            kept = name == "validation_loss" and not estimator.early_stopping
            self.rules.append(StopOnRule(estimator, name, self._keep if kept else None))
        self.rules.append(TimeRule(estimator.max_time))
        self.constant = loss_constant(estimator.loss, data.y, data.weight)
        self.scales_rate = estimator.solver == "sgd" and estimator.learning_rate == "invscaling"
        self.each_epoch = validation is not None or incremental or self.scales_rate
        self.epochs = 1 if incremental else estimator.max_iter
        if validation is not None and getattr(estimator, "validation_loss_curve_", None) is None:
            estimator.validation_loss_curve_ = []

    @property
    def patience(self) -> float:
        return ORDERED // self.count

    def run(self, observers: Observers) -> bool:
        """Train until a rule or a callback ends it, or ``max_iter`` epochs are over.  Returns whether Ctrl-C did."""
        estimator, network = self.estimator, self.network
        estimator.n_iter_ = 0
        while estimator.n_iter_ < self.epochs:
            epochs = range(estimator.n_iter_, min(self.epochs, estimator.n_iter_ + EPOCHS))
            training = Training(
                network.engine, self.data, self.batch_size, len(epochs), False, network.seed, rows=self.count
            )
            callbacks = observers.callbacks or CallbackList()
            reporter = Reporter(network.engine, [], None, epochs, callbacks, rules=[observers, *self.rules])
            if Loop(training, network.optimizer, reporter, diverged=_report_divergence).run():
                return True
            if training.diverged and self.best is None:
                raise ValueError(NON_FINITE)
            if training.diverged:
                warn(
                    "training diverged: the loss or a weight became infinite. The best weights before are kept; try a "
                    "smaller learning_rate_init, or scaled data",
                    ConvergenceWarning,
                )
            if reporter.stopped or training.diverged or self.incremental:
                return False
        warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
            "converged yet.",
            ConvergenceWarning,
        )
        return False

    def begin(self, training: Any, epochs: int) -> None:
        order = self._order(epochs)
        training.lay_down(order, self._row_weights(order, epochs))

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

    def update(self, logs: dict[str, float]) -> None:
        """Keep count of an epoch."""
        estimator = self.estimator
        loss = logs["loss"] = logs["loss"] + self.constant
        estimator.n_iter_ += 1
        estimator.loss_ = loss
        estimator.t_ += self.count
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        if self.validation is not None:
            logs |= self.validation.evaluate()
            estimator.validation_loss_curve_.append(logs["val_loss"])

    def ends(self) -> bool:
        """Never; but the next epoch may have a smaller rate."""
        if self.scales_rate:
            estimator = self.estimator
            rate = float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t
            self.network.optimizer.learning_rate = rate
        return False

    def _keep(self) -> None:
        """Keep the weights as the best ones."""
        self.best = [view.copy() for view in self.network.views]


def _report_divergence(loop: Loop) -> None:
    """Report the epoch in which training diverged too, as scikit-learn does."""
    epoch = loop.reporter.reported
    loop.reporter.end(loop.reporter.logs(loop.training.means(epoch)), loop.seconds[epoch], loop.training.samples(epoch))
