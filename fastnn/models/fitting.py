"""What fit and train_on_batch do: data, callbacks, the loop of training, or a single step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fastnn import data
from fastnn.callbacks import CallbackList, History, ProgressBar, verbosity
from fastnn.callbacks.base import Logs
from fastnn.data import ArraySource, Chunk, Feed, Passes, streams
from fastnn.engine import Data, Engine, prepared
from fastnn.errors import warn
from fastnn.metrics import Watch
from fastnn.optimizers import LBFGS, Optimizer
from fastnn.training import Held, Loop, Minimizer, Reporter, Steps, StreamTraining, named
from . import datasets, sharing

if TYPE_CHECKING:
    from .sequential import Sequential

# --- Data ---


def steps_find_nan(model: Sequential) -> bool:
    """Whether steps of training can look for NaN in x: nothing of the user's own may see one before."""
    engine, optimizer = model._engine, model.optimizer
    if engine is None or engine.backend == "numpy" or engine.functions:
        return False
    return optimizer is not None and not optimizer.full_batch


def training_data(
    model: Sequential, chunk: Chunk, batch_size: int | None, steps: int | None, lazy: bool
) -> tuple[Data | Feed, bool]:
    """What to train on, and whether steps still have to look for NaN in it, which ``lazy`` allows."""
    rows = datasets.rows(model, chunk, batch_size, steps, x_finite=lazy)
    if model.optimizer is not None and model.optimizer.full_batch:
        for layer, trained in zip(model._layers, sharing.trained_layers(model), strict=True):
            held = [name for name in vars(layer) if name.endswith("_constraint") and vars(layer)[name] is not None]
            if held and trained:
                raise ValueError(f"{held[0]} of {layer.name!r} got one, but LBFGS keeps none; wants another optimizer")
    if isinstance(rows, Feed):
        if model.optimizer is not None and model.optimizer.full_batch:
            raise ValueError("x got a stream, but LBFGS takes all rows at once; wants arrays, or another optimizer")
        return rows, False
    if lazy and (steps is not None or not rows.direct):
        data.check_finite(rows.x, "x", model.dtype)
        return rows, False
    return rows, lazy


