"""Callbacks that watch scores: to end training early, and to end it where a score is not finite."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn.data import positive_integer, real_number
from fastnn.files.schema import COUNT, NUMBER, Each, Optional
from fastnn.names import lookup
from fastnn.typing import Array
from .base import Callback, Logs

LARGER_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "r2")


class Monitor(Callback):
    """Base of the callbacks that compare a score with the best so far.

    Parameters
    ----------
    monitor : str
        A name in the logs, such as "loss", "val_loss", "val_accuracy".
    mode : {"auto", "min", "max"}
        Whether smaller or larger scores are better.  "auto": as the metric of this name says, as in Keras; of others
        larger for accuracies and the like, smaller for all else.
    min_delta : float
        A score counts as better only if it is better by more than this.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        super().__init__()
        if not isinstance(monitor, str):
            raise TypeError(f"monitor got {monitor!r}; wants a name in the logs, such as 'val_loss'")
        self.monitor = monitor
        self.mode = lookup(mode, ["auto", "min", "max"], "mode")
        self.min_delta = abs(real_number(min_delta, "min_delta"))
        self._larger = self._is_larger_better()
        self.best: float | None = None
        self._warned = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self._warned = None, False

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._larger = self._is_larger_better()

    def _is_larger_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        metrics = getattr(self.model, "_metrics", ())
        known = [found.metric.direction for found in metrics if found.name == name and found.metric.direction]
        return known[0] == "up" if known else any(word in self.monitor for word in LARGER_IS_BETTER)

    def current(self, logs: Logs | None) -> float | None:
        """The monitored score; None, with a warning the first time, if it is not among the logs."""
        value = (logs or {}).get(self.monitor)
        if value is not None and np.ndim(value):
            raise ValueError(
                f"monitor got {self.monitor!r}, which is {np.size(value)} numbers; wants a metric that is one"
            )
        if value is None and not self._warned:
            self._warned = True
            warnings.warn(
                f"monitor of {type(self).__name__} got {self.monitor!r}, which is not among the logs, so nothing is "
                f"done; wants one of {', '.join(map(repr, logs or {}))}",
                stacklevel=2,
            )
        return value

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether a score is better than another one by more than min_delta; NaN and None are worse than any."""
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
        A name in the logs; "auto", "min" or "max"; and by how much a better score must differ.  See `Monitor`.
    patience : int
        So many epochs in a row without a better score end training.
    verbose : {0, 1}
        1 prints a line when training ends early.
    baseline : float, optional
        Only a score better than this makes patience begin again.
    restore_best_weights : bool
        Whether the model gets the weights of the best epoch when training ends, for whatever reason.
    start_from_epoch : int
        The first epoch whose score counts, counted from 0.

    Attributes
    ----------
    best : float or None
    best_epoch, stopped_epoch : int
        Counted from 0; stopped_epoch is 0 where training was not stopped.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.EarlyStopping("loss", min_delta=10.0, patience=2)
    >>> history = model.fit(x, x**2, epochs=20, callbacks=[callback], verbose=0)
    >>> len(history.epoch)
    3
    """

    _state: ClassVar[Mapping[str, Any]] = {
        "best": Optional(NUMBER),
        "best_epoch": COUNT,
        "best_weights": Optional(Each(list, np.ndarray)),
        "stopped_epoch": COUNT,
        "wait": COUNT,
    }

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
        self.best_weights: list[Array] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self.wait = self.best_epoch = self.stopped_epoch = 0
        self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
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
        """Give the model its best weights, if that was asked for."""
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def check_state(self, state: Mapping[str, Any]) -> None:
        super().check_state(state)
        best, wanted = state.get("best_weights"), [w.shape for w in self.model.get_weights()]
        if best is not None and [w.shape for w in best] != wanted:
            raise ValueError(f"best_weights have shapes {[w.shape for w in best]}; wants {wanted}")


class TerminateOnNaN(Callback):
    """Ends training after an epoch with a score that is not finite, scores of validation included.

    Training that diverges is ended by fit in any case, with a warning and the last good weights.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.TerminateOnNaN()
    >>> history = model.fit(x, x**2, epochs=3, callbacks=[callback], verbose=0)
    >>> len(history.epoch)
    3
    """

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """End training if a score is not finite."""
        bad = [name for name, value in (logs or {}).items() if not np.isfinite(value).all()]
        if bad:
            print(f"Epoch {epoch + 1}: {bad[0]} is not finite, terminating training")
            self.model.stop_training = True
