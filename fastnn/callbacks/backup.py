"""Saving the whole run, so that it can go on after a crash."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.data import real_number
from fastnn.errors import ModelFileError, warn
from fastnn.files import model_file
from fastnn.files.schema import COUNT, NUMBER, Each, Optional, check
from fastnn.locks import Claim
from fastnn.typing import Array
from .base import Backup, Callback, Logs, steps_of

LONG = 1000  # a list of so many numbers is kept as an array

RUN = {
    "description": dict,
    "optimizer": {"learning_rate": Optional(NUMBER)},
    "stop_training": bool,
    "state": {"reported": COUNT, "step": COUNT, "seed": int, "sums": Optional(list)},
    "callbacks": Each(dict, dict),
}
"""What a backup says of a run."""


class BackupAndRestore(Backup):
    """Stores the run, so that after a crash you can call fit again with the same arguments and it continues.

    Training ends with the very bits that it would have ended with.  Stored are the weights, the optimizer, the history
    (of all epochs, unlike Keras's), the random numbers, from which the order of the rows follows, and the states of the
    other callbacks (`Callback.get_state`).  The same bits are promised for the same backend and instruction set, with
    any number of threads.

    A backup gets its name once it is complete and on the disk, and is verified by checksums when it is read.  The
    backup before it is stored too: it is used, with a warning, if the newest one is damaged.  `load_model` reads
    backups as well.  After Ctrl-C there is a backup of the last step; when training has come to its end, all are
    removed.  If fit is called again with data, a model or a batch_size that differ from the interrupted run's, it
    raises ValueError and says what differs, before anything is changed.  The number of epochs may differ, and
    the optimizer's settings: its learning_rate, which callbacks may have set, is taken from the backup, all else is as
    the model is compiled now.

    If a backup cannot be written (a full disk, a folder that is read-only or has vanished), fit ends with an OSError
    that names the file and the reason.  The model then is as trained so far, ``model.history`` holds its epochs, and
    the last backup is untouched.  While another fit, in this process or another one, uses the folder, fit raises
    BlockingIOError and leaves the folder untouched; a process that was killed no longer uses it.

    Parameters
    ----------
    backup_dir : path
        A folder for the backups of this fit alone.  It is made, and removed at the end if it is empty.
    save_freq : "epoch" or int
        When to write a backup: after each epoch, or every so many steps.
    delete_checkpoint : bool
        Whether the backups are removed when training has come to its end.  If they are not, fit called again has
        nothing left to do, so that not even a crash between fit and `Sequential.save` costs anything; remove them
        yourself after that.

    Notes
    -----
    A backup within an epoch also holds the weights and the optimizer's state at the epoch's beginning, to go back to if
    training diverges.  The callbacks of fastnn go on from their states, and so do others that define get_state; all
    others begin anew.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> callback = fastnn.callbacks.BackupAndRestore("backup")
    >>> history = model.fit(x, x**2, epochs=3, callbacks=[callback], verbose=0)
    >>> len(history.epoch)
    3
    """

    def __init__(
        self, backup_dir: str | os.PathLike[str], save_freq: int | str = "epoch", delete_checkpoint: bool = True
    ) -> None:
        super().__init__()
        self.backup_dir = Path(backup_dir)
        self.every_n_steps = steps_of(save_freq)
        self.delete_checkpoint = delete_checkpoint
        self.path = self.backup_dir / "backup.fastnn"
        self.previous = self.backup_dir / "backup.previous.fastnn"
        self._run: Any = None
        self._claim: Claim | None = None

    def restore(self, run: Any) -> None:
        self._run = run
        kept = self._claimed() if self.ranks is None else self.ranks.first_does(self._claimed)
        if kept is not None:
            self._bring_back(run, *kept)

    def _claimed(self) -> tuple[dict[str, Any], dict[str, Array]] | None:
        """Keep others from the folder; returns the newest backup in it."""
        try:
            self.backup_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(error.errno, f"cannot be made: {error.strerror or error}", str(self.backup_dir)) from error
        self.release()
        self._claim = Claim(self.backup_dir)
        for part in self.backup_dir.glob(".backup*.part"):  # of a process that was killed while it wrote
            part.unlink(missing_ok=True)
        return self._read()

    def _bring_back(self, run: Any, document: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Set the model, the run and the callbacks to the state that a backup holds; or leave all as it was."""
        model, callbacks = self.model, run.callbacks.callbacks
        optimizer, random = dict(vars(model.optimizer)), model._rng.bit_generator.state
        states = [(callback, callback.get_state()) for callback in callbacks]
        try:
            run.engine.parameters.all_or_nothing(lambda: self._go_back(run, document, arrays))
        except BaseException:
            vars(model.optimizer).update(optimizer)
            model._rng.bit_generator.state = random
            for callback, state in states:
                callback.set_state(state)
            raise

    def keep(self, run: Any) -> None:
        document, arrays = self._contents(run)
        if self._writes:
            model_file.save(self.path, document, arrays, self.previous)

    @property
    def _writes(self) -> bool:
        return self.ranks is None or bool(self.ranks.first)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Remove the backups if training has come to its end, and let others use the folder."""
        run, self._run = self._run, None
        ended = run is not None and run.completed and self.delete_checkpoint and self._writes
        try:
            for path in (self.previous, self.path) if ended else ():
                path.unlink(missing_ok=True)
        finally:
            self.release()
        if ended:
            with contextlib.suppress(OSError):
                self.backup_dir.rmdir()  # unless other files are in it

    def release(self) -> None:
        """Let others use the folder."""
        if self._claim is not None:
            self._claim.release()
        self._claim = None

    def _read(self) -> tuple[dict[str, Any], dict[str, Array]] | None:
        """The newest backup that can be read; None if there is none."""
        damage: ModelFileError | None = None
        for path in (self.path, self.previous):
            try:
                document, arrays = model_file.load(path)
                if "run" not in document:
                    raise ModelFileError(f"{path} is a model, and no backup of a run")
                try:
                    check(document["run"], RUN, "run")
                except ValueError as error:
                    raise ModelFileError(f"{path} is no backup of a run: {error}") from None
            except FileNotFoundError:
                continue
            except ModelFileError as error:
                damage = damage or error
                continue
            if damage is not None:
                warn(f"{damage}; training goes on from the backup before it, {path}")
                self.path.unlink()  # else the next backup would push it into the place of the good one
            return document, arrays
        if damage is not None:
            raise damage
        return None

    def _contents(self, run: Any) -> tuple[dict[str, Any], dict[str, Array]]:
        """What a backup holds: a model's document with the state of the run in "run", and all arrays."""
        document, arrays = self.model._contents()
        optimizer = self.model.optimizer
        state = {
            "description": self._description(run),
            "optimizer": {"learning_rate": optimizer.learning_rate if optimizer.schedule is None else None},
            "stop_training": self.model.stop_training,
            "state": _pack(run.get_state(), arrays, "run"),
            "callbacks": {
                name: _pack(callback.get_state(), arrays, f"callbacks/{name}")
                for name, callback in _named(run.callbacks.callbacks)
            },
        }
        return document | {"run": state}, arrays

    def _description(self, run: Any) -> dict[str, Any]:
        """What must be equal for a run to go on with another one's backup."""
        description: dict[str, Any] = {
            "layers": self.model.get_config()["layers"],
            "dtype": self.model.dtype,
            "loss": repr(self.model.loss),
            "optimizer": type(self.model.optimizer).__name__,
            "optimizer's state": run.engine.parameters.slot_names,
            **run.description(),
        }
        return json.loads(json.dumps(description))  # type: ignore[no-any-return]

    def _go_back(self, run: Any, document: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Set the model, the run and the callbacks to the state that a backup holds."""
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
        states = self._checked(run, kept, arrays)
        step, training = kept["state"]["step"], run.training
        if kept["state"]["sums"] is not None and step < training.steps:  # within an epoch
            training.step = step
            run.begin_epoch()  # before the states, for they are of a time when this had been called
        if kept["optimizer"]["learning_rate"] is not None:
            model.optimizer.learning_rate = kept["optimizer"]["learning_rate"]
        model.optimizer.configure(run.engine)
        model._bring_back(document, arrays)
        model._rng.bit_generator.state = document["random"]
        model.stop_training = kept["stop_training"]
        run.set_state(_unpack(kept["state"], arrays))
        for callback, state in states:
            callback.set_state(state)

    def _checked(self, run: Any, kept: dict[str, Any], arrays: dict[str, Array]) -> list[tuple[Callback, Any]]:
        """The callbacks and their states, before anything is changed; nothing else of a file comes to an attribute."""
        states = []
        try:
            rate = kept["optimizer"]["learning_rate"]
            if rate is not None:
                real_number(rate, "learning_rate", least=0.0)
            for name, callback in _named(run.callbacks.callbacks):
                if kept["callbacks"].get(name):
                    states.append((callback, _unpack(kept["callbacks"][name], arrays)))
                    callback.check_state(states[-1][1])
        except (ValueError, KeyError) as error:
            raise ModelFileError(f"{self.path} is no backup of this run: {error}") from error
        return states


def _named(callbacks: list[Callback]) -> Iterator[tuple[str, Callback]]:
    """Each callback with a name of its own, such as History0, which is the same in a run with the same callbacks."""
    seen: Counter[str] = Counter()
    for callback in callbacks:
        kind = type(callback).__name__
        yield f"{kind}{seen[kind]}", callback
        seen[kind] += 1


def _plain(value: object) -> bool:
    """Whether JSON can hold a value as it is."""
    return value is None or isinstance(value, bool | int | float | str)


def _pack(value: Any, arrays: dict[str, Array], name: str) -> Any:
    """Make a state one that JSON can hold: its arrays go to ``arrays``, under names that begin with ``name``."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _pack(part, arrays, f"{name}/{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        if len(value) >= LONG and len(kinds := {type(part) for part in value}) == 1 and kinds <= {int, float}:
            packed = np.array(value)  # of a history, which grows; JSON does not
            if packed.dtype.kind in "if":
                arrays[name] = packed
                return {"list": name}
        return [_pack(part, arrays, f"{name}/{number}") for number, part in enumerate(value)]
    if not _plain(value):
        raise TypeError(f"get_state got {value!r} for {name}; wants numbers, strings, lists, dicts and arrays")
    return value


def _unpack(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Make the state that `_pack` was given."""
    if isinstance(value, Mapping):
        if set(value) == {"array"}:
            return arrays[value["array"]].copy()
        if set(value) == {"list"}:
            return arrays[value["list"]].tolist()
        return {key: _unpack(part, arrays) for key, part in value.items()}
    if isinstance(value, list):
        return [_unpack(part, arrays) for part in value]
    return value
