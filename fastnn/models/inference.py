"""What predict does, and how scores are returned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import data
from fastnn.data import Chunk, Requirements
from fastnn.engine import Data, prepared
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
    if engine is not None and steps is None and prepared.fits(x, engine.inputs, engine.dtype):
        with engine.busy:
            predictor = prepared.predictor(engine, len(x))
            if predictor is not None:
                output = predictor(x)
    if output is None:
        feed = datasets.feed(Chunk(x), Requirements(model._inputs, dtype=model.dtype, target=False), steps=steps)
        if feed is not None:
            return feed.predict(model._built(feed.width))
        features = data.features(x, model._inputs, "x", finite=False)
        output = model._built(features.shape[1]).predict(Data(features))
    if not prepared.finite(output) and not np.isfinite(output).all():  # then look for what did it
        data.features(x, model._inputs, "x", model.dtype)
    return output


def scores(values: Array, metrics: Sequence[Metric], return_dict: bool) -> Any:
    """The means of the loss and of the metrics as Keras returns them: a number, a list, or a dict by name."""
    if not (return_dict or metrics):
        return float(values[0])
    logs = named(values, metrics)
    if return_dict:
        return logs
    listed = list(logs.values())
    return listed if len(listed) > 1 else listed[0]
