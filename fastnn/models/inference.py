"""What predict does, and how scores are returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import data
from fastnn.callbacks import CallbackList
from fastnn.callbacks.base import Logs
from fastnn.data import Chunk, Feed, Requirements, batches
from fastnn.engine import Data, Engine, prepared
from fastnn.training import Held
from fastnn.typing import Array
from . import datasets, shapes, sharing

if TYPE_CHECKING:
    from .sequential import Sequential


def predict(
    model: Sequential, x: Any, steps: int | None, batch_size: int = 32, callbacks: CallbackList | None = None
) -> Array:
    """The network's output for each row of x; an error where that is not finite because x is not."""
    if model._takes_shapes:
        x = shapes.flat(model, x)
    engine = model._engine if model._engine is None else model._built()
    output: Array | None = None
    if engine is not None and steps is None and callbacks is None and prepared.fits(x, engine.inputs, engine.dtype):
        with engine.turns.first:
            prediction = engine.prepared.get(len(x)) or prepared.prediction(engine, len(x))
            if prediction is not None:
                output = prediction(engine, x)
    if output is None:
        feed = datasets.feed(model, Chunk(x), Requirements(model._inputs, dtype=model.dtype, target=False), steps=steps)
        if feed is None:
            rows: Data | Feed = Data(data.features(x, model._inputs, "x", finite=False))
            rows = datasets.first(rows, steps, batch_size)
        else:
            rows = feed
        engine = model._built(rows.width)
        if callbacks is not None and callbacks.wants("on_predict_batch_begin", "on_predict_batch_end"):
            output = by_batches(engine, rows, batch_size, callbacks)
        else:
            output = rows.predict(engine) if isinstance(rows, Feed) else engine.predict(rows)
        if feed is not None:
            return shapes.shaped(model, output)
    if not prepared.finite(output) and not np.isfinite(output).all():  # then look for what did it
        data.features(x, model._inputs, "x", model.dtype)
    return shapes.shaped(model, output) if model._gives_shapes else output


def sample(model: Sequential, x: Any) -> Array:
    """Predict as it is done in training."""
    features = data.features(shapes.flat(model, x), model._inputs, "x", model.dtype)
    engine = model._built(features.shape[1])
    sharing.own_shared(model, engine)  # moving statistics may change
    return shapes.shaped(model, engine.sample(Data(features), int(model._rng.integers(2**61))))


def by_batches(engine: Engine, rows: Data | Feed, batch_size: int, callbacks: CallbackList) -> Array:
    """The output for each row, (rows, units), batch by batch; the callbacks are told of each."""
    outputs: list[Array] = []
    for number, batch in enumerate(batches(rows, batch_size, engine.dtype)):
        callbacks.call("on_predict_batch_begin", number, {})
        outputs.append(engine.predict(batch))
        given: dict[str, Any] = {"outputs": outputs[-1]}
        callbacks.call("on_predict_batch_end", number, given)
        if callbacks.model.stop_predicting:
            break
    return np.concatenate(outputs)


def callbacks(model: Sequential, given: Any, held: Held, level: int) -> CallbackList:
    """Callbacks for rows that are measured or predicted; none of them trains."""
    rows = held.rows
    steps = -(-len(rows) // held.batch_size) if isinstance(rows, Data) else rows.steps_per_epoch
    return CallbackList(given, model, {"epochs": 1, "steps": steps, "verbose": level})


def told(model: Sequential, x: Any, steps: int | None, batch_size: int, given: Any) -> Array:
    """Predict beside callbacks."""
    listed = CallbackList(given, model, {"epochs": 1, "steps": steps, "verbose": 0})
    model.stop_predicting = False
    listed.call("on_predict_begin", {})
    output = predict(model, x, steps, batch_size, listed)
    listed.call("on_predict_end", {})
    return output


def scores(logs: Logs, return_dict: bool) -> Any:
    """The loss and the metrics as Keras returns them: a number, a list, or a dict by name."""
    listed = list(logs.values())
    return logs if return_dict else listed if len(listed) > 1 else listed[0]
