"""Callbacks: what is called while a model trains.

Training runs many steps in one compiled call, which a callback for each batch cuts into single ones: that is slow, and
`Callback.every_n_steps` makes it less so.  `Callback.on_progress` is called some twenty times a second.
"""

from fastnn.names import publish
from .backup import BackupAndRestore
from .base import Callback, LambdaCallback
from .checkpoint import ModelCheckpoint
from .dispatch import CallbackList
from .history import History
from .learning_rate import LearningRateScheduler, ReduceLROnPlateau
from .loggers import CSVLogger, JSONLogger
from .monitors import EarlyStopping, TerminateOnNaN
from .optuna import OptunaPruning
from .progress import ProgressBar, format_logs, format_seconds, verbosity
from .tensorboard import TensorBoard

__all__ = ["BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "JSONLogger"]
__all__ += ["LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "OptunaPruning", "ProgressBar"]
__all__ += ["ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN", "format_logs", "format_seconds", "verbosity"]

publish(__name__)
