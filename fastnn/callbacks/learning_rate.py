"""Callbacks that set the learning rate: by a function of the epoch, or when a score no longer improves."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn.data import positive_integer, real_number
from fastnn.files.schema import COUNT, NUMBER, Optional
from .base import Callback, Logs
from .monitors import Monitor


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Parameters
    ----------
    schedule : callable
        Takes the epoch, counted from 0, and the learning rate so far, or the epoch alone; returns the learning rate.
    verbose : {0, 1}
        1 prints a line each time.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    >>> history = model.fit(x, x**2, epochs=3, callbacks=[callback], verbose=0)
    >>> round(model.optimizer.learning_rate, 6)
    0.000125
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(f"schedule got {schedule!r}; wants a function of the epoch and the learning rate")
        self.schedule, self.verbose = schedule, verbose
        try:
            inspect.signature(schedule).bind(0, 0.0)
        except TypeError:
            self._takes_rate = False
        except ValueError:  # a function that does not tell what it takes
            self._takes_rate = True
        else:
            self._takes_rate = True

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Raise TypeError if the learning rate is not a number, but a schedule of the optimizer's."""
        _learning_rate(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        rate = self.schedule(epoch, _learning_rate(self)) if self._takes_rate else self.schedule(epoch)
        if isinstance(rate, np.ndarray) and rate.ndim == 0:
            rate = rate.item()
        self.model.optimizer.learning_rate = real_number(rate, "schedule's value", least=0)
        if self.verbose:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate:g}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = _learning_rate(self)


class ReduceLROnPlateau(Monitor):
    """Reduces the learning rate when a score no longer improves.

    Parameters
    ----------
    monitor, mode, min_delta
        A name in the logs; "auto", "min" or "max"; and by how much a better score must differ.  See `Monitor`.
    factor : float
        What the learning rate is multiplied by; above 0, below 1.
    patience : int
        So many epochs in a row without a better score reduce the learning rate.
    verbose : {0, 1}
        1 prints a line each time.
    cooldown : int
        How many epochs after a reduction do not count.
    min_lr : float
        The learning rate is never reduced to less than this.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.ReduceLROnPlateau("loss", min_delta=10.0, patience=1)
    >>> history = model.fit(x, x**2, epochs=5, callbacks=[callback], verbose=0)
    >>> model.optimizer.learning_rate < 0.001
    True
    """

    _state: ClassVar[Mapping[str, Any]] = {"best": Optional(NUMBER), "cooldown_counter": COUNT, "wait": COUNT}

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = real_number(factor, "factor", above=0, below=1)
        self.patience = positive_integer(patience, "patience", least=0)
        self.verbose = verbose
        self.cooldown = positive_integer(cooldown, "cooldown", least=0)
        self.min_lr = real_number(min_lr, "min_lr", least=0)
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        _learning_rate(self)
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        rate = _learning_rate(self)
        value = self.current(logs)
        if logs is not None:
            logs["learning_rate"] = rate
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best = value
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self.model.optimizer.learning_rate = reduced = max(rate * self.factor, self.min_lr)
                if self.verbose:
                    print(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {reduced:g}.")
                self.cooldown_counter = self.cooldown
                self.wait = 0


def _learning_rate(callback: Callback) -> float:
    """The learning rate of the model's optimizer; TypeError if it is no number that the callback could set."""
    rate = callback.model.optimizer.learning_rate
    if not isinstance(rate, numbers.Real):
        raise TypeError(
            f"callbacks got a {type(callback).__name__}, which sets learning_rate, but it is {rate!r}; "
            "wants a number there: a schedule of the optimizer's goes its own way"
        )
    return float(rate)
