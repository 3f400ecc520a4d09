"""The loop of fit: compiled runs of many steps, and Python's part between them.

Python has control at the end of an epoch where somebody wants it (a callback, validation, a bar), and about twenty
times a second for Ctrl-C and progress; otherwise a compiled run goes on over the epochs.
"""

from __future__ import annotations

import copy
import math
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn import data as checks
from fastnn import optimizers
from fastnn.data import Feed, evaluate
from fastnn.engine import SLICE_SECONDS, Data, Engine, LayerPlan, Training
from fastnn.errors import DivergenceWarning

from .stream import StreamTraining

if TYPE_CHECKING:
    from fastnn.callbacks import CallbackList
    from fastnn.metrics import Metric
    from fastnn.optimizers import Optimizer

__all__ = ["Run", "gradient_descent", "named", "run"]

Array = npt.NDArray[Any]

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


class Run:
    """One call of fit: it trains over the epochs, and reports each to the callbacks.

    Parameters
    ----------
    stopping : callable
        Says whether a callback has asked to stop.
    timed : callable
        Gets the seconds that the steps of some epochs took, and the rows of each, before the callbacks hear of them.

    Attributes
    ----------
    training : Training or StreamTraining
    reported : int
        Epochs that the callbacks have been told of.
    completed : bool
        Whether training came to its end, and neither Ctrl-C nor an error was it.
    """

    def __init__(
        self,
        engine: Engine,
        optimizer: Optimizer,
        metrics: Sequence[Metric],
        data: Data | Feed,
        validation: Data | Feed | None,
        *,
        batch_size: int,
        epochs: range,
        shuffle: bool,
        seed: int,
        callbacks: CallbackList,
        stopping: Callable[[], bool],
        timed: Callable[[list[float], int], object] = lambda seconds, rows: None,
        look: Callable[[], None] | None = None,
    ) -> None:
        self.engine, self.optimizer, self.metrics = engine, optimizer, metrics
        self.data, self.validation = data, validation
        self.epochs, self.callbacks, self.stopping = epochs, callbacks, stopping
        self.training: Training | StreamTraining
        if isinstance(data, Feed):
            self.training = StreamTraining(engine, data, len(epochs), shuffle, seed)
        else:
            self.training = engine.train(data, batch_size, len(epochs), shuffle, seed)
        self.look = look
        if isinstance(self.training, Training):
            self.training.unseen = look is not None
        self.each_epoch = callbacks.needs_epochs or validation is not None
        self._live = callbacks.needs_progress
        self.timed = timed
        self.seconds = [0.0] * len(epochs)
        self.reported = 0
        self.completed = False
        self._begun = -1  # the epoch that the callbacks know of
        self._stepping = False  # in compiled steps, and not in a callback

    def run(self) -> bool:
        """Train.  Returns whether Ctrl-C ended it: after the steps at hand, with the epochs so far reported."""
        training = self.training
        try:
            for backup in self.callbacks.backups:
                backup.restore(self)
            while not training.finished and not self.stopping():
                self._epoch()
                if training.diverged:
                    training.restore_good()
                    if self.look is not None and training.diverged == 1:
                        self.look()
                    _warn(training, self.optimizer, self.epochs)
                    break
            self.completed = True
        except KeyboardInterrupt:
            settled = self._stepping and not self.callbacks.is_stop(training.step)  # no callback is behind the others
            self._report()
            if settled:
                self._keep(always=True)
            training.restore_good()
            print(
                f"\nfit: interrupted after {self.reported} of {len(self.epochs)} epochs; the weights are kept",
                file=sys.stderr,
            )
            return True
        finally:
            self._count()
            training.close()
        return False

    def begin_epoch(self) -> None:
        """Tell the callbacks of the epoch at hand, unless they know of it."""
        epoch = self.training.epoch
        if self._begun != epoch:
            self._begun = epoch
            self.callbacks.on_epoch_begin(self.epochs[epoch])

    def _epoch(self) -> None:
        """Train to the end of the epoch, or of all where nobody wants to be called in between."""
        training, callbacks = self.training, self.callbacks
        last = len(self.epochs)
        if self.each_epoch:
            last = training.epoch + 1
            self.begin_epoch()
            self._set_optimizer()  # a callback may have changed it
        end = training.end_of(last)
        while training.epoch < last and not training.diverged and not training.finished:
            first = training.step
            self._stepping = True
            stop = callbacks.next_stop(training.step, end) if callbacks.step_callbacks else end
            _slice(training, stop, self.seconds)
            self._stepping = False
            if isinstance(training, Training) and training.not_finite:
                training.restore_good()
                assert self.look is not None
                self.look()
                raise RuntimeError("x changed while fit read it; wants it left alone until fit returns")
            if training.step == first:  # nothing but the end of a stream's epoch
                continue
            if self._live:
                _progress(training, self.metrics, callbacks, self.epochs)
            if callbacks.step_callbacks and callbacks.is_stop(training.step) and not training.diverged:
                self._count()
                _batch_end(training, self.metrics, callbacks)
                self._set_optimizer()
                if self.stopping():
                    break
                if training.epoch < last:
                    self._keep()
        self._report(unfinished=training.epoch < last and not training.finished)
        if callbacks.backups and not training.diverged:
            self._keep(epoch_ended=training.epoch == last)

    def _report(self, unfinished: bool = False) -> None:
        """Tell the callbacks of the epochs that have ended; ``unfinished``: and of the one that was stopped within."""
        training = self.training
        last = training.diverged - 1 if training.diverged else training.epoch
        if unfinished and not training.diverged:
            last += 1
        self._count()
        if not self.each_epoch and isinstance(training, Training):
            self._report_all(min(last, training.epoch))
        while self.reported < last:
            epoch = self.reported
            logs = named(training.means(epoch), self.metrics)
            if self.validation is not None:
                logs |= named(evaluate(self.engine, self.validation), self.metrics, "val_")
            self.reported += 1  # before the call: Ctrl-C may strike in it
            self.timed([self.seconds[epoch]], training.samples(epoch))
            self.callbacks.on_epoch_end(self.epochs[epoch], logs)
            if self.each_epoch:
                training.keep_good()  # a callback may have set weights

    def _report_all(self, last: int) -> None:
        """Report epochs that have ended to the histories, which are all that want to hear of them."""
        first, training = self.reported, self.training
        if first >= last:
            return
        assert isinstance(training, Training)
        epochs, rows = self.epochs[first:last], training.rows
        columns = [[value / rows for value in column] for column in training.results[first:last].T.tolist()]
        logs = {"loss": columns[0]}
        for metric, column in zip(self.metrics, columns[1:], strict=True):
            logs[metric.name] = [_value(metric, value) for value in column]
        updates = [(vars(history).update, history.with_epochs(epochs, logs)) for history in self.callbacks.histories]
        self.timed(self.seconds[first:last], rows)
        self.reported = last  # before the updates, each of which Ctrl-C cannot divide
        for update, values in updates:
            update(values)

    def _set_optimizer(self) -> None:
        self.engine.set_optimizer(self.optimizer.row, self.optimizer.hyper(), *self.optimizer.options())

    def _count(self) -> None:
        """Let the optimizer know of its steps."""
        self.optimizer.__dict__["iterations"] = self.engine.iterations  # it counts right: no need of a check

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
        training, held = self.training, self.validation
        return {
            "rows": len(self.data) if isinstance(self.data, Data) else None,
            "columns": self.engine.inputs,
            "batch_size": training.batch_size,
            "shuffle": training.shuffle,
            "initial_epoch": self.epochs.start,
            "data": self.data.fingerprint(),
            "validation data": None if held is None else held.fingerprint(),
        }

    def get_state(self) -> dict[str, Any]:
        """Where the run is; the parameters, slots and count of updates are the engine's."""
        return {"reported": self.reported, **self.training.get_state()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was called; the engine has been brought back."""
        self.training.set_state(state)
        self.reported = state["reported"]


def run(*args: Any, **options: Any) -> bool:
    """Make a `Run` and let it run."""
    return Run(*args, **options).run()


def _slice(training: Training | StreamTraining, end: int, seconds: list[float]) -> None:
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
        if here >= there or isinstance(training, StreamTraining):
            seconds[here] += passed
        else:
            in_epoch = training.steps_per_epoch
            seconds[here] += ((here + 1) * in_epoch - first) * a_step
            seconds[here + 1 : there] = [in_epoch * a_step] * (there - here - 1)
            seconds[there] += (training.step - there * in_epoch) * a_step


def _progress(
    training: Training | StreamTraining, metrics: Sequence[Metric], callbacks: CallbackList, epochs: range
) -> None:
    if training.diverged:
        return
    epoch, step = training.place()
    callbacks.on_progress(epochs[epoch], step, training.steps_per_epoch, named(training.means(epoch), metrics))


def _batch_end(training: Training | StreamTraining, metrics: Sequence[Metric], callbacks: CallbackList) -> None:
    epoch, step = training.place()
    callbacks.on_train_batch_end(training.step, step - 1, named(training.means(epoch), metrics))


def _warn(training: Training | StreamTraining, optimizer: Optimizer, epochs: range) -> None:
    epoch = epochs[training.diverged - 1]
    loss = training.means(training.diverged - 1)[0]
    kept = f"those of epoch {epoch}" if training.diverged > 1 else "those before fit"
    if isinstance(training, StreamTraining) and training.good:
        kept = f"those after step {training.good}"
    rate = getattr(optimizer, "learning_rate", None)
    warnings.warn(
        f"training diverged in epoch {epoch + 1} (loss {loss:.4g}): the weights are again {kept}; "
        f"try a smaller learning_rate (it is {rate}), inputs scaled to about -1 ... 1, or another loss",
        DivergenceWarning,
        stacklevel=5,
    )


def gradient_descent(
    gradient: Callable[[Array], npt.ArrayLike],
    x0: npt.ArrayLike,
    learning_rate: float,
    steps: int,
    optimizer: str | Optimizer = "sgd",
) -> Array:
    """Descend a function from a point by its gradient, with the compiled update that training uses.

    x(t + 1) = x(t) - learning_rate * gradient(x(t)) for "sgd".

    Parameters
    ----------
    gradient : callable
        Takes a point (n,), float64, and returns the gradient there (n,).
    x0 : (n,) array-like, or a number
    learning_rate : float
    steps : int
    optimizer : str or Optimizer
        Its learning_rate is set to the one given here, on a copy.

    Returns
    -------
    (steps + 1, n) array of float64
        The path, x0 first.

    Raises
    ------
    ValueError
        x0 is not finite or not a point; the gradient is of another shape.
    """
    if not callable(gradient):
        raise TypeError(f"gradient got {gradient!r}; wants a function of a point")
    start = np.atleast_1d(checks.as_array(x0, "x0"))
    if start.ndim != 1 or start.size == 0:
        raise ValueError(f"x0 got shape {start.shape}; wants one point, (n,)")
    checks.check_finite(start, "x0")
    steps = checks.positive_integer(steps, "steps", least=0)
    chosen = copy.copy(optimizers.get(optimizer))
    if chosen.full_batch:
        raise ValueError("optimizer got LBFGS, which needs values too; wants one that follows the gradient alone")
    chosen.learning_rate = learning_rate
    n = len(start)
    engine = Engine(n, [LayerPlan(1, "linear", use_bias=False)], "float64", "auto", 1)
    engine.set_optimizer(chosen.row, chosen.hyper(), *chosen.options())
    engine.assign(0, [start[:, np.newaxis]])
    point = engine.kernel(0)[:, 0]
    along = np.zeros(engine.parameter_count)
    path = np.empty((steps + 1, n))
    path[0] = start
    for step in range(steps):
        slope = np.asarray(gradient(path[step].copy()), float)
        if slope.shape not in ((n,), ()) or slope.size != n:
            raise ValueError(f"gradient got a value of shape {slope.shape}; wants {(n,)}, as x0 has")
        if not np.isfinite(slope).all():
            raise ValueError(f"gradient got a value of {slope} at {path[step]}, step {step}; wants finite numbers")
        engine.matrix(0, along)[:, 0] = slope
        engine.update(along)
        path[step + 1] = point
    return path
