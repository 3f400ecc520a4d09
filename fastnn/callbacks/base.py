"""Callbacks: what is called while a model trains.

Training runs many steps in one compiled call, so nothing is called for each batch unless a callback asks for it, with
`Callback.every_n_steps`; `Callback.on_progress` is called some twenty times a second.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fastnn.data import positive_integer

__all__ = [
    "Backup",
    "Callback",
    "CallbackList",
    "History",
    "LambdaCallback",
    "Logs",
    "ProgressBar",
    "format_logs",
    "format_seconds",
    "verbosity",
]

Logs = dict[str, float]

# Keras calls these; here they would never be called, and silence would be a lie.
UNSUPPORTED = (
    "on_train_batch_begin",
    *(
        f"on_{what}_{end}"
        for what in ("batch", "test", "test_batch", "predict", "predict_batch")
        for end in ("begin", "end")
    ),
)


class Callback:
    """Base of all callbacks: derive from it, and write the methods that are of interest.

    A callback may set ``self.model.stop_training = True``, which ends training after the epoch (from
    `on_train_batch_end`: after the step), and may change ``self.model.optimizer.learning_rate``.

    Attributes
    ----------
    model : Sequential
        The model that trains.
    params : dict
        "epochs" and "steps" (batches an epoch; None where it is not known), and "verbose".
    every_n_steps : int or None
        `on_train_batch_end` is called after so many steps each; None, the default: never.  1 is Keras's way, and slow:
        Python has control after every step.
    """

    model: Any = None
    params: Mapping[str, Any]
    every_n_steps: int | None = None

    def __init__(self) -> None:
        self.params = {}

    def set_model(self, model: Any) -> None:
        """Called before all others."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called before all others."""
        self.params = dict(params)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once, after the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before an epoch; they are counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch, with its loss and metrics, and those of validation: "val_loss" and so on."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called every `every_n_steps` steps, with the number of the batch in its epoch and the epoch's scores so far.

        Steps are counted over all epochs of a fit.
        """

    def on_progress(self, epoch: int, step: int, steps: int | None, logs: Logs | None = None) -> None:
        """Called about every 50 ms, with the steps of the epoch that are done, and its scores so far."""

    def get_state(self) -> dict[str, Any]:
        """What the callback must know to go on where it is: numbers, strings, lists, dicts and arrays.

        `BackupAndRestore` keeps it, and gives it back to `set_state`, after on_train_begin, when training goes on.
        """
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was called."""
        vars(self).update(state)


class Backup(Callback):
    """A callback that keeps the run itself: it is called when all others have been."""

    def restore(self, run: Any) -> None:
        """Called once, after on_train_begin: the place to bring a kept run back."""

    def keep(self, run: Any) -> None:
        """Called after every epoch, or every `every_n_steps` steps where that is a number, and after Ctrl-C."""


