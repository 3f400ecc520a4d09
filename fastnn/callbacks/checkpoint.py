"""Saving the model, or its weights, while it trains."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from fastnn.extras import require
from fastnn.files.schema import NUMBER, Optional
from .base import Logs, steps_of
from .monitors import Monitor


class ModelCheckpoint(Monitor):
    """Saves the model after each epoch, or every so many steps.

    If a file cannot be written, fit ends with an OSError that names the file and the reason.  The model then is as
    trained so far, and ``model.history`` holds its epochs.

    Parameters
    ----------
    filepath : path
        May hold {epoch}, {batch} and names in the logs, as in "{epoch:02d}-{val_loss:.2f}.fastnn"; epochs and batches
        are counted from 1 there.  Folders that are missing are made.
    monitor : str
        The score that says which model is the best.
    verbose : {0, 1}
        1 prints a line for each file.
    save_best_only : bool
        Whether to save only a model whose score is better than any before.
    save_weights_only : bool
        Whether to write a file for `Sequential.load_weights` (safetensors), and not one for `load_model`.
    mode : {"auto", "min", "max"}
        See `Monitor`.
    save_freq : "epoch" or int
        When to save: after each epoch, or every so many steps.
    initial_value_threshold : float, optional
        With save_best_only, the first model is saved only if its score is better than this.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.ModelCheckpoint("best.fastnn", save_best_only=True)
    >>> history = model.fit(x, x**2, epochs=3, validation_split=0.25, callbacks=[callback], verbose=0)
    >>> fastnn.load_model("best.fastnn").count_params()
    25
    """

    _state: ClassVar[Mapping[str, Any]] = {"best": Optional(NUMBER)}

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose, self.save_best_only, self.save_weights_only = verbose, save_best_only, save_weights_only
        self.every_n_steps = steps_of(save_freq)
        self.best = self.initial_value_threshold = initial_value_threshold
        self._epoch = 0
        self._folders: set[Path] = set()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Raise an error if files cannot be written.  The best score of earlier training still counts, as in Keras."""
        self._warned = False
        if self.save_weights_only:
            require("safetensors", "safetensors")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        with contextlib.suppress(FloatingPointError):  # fit finds it, at the latest as the epoch ends
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, unless that is done by steps."""
        if self.every_n_steps is None:
            self._save(epoch, None, logs)

    def _save(self, epoch: int, batch: int | None, logs: Logs | None) -> None:
        value = None
        if self.save_best_only:
            value = self.current(logs)
            if value is None or not self.improves(value, self.best):
                return
        path = self._path(epoch, batch, logs or {})
        if path.parent not in self._folders:  # made once: one that has vanished since is worth an error
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.save_best_only:
            self.best = value
        if self.verbose:
            print(f"Epoch {epoch + 1}: saving model to {path}")

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> Path:
        names: dict[str, Any] = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            return Path(self.filepath.format(**names))
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"filepath got {self.filepath!r}; wants no names but {', '.join(names)}") from error
