"""Optuna's pruning: a trial that does worse than others have done at the same epoch is ended."""

from __future__ import annotations

import copy
from typing import Any, Self

from fastnn.data import positive_integer
from fastnn.extras import require
from .base import Logs
from .monitors import Monitor


class OptunaPruning(Monitor):
    """Tells an Optuna trial a score of each epoch, and raises `optuna.TrialPruned` where its study's pruner says so.

    It does what optuna-integration's KerasPruningCallback does, and takes the package optuna alone.  After the error
    the model is as trained so far: it predicts, and may be trained on; an estimator is as it was before its fit.
    Studies of several threads (``n_jobs``) or processes need nothing more.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The objective's argument.  It hears of each epoch once: fit one model a trial, or give this to one of them.
    monitor : str
        A name in the logs, such as "val_loss", "val_accuracy"; where it is not among them, a warning says so, and
        nothing is pruned.
    interval : int
        The trial hears of every so many epochs.

    Raises
    ------
    ModuleNotFoundError
        optuna is not installed.
    ValueError
        As fit begins: the score is known to be better when it is smaller, and the study maximizes, or the other way
        round, so that the best trials would be pruned.
    """

    def __init__(self, trial: Any, monitor: str = "val_loss", interval: int = 1) -> None:
        super().__init__(monitor, "auto")
        if not isinstance(trial, require("optuna", "optuna").trial.BaseTrial):
            raise TypeError(f"trial got {trial!r}; wants an optuna.trial.Trial, which Optuna gives the objective")
        self.trial = trial
        self.interval = positive_integer(interval, "interval")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy, such as scikit-learn's clone makes, which tells the same trial: another one's study hears nothing."""
        copied = copy.copy(self)
        vars(copied).update({k: copy.deepcopy(v, memo) for k, v in vars(self).items() if k != "trial"})
        return copied

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        study, name = getattr(self.trial, "study", None), self.monitor.removeprefix("val_")
        metrics = [found.name for found in getattr(self.model, "_metrics", ()) if found.metric.direction]
        if study is None or len(study.directions) > 1 or name not in ("loss", *metrics):  # a FixedTrial has no study
            return
        maximizes = study.direction == require("optuna.study", "optuna").StudyDirection.MAXIMIZE
        if maximizes != self._larger:
            better, does = ("larger", "minimizes") if self._larger else ("smaller", "maximizes")
            raise ValueError(
                f"monitor got {self.monitor!r}, which is better when it is {better}, but the study {does}: it would "
                "prune the best trials; wants a score of the study's direction"
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Tell the trial, and ask whether it is to be pruned."""
        if (epoch + 1) % self.interval:
            return
        value = self.current(logs)
        if value is None:
            return
        self.trial.report(float(value), epoch)
        if self.trial.should_prune():
            pruned = require("optuna", "optuna").TrialPruned
            raise pruned(f"trial was pruned after epoch {epoch + 1}: {self.monitor} is {value:.6g}")
