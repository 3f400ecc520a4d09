"""Callbacks that write the scores of each epoch to a file, a line each."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from .base import Callback, Logs

__all__ = ["CSVLogger", "JSONLogger"]


class _Logger(Callback):
    """Appends whole lines to a file, which is opened when there is something to write.

    In a run that `BackupAndRestore` takes up again, the lines behind the state that was kept are cut off: they are
    written again.
    """

    def __init__(self, filename: str | os.PathLike[str], append: bool) -> None:
        super().__init__()
        self.filename, self.append = os.fspath(filename), append
        self._file: io.FileIO | None = None
        self._size: int | None = None  # of the file that is gone on with; None: it is replaced

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin anew, unless a run that was kept says otherwise."""
        self._size = os.path.getsize(self.filename) if self.append and os.path.exists(self.filename) else None
        folder = os.path.dirname(os.path.abspath(self.filename))
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"filename got {self.filename!r}, but there is no folder {folder}")

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: str) -> None:
        try:
            file, rest = self._open(), line.encode()
            while rest:
                rest = rest[file.write(rest) :]
            self._size = file.tell()
        except OSError as error:
            raise OSError(error.errno, f"cannot be written: {error.strerror or error}", self.filename) from error

    def _open(self) -> io.FileIO:
        if self._file is None:
            self._file = io.FileIO(self.filename, "w" if self._size is None else "a")
            if self._size is not None:
                self._file.truncate(min(self._size, self._file.tell()))
                self._file.seek(0, os.SEEK_END)
        return self._file

    def get_state(self) -> dict[str, Any]:
        """How long the file is."""
        return {"_size": self._size}


class CSVLogger(_Logger):
    """Writes the scores of each epoch as a row of a CSV file.

    Parameters
    ----------
    filename : path
    separator : str
    append : bool
        Append to a file that is there, rather than replace it.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__(filename, append)
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"separator got {separator!r}; wants one character")
        self.separator = separator
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin anew."""
        super().on_train_begin(logs)
        self._columns = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a row, and before the first the names of the columns."""
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

    def get_state(self) -> dict[str, Any]:
        """How long the file is, and its columns."""
        return super().get_state() | {"_columns": self._columns}


class JSONLogger(_Logger):
    """Writes the scores of each epoch as a line of JSON: {"epoch": 0, "loss": 0.25}.  What is not finite is null.

    Parameters
    ----------
    filename : path
    append : bool
        Append to a file that is there, rather than replace it.
    every_n_steps : int, optional
        Write a line every so many steps too, with the scores of the epoch so far: {"epoch": 0, "batch": 99, ...}.
    """

    def __init__(
        self, filename: str | os.PathLike[str], append: bool = False, every_n_steps: int | None = None
    ) -> None:
        super().__init__(filename, append)
        self.every_n_steps = every_n_steps
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Know the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        self._line({"epoch": self._epoch, "batch": batch}, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        self._line({"epoch": epoch}, logs or {})

    def _line(self, place: Mapping[str, int], logs: Logs) -> None:
        scores = {name: value if math.isfinite(value) else None for name, value in logs.items()}
        self._write(json.dumps({**place, **scores}) + "\n")
