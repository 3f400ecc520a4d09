"""load: a Sequential made of an ONNX file that holds a chain of layers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.errors import ModelFileError
from fastnn.models import Sequential
from fastnn.typing import Array
from .layers_of import layers_of
from .parsing import RefusedError, parse

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
"""By how much of the largest value the model may differ from the graph, on rows that are tried."""


def load(
    path: str | os.PathLike[str],
    *,
    backend: str = "auto",
    threads: int | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Sequential:
    """Read a feed-forward network from an ONNX file: a Sequential that predicts, and that can be compiled and trained.

    A chain is read that has one input of numbers: Gemm, MatMul and Add, batch and layer normalisation, Softmax, Scaler,
    Flatten and Reshape, and any operators between that together compute an activation of `fastnn.activations`.  Which
    one that is shows in its values, so that it does not matter how a writer has put it.  Where there are several
    outputs, as of classifiers, the one of the probabilities is taken.

    Parameters
    ----------
    path : path
    backend, threads
        As in Sequential.compile.
    custom_objects
        Taken for load_model's sake: a file of ONNX has none.

    Raises
    ------
    FileNotFoundError
    ModelFileError
        It is no ONNX file, is damaged, or holds something else than such a chain: the operator is named.
    """
    data = Path(path).read_bytes()
    try:
        return _model(data, backend, threads)
    except RefusedError as error:
        raise ModelFileError(f"{os.fspath(path)} {error}") from None
    except Exception as error:  # whatever protobuf, onnx and NumPy make of damaged bytes
        what = str(error) or type(error).__name__
        raise ModelFileError(f"{os.fspath(path)} is no ONNX file, or is damaged: {what:.200}") from error


def _model(data: bytes, backend: str, threads: int | None) -> Sequential:
    graph = parse(data)
    stack, weights = layers_of(graph)
    try:
        model = Sequential(stack)
        model._backend, model._threads = backend, threads
        vars(model)["dtype"] = graph.dtype
        model.set_weights(weights)
    except ValueError as error:  # as of a softmax that is not the last, or a weight that is infinite
        raise RefusedError(f"holds a chain that is no model here: {error}") from None
    if not _same(model.predict(graph.rows), graph.values[graph.output], TOLERANCE[graph.dtype]):
        raise RefusedError("computes something else than the layers that were found in it")
    model.metadata = graph.metadata
    return model


def _same(found: Array, wanted: Array, tolerance: float) -> bool:
    if found.shape != wanted.shape or not np.array_equal(np.isfinite(found), np.isfinite(wanted)):
        return False
    finite = np.isfinite(wanted)
    scale = float(np.abs(wanted[finite]).max(initial=1e-3))
    return bool(np.abs(found[finite] - wanted[finite]).max(initial=0) <= tolerance * scale)
