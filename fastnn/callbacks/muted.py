"""Callbacks on the ranks of a distribution that do not print or write: those which do nothing else stand still."""

from __future__ import annotations

from .base import Callback, interval
from .checkpoint import ModelCheckpoint
from .loggers import CSVLogger, JSONLogger
from .progress import ProgressBar
from .tensorboard import TensorBoard

WRITERS = (CSVLogger, JSONLogger, ModelCheckpoint, ProgressBar, TensorBoard)


class _Still(Callback):
    """Does nothing, as often as another one would do something: so steps are cut in the same places."""

    def __init__(self, callback: Callback) -> None:
        super().__init__()
        self.every_n_steps = interval(callback)

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Nothing; but that it is here says that epochs are to be told."""


def muted(callback: Callback) -> Callback:
    """The callback, or one in its place that does nothing; the user's own are as they are."""
    if type(callback) in WRITERS:
        return _Still(callback)
    if type(callback).__module__.startswith("fastnn.") and vars(callback).get("verbose"):
        callback.verbose = 0  # type: ignore[attr-defined]
    return callback
