"""TensorBoard's event files, through tensorboard's own writer."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from fastnn.data import boolean, positive_integer
from fastnn.extras import require
from .base import Callback, Logs


class TensorBoard(Callback):
    """Writes scores for TensorBoard: ``tensorboard --logdir logs`` shows them.  It needs the package tensorboard.

    As in Keras, the folders ``train`` and ``validation`` hold "epoch_loss" and each metric, over the epochs;
    "epoch_learning_rate" is beside those of training.

    Parameters
    ----------
    log_dir : path
    histogram_freq : int
        Write histograms of the weights every so many epochs, "dense/kernel/histogram"; 0: never.
    write_graph, write_images, profile_batch, embeddings_freq, embeddings_metadata
        As Keras has them, and off: there is no graph of operations here.
    write_steps_per_second : bool
        Write "epoch_steps_per_second" too.
    update_freq : int or "epoch" or "batch"
        Also write the epoch's scores so far, "batch_loss" and so on over the steps, every so many steps; "batch" is
        every step, and slow.

    Raises
    ------
    ModuleNotFoundError
        tensorboard is not installed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = False,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: None = None,
    ) -> None:
        super().__init__()
        off: dict[str, Any] = {"write_graph": write_graph, "write_images": write_images, "profile_batch": profile_batch}
        off |= {"embeddings_freq": embeddings_freq, "embeddings_metadata": embeddings_metadata}
        for name, value in off.items():
            if value:
                raise ValueError(f"{name} got {value!r}; wants nothing: fastnn writes scores and histograms alone")
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = positive_integer(histogram_freq, "histogram_freq", least=0)
        self.write_steps_per_second = boolean(write_steps_per_second, "write_steps_per_second")
        if isinstance(update_freq, str) and update_freq not in ("epoch", "batch"):
            raise ValueError(f"update_freq got {update_freq!r}; wants 'epoch', 'batch' or a number of steps")
        self.update_freq = update_freq
        named: dict[str, int | None] = {"epoch": None, "batch": 1}
        self.every_n_steps = (
            named[update_freq] if isinstance(update_freq, str) else positive_integer(update_freq, "update_freq")
        )
        require("tensorboard", "tensorboard")
        self._writers: dict[str, Any] = {}
        self._steps, self._since = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._steps, self._since = self.model.optimizer.iterations, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the scores so far, over the steps."""
        for name, value in (logs or {}).items():
            self._write_scalar("train", f"batch_{name}", value, self.model.optimizer.iterations)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the scores of the epoch, and histograms where their turn is."""
        logs = logs or {}
        for name, value in logs.items():
            folder = "validation" if name.startswith("val_") else "train"
            self._write_scalar(folder, "epoch_" + name.removeprefix("val_"), value, epoch)
        optimizer = self.model.optimizer
        if "learning_rate" not in logs and hasattr(optimizer, "learning_rate"):
            self._write_scalar("train", "epoch_learning_rate", optimizer.learning_rate, epoch)
        if self.write_steps_per_second:
            seconds = max(time.perf_counter() - self._since, 1e-9)
            rate = (optimizer.iterations - self._steps) / seconds
            self._write_scalar("train", "epoch_steps_per_second", rate, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_histograms(epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        while self._writers:
            self._writers.popitem()[1].close()

    def _write_scalar(self, folder: str, tag: str, value: float, step: int) -> None:
        summaries = require("tensorboard.plugins.scalar.summary_v2", "tensorboard")
        if np.ndim(value):  # of a metric that is a number an output
            for number, one in enumerate(np.ravel(value).tolist()):
                self._write(folder, summaries.scalar_pb(f"{tag}_{number}", one), step)
        else:
            self._write(folder, summaries.scalar_pb(tag, float(value)), step)

    def _write_histograms(self, step: int) -> None:
        summaries = require("tensorboard.plugins.histogram.summary_v2", "tensorboard")
        for name, weight in zip(self.model._weight_shapes(), self.model.get_weights(), strict=True):
            self._write("train", summaries.histogram_pb(f"{name}/histogram", weight), step)

    def _write(self, folder: str, summary: Any, step: int) -> None:
        if folder not in self._writers:
            files = require("tensorboard.summary.writer.event_file_writer", "tensorboard")
            self._writers[folder] = files.EventFileWriter(os.path.join(self.log_dir, folder))
        events = require("tensorboard.compat.proto.event_pb2", "tensorboard")
        self._writers[folder].add_event(events.Event(wall_time=time.time(), step=step, summary=summary))
