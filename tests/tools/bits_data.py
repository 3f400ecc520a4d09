"""What `bits` gives to models: arrays of every kind, weights, rows to validate with, and streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from bits_cases import BASES, CHUNKS, FEW, ROWS, Array, Place, add, frame, stack

from fastnn import data

# --- Arrays ---


def whole(dtype: str, x: Array) -> Array:
    """Numbers from 0 to 8."""
    return (x * 2 + 4).clip(0, 8).astype(dtype)


def as_type(dtype: str, array: Array) -> Array:
    return array.astype(dtype)


X: dict[str, Callable[[Array], Any]] = {
    **{f"{sign}int{size}": partial(whole, f"{sign}int{size}") for sign in ("", "u") for size in (8, 16, 32, 64)},
    **{name: partial(as_type, name) for name in ["float16", "float32", "float64", "longdouble", ">f8"]},
    "bool": lambda x: x > 0,
    "Fortran": np.asfortranarray,
    "strided rows": lambda x: np.repeat(x, 2, axis=0)[::2],
    "strided columns": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1, ::-1],
    "lists": lambda x: x.tolist(),
    "frame": frame,
}
for name, x_as in X.items():
    for base, training in BASES.items():
        add(f"{base} x as {name}", replace(training, x_as=x_as), FEW)
for name in ("float16", "float32", "int32", "Fortran", "strided rows"):
    add(f"rows x as {name} in order", replace(ROWS, x_as=X[name], fit=lambda x, y: {"shuffle": False}), FEW)

Y: dict[str, Callable[[Array], Any]] = {
    **{name: partial(as_type, name) for name in ["int8", "uint8", "int32", "float64"]},
    "column": lambda y: y[:, np.newaxis],
    "strided": lambda y: np.repeat(y, 2)[::2],
    "list": lambda y: y.tolist(),
}
for name, y_as in Y.items():
    add(f"labels as {name}", replace(CHUNKS, y_as=y_as), FEW)
ONE_HOT: dict[str, Callable[[Array], Any]] = {
    **{name: partial(as_type, name) for name in ["bool", "uint8", "int64", "float16", "float32", "float64"]},
    "Fortran": np.asfortranarray,
}
for name, y_as in ONE_HOT.items():
    categorical = replace(CHUNKS, loss=lambda: "categorical_crossentropy", target="one-hot", y_as=y_as)
    add(f"one-hot as {name}", categorical, FEW)

GIVEN: dict[str, Callable[[Array, Array], dict[str, Any]]] = {
    "sample_weight": lambda x, y: {"sample_weight": np.arange(len(x)) % 3 * 0.7},
    "class_weight": lambda x, y: {"class_weight": {0: 0.5, 2: 2.0}},
    "balanced": lambda x, y: {"class_weight": "balanced"},
    "both weights": lambda x, y: {"class_weight": "balanced", "sample_weight": 1 + np.arange(len(x)) % 2},
    "validation_split": lambda x, y: {"validation_split": 0.3},
    "validation_data": lambda x, y: {"validation_data": (x[:50] * 1.1, y[:50], np.arange(50) % 4)},
    "validation and weights": lambda x, y: {"validation_split": 0.2, "sample_weight": np.sqrt(np.arange(len(x)))},
    "in order": lambda x, y: {"shuffle": False},
    "initial_epoch": lambda x, y: {"initial_epoch": 1, "epochs": 3},
    "batch of all": lambda x, y: {"batch_size": 10_000},
}
for name, fit in GIVEN.items():
    for base, training in BASES.items():
        add(f"{base} {name}", replace(training, fit=fit))
    penalized = replace(CHUNKS, layers=partial(stack, kernel_regularizer="l2"), fit=fit)
    add(f"chunks l2 {name}", penalized, FEW)

# --- Streams ---

STREAMED = replace(CHUNKS, batch_size=50)
BLOCK = 14_000  # bytes: two batches of float32, one of float64


class ByRows:
    """What HDF5 and Zarr have in common."""

    def __init__(self, array: Array) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, rows: Any) -> Array:
        return self.array[rows].copy()


def mapped(x: Array, y: Array, place: Place) -> Any:
    on_disk = np.memmap(place.folder / "x", x.dtype, "w+", shape=x.shape)
    on_disk[:] = x
    return data.stream(on_disk, y, np.arange(len(x)) % 3, block_bytes=BLOCK)


def by_rows(x: Array, y: Array, place: Place) -> Any:
    return data.stream(ByRows(x.astype("float16")), y, block_bytes=BLOCK)


def batches(x: Array, y: Array, place: Place) -> Any:
    def each() -> Iterator[tuple[Array, ...]]:
        for first in range(0, len(x), 40):
            part = slice(first, first + 40)
            yield x[part], y[part], np.linspace(0.5, 1.5, len(x[part]))

    return each


def endless(x: Array, y: Array, place: Place) -> Any:
    return ((x[first : first + 30], y[first : first + 30]) for first in [0, 100, 200, 300] * 20)


def table(suffix: str, target: str, x: Array, y: Array, place: Place) -> Any:
    """Two files of a folder, the target text or numbers."""
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    folder = place.folder / "table"
    folder.mkdir(exist_ok=True)
    contents = {**{f"c{number}": column for number, column in enumerate(x.T)}, "weight": np.arange(len(x)) % 3 + 0.5}
    made = pyarrow.table({**contents, "y": np.array(["a", "b", "c"])[y] if target == "text" else y})
    for number, part in enumerate((made[:320], made[320:])):
        if suffix == "csv":
            pyarrow.csv.write_csv(part, folder / f"{number}.csv")
        else:
            pyarrow.parquet.write_table(part, folder / f"{number}.parquet", row_group_size=90)
    weight = "weight" if target == "text" else None
    columns = [f"c{number}" for number in range(x.shape[1])]
    return data.open(folder, target="y", columns=columns, sample_weight=weight, block_bytes=BLOCK)


def streamed(make: Callable[..., Any], options: dict[str, Any], place: Place) -> dict[str, Any]:
    """Train on a stream, and hold it out too where it can be read again."""
    x, y = STREAMED.data(place)
    model = STREAMED.model(place)
    once = {"steps": 4} if make is endless else {}
    held = {} if once else {"validation_data": make(x, y, place)}
    history = model.fit(make(x, y, place), epochs=2, verbose=0, **{**held, **options}).history
    evaluated = model.evaluate(make(x, y, place), verbose=0, **once)
    return {"history": history, **STREAMED.outcome(model, place), "evaluate": evaluated}


STREAMS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "memmap": (mapped, {"batch_size": 50}),
    "memmap in order": (mapped, {"batch_size": 50, "shuffle": False}),
    "memmap of large batches": (mapped, {"batch_size": 200}),
    "by rows": (by_rows, {"batch_size": 50}),
    "batches": (batches, {}),
    "batches shuffled": (batches, {"batch_size": 64}),
    "batches weighted by class": (batches, {"class_weight": {0: 2.0}}),
    "batches without end": (endless, {"steps_per_epoch": 4}),
    "csv": (partial(table, "csv", "text"), {"batch_size": 50}),
    "parquet": (partial(table, "parquet", "text"), {"batch_size": 50}),
    "parquet in order": (partial(table, "parquet", "numbers"), {"batch_size": 50, "shuffle": False}),
}
for name, (make, options) in STREAMS.items():
    add(f"stream {name}", partial(streamed, make, options), FEW)


def streamed_prediction(place: Place) -> dict[str, Any]:
    x, _ = STREAMED.data(place)
    model = STREAMED.model(place)
    return {"predict": model.predict(data.stream(ByRows(x), block_bytes=BLOCK))}


add("stream predict", streamed_prediction, FEW)
