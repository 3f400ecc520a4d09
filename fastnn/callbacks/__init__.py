"""Callbacks: what is called while a model trains.

Training runs many steps in one compiled call, so nothing is called for each batch unless a callback asks for it, with
`Callback.every_n_steps`; `Callback.on_progress` is called some twenty times a second.
"""

from .backup import BackupAndRestore, ModelCheckpoint
from .base import (
    Callback,
    CallbackList,
    History,
    LambdaCallback,
    ProgressBar,
    format_logs,
    format_seconds,
    verbosity,
)
from .loggers import CSVLogger, JSONLogger
from .monitors import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "JSONLogger",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgressBar",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
    "format_logs",
    "format_seconds",
    "verbosity",
]
