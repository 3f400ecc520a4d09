"""The base of all callbacks, what callbacks are checked for, and a callback made of functions."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn.data import positive_integer
from fastnn.files import schema
from fastnn.names import lookup

Logs = dict[str, float]

BATCH_BEGINS = ("on_train_batch_begin", "on_batch_begin")
BATCH_ENDS = ("on_train_batch_end", "on_batch_end")


class Callback:
    """Base of all callbacks: derive from it, and define the methods that are to be called.

    A callback may set ``self.model.stop_training = True``, which ends training after the epoch (from
    `on_train_batch_end`: after the step), and may change ``self.model.optimizer.learning_rate``.  ``logs`` is always a
    dict, empty where there is nothing to tell.

    Methods for batches are slow: a compiled run of many steps is cut into single ones for `on_train_batch_begin` and
    `on_train_batch_end`, and blocks of rows into batches for those of tests and predictions.

    Attributes
    ----------
    model : Sequential
        The model that trains.
    params : dict
        "epochs" and "steps" (batches an epoch; None where it is not known), and "verbose".
    every_n_steps : int or None
        `on_train_batch_begin` is called before, and `on_train_batch_end` after every so many steps, which are counted
        over all epochs of a fit; None, set on the object: never.  Default: 1, Keras's way, for those who define one.
    """

    model: Any = None
    params: Mapping[str, Any]
    every_n_steps: int | None = None
    _state: ClassVar[Mapping[str, Any]] = {}  # the attributes that are its state, and what each must be

    def __init__(self) -> None:
        self.params = {}

    def __repr__(self) -> str:
        names = [name for name in inspect.signature(type(self)).parameters if name in vars(self)]
        return f"{type(self).__name__}({', '.join(f'{name}={vars(self)[name]!r}' for name in names)})"

    def set_model(self, model: Any) -> None:
        """Called before all other methods, with the model that trains."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called before training begins; see ``params``."""
        self.params = dict(params)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once, after the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before an epoch; epochs are counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch, with its loss and metrics, and those of validation: "val_loss" and so on."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before every `every_n_steps` steps, with the number of the next batch in its epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after every `every_n_steps` steps, with the number of the batch and its epoch's scores so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Keras's older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Keras's older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before `Sequential.evaluate`, and before the validation of an epoch."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after it, with the scores, whose names have no "val_"."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of it."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of it, with the scores so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before `Sequential.predict` that was given the callback."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after it."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of it."""

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a batch of it, with its "outputs", (rows, units)."""

    def on_progress(self, epoch: int, step: int, steps: int | None, logs: Logs | None = None) -> None:
        """Called about every 50 ms, with the steps of the epoch that are done, and its scores so far."""

    def get_state(self) -> dict[str, Any]:
        """What the callback must know to go on from here: numbers, strings, lists, dicts and arrays.

        `BackupAndRestore` stores it.  When training goes on later, it gives it to `set_state`, after on_train_begin.
        """
        return {name: getattr(self, name) for name in self._state}

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Raise ValueError where a state, which comes from a file, is none that `get_state` may have returned."""
        if wrong := sorted(set(state) - set(self.get_state())):
            raise ValueError(f"the state of {type(self).__name__} has {wrong[0]!r}, which is no part of it")
        schema.check(state, {name: kind for name, kind in self._state.items() if name in state}, type(self).__name__)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from where `get_state` was called: its names are attributes."""
        self.check_state(state)
        vars(self).update(state)


HOOKS = frozenset(name for name in vars(Callback) if name.startswith("on_")) | {"every_n_steps"}
"""What decides when a callback is called."""


class Backup(Callback):
    """Base of the callbacks that store the whole run; they are called after all others.

    Attributes
    ----------
    ranks : Ranks or None
        Those that share the fit, of which only the first is to write.
    """

    ranks: Any = None

    def restore(self, run: Any) -> None:
        """Called once, after on_train_begin, to bring a stored run back."""

    def keep(self, run: Any) -> None:
        """Called to store the run: after every epoch, or every `every_n_steps` steps if given, and after Ctrl-C."""

    def release(self) -> None:
        """Called after on_train_end, even where that was cut short, to let others use the place of the backups."""


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end, on_train_begin, on_train_end, on_train_batch_begin, on_train_batch_end, ... : callable
        Each takes the arguments of the method of `Callback` with the same name.
    every_n_steps : int, optional
        How often those of batches are called; default: for each.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, sorted(logs)))
    >>> history = model.fit(x, x**2, epochs=2, validation_split=0.25, callbacks=[callback], verbose=0)
    0 ['loss', 'val_loss']
    1 ['loss', 'val_loss']
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        on_progress: Callable[..., Any] | None = None,
        every_n_steps: int | None = None,
        **others: Callable[..., Any] | None,
    ) -> None:
        functions = {name: value for name, value in locals().items() if name.startswith("on_")}
        for name, value in others.items():
            functions[lookup(name, [hook for hook in dir(Callback) if hook.startswith("on_")], "argument")] = value
        super().__init__()
        if every_n_steps is not None:
            self.every_n_steps = every_n_steps
        for name, function in functions.items():
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"{name} got {function!r}; wants a function")
            setattr(self, name, function)
        check(self)


def check(callback: object) -> None:
    """Raise TypeError or ValueError if this is no callback."""
    if not isinstance(callback, Callback):
        raise TypeError(f"callbacks got {callback!r} among others; wants instances of fastnn.callbacks.Callback")
    theirs = [base for base in type(callback).__mro__ if not base.__module__.startswith("fastnn.")]
    names = [name for base in theirs for name in vars(base) if name.startswith("on_")]
    for name in set(names) - vars(Callback).keys():
        if close := difflib.get_close_matches(name, vars(Callback), n=1, cutoff=0.8):
            raise TypeError(
                f"callbacks got a {type(callback).__name__} with {name}, which nothing calls "
                f"(did you mean {close[0]!r}?)"
            )
    if callback.every_n_steps is not None:
        positive_integer(callback.every_n_steps, f"every_n_steps of {type(callback).__name__}")


def interval(callback: Callback) -> int | None:
    """After how many steps its methods for batches are called; None: never."""
    if callback.every_n_steps is not None or "every_n_steps" in vars(callback):
        return callback.every_n_steps
    return 1 if any(overrides(callback, hook) for hook in (*BATCH_BEGINS, *BATCH_ENDS)) else None


def overrides(callback: Callback, hook: str) -> bool:
    """Whether a callback has a method of its own in the place of `Callback`'s."""
    return getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)


def steps_of(save_freq: int | str) -> int | None:
    """The argument save_freq as a number of steps; None stands for "epoch"."""
    if isinstance(save_freq, str):
        if save_freq != "epoch":
            raise ValueError(f"save_freq got {save_freq!r}; wants 'epoch' or a number of steps")
        return None
    return positive_integer(save_freq, "save_freq")


def format_score(value: Any) -> str:
    """Write a score shortly; of a metric that is a number an output, all of them."""
    return f"[{' '.join(map(format_score, value))}]" if np.ndim(value) else f"{value:.4g}"
