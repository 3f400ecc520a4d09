"""What `bits` does with models beside one fit: single steps, files, callbacks, failures, the command line."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bits_cases import BASES, CHUNKS, FEW, ROWS, Array, Place, Training, add, frame, stack

from fastnn import Sequential, load_model, losses
from fastnn import callbacks as watch
from fastnn import optimizers as opt

# --- One call after another ---


def steps(training: Training, batch_size: int, place: Place) -> dict[str, Any]:
    """train_on_batch, with weights and without, then fit."""
    x, y = training.data(place)
    model, scores = training.model(place), []
    for first in range(0, len(x), batch_size)[:8]:
        part = slice(first, first + batch_size)
        scores.append(model.train_on_batch(x[part], y[part]))
        scores.append(model.train_on_batch(x[part], y[part], np.linspace(0, 2, len(x[part])), return_dict=True))
        scores.append(model.test_on_batch(x[part], y[part]))
    return {"scores": scores, "history": training.fitted(model, place, epochs=1), **training.outcome(model, place)}


NUMBERS: dict[str, Any] = {"loss": lambda: "mse", "target": "numbers", "layers": partial(stack, last="linear")}
for base, training in BASES.items():
    for batch_size in (1, 24, 150):
        add(f"{base} train_on_batch {batch_size}", partial(steps, training, batch_size))
        add(
            f"{base} train_on_batch {batch_size} numbers", partial(steps, replace(training, **NUMBERS), batch_size), FEW
        )


def asked_again(training: Training, times: int, place: Place) -> dict[str, Any]:
    """Predictors, which take to more threads once they are called often, and what evaluate makes of weights."""
    x, y = training.data(place)
    model = training.model(place)
    found: dict[str, Any] = {}
    for rows in (1, 2, 5, 32, 37):
        predict = model.predictor(rows)
        found[f"predictor {rows}"] = [predict(x[:rows]).copy() for _ in range(times)]
        found[f"predict {rows}"] = [model.predict(x[:rows]), predict(x[:rows].tolist())]
    classes = {"class_weight": {0: 2.0}} if training.target == "labels" else {}
    weighted = model.evaluate(x, y, verbose=0, sample_weight=np.arange(len(x)), **classes)
    return {**found, "predict": model.predict(x), "evaluate": weighted, "whole": model.predict(np.asfortranarray(x))}


PREDICTED = {
    **BASES,
    "700-820-50-10": Training(700, (820, 50, 10), 32, 40),
    "700-820-50-1": Training(700, (820, 50, 1), 32, 40, **{**NUMBERS, "layers": partial(stack, last="sigmoid")}),
    "203-2050-2050-3": Training(203, (2050, 2050, 3), 32, 40),
    "300-16-100": Training(300, (16, 100), 32, 700),
}
for name, training in PREDICTED.items():
    add(f"{name} predictor", partial(asked_again, training, 3 if name.startswith("203") else 40), FEW)


def fitted_again(place: Place) -> dict[str, Any]:
    """Fits after each other, with other learning rates, weights and optimizers."""
    model = CHUNKS.model(place)
    histories = [CHUNKS.fitted(model, place)]
    model.optimizer.learning_rate = 0.003
    histories.append(CHUNKS.fitted(model, place))
    model.set_weights([weight * 0.9 for weight in model.get_weights()])
    histories.append(CHUNKS.fitted(model, place, batch_size=50))
    model.compile(opt.SGD(0.1, momentum=0.5), losses.SparseCategoricalCrossentropy(), ["accuracy"], **place.options)
    histories.append(CHUNKS.fitted(model, place, shuffle=False))
    return {"history": histories, **CHUNKS.outcome(model, place)}


def content(path: Path) -> Any:
    """What a file holds; of safetensors, whose writer shuffles the names in the header, in their order."""
    whole = path.read_bytes()
    if path.suffix != ".safetensors":
        return whole
    end = 8 + int.from_bytes(whole[:8], "little")
    return json.dumps(json.loads(whole[8:end]), sort_keys=True), whole[end:]


def kept(training: Training, place: Place) -> dict[str, Any]:
    """Models that go on from a file, a pickle, a copy and from weights alone."""
    model = training.model(place)
    training.fitted(model, place)
    model.save(place.folder / "kept.fastnn", metadata={"made": "here"})
    model.save_weights(place.folder / "kept.safetensors")
    bare = training.model(place)
    bare.load_weights(place.folder / "kept.safetensors")
    loaded = load_model(place.folder / "kept.fastnn", backend=place.backend, threads=place.threads)
    ways = {"file": loaded, "pickle": pickle.loads(pickle.dumps(model)), "copy": copy.deepcopy(model), "weights": bare}
    parts: dict[str, Any] = {"metadata": loaded.metadata}
    for name, other in ways.items():
        parts[name] = training.fitted(other, place), training.outcome(other, place)
    return {**parts, "safetensors": content(place.folder / "kept.safetensors")}


add("fitted again and again", fitted_again)
add("chunks kept", partial(kept, CHUNKS), FEW)
add("rows kept, with an average", partial(kept, replace(ROWS, optimizer=partial(opt.AdamW, use_ema=True))), FEW)

# --- Callbacks ---

WATCHED = replace(CHUNKS, optimizer=partial(opt.SGD, 1.0, momentum=0.9), epochs=8, batch_size=40)


class Killed(Exception):
    """What ends a run in the midst of it."""


class Kill(watch.Callback):
    """Raises after so many steps."""

    every_n_steps = 1

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


CALLBACKS: dict[str, Callable[[Place], list[watch.Callback]]] = {
    "EarlyStopping": lambda place: [watch.EarlyStopping(patience=1, restore_best_weights=True)],
    "EarlyStopping by accuracy": lambda place: [watch.EarlyStopping("val_accuracy", min_delta=0.01, patience=2)],
    "ReduceLROnPlateau": lambda place: [watch.ReduceLROnPlateau(factor=0.5, patience=1, cooldown=1, min_delta=0.05)],
    "LearningRateScheduler": lambda place: [watch.LearningRateScheduler(lambda epoch, rate: rate * 0.8)],
    "every 5 steps": lambda place: [watch.LambdaCallback(on_train_batch_end=lambda *_: None, every_n_steps=5)],
    "files": lambda place: [
        watch.CSVLogger(place.folder / "log.csv"),
        watch.ModelCheckpoint(place.folder / "best.file", save_best_only=True),
        watch.ModelCheckpoint(place.folder / "{epoch:02d}-{batch}.safetensors", save_freq=7, save_weights_only=True),
    ],
}


def watched(make: Callable[[Place], list[watch.Callback]], place: Place) -> dict[str, Any]:
    model = WATCHED.model(place)
    history = WATCHED.fitted(model, place, validation_split=0.2, callbacks=make(place))
    files = {path.name: content(path) for path in sorted(place.folder.iterdir())}
    return {"history": history, **WATCHED.outcome(model, place), "files": files}


def resumed(save_freq: int | str, place: Place) -> dict[str, Any]:
    """A run that is cut off twice, and taken up each time by a new model."""
    for after in (25, 38, 0):
        model = WATCHED.model(place)
        chain = [
            watch.EarlyStopping(patience=5, restore_best_weights=True),
            watch.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10.0),
            watch.CSVLogger(place.folder / "log.csv"),
            Kill(after),
            watch.BackupAndRestore(place.folder / "backup", save_freq),
        ]
        with suppress(Killed):
            history = WATCHED.fitted(model, place, validation_split=0.2, callbacks=chain)
    return {"history": history, "log": (place.folder / "log.csv").read_bytes(), **WATCHED.outcome(model, place)}


for name, callbacks in CALLBACKS.items():
    add(f"callback {name}", partial(watched, callbacks), FEW)
for save_freq in ("epoch", 7):
    add(f"callback BackupAndRestore {save_freq}", partial(resumed, save_freq), FEW)

# --- What goes wrong ---


def spoiled(value: float, x: Array) -> Array:
    x = x.copy()
    x[len(x) // 2, 3] = value
    return x


FAILURES: dict[str, Training] = {
    "NaN in x": replace(CHUNKS, x_as=partial(spoiled, np.nan)),
    "infinity in x": replace(ROWS, x_as=partial(spoiled, np.inf)),
    "labels out of range": replace(CHUNKS, y_as=lambda y: y + 1),
    "one-hot rows for labels": replace(CHUNKS, y_as=lambda y: np.eye(3)[y]),
    "rows that are missing": replace(CHUNKS, y_as=lambda y: y[1:]),
    "columns that are missing": replace(ROWS, x_as=lambda x: x[:, 1:]),
    "weights below 0": replace(CHUNKS, fit=lambda x, y: {"sample_weight": np.arange(len(x)) - 1.0}),
    "softmax within": replace(CHUNKS, layers=partial(stack, activation="softmax")),
    "divergence": replace(CHUNKS, **NUMBERS, optimizer=partial(opt.SGD, 1e30), metrics=()),
    "divergence later": replace(
        CHUNKS, **NUMBERS, optimizer=lambda: opt.SGD(lambda step: 0.01 if step < 8 else 1e30), metrics=(), epochs=5
    ),
}
for name, training in FAILURES.items():
    add(f"failure {name}", training, FEW)


def nan_undone(place: Place) -> dict[str, Any]:
    """A NaN that a step comes upon leaves the model as it was."""
    model = ROWS.model(place)
    with suppress(ValueError):
        replace(ROWS, x_as=partial(spoiled, np.nan)).fitted(model, place)
    return {**ROWS.outcome(model, place), "then": ROWS.fitted(model, place)}


add("failure NaN undone", nan_undone)

# --- The command line ---


def command(place: Place, *arguments: str) -> str:
    run = [sys.executable, "-m", "fastnn", *arguments]
    return subprocess.run(run, cwd=place.folder, capture_output=True, text=True, check=True).stdout


def trained_by_command(target: str, place: Place) -> dict[str, Any]:
    x, y = CHUNKS.data(place)
    given = frame(x[:, :5]).assign(text=np.array(["red", "green", "blue"])[y], value=x[:, 0] * 2 + y)
    given.to_csv(place.folder / "data.csv", index=False)
    command(place, "train", "data.csv", "--target", target, "--epochs", "5", "-o", "made.file")
    command(place, "predict", "made.file", "data.csv", "-o", "told.csv", *["--probabilities"] * (target == "text"))
    return {"model": (place.folder / "made.file").read_bytes(), "told": (place.folder / "told.csv").read_bytes()}


for target in ("text", "value"):
    add(f"command train {target}", partial(trained_by_command, target), [("float32", "auto", 1)])
add("command learn", lambda place: {"told": command(place, "learn", "--no-pictures")}, [("float64", "auto", 1)])


def untold(place: Place) -> dict[str, Any]:
    """A model whose width, backend and threads are not said, on lists."""
    model = Sequential(stack((8, 2), last="linear"), seed=3)
    model.compile(dtype=place.dtype, loss="mse")
    history = model.fit([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [[0, 1], [1, 0], [2, 2]], epochs=5, verbose=0).history
    return {"history": history, "weights": model.get_weights()}


add("nothing said", untold, [("float32", "auto", 1)])
