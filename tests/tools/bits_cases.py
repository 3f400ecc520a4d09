"""What a case of `bits` is: a subject at a place.  The subjects are in the other modules of this name.

A subject is a function from a place to what comes of it there, by name.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnn import Sequential
from fastnn.layers import Dense, Input, Layer

Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """How a case is computed, and an empty folder of its own."""

    dtype: str
    backend: str
    threads: int
    folder: Path

    @property
    def options(self) -> dict[str, Any]:
        """What says the same to `compile` and to estimators."""
        return {"dtype": self.dtype, "backend": self.backend, "threads": self.threads}


Subject = Callable[[Place], Mapping[str, Any]]
Where = tuple[str, str, int]

DTYPES = ("float32", "float64")
WAYS = [("numba", 1), ("numba", 2), ("numba", 3), ("cython", 1), ("cython", 2), ("cython", 3), ("numpy", 1)]
EVERYWHERE: list[Where] = [(dtype, *way) for dtype in DTYPES for way in WAYS]
FEW = [(dtype, *way) for dtype in DTYPES for way in (("numba", 1), ("numba", 2), ("cython", 3), ("numpy", 1))]
ONCE: list[Where] = [("float64", "auto", 1)]

SUBJECTS: dict[str, tuple[Subject, Sequence[Where]]] = {}


def add(name: str, subject: Subject, places: Sequence[Where] = EVERYWHERE) -> None:
    """Have a subject run in some places."""
    assert name not in SUBJECTS, name
    SUBJECTS[name] = subject, places


def new_data(rows: int, inputs: int, outputs: int, target: str, dtype: str = "float32") -> tuple[Array, Array]:
    """Random rows, and targets that follow from them; always the same."""
    rng = np.random.default_rng([rows, inputs, outputs])
    x = rng.standard_normal((rows, inputs))
    score = np.sin(x[:, np.arange(outputs) % inputs]) + 0.3 * rng.standard_normal((rows, outputs))
    labels = score.argmax(axis=1)
    targets = {
        "numbers": score,
        "labels": labels,
        "one-hot": np.eye(outputs)[labels],
        "probabilities": np.square(score) / np.square(score).sum(axis=1, keepdims=True),
        "counts": np.floor(np.square(score) * 3),
        "signs": np.where(score > 0, 1.0, -1.0),
        "bits": np.where(score > 0, 1.0, 0.0),
    }
    y = targets[target]
    return x.astype(dtype), y if target == "labels" else y.astype(dtype)


def frame(x: Array) -> Any:
    """A data frame of some columns."""
    from pandas import DataFrame

    return DataFrame(x, columns=[f"c{number}" for number in range(x.shape[1])])


def stack(
    units: Sequence[int],
    *,
    before: Sequence[Layer] = (),
    between: Sequence[Layer] = (),
    after: Sequence[Layer] = (),
    activation: Any = "tanh",
    last: Any = "softmax",
    **options: Any,
) -> list[Layer]:
    """Dense layers, all with the same options, and others before them, behind the first, and behind all."""
    *hidden, outputs = units
    dense: list[Layer] = [Dense(count, activation, **options) for count in hidden]
    return [*before, *dense[:1], *between, *dense[1:], Dense(outputs, last, **options), *after]


@dataclass(frozen=True)
class Training:
    """A network, its data and how it is trained.  Called with a place, it is a subject."""

    inputs: int
    units: tuple[int, ...]
    batch_size: int
    rows: int
    layers: Callable[[Sequence[int]], Sequence[Layer]] = stack
    loss: Callable[[], Any] = lambda: "sparse_categorical_crossentropy"
    target: str = "labels"
    optimizer: Callable[[], Any] = lambda: "adam"
    metrics: Sequence[Any] = ("accuracy", "mse")
    epochs: int = 2
    x_as: Callable[[Array], Any] = lambda x: x
    y_as: Callable[[Array], Any] = lambda y: y
    fit: Callable[[Array, Array], dict[str, Any]] = lambda x, y: {}  # more arguments of fit

    def data(self, place: Place) -> tuple[Array, Array]:
        """x and y."""
        return new_data(self.rows, self.inputs, self.units[-1], self.target, place.dtype)

    def model(self, place: Place) -> Sequential:
        """A new model."""
        model = Sequential([Input((self.inputs,)), *self.layers(self.units)], seed=1)
        model.compile(self.optimizer(), self.loss(), list(self.metrics), **place.options)
        return model

    def fitted(self, model: Sequential, place: Place, **options: Any) -> dict[str, Any]:
        """Train, and return the history."""
        x, y = self.data(place)
        options = {"batch_size": self.batch_size, "epochs": self.epochs, "verbose": 0, **self.fit(x, y), **options}
        return dict(model.fit(self.x_as(x), self.y_as(y), **options).history)

    def outcome(self, model: Sequential, place: Place) -> dict[str, Any]:
        """All that can be seen of a model."""
        x, y = self.data(place)
        return {
            **saved(model, place),
            "predict": model.predict(self.x_as(x)),
            "predict few": [model.predict(x[:1]), model.predict(x[:7])],
            "forward": model.forward(x[:40]),
            "evaluate": model.evaluate(x, self.y_as(y), verbose=0),
            "gradients": model.gradients(x[:60], self.y_as(y)[:60]),
        }

    def __call__(self, place: Place) -> dict[str, Any]:
        model = self.model(place)
        return {"history": self.fitted(model, place), **self.outcome(model, place)}


def saved(model: Sequential, place: Place) -> dict[str, Any]:
    """What a model's file holds: weights, the optimizer's state, and the document that describes them."""
    path = place.folder / "model.fastnn"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist() if name.endswith(".npy")}
        document = json.loads(archive.read("fastnn.json"))["document"]
    kinds = {kind: {name: array for name, array in arrays.items() if name.startswith(kind)} for kind in KINDS}
    return {**kinds, "document": document}


KINDS = ("weights", "slots")

# Two networks that options are varied on, one at a time.  A batch of the first falls into chunks, each with a gradient
# of its own.  A batch of the second is one piece: two threads divide its first layer by columns, three by rows.
CHUNKS = Training(30, (64, 40, 3), batch_size=200, rows=500)
ROWS = Training(135, (128, 20, 3), batch_size=24, rows=100)
BASES = {"chunks": CHUNKS, "rows": ROWS}


def on_both(name: str, places: Sequence[Where] = EVERYWHERE, **changes: Any) -> None:
    """Have both train with these changes, the second one in these places."""
    add(f"chunks {name}", replace(CHUNKS, **changes))
    add(f"rows {name}", replace(ROWS, **changes), places)
