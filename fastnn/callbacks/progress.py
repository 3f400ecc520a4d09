"""The progress bar, and how scores and times are written."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from typing import Any

from .base import Callback, Logs


class ProgressBar(Callback):
    """Shows how training goes, on standard output.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0: nothing.  1: a live bar for each epoch if tqdm is installed, else as 2.  2: a line for each epoch.
        "auto": 1 on a terminal and in a notebook, else 2.
    """

    def __init__(self, verbose: int | str = "auto") -> None:
        super().__init__()
        self.verbose = verbosity(verbose)
        self._bars = _tqdm() if self.verbose == 1 else None
        self._bar: Any = None
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
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
        if self._bar is not None:
            self._bar.total = steps
            self._bar.set_postfix_str(format_logs(logs), refresh=False)
            self._bar.update(step - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
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


def verbosity(verbose: object) -> int:
    """The argument verbose as 0, 1 or 2; see `ProgressBar`."""
    if isinstance(verbose, str) and verbose == "auto":
        return 1 if (sys.stdout is not None and sys.stdout.isatty()) or _in_notebook() else 2
    if isinstance(verbose, int) and 0 <= verbose <= 2:
        return int(verbose)
    raise ValueError(f"verbose got {verbose!r}; wants 'auto', 0, 1 or 2")


def format_logs(logs: Logs | None) -> str:
    """Write scores as in 'loss: 0.5021 - accuracy: 0.8750'."""
    return " - ".join(f"{name}: {_format(value)}" for name, value in (logs or {}).items())


def format_seconds(seconds: float) -> str:
    """Write a time as in '2.31 s' and '4.75 ms'."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.2f} ms"


def _format(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 < abs(value) < 1e7 else f"{value:.4e}"


def _in_notebook() -> bool:
    """Whether output goes to a notebook, which is no terminal, but can draw a line again."""
    kernel = sys.modules.get("ipykernel.zmqshell")
    return kernel is not None and kernel.ZMQInteractiveShell.initialized()


def _tqdm() -> Any:
    """tqdm's class of progress bars, without the thread that watches them; None where tqdm is not installed."""
    try:
        from tqdm import tqdm

        if _in_notebook():
            with contextlib.suppress(ImportError):
                importlib.import_module("ipywidgets")  # without it, tqdm's plain bar serves in notebooks too
                from tqdm.notebook import tqdm  # type: ignore[no-redef, unused-ignore]
    except ImportError:
        return None

    class Bar(tqdm):  # type: ignore[misc, type-arg, unused-ignore]
        monitor_interval = 0

    return Bar
