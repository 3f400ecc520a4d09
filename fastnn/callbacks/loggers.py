"""Callbacks that write scores to a file, a line for each epoch."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from fastnn.errors import warn
from fastnn.files.schema import COUNT, Each, Optional
from .base import Callback, Logs


class _Logger(Callback):
    """Base of the loggers: appends whole lines to a file, which it opens for the first of them.

    When `BackupAndRestore` goes on with a run, lines that were written after the backup are cut off, for the run writes
    them again.  What of a line was written before the disk was full is cut off; what a killed process has left of one
    is, with a warning, when the file is appended to.
    """

    _state: ClassVar[Mapping[str, Any]] = {"_size": Optional(COUNT)}  # how long the file is, in bytes

    def __init__(self, filename: str | os.PathLike[str], append: bool) -> None:
        super().__init__()
        self.filename, self.append = os.fspath(filename), append
        self._file: io.FileIO | None = None
        self._size: int | None = None  # of the file so far, in bytes, to append behind; None: the file is replaced

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin a new file, or append if that was asked for; `set_state` may say otherwise after."""
        self._size = _whole_lines(self.filename) if self.append and os.path.exists(self.filename) else None
        folder = os.path.dirname(os.path.abspath(self.filename))
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"filename got {self.filename!r}, but there is no folder {folder}")

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: str) -> None:
        try:
            file, rest = self._open(), line.encode()
            before = file.tell()
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                self._size = file.tell()
            except BaseException:  # Ctrl-C too
                with contextlib.suppress(OSError):
                    file.truncate(before)
                    file.seek(before)
                raise
        except OSError as error:
            raise OSError(error.errno, f"cannot be written: {error.strerror or error}", self.filename) from error

    def _open(self) -> io.FileIO:
        if self._file is None:
            self._file = io.FileIO(self.filename, "w" if self._size is None else "a")
            if self._size is not None:
                self._file.truncate(min(self._size, self._file.tell()))
                self._file.seek(0, os.SEEK_END)
        return self._file


def _whole_lines(filename: str) -> int:
    """How many bytes of a file are whole lines; a warning says what comes after them, and will be cut off."""
    with open(filename, "rb") as file:
        end = size = file.seek(0, os.SEEK_END)
        tail = b""
        while end and b"\n" not in tail:
            end = max(0, end - 4096)
            file.seek(end)
            tail = file.read(size - end)
    whole = end + tail.rfind(b"\n") + 1
    if whole < size:
        cut = tail[whole - end :].decode(errors="replace")
        warn(f"{filename} ends in the middle of a line, {cut!r:.60}, which is cut off")
    return whole


class CSVLogger(_Logger):
    """Writes the scores of each epoch as a row of a CSV file.

    Parameters
    ----------
    filename : path
    separator : str
        One character.
    append : bool
        Whether to append to a file that exists, and not to replace it.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.CSVLogger("log.csv")
    >>> history = model.fit(x, x**2, epochs=3, validation_split=0.25, callbacks=[callback], verbose=0)
    >>> Path("log.csv").read_text().split()[0]
    'epoch,loss,val_loss'
    """

    _state: ClassVar[Mapping[str, Any]] = {**_Logger._state, "_columns": Optional(Each(list, str))}

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__(filename, append)
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"separator got {separator!r}; wants one character")
        self.separator = separator
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._columns = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a row, and before the first one a row with the names of the columns."""
        logs = logs or {}
        rows: list[list[Any]] = []
        if self._columns is None:
            self._columns = sorted(logs)
            if not self._size:
                rows.append(["epoch", *self._columns])
        rows.append([epoch, *(logs.get(name, "NA") for name in self._columns)])
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="\n").writerows(rows)
        self._write(text.getvalue())


class JSONLogger(_Logger):
    """Writes the scores of each epoch as a line of JSON, {"epoch": 0, "loss": 0.25}, with null for what is not finite.

    Parameters
    ----------
    filename : path
    append : bool
        Whether to append to a file that exists, and not to replace it.
    every_n_steps : int, optional
        Also write a line every so many steps, with the epoch's scores so far: {"epoch": 0, "batch": 99, ...}.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.JSONLogger("log.jsonl")
    >>> history = model.fit(x, x**2, epochs=3, validation_split=0.25, callbacks=[callback], verbose=0)
    >>> len(Path("log.jsonl").read_text().splitlines())
    3
    """

    def __init__(
        self, filename: str | os.PathLike[str], append: bool = False, every_n_steps: int | None = None
    ) -> None:
        super().__init__(filename, append)
        self.every_n_steps = every_n_steps
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._line({"epoch": self._epoch, "batch": batch}, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._line({"epoch": epoch}, logs or {})

    def _line(self, place: Mapping[str, int], logs: Logs) -> None:
        scores = {name: _finite(value) for name, value in logs.items()}
        self._write(json.dumps({**place, **scores}) + "\n")


def _finite(value: Any) -> Any:
    """A number if it is finite, else None; of a metric that is a number an output, a list of them."""
    if hasattr(value, "__len__"):
        return [_finite(one) for one in value]
    return value if math.isfinite(value) else None
