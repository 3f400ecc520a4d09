"""Callbacks that keep a model, or the whole run, in files."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.data import positive_integer
from fastnn.errors import ModelFileError
from fastnn.extras import require
from fastnn.files import model_file
from fastnn.locks import Claim

from .base import Backup, Callback, Logs
from .monitors import Monitor

__all__ = ["BackupAndRestore", "ModelCheckpoint"]

Array = npt.NDArray[Any]


class ModelCheckpoint(Monitor):
    """Saves the model after each epoch, or every so many steps.

    A file that cannot be written ends fit with an OSError that names it and the reason.  The model is then as it was
    trained so far, and ``model.history`` holds the epochs.

    Parameters
    ----------
    filepath : path
        May hold {epoch}, {batch} and names in the logs, as in "{epoch:02d}-{val_loss:.2f}.fastnn"; epochs and batches
        are counted from 1 there.  Folders are made.
    monitor : str
        The score that says which model is the best.
    verbose : {0, 1}
        1 tells of each file.
    save_best_only : bool
        Save only where the score is better than any before.
    save_weights_only : bool
        Write a file for `Sequential.load_weights` (safetensors), not one for `load_model`.
    mode : {"auto", "min", "max"}
        See `Monitor`.
    save_freq : "epoch" or int
        After each epoch, or so many steps.
    initial_value_threshold : float, optional
        A score that the first model must beat.
    """

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
        self.every_n_steps = _steps(save_freq)
        self.best = self.initial_value_threshold = initial_value_threshold
        self._epoch = 0
        self._folders: set[Path] = set()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """See that files can be written.  The best score of a training before is kept, as in Keras."""
        self._warned = False
        if self.save_weights_only:
            require("safetensors", "safetensors")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Know the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save."""
        self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save."""
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

    def get_state(self) -> dict[str, Any]:
        """The best score."""
        return {"best": self.best}


class BackupAndRestore(Backup):
    """Keeps the run, so that fit, begun again after a crash with the same arguments, goes on where it was.

    It ends with the very bits that it would have ended with: weights, optimizer, history (of all epochs, unlike
    Keras's), random numbers and the states of the other callbacks (`Callback.get_state`) are kept, and the order of the
    rows follows from them.  That holds on the same backend and instruction set, for any number of threads.

    A backup is written aside and takes its name once it is on the disk, verified by checksums when it is read.  The one
    before is kept too: should the newest be damaged, it is used, with a warning.  `load_model` reads backups as well.
    After Ctrl-C a backup of the last step is kept; when training has come to its end, all are removed.  Begun
    again with data, a model or a batch_size that differ from the interrupted run's, fit raises ValueError, and says
    what differs, before anything is changed.  Another number of epochs is fine; learning_rate and the like are the kept
    ones.

    Where a backup cannot be written (a full disk, a folder that is read-only or has vanished), fit ends with an OSError
    that names the file and the reason: the model is as it was trained so far, ``model.history`` holds the epochs, and
    the last backup is as it was.  While another fit keeps its backups in the folder, in whatever process, fit raises
    BlockingIOError, and leaves the folder as it is; a process that was killed holds nothing.

    Parameters
    ----------
    backup_dir : path
        A folder for the backups of this fit alone; it is made, and removed at the end if it is empty.
    save_freq : "epoch" or int
        After each epoch, or so many steps.
    delete_checkpoint : bool
        Remove the backups when training has come to its end.  If they are kept, fit begun again has nothing to do, so
        that not even a crash between fit and `Sequential.save` costs anything; remove them then.

    Notes
    -----
    Beside the model, a backup within an epoch holds the weights and optimizer state of the epoch's beginning, to go
    back to if training diverges.  Callbacks whose states matter are those of fastnn's and those that write get_state;
    others begin anew.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: int | str = "epoch",
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        self.backup_dir = Path(backup_dir)
        self.every_n_steps = _steps(save_freq)
        self.delete_checkpoint = delete_checkpoint
        self.path = self.backup_dir / "backup.fastnn"
        self.previous = self.backup_dir / "backup.previous.fastnn"
        self._run: Any = None
        self._claim: Claim | None = None

    def restore(self, run: Any) -> None:
        """Bring a kept run back, if there is one."""
        self._run = run
        try:
            self.backup_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(error.errno, f"cannot be made: {error.strerror or error}", str(self.backup_dir)) from error
        self._release()
        self._claim = Claim(self.backup_dir)
        for part in self.backup_dir.glob(".backup*.part"):  # of a process that was killed while it wrote
            part.unlink(missing_ok=True)
        kept = self._read()
        if kept is not None:
            self._bring_back(run, *kept)

    def keep(self, run: Any) -> None:
        """Write a backup."""
        document, arrays = self._contents(run)
        model_file.save(self.path, document, arrays, self.previous)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Remove the backups, if training has come to its end."""
        run, self._run = self._run, None
        ended = run is not None and run.completed and self.delete_checkpoint
        try:
            for path in (self.previous, self.path) if ended else ():
                path.unlink(missing_ok=True)
        finally:
            self._release()
        if ended:
            with contextlib.suppress(OSError):
                self.backup_dir.rmdir()  # unless other files are in it

    def _release(self) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

    def _read(self) -> tuple[dict[str, Any], dict[str, Array]] | None:
        """The newest backup that can be read; None if there is none."""
        damage: ModelFileError | None = None
        for path in (self.path, self.previous):
            try:
                document, arrays = model_file.load(path)
                if "run" not in document:
                    raise ModelFileError(f"{path} is a model, and no backup of a run")
            except FileNotFoundError:
                continue
            except ModelFileError as error:
                damage = damage or error
                continue
            if damage is not None:
                warnings.warn(f"{damage}; training goes on from the backup before it, {path}", stacklevel=6)
                self.path.unlink()  # else the next backup would push it into the place of the good one
            return document, arrays
        if damage is not None:
            raise damage
        return None

    def _contents(self, run: Any) -> tuple[dict[str, Any], dict[str, Array]]:
        document, arrays = self.model._contents()
        optimizer = {name: value for name, value in vars(self.model.optimizer).items() if _plain(value)}
        state = {
            "description": self._description(run),
            "optimizer": optimizer,
            "stop_training": self.model.stop_training,
            "state": _pack(run.get_state(), arrays, "run"),
            "callbacks": {
                name: _pack(callback.get_state(), arrays, f"callbacks/{name}")
                for name, callback in _named(run.callbacks.callbacks)
            },
        }
        return document | {"run": state}, arrays

    def _description(self, run: Any) -> dict[str, Any]:
        """What must be the same for a run to go on where another one was."""
        description: dict[str, Any] = {
            "layers": self.model.get_config()["layers"],
            "dtype": self.model.dtype,
            "loss": repr(self.model.loss),
            "optimizer": type(self.model.optimizer).__name__,
            **run.description(),
        }
        return json.loads(json.dumps(description))  # type: ignore[no-any-return]

    def _bring_back(self, run: Any, document: dict[str, Any], arrays: dict[str, Array]) -> None:
        kept, model = document["run"], self.model
        here = self._description(run)
        differing = [name for name in here if here[name] != kept["description"].get(name)]
        if differing:
            was = ", ".join(f"{name} {kept['description'].get(name)!r:.60}" for name in differing)
            now = ", ".join(f"{name} {here[name]!r:.60}" for name in differing)
            raise ValueError(
                f"{self.path} is of an interrupted run with {was}; this one has {now}: give fit the same to go on with "
                f"it, or remove {self.backup_dir} to begin anew"
            )
        step, training = kept["state"]["step"], run.training
        if kept["state"]["sums"] is not None and step < training.steps:  # within an epoch
            training.step = step
            run.begin_epoch()  # before the states, for they are of a time when this had been called
        vars(model.optimizer).update(kept["optimizer"])
        run.engine.set_optimizer(model.optimizer.row, model.optimizer.hyper(), *model.optimizer.options())
        model._bring_back(document, arrays)
        model._rng.bit_generator.state = document["random"]
        model.stop_training = kept["stop_training"]
        run.set_state(_unpack(kept["state"], arrays))
        for name, callback in _named(run.callbacks.callbacks):
            if kept["callbacks"].get(name):
                callback.set_state(_unpack(kept["callbacks"][name], arrays))


def _steps(save_freq: int | str) -> int | None:
    """How many steps; None for epochs."""
    if isinstance(save_freq, str):
        if save_freq != "epoch":
            raise ValueError(f"save_freq got {save_freq!r}; wants 'epoch' or a number of steps")
        return None
    return positive_integer(save_freq, "save_freq")


def _named(callbacks: list[Callback]) -> Iterator[tuple[str, Callback]]:
    """Each with a name that is its own, and the same in a run with the same callbacks."""
    seen: Counter[str] = Counter()
    for callback in callbacks:
        kind = type(callback).__name__
        yield f"{kind}{seen[kind]}", callback
        seen[kind] += 1


def _plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _pack(value: Any, arrays: dict[str, Array], name: str) -> Any:
    """What JSON can hold of a state; its arrays are put among the others, under names that begin with this one."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _pack(part, arrays, f"{name}/{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(part, arrays, f"{name}/{number}") for number, part in enumerate(value)]
    if not _plain(value):
        raise TypeError(f"get_state got {value!r} for {name}; wants numbers, strings, lists, dicts and arrays")
    return value


def _unpack(value: Any, arrays: Mapping[str, Array]) -> Any:
    """The state that `_pack` was given."""
    if isinstance(value, Mapping):
        if set(value) == {"array"}:
            return arrays[value["array"]].copy()
        return {key: _unpack(part, arrays) for key, part in value.items()}
    if isinstance(value, list):
        return [_unpack(part, arrays) for part in value]
    return value
