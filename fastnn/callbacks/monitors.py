"""Callbacks that watch a score and act on it, with the arguments and the meaning of Keras's."""

from __future__ import annotations

import inspect
import math
import numbers
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.data import positive_integer, real_number
from fastnn.names import lookup

from .base import Callback, Logs

__all__ = ["EarlyStopping", "LearningRateScheduler", "Monitor", "ReduceLROnPlateau", "TerminateOnNaN"]

LARGER_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "r2")


class Monitor(Callback):
    """Base of the callbacks that compare a score with the best so far.

    Parameters
    ----------
    monitor : str
        A name in the logs, such as "loss", "val_loss", "val_accuracy".
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto": more for accuracies and the like, less for all else.
    min_delta : float
        A change by less than this is none.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        super().__init__()
        if not isinstance(monitor, str):
            raise TypeError(f"monitor got {monitor!r}; wants a name in the logs, such as 'val_loss'")
        self.monitor = monitor
        self.mode = lookup(mode, ["auto", "min", "max"], "mode")
        self.min_delta = abs(real_number(min_delta, "min_delta"))
        auto = "max" if any(word in monitor for word in LARGER_IS_BETTER) else "min"
        self._larger = (auto if mode == "auto" else mode) == "max"
        self.best: float | None = None
        self._warned = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the training before."""
        self.best, self._warned = None, False

    def current(self, logs: Logs | None) -> float | None:
        """The score, or None with a warning."""
        value = (logs or {}).get(self.monitor)
        if value is None and not self._warned:
            self._warned = True
            warnings.warn(
                f"monitor of {type(self).__name__} got {self.monitor!r}, which is not among the logs, so nothing is "
                f"done; wants one of {', '.join(map(repr, logs or {}))}",
                stacklevel=2,
            )
        return value

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether a score is better than another one by more than min_delta; NaN is no score."""
        if reference is None or math.isnan(reference):
            return not math.isnan(value)
        if self._larger:
            return value - self.min_delta > reference
        return value + self.min_delta < reference


class EarlyStopping(Monitor):
    """Ends training when a score no longer improves.

    Parameters
    ----------
    monitor, mode, min_delta
        See `Monitor`: a name in the logs, "auto", "min" or "max", and the least change that counts.
    patience : int
        So many epochs without a better score end training.
    verbose : {0, 1}
        1 tells of it.
    baseline : float, optional
        A score that must be beaten for patience to begin anew.
    restore_best_weights : bool
        Bring back the weights of the best epoch when training ends, in whatever way.
    start_from_epoch : int
        Epochs before this one are not looked at.

    Attributes
    ----------
    best : float or None
    best_epoch, stopped_epoch : int
        Counted from 0; stopped_epoch is 0 where training was not stopped.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = positive_integer(patience, "patience", least=0)
        self.verbose = verbose
        self.baseline = None if baseline is None else real_number(baseline, "baseline")
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = positive_integer(start_from_epoch, "start_from_epoch", least=0)
        self.wait = self.best_epoch = self.stopped_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the training before."""
        super().on_train_begin(logs)
        self.wait = self.best_epoch = self.stopped_epoch = 0
        self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare, and stop."""
        value = self.current(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        better = self.improves(value, self.best)
        if better:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights = self.model.get_weights()
        if not better and self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Bring the best weights back."""
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def get_state(self) -> dict[str, Any]:
        """The best epoch, its weights, and how long ago it was."""
        names = ("best", "best_epoch", "best_weights", "stopped_epoch", "wait")
        return {name: getattr(self, name) for name in names}


class ReduceLROnPlateau(Monitor):
    """Makes the learning rate smaller when a score no longer improves.

    Parameters
    ----------
    monitor, mode, min_delta
        See `Monitor`: a name in the logs, "auto", "min" or "max", and the least change that counts.
    factor : float
        Below 1: what the learning rate is multiplied by.
    patience : int
        So many epochs without a better score.
    verbose : {0, 1}
        1 tells of it.
    cooldown : int
        Epochs to wait after that, before looking again.
    min_lr : float
        The learning rate is not made less than this.
    """

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
        """Forget the training before."""
        super().on_train_begin(logs)
        _learning_rate(self)
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare, and reduce."""
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

    def get_state(self) -> dict[str, Any]:
        """The best score, and how long ago it was."""
        return {name: getattr(self, name) for name in ("best", "cooldown_counter", "wait")}


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Parameters
    ----------
    schedule : callable
        Takes the epoch, counted from 0, and the learning rate, or the epoch alone; returns the learning rate.
    verbose : {0, 1}
        1 tells of it.
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
        """See that there is a learning rate to set."""
        _learning_rate(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the learning rate."""
        rate = self.schedule(epoch, _learning_rate(self)) if self._takes_rate else self.schedule(epoch)
        if isinstance(rate, np.ndarray) and rate.ndim == 0:
            rate = rate.item()
        self.model.optimizer.learning_rate = real_number(rate, "schedule's value", least=0)
        if self.verbose:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate:g}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Put it into the history."""
        if logs is not None:
            logs["learning_rate"] = _learning_rate(self)


class TerminateOnNaN(Callback):
    """Ends training after an epoch with a score that is not finite, that of validation included.

    Training that runs off to infinity itself is ended by fit, with a warning and the last good weights, in any case.
    """

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at each score."""
        bad = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if bad:
            print(f"Epoch {epoch + 1}: {bad[0]} is not finite, terminating training")
            self.model.stop_training = True


def _learning_rate(callback: Callback) -> float:
    rate = callback.model.optimizer.learning_rate
    if not isinstance(rate, numbers.Real):
        raise TypeError(
            f"callbacks got a {type(callback).__name__}, which sets learning_rate, but it is {rate!r}; "
            "wants a number there: a schedule of the optimizer's goes its own way"
        )
    return float(rate)
