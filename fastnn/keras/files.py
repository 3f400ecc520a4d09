"""The functions of this package: a model's file and its weights' file, out and in."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastnn.engine import Engine
from fastnn.errors import ModelFileError
from fastnn.extras import require
from fastnn.files.atomic import replacing
from fastnn.layers import Layer
from fastnn.models.saving import NOT_FINITE
from fastnn.models.sequential import Sequential
from fastnn.names import custom_object_scope
from fastnn.typing import Array
from fastnn.undisturbed import undisturbed
from . import archive, hdf5, training, weights
from .reading import Reader
from .writing import Writer

Path = str | os.PathLike[str]

MOST_VALUES = 2**20
"""How many values the rows between layers may have in all, where the file is smaller: weights bring their own."""

WITHOUT = "fastnn.keras.load(path, compile=False) leaves out what is of training alone"


def export(model: Sequential, path: Path, *, include_optimizer: bool = True) -> None:
    """Write a .keras file that Keras 3 loads, whole or not at all.

    Parameters
    ----------
    model : Sequential
    path : path
        "m.keras".
    include_optimizer : bool
        Whether optimizer, loss, metrics and the optimizer's state are written, where the model is compiled.

    Raises
    ------
    ValueError
        Something is fastnn's alone, and Keras has no name for it: the layer Scaling, an activation, loss, metric or
        schedule of your own, an optimizer such as Rprop, a rate of its own for a kernel, ...
    FloatingPointError
        A weight, or the optimizer's state, is NaN or infinite.
    OSError
        The file cannot be written.
    """
    require("h5py", "keras")
    engine = model._built()
    model = model._as_it_is()
    writer = Writer(model, include_optimizer)
    config = writer.config()
    with engine.busy:  # after a whole number of steps
        groups = _groups(model, engine)
        if writer.trains:
            name = config["compile_config"]["optimizer"]["config"]["name"]
            groups[training.VARIABLES] = (name, training.state(model))
    _write(model, path, archive.content(config, hdf5.content(groups)))


def load(
    path: Path,
    *,
    backend: str = "auto",
    threads: int | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
) -> Sequential:
    """Read a .keras file that Keras 3 or `export` wrote: ready to predict, and to train on where it was compiled.

    Sequential models are read, and functional ones that are a chain of layers.

    Parameters
    ----------
    path : path
    backend, threads
        As in Sequential.compile.
    custom_objects : dict of str to object, optional
        Losses, activations and metrics of your own, in fastnn's classes, by the names that they have in the file.
    compile : bool
        Whether to take what the model was trained for, and the optimizer's state.

    Raises
    ------
    FileNotFoundError
    ModelFileError
        It is no such file, is damaged, or holds what fastnn has not, or code; the message names it.
    """
    require("h5py", "keras")
    with (
        custom_object_scope(custom_objects),
        open(path, "rb") as file,
        _told(path, "is no .keras file that fastnn can read"),
    ):
        config, content = archive.read(file)
        reader = Reader(config)
        model = reader.model
        widths = sum(width or 0 for width in model._widths)
        if widths > max(MOST_VALUES, len(content)):
            raise ValueError(f"its layers have rows of {widths} values in all, and the file is small")
        with hdf5.opened(io.BytesIO(content)) as store:
            arrays = weights.read(store, model, reader.groups)
            model._backend, model._threads = backend, threads
            try:
                asked = training.compiled(config.get("compile_config")) if compile else None
                _furnish(model, reader.dtype, arrays, asked)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{error}{f'; {WITHOUT}' if compile else ''}") from error
            if asked is not None:
                training.bring_back(store, model)
    return model


def save_weights(model: Sequential, path: Path) -> None:
    """Write the weights alone as Keras 3 does, whole or not at all, with a checksum of fastnn's.

    Parameters
    ----------
    model : Sequential
    path : path
        "m.weights.h5".

    Raises
    ------
    ValueError
        The name does not end in .weights.h5, or Keras has not one of the layers.
    FloatingPointError
        A weight is NaN or infinite.
    OSError
        The file cannot be written.
    """
    require("h5py", "keras")
    if not os.fspath(path).lower().endswith(".weights.h5"):
        raise ValueError(f"path got {os.fspath(path)!r}; wants a name that ends in .weights.h5, as Keras does")
    engine = model._built()
    model = model._as_it_is()
    groups = _groups(model, engine)
    checksum = hdf5.digest(array for _, arrays in groups.values() for array in arrays)
    _write(model, path, hdf5.content(groups, checksum))


def load_weights(model: Sequential, path: Path) -> None:
    """Set a model's weights to those of a file of Keras's, all or none.

    That is a .weights.h5 of Keras 3, or a .h5 of Keras 2 (and of 3's older format), of weights or of a whole model.
    Layers are known by their order, not by their names.

    Parameters
    ----------
    model : Sequential
    path : path

    Raises
    ------
    FileNotFoundError
    ModelFileError
        It is no such file, is damaged, or holds other layers, other shapes, or values that are not finite.
    """
    require("h5py", "keras")
    model._built()
    with open(path, "rb") as file, _told(path, "holds no weights of this model"), hdf5.opened(file) as store:
        if {"layer_names", "layer_names0"} & set(store.texts(store.root)) or store.has(store.root, "model_weights"):
            arrays = weights.read_older(store, model)
        else:
            arrays = weights.read(
                store, model, [path for path, part in weights.groups(model) if isinstance(part, Layer)]
            )
            checksum = store.checksum()
            if checksum is not None and checksum != hdf5.digest(_as_written(model, arrays)):
                raise ValueError("it is damaged: its checksum does not match")
        model.set_weights(arrays)


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Say which file it was, whatever h5py, zipfile, json or fastnn make of damaged bytes."""
    try:
        yield
    except Exception as error:
        said = str(error) or type(error).__name__
        raise ModelFileError(f"{os.fspath(path)} {what}: {said}") from error


def _furnish(model: Sequential, dtype: str, arrays: Sequence[Array], asked: training.Compiled | None) -> None:
    """Compile a new model, if something is asked for, and build it with these weights; none are drawn."""
    vars(model)["dtype"] = dtype
    inputs, model._inputs = model._inputs, None
    if asked is not None:
        model.compile(
            asked.optimizer,
            asked.loss,
            asked.metrics,
            weighted_metrics=asked.weighted_metrics,
            dtype=dtype,
            backend=model._backend,
            threads=model._threads,
        )
    model._inputs = inputs
    draft = model._draft()
    draft._make_engine(arrays)
    model._become(draft)


def _groups(model: Sequential, engine: Engine) -> dict[str, tuple[str, Sequence[Array]]]:
    """Each layer's group in a file, and each model's in the model, its name and its weights."""
    with engine.still:
        if not engine.parameters.finite:
            raise FloatingPointError(NOT_FINITE)
        views = [layer.views(engine, place) for layer, place in zip(model._layers, model._places, strict=True)]
        copies = iter([[view.copy() for view in found.values()] for found in views])
    return {
        path: (part.name, weights.written(part, next(copies)) if isinstance(part, Layer) else [])
        for path, part in weights.groups(model)
    }


def _as_written(model: Sequential, arrays: Sequence[Array]) -> Iterator[Array]:
    """Weights as `save_weights` writes them, in order."""
    rest = list(arrays)
    for layer, shapes in zip(model._layers, weights.shapes(model), strict=True):
        yield from weights.written(layer, rest[: len(shapes)])
        del rest[: len(shapes)]


def _write(model: Sequential, path: Path, content: bytes) -> None:
    def write() -> None:
        with replacing(path) as file:
            file.write(content)

    if model._writes:
        undisturbed(write)
