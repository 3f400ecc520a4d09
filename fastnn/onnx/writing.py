"""export: a model or an estimator as an ONNX file."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from fastnn.files.atomic import replacing
from fastnn.models import Sequential
from fastnn.models.chain import chain
from fastnn.undisturbed import undisturbed
from . import network
from .graph import Graph


def export(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model as ONNX: what it computes at prediction, in standard operators, for a batch of any size.

    Dropout and noise vanish.  Operators are those of opset 17, but for gelu (20) and mish (18) in float32.  The
    metadata have the model's own, as JSON, under "fastnn.metadata".

    Parameters
    ----------
    model : Sequential, or an estimator of `fastnn.sklearn`
        A model's input is called "input", (batch, inputs), its output "output", (batch, units), both of its dtype.

        An estimator's is called "X"; of a tabular one there is an input for each column, (batch, 1), which has the
        column's name: float64 for numbers, where NaN is missing, strings for texts, where "" is missing, int64 for
        dates, microseconds since 1970.  A classifier's outputs are "label", (batch,), and "probabilities", (batch,
        classes); a regressor's is "variable", (batch, outputs).
    path : path

    Raises
    ------
    ValueError
        The model is not built, or has an activation of the user's own; labels are neither numbers nor texts; a column
        has components of its texts.
    FloatingPointError
        A weight is NaN or infinite.
    OSError
        The file cannot be written.
    """
    content = converted(model).SerializeToString()

    def write() -> None:
        with replacing(path) as file:
            file.write(content)

    if getattr(model, "_writes", True):
        undisturbed(write)


def converted(model: Any) -> Any:
    """The model as an ``onnx.ModelProto``."""
    if not isinstance(model, Sequential):
        if "fastnn.sklearn" in sys.modules:  # without which there is no estimator
            from . import estimators

            return estimators.converted(model)
        raise TypeError(f"model got {type(model).__name__}; wants a Sequential, or an estimator of fastnn.sklearn")
    found = chain(model)
    graph = Graph(found.dtype)
    x = graph.input("input", graph.dtype, found.input_shape)
    graph.output("output", graph.dtype, found.output_shape, network.write(graph, x, found))
    return graph.model({"fastnn.metadata": json.dumps(model.metadata)} if model.metadata else {})
