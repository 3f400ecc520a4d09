"""What evaluate, predict, forward and gradients do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import data, quick
from fastnn.data import Chunk
from fastnn.engine import Data
from fastnn.metrics import Metric
from fastnn.training import named
from fastnn.typing import Array

from . import datasets

if TYPE_CHECKING:
    from .sequential import Sequential


def predict(model: Sequential, x: Any, steps: int | None) -> Array:
    """The network's output for each row of x; an error where that is not finite because x is not."""
    engine = model._engine
    output: Array | None = None
    if engine is not None and steps is None and quick.fits(x, engine.inputs, engine.dtype):
        with engine.busy:
            prepared = quick.predictor(engine, len(x))
            if prepared is not None:
                output = prepared(x)
    if output is None:
        feed = datasets.feed(Chunk(x), datasets.inputs_wanted(model), steps=steps)
        if feed is not None:
            return feed.predict(model._built(feed.width))
        features = data.features(x, model._inputs, "x", finite=False)
        output = model._built(features.shape[1]).predict(Data(features))
    if not quick.finite(output) and not np.isfinite(output).all():  # then look for what did it
        data.features(x, model._inputs, "x", model.dtype)
    return output


def forward(model: Sequential, x: Any) -> list[Array]:
    """The output (rows, units) of every layer."""
    features = data.features(x, model._inputs, "x", model.dtype)
    outputs = model._built(features.shape[1]).activations(Data(features))
    return [outputs[place] for place in model._places]


def gradients(model: Sequential, chunk: Chunk) -> list[dict[str, Array]]:
    """The derivative of the mean loss over some rows by each weight, by its name, a dict a layer."""
    rows = datasets.in_memory(model, chunk)
    engine = model._built(rows.width)
    vector, _ = engine.gradient(rows)
    return [
        {name: view.copy() for name, view in layer.views(engine, place, vector).items()}
        for layer, place in zip(model._layers, model._places, strict=True)
    ]


def evaluate(model: Sequential, chunk: Chunk, class_weight: Any, steps: int | None) -> Array:
    """The means over the rows of the loss and of each metric."""
    rows = datasets.rows(model, chunk, class_weight, steps=steps)
    return data.evaluate(model._built(rows.width), rows)


def scores(values: Array, metrics: Sequence[Metric], return_dict: bool) -> Any:
    """The means of the loss and of the metrics as Keras returns them: a number, a list, or a dict by name."""
    if not (return_dict or metrics):
        return float(values[0])
    logs = named(values, metrics)
    if return_dict:
        return logs
    listed = list(logs.values())
    return listed if len(listed) > 1 else listed[0]
