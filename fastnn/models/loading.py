"""load_model: a model made of its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fastnn.engine import BACKENDS
from fastnn.errors import ModelFileError
from fastnn.files import model_file
from fastnn.names import custom_object_scope, lookup
from . import formats
from .saving import rebuilt
from .sequential import Sequential


def load_model(
    path: str | os.PathLike[str],
    *,
    backend: str = "auto",
    threads: int | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Sequential:
    """Read a model that ``save`` wrote, or ONNX ("m.onnx") or Keras 3 ("m.keras"): ready to predict.

    It is ready to train on, too, where it was compiled.  See `fastnn.onnx.load` and `fastnn.keras.load` for what is
    read of other formats.

    Parameters
    ----------
    path : path
    backend, threads
        As in Sequential.compile: a file does not say where it is to be run.
    custom_objects : dict of str to object, optional
        Losses, activations and schedules of your own, by the names that they had; or the functions that they are made
        of, a tuple where they are several. A file holds no code.

    Raises
    ------
    FileNotFoundError
    ModelFileError
        Not a model file, truncated, corrupt, or of a newer format.
    """
    lookup(backend, ["auto", *BACKENDS], "backend")
    if formats.ending(path) in formats.READERS and not model_file.is_ours(path):
        found: Sequential = formats.named(path, formats.READERS).load(
            path, backend=backend, threads=threads, custom_objects=custom_objects
        )
        return found
    document, arrays = model_file.load(path)
    if "ensemble" in document:
        raise ModelFileError(f"{os.fspath(path)} holds an ensemble; wants fastnn.Ensemble.load(path)")
    if "table" in document:
        raise ModelFileError(
            f"{os.fspath(path)} holds a table's model, which `fastnn train` saved; wants `fastnn predict` or "
            "`fastnn export`"
        )
    scope = custom_object_scope(custom_objects)
    try:
        with scope:
            model = rebuilt(Sequential, document, arrays, backend, threads)
    except Exception as error:  # checksums fit, but no model comes of it
        raise ModelFileError(
            f"{os.fspath(path)}, which fastnn {document['fastnn']} wrote, describes no model that this fastnn "
            f"can build: {error}"
        ) from error
    model.saved_by = document["fastnn"]
    return model
