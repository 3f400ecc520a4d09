"""The progress bar, and how scores and times are written."""

from __future__ import annotations

import importlib
import shutil
import sys
import time
from typing import Any

from .base import Callback, Logs

WIDEST_BAR, NARROWEST_BAR = 20, 4
KEPT_LINES = 20  # of epochs, in a notebook


class ProgressBar(Callback):
    """Shows the progress of training on standard output.

    A terminal has the epoch that is under way in one row, scores first, and a bar in what room is left; when the epoch
    is done its scores stay, all of them, in as many rows as they need.  A notebook has one output for all of a fit, of
    plain text, which stays in the file and in what is made of it.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0: nothing.  1: a live bar for each epoch.  2: a line for each epoch.  "auto": 1 on a terminal and in a
        notebook, else 2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> bar = fastnn.callbacks.ProgressBar(verbose=2)  # a line an epoch
    >>> history = model.fit(x, x, epochs=1, callbacks=[bar], verbose=0)
    Epoch 1/1 - ... ms - loss: 0.0949
    """

    def __init__(self, verbose: int | str = "auto") -> None:
        super().__init__()
        self.verbose = verbosity(verbose)
        self._start = 0.0
        self._place: _Terminal | _Notebook | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.verbose == 1:
            self._place = _Notebook() if _in_notebook() else _Terminal()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start = time.perf_counter()

    def on_progress(self, epoch: int, step: int, steps: int | None, logs: Logs | None = None) -> None:
        if self._place is not None:
            seconds = time.perf_counter() - self._start
            of = (epoch + 1, self.params.get("epochs"))
            self._place.draw(live_line(of, (step, steps), seconds, logs or {}, self._place.columns()))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        seconds = time.perf_counter() - self._start
        of = (epoch + 1, self.params.get("epochs"))
        if self._place is not None:
            self._place.keep(epoch_lines(of, seconds, logs or {}, self._place.columns()))
        elif self.verbose:
            print(f"{_title(*of)} - {format_seconds(seconds)} - {format_logs(logs)}", flush=True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """End a bar that was left in the middle of an epoch."""
        if self._place is not None:
            self._place.close()
            self._place = None


class _Terminal:
    """A row that is written again and again."""

    def __init__(self) -> None:
        self._drawn = 0  # characters in the row

    def columns(self) -> int:
        return shutil.get_terminal_size().columns - 1  # in the last one some terminals begin a new row

    def draw(self, line: str) -> None:
        print("\r" + line.ljust(self._drawn), end="", flush=True)
        self._drawn = len(line)

    def keep(self, lines: list[str]) -> None:
        first, *others = lines
        self.draw(first)
        print("", *others, sep="\n", flush=True)
        self._drawn = 0

    def close(self) -> None:
        if self._drawn:
            print(flush=True)
            self._drawn = 0


class _Notebook:
    """One output of plain text, which is replaced by more of it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._left_out = 0
        self._live = ""
        self._shown: Any = None

    def columns(self) -> int:
        return 100

    def draw(self, line: str) -> None:
        self._live = line
        self._show()

    def keep(self, lines: list[str]) -> None:
        self._lines += lines
        self._live = ""
        more = max(0, len(self._lines) - KEPT_LINES)
        self._left_out += more
        del self._lines[:more]
        self._show()

    def close(self) -> None:
        pass

    def _show(self) -> None:
        before = [f"... ({self._left_out} lines before)"] if self._left_out else []
        text = {"text/plain": "\n".join([*before, *self._lines, *filter(None, [self._live])])}
        if self._shown is None:
            display = importlib.import_module("IPython.display").display
            self._shown = display(text, raw=True, display_id=True)
        else:
            self._shown.update(text, raw=True)


def live_line(
    epoch: tuple[int, int | None], steps: tuple[int, int | None], seconds: float, logs: Logs, columns: int
) -> str:
    """A row about an epoch that is under way: scores first, as many as there is room for, then a bar."""
    step, of = steps
    count = f"{step}/{of}" if of else str(step)
    for line in (f"{_title(*epoch)} - {format_logs(logs)}" if logs else _title(*epoch), _short(epoch, logs)):
        left = columns - len(line) - len(count) - 3
        if left >= 0:
            break
    else:
        return _rows(_short(epoch, logs), columns)[0][:columns]
    width = min(WIDEST_BAR, left - 3)
    if of and width >= NARROWEST_BAR:
        done = width * min(step, of) // of
        count += f" |{'#' * done}{' ' * (width - done)}|"
        left -= width + 3
    rate = f" {step / seconds:,.0f} steps/s" if seconds > 0 and step else ""
    return f"{line} - {count}{rate if len(rate) <= left else ''}"


def epoch_lines(epoch: tuple[int, int | None], seconds: float, logs: Logs, columns: int) -> list[str]:
    """What stays of an epoch: all of its scores, in one row if there is room, else without time and long words."""
    long = f"{_title(*epoch)} - {format_seconds(seconds)} - {format_logs(logs)}"
    middle = f"{_title(*epoch)} - {format_logs(logs)}"
    for line in (long, middle):
        if len(line) <= columns:
            return [line]
    return _rows(_short(epoch, logs), columns)


def _title(epoch: int, epochs: int | None) -> str:
    return f"Epoch {epoch}" + (f"/{epochs}" if epochs else "")


def _short(epoch: tuple[int, int | None], logs: Logs) -> str:
    return _title(*epoch).removeprefix("Epoch ") + "".join(f"  {n}: {_format(v)}" for n, v in logs.items())


def _rows(text: str, columns: int) -> list[str]:
    """Break a short line between its scores."""
    rows: list[str] = []
    for part in text.split("  "):
        if rows and len(rows[-1]) + 2 + len(part) <= columns:
            rows[-1] += f"  {part}"
        else:
            rows.append(f"  {part}" if rows else part)
    return rows


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


def _format(value: Any) -> str:
    if hasattr(value, "__len__"):  # of a metric that is a number an output
        return f"[{' '.join(map(_format, value))}]"
    return f"{value:.4f}" if value == 0 or 1e-3 < abs(value) < 1e7 else f"{value:.4e}"


def _in_notebook() -> bool:
    """Whether output goes to a notebook, which is no terminal, but can draw a line again."""
    kernel = sys.modules.get("ipykernel.zmqshell")
    return kernel is not None and kernel.ZMQInteractiveShell.initialized()
