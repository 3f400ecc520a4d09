"""The base of all callbacks, what callbacks are checked for, and a callback made of functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from fastnn.data import positive_integer

Logs = dict[str, float]

# Keras calls these; here they would never be called, and silence would be a lie.
UNSUPPORTED = ["on_train_batch_begin"]
UNSUPPORTED += [f"on_{what}_{end}" for what in ("batch", "test", "test_batch") for end in ("begin", "end")]
UNSUPPORTED += [f"on_{what}_{end}" for what in ("predict", "predict_batch") for end in ("begin", "end")]


class Callback:
    """Base of all callbacks: derive from it, and define the methods that are to be called.

    A callback may set ``self.model.stop_training = True``, which ends training after the epoch (from
    `on_train_batch_end`: after the step), and may change ``self.model.optimizer.learning_rate``.

    Attributes
    ----------
    model : Sequential
        The model that trains.
    params : dict
        "epochs" and "steps" (batches an epoch; None where it is not known), and "verbose".
    every_n_steps : int or None
        `on_train_batch_end` is called after every so many steps; None, the default: never.  1 is Keras's way, and
        slow, for the compiled run then ends after every step.
    """

    model: Any = None
    params: Mapping[str, Any]
    every_n_steps: int | None = None

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
        """Called once, after the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before an epoch; epochs are counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch, with its loss and metrics, and those of validation: "val_loss" and so on."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called every `every_n_steps` steps, with the number of the batch in its epoch and the epoch's scores so far.

        Steps are counted over all epochs of a fit.
        """

    def on_progress(self, epoch: int, step: int, steps: int | None, logs: Logs | None = None) -> None:
        """Called about every 50 ms, with the steps of the epoch that are done, and its scores so far."""

    def get_state(self) -> dict[str, Any]:
        """What the callback must know to go on from here: numbers, strings, lists, dicts and arrays.

        `BackupAndRestore` stores it.  When training goes on later, it gives it to `set_state`, after on_train_begin.
        """
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from where `get_state` was called."""
        vars(self).update(state)


class Backup(Callback):
    """Base of the callbacks that store the whole run; they are called after all others."""

    def restore(self, run: Any) -> None:
        """Called once, after on_train_begin, to bring a stored run back."""

    def keep(self, run: Any) -> None:
        """Called to store the run: after every epoch, or every `every_n_steps` steps if given, and after Ctrl-C."""


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end, on_train_begin, on_train_end, on_train_batch_end, on_progress : callable, optional
        Each takes the arguments of the method of `Callback` with the same name.
    every_n_steps : int, optional
        How often on_train_batch_end is called, which needs this argument too.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        on_progress: Callable[..., Any] | None = None,
        every_n_steps: int | None = None,
    ) -> None:
        functions = {name: value for name, value in locals().items() if name.startswith("on_")}
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
    """Raise TypeError or ValueError if this is no callback, or one with methods that are never called."""
    if not isinstance(callback, Callback):
        raise TypeError(f"callbacks got {callback!r} among others; wants instances of fastnn.callbacks.Callback")
    for hook in UNSUPPORTED:
        if hasattr(callback, hook):
            raise TypeError(
                f"callbacks got a {type(callback).__name__} with {hook}, which fastnn does not call, "
                "for many steps are one compiled call; wants on_progress, or on_epoch_end"
            )
    if callback.every_n_steps is not None:
        positive_integer(callback.every_n_steps, f"every_n_steps of {type(callback).__name__}")
    elif overrides(callback, "on_train_batch_end") and "every_n_steps" not in vars(callback):
        raise TypeError(
            f"callbacks got a {type(callback).__name__} with on_train_batch_end, but without every_n_steps; wants a "
            "number of steps there, such as 100: many are one compiled call, and 1 cuts it after each"
        )


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