def epochs_of(
    model: Sequential, rows: Data | Feed, steps: int | None, batch_size: int, epochs: int
) -> Data | Feed | Passes:
    """What is trained on where an epoch has so many steps; that of a stream knows them itself."""
    if steps is None or isinstance(rows, Feed):
        return rows
    if model.optimizer is not None and model.optimizer.full_batch:
        raise ValueError(f"steps_per_epoch got {steps}, but LBFGS takes all rows at once; wants None")
    known = -(-len(rows) // batch_size)
    if steps > known or (known % steps and epochs >= -(-known // steps)):
        warn(
            f"steps_per_epoch got {steps}, but a pass over the rows has {known} batches of {batch_size}: as in Keras, "
            f"{'every' if steps > known else 'its last'} epoch ends early; wants a number that divides them"
        )
    return rows if steps >= known else Passes(rows, batch_size, steps)


def freq_of(given: Any) -> int | list[int]:
    """validation_freq, checked: every so many epochs, or the numbers of some."""
    if isinstance(given, list | tuple | set | range):
        return [data.positive_integer(number, "validation_freq") for number in given]
    return data.positive_integer(given, "validation_freq")


def validation_data(model: Sequential, given: Any, steps: int | None, batch_size: int, width: int) -> Data | Feed:
    """What to validate with, of as many columns as x has."""
    if streams.find(given, None, None) is not None:
        given = (given, None)
    if not 2 <= len(given) <= 3:
        raise ValueError(f"validation_data got {len(given)} parts; wants (x, y) or (x, y, weights)")
    x, y, *weight = given
    rows = datasets.rows(model, Chunk(x, y, weight[0] if weight else None, "validation_data"), steps=steps)
    if rows.width != width:
        raise ValueError(f"validation_data got {rows.width} columns; wants {width}, as x has")
    return datasets.first(rows, steps, batch_size)


def split(rows: Data | Feed, fraction: float) -> tuple[Data | Feed, Data | Feed]:
    """The rows to train on, and this part of them, the last ones, to validate with."""
    if isinstance(rows, Feed) and not isinstance(rows.source, ArraySource):
        raise ValueError(
            f"validation_split got {fraction} for a stream that has no last rows; wants 0: give validation_data"
        )
    return rows.split(data.validation_split(fraction, len(rows)))


def checked(model: Sequential, asked: SimpleNamespace) -> Fit:
    """A call of fit, its arguments checked."""
    model._check_compiled("fit")
    rows_a_step, epochs = data.batch_size(asked.batch_size), data.positive_integer(asked.epochs, "epochs", least=0)
    initial_epoch = data.positive_integer(asked.initial_epoch, "initial_epoch", least=0)
    held_rows = data.batch_size(asked.validation_batch_size or asked.batch_size)
    freq, level, callbacks = freq_of(asked.validation_freq), verbosity(asked.verbose), asked.callbacks
    given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
    # Where nobody sees what happens before the end, a step may find a NaN, which then undoes all.
    watched = level or given or asked.validation_split or asked.validation_data is not None
    lazy = not watched and initial_epoch == 0 < epochs and model._distribution is None and steps_find_nan(model)
    chunk = Chunk(asked.x, asked.y, asked.sample_weight)
    train, lazy = training_data(model, chunk, asked.batch_size, asked.steps_per_epoch, lazy)
    validation = None
    if asked.validation_data is not None:
        validation = validation_data(model, asked.validation_data, asked.validation_steps, held_rows, train.width)
    elif asked.validation_split:
        train, validation = split(train, asked.validation_split)
        validation = datasets.first(validation, asked.validation_steps, held_rows)
    train = datasets.weighed(train, asked.class_weight)  # and not what is held out
    todo = range(initial_epoch, epochs)
    held = None if validation is None else Held(validation, held_rows, freq)
    visited = epochs_of(model, train, asked.steps_per_epoch, rows_a_step, len(todo))
    return Fit(model, visited, held, rows_a_step, todo, bool(asked.shuffle), lazy, given, level)


# --- Training ---


@dataclass
class Fit:
    """One call of `Sequential.fit`, its arguments checked."""

    model: Sequential
    train: Data | Feed | Passes
    validation: Held | None
    batch_size: int
    epochs: range  # counted from 0
    shuffle: bool
    lazy_nan_check: bool  # nobody has looked for NaN in x: steps of training are to do so
    given: list[Any]  # callbacks, as the user gave them
    verbosity: int

    def run(self) -> History:
        """Train; where that fails before the first step, the model is as it was."""
        model, before = self.model, self.model._engine
        state, steps = model._state(), 0 if before is None else before.iterations
        try:
            return self._run()
        except BaseException:
            if model._engine is None or model._engine.iterations == steps:
                model._go_back(*state)
            raise

    def _run(self) -> History:
        model, train, history = self.model, self.train, History()
        callbacks = self._callbacks(history)
        engine = model._built(train.width)
        sharing.own_shared(model, engine)
        assert model.optimizer is not None
        model.optimizer.configure(engine)
        check_x = self._check_x if self.lazy_nan_check else None
        vars(model).update(stop_training=False, history=history)
        history.samples = len(train) if isinstance(train, Data) else 0

        reporter = Reporter(engine, model._metrics, self.validation, self.epochs, callbacks, history)
        engine.trains = True
        try:
            callbacks.on_train_begin()
            self._train(reporter, callbacks, check_x)
        finally:
            engine.trains = False
        return history

    def _train(self, reporter: Reporter, callbacks: CallbackList, check_x: Callable[[], None] | None) -> None:
        model, history, engine = self.model, self.model.history, reporter.engine
        assert model.optimizer is not None
        assert history is not None
        try:
            history.interrupted = self._loop(model.optimizer, reporter, check_x).run()
            if history.interrupted:
                self._tell_interrupted(reporter)
            if self.epochs:
                engine.use_average()
        finally:
            try:
                callbacks.on_train_end()
            finally:  # Ctrl-C may have cut that short
                callbacks.release()

    def _loop(self, optimizer: Optimizer, reporter: Reporter, check_x: Callable[[], None] | None) -> Loop | Minimizer:
        """What trains: L-BFGS, or the loop over steps, over rows in memory or a stream."""
        model, train, engine, epochs = self.model, self.train, reporter.engine, len(self.epochs)
        seed = int(model._rng.integers(2**61))
        if isinstance(optimizer, LBFGS):
            assert isinstance(train, Data)
            return Minimizer(optimizer, train, reporter, lambda: model.stop_training)
        if not isinstance(train, Data):
            steps: Steps = StreamTraining(engine, train, epochs, self.shuffle, seed)
        else:
            steps = engine.train(train, self.batch_size, epochs, self.shuffle, seed)
            steps.lazy_nan_check = check_x is not None
        return Loop(steps, optimizer, reporter, stopping=lambda: model.stop_training, nan_check=check_x)

    def _callbacks(self, history: History) -> CallbackList:
        """The history, a bar where one is wanted, and those that were given, if they suit the data."""
        train = self.train
        bars = []
        if self.verbosity and not any(isinstance(callback, ProgressBar) for callback in self.given):
            bars = [ProgressBar(self.verbosity)]
        steps = -(-len(train) // self.batch_size) if isinstance(train, Data) else train.steps_per_epoch
        params = {"epochs": self.epochs.stop, "steps": steps, "verbose": self.verbosity}
        callbacks = CallbackList(self._heard([history, *bars, *self.given]), self.model, params)
        for backup in callbacks.backups:
            if not isinstance(train, Data):
                train.check_backup(backup.every_n_steps)
            if self.validation is not None and isinstance(self.validation.rows, Feed):
                self.validation.rows.check_backup()
        if callbacks.backups and self.model.optimizer is not None and self.model.optimizer.full_batch:
            raise ValueError("callbacks got a backup, but LBFGS begins anew with each fit; wants none beside it")
        return callbacks

    def _tell_interrupted(self, reporter: Reporter) -> None:
        reporter.tell_interrupted()

    def _heard(self, callbacks: list[Any]) -> list[Any]:
        """The callbacks that are called."""
        return callbacks

    def _check_x(self) -> None:
        """Look for NaN in x, of rows in memory."""
        assert isinstance(self.train, Data)
        data.check_finite(self.train.x, "x", self.model.dtype)


# --- A single step ---


def step(model: Sequential, x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Logs:
    """One step over all rows of x; the loss before it and the metrics, by name.

    FloatingPointError: it made the loss or a weight NaN or infinite; all is as before.
    """
    assert model.optimizer is not None
    if model._distribution is not None and model._distribution.size > 1:
        raise RuntimeError("train_on_batch would train each rank by itself; wants fit, whose steps ranks share")
    if model.optimizer.full_batch:
        raise RuntimeError("train_on_batch takes a single step, which LBFGS cannot; wants fit, or another optimizer")
    batch = _plain_batch(model, x, y) if sample_weight is None and class_weight is None else None
    if batch is None:
        asked = datasets.wanted(model)
        batch = data.weighed(asked.data(datasets.flat(model, Chunk(x, y, sample_weight))), class_weight)
        model._built(batch.width)
    engine = model._engine
    assert engine is not None
    if model._shares:
        sharing.own_shared(model, engine)
    model.optimizer.configure(engine)
    watch = Watch(model._metrics) if engine.keeps_outputs else None
    values = _step(engine, batch, watch)
    if values is None:
        raise FloatingPointError(
            "train_on_batch: the step made the loss or a weight NaN or infinite; the weights are as before. "
            "Try a smaller learning_rate, or scaled inputs"
        )
    return named(values, model._metrics, () if watch is None else watch.results())


def _plain_batch(model: Sequential, x: Any, y: Any) -> Data | None:
    """x and y as they are, for a model that is built, where a glance shows that nothing is wrong with them."""
    engine, plan = model._engine, model._loss_plan
    if engine is None or plan is None or plan.labels or plan.domain or plan.outputs_a_target > 1:
        return None
    if not (prepared.fits(x, engine.inputs, engine.dtype) and prepared.fits(y, engine.outputs, engine.dtype)):
        return None
    return Data(x, y) if len(x) == len(y) and prepared.finite(x) and prepared.finite(y) else None


def _step(engine: Engine, batch: Data, watch: Watch | None) -> list[float] | None:
    """The means of the loss before the step and of the metrics, which ``watch`` may see; None if it diverged."""
    rows = len(batch.x)
    if watch is None:
        with engine.turns.first:
            step = prepared.step(engine, rows, batch.labels)
            if step is not None:
                return step(engine, batch)
    run = engine.train(batch, rows, 1, False, 0)
    run.observe = None if watch is None else watch.observe
    run.advance(1)
    if run.diverged:
        run.restore_good()
        return None
    return run.means(0)