class History(Callback):
    """What `Sequential.fit` returns.

    Attributes
    ----------
    history : dict of str to list of float
        The loss and each metric, a value an epoch.
    epoch : list of int
        The epochs that these are of.
    seconds : list of float
        How long the steps of each epoch took, without validation and callbacks.  Epochs that share a compiled run, of
        about 50 ms, share its time in proportion to their steps.
    samples : int
        Rows of an epoch.
    interrupted : bool
        Whether Ctrl-C ended training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.seconds: list[float] = []
        self.samples = 0
        self.interrupted = False

    @property
    def samples_per_second(self) -> list[float]:
        """Rows of an epoch over the seconds of each."""
        return [self.samples / seconds if seconds else float("inf") for seconds in self.seconds]

    def plot(self, ax: Any = None, metric: str | Sequence[str] = "loss") -> Any:
        """Draw how training went: a metric by epochs, solid, and that of validation, dashed.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; else in a new figure.
        metric : str or list of str
            Names in ``history``, without "val_".

        Returns
        -------
        matplotlib.axes.Axes
            Its y axis logarithmic where a single metric's values are positive, the largest over 50 times the smallest.

        Raises
        ------
        ValueError
            There is no epoch, or no such metric.
        """
        from fastnn import plot

        return plot.history(self, ax, metric)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append an epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def with_epochs(self, epochs: Iterable[int], logs: Mapping[str, list[float]]) -> dict[str, Any]:
        """What ``epoch`` and ``history`` are once these epochs have been appended."""
        history = {name: self.history.get(name, []) + values for name, values in logs.items()}
        return {"epoch": self.epoch + list(epochs), "history": {**self.history, **history}}

    def get_state(self) -> dict[str, Any]:
        """All that was recorded."""
        return {name: value for name, value in vars(self).items() if name not in ("model", "params", "interrupted")}


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end, on_train_begin, on_train_end, on_train_batch_end, on_progress : callable, optional
        Each takes what the method of `Callback` takes that has its name.
    every_n_steps : int, optional
        How often on_train_batch_end is called; it takes this argument too.
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
        super().__init__()
        if every_n_steps is not None:
            self.every_n_steps = every_n_steps
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            "on_progress": on_progress,
        }
        for name, function in functions.items():
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"{name} got {function!r}; wants a function")
            setattr(self, name, function)
        _check(self)


class ProgressBar(Callback):
    """Tells how training goes.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0: nothing. 1: a live bar an epoch, with tqdm where it is installed, else as 2. 2: a line an epoch.
        "auto": 1 on a terminal and in a notebook, else 2.
    """

    def __init__(self, verbose: int | str = "auto") -> None:
        super().__init__()
        self.verbose = verbosity(verbose)
        self._bars = _tqdm() if self.verbose == 1 else None
        self._bar: Any = None
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin a bar."""
        self._start = time.perf_counter()
        if self._bars is not None:
            self._close()
            self._bar = self._bars(
                total=self.params.get("steps"),
                desc=self._title(epoch),
                unit=" steps",
                file=sys.stdout,
                mininterval=0.04,
                bar_format="{desc} |{bar:10}| {n_fmt}/{total_fmt} {rate_fmt}{postfix}",
                dynamic_ncols=True,
            )

    def on_progress(self, epoch: int, step: int, steps: int | None, logs: Logs | None = None) -> None:
        """Move the bar on."""
        if self._bar is not None:
            self._bar.total = steps
            self._bar.set_postfix_str(format_logs(logs), refresh=False)
            self._bar.update(step - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """End the bar, or print the line."""
        if self._bar is not None:
            total = self._bar.total
            self.on_progress(epoch, self._bar.n if total is None else total, total, logs)
            self._close()
        elif self.verbose:
            seconds = time.perf_counter() - self._start
            print(f"{self._title(epoch)} - {format_seconds(seconds)} - {format_logs(logs)}", flush=True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """End a bar that was left in the middle of an epoch."""
        self._close()

    def _title(self, epoch: int) -> str:
        epochs = self.params.get("epochs")
        return f"Epoch {epoch + 1}" + (f"/{epochs}" if epochs else "")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class CallbackList:
    """Several callbacks, called in their order.

    Parameters
    ----------
    callbacks : Callback, iterable of Callback, or None
    model : Sequential, optional
    params : mapping, optional
        See `Callback.params`.

    Raises
    ------
    TypeError
        One is no callback, or wants to be called for each batch.
    """

    def __init__(
        self,
        callbacks: Callback | Iterable[Callback] | None = None,
        model: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        given = [] if callbacks is None else [callbacks] if isinstance(callbacks, Callback) else callbacks
        if not isinstance(given, Iterable):
            raise TypeError(f"callbacks got {given!r}; wants a list of callbacks")
        self.callbacks = list(given)
        for callback in self.callbacks:
            _check(callback)
        for callback in self.callbacks:
            callback.set_model(model)
        self.set_params(params or {})
        self.histories = [c for c in self.callbacks if isinstance(c, History)]
        self._others = [c for c in self.callbacks if not isinstance(c, History)]
        self.backups = [c for c in self.callbacks if isinstance(c, Backup)]
        self.step_callbacks = [c for c in self.callbacks if c.every_n_steps is not None]
        self._intervals = {c.every_n_steps for c in self.step_callbacks if c.every_n_steps is not None}

    @property
    def needs_epochs(self) -> bool:
        """Whether one must be called when an epoch begins or ends, and not just some time after."""
        return any(
            isinstance(c, Backup)
            or c.every_n_steps is not None
            or _writes(c, "on_epoch_begin")
            or (_writes(c, "on_epoch_end") and not _is_history(c))
            for c in self.callbacks
        )

    def next_stop(self, step: int, end: int) -> int:
        """The step behind which one wants to be called next, ``end`` if none does before."""
        return min([end, *((step // n + 1) * n for n in self._intervals)])

    def is_stop(self, step: int) -> bool:
        """Whether one wants to be called after so many steps."""
        return any(step % n == 0 for n in self._intervals)

    @property
    def needs_progress(self) -> bool:
        """Whether one wants to be called within epochs."""
        return any(_writes(c, "on_progress") for c in self.callbacks)

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Call each."""
        for callback in self.callbacks:
            callback.set_params(params)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call each."""
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call each."""
        for callback in self.callbacks:
            callback.on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call each."""
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call each; the history last, as in Keras, for others add to the logs, and whatever one of them raises."""
        try:
            for callback in self._others:
                callback.on_epoch_end(epoch, logs)
        finally:
            for callback in self.histories:
                callback.on_epoch_end(epoch, logs)

    def on_train_batch_end(self, step: int, batch: int, logs: Logs | None = None) -> None:
        """Call those that want it after so many steps."""
        for callback in self.step_callbacks:
            if step % callback.every_n_steps == 0:  # type: ignore[operator]
                callback.on_train_batch_end(batch, logs)

    def on_progress(self, epoch: int, step: int, steps: int | None, logs: Logs | None = None) -> None:
        """Call each."""
        for callback in self.callbacks:
            callback.on_progress(epoch, step, steps, logs)


def verbosity(verbose: object) -> int:
    """0, 1 or 2; see `ProgressBar`."""
    if isinstance(verbose, str) and verbose == "auto":
        return 1 if (sys.stdout is not None and sys.stdout.isatty()) or _in_notebook() else 2
    if isinstance(verbose, int) and 0 <= verbose <= 2:
        return int(verbose)
    raise ValueError(f"verbose got {verbose!r}; wants 'auto', 0, 1 or 2")


def format_logs(logs: Logs | None) -> str:
    """'loss: 0.5021 - accuracy: 0.8750'."""
    return " - ".join(f"{name}: {_format(value)}" for name, value in (logs or {}).items())


def format_seconds(seconds: float) -> str:
    """'2.31 s', '4.75 ms'."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.2f} ms"


def _format(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 < abs(value) < 1e7 else f"{value:.4e}"


def _check(callback: object) -> None:
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
    elif _writes(callback, "on_train_batch_end") and "every_n_steps" not in vars(callback):
        raise TypeError(
            f"callbacks got a {type(callback).__name__} with on_train_batch_end, but without every_n_steps; wants a "
            "number of steps there, such as 100: many are one compiled call, and 1 cuts it after each"
        )


def _writes(callback: Callback, hook: str) -> bool:
    """Whether a callback has a method of its own."""
    return getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)


def _is_history(callback: Callback) -> bool:
    return getattr(callback.on_epoch_end, "__func__", None) is History.on_epoch_end


def _in_notebook() -> bool:
    """Whether output goes to a notebook, where a line can be drawn anew though it is no terminal."""
    kernel = sys.modules.get("ipykernel.zmqshell")
    return kernel is not None and kernel.ZMQInteractiveShell.initialized()


def _tqdm() -> Any:
    """A class of progress bars that starts no thread to watch over them; None where tqdm is missing."""
    try:
        from tqdm import tqdm

        if _in_notebook():
            with contextlib.suppress(ImportError):
                importlib.import_module("ipywidgets")  # without it, a line is drawn anew there too
                from tqdm.notebook import tqdm  # type: ignore[no-redef, unused-ignore]
    except ImportError:
        return None

    class Bar(tqdm):  # type: ignore[misc, type-arg, unused-ignore]
        monitor_interval = 0

    return Bar
