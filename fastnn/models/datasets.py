"""Datasets: what fit, evaluate and predict are given, checked against what the model wants of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import data
from fastnn.data import Chunk, Feed, Requirements, streams
from fastnn.data.batch_source import BatchSource
from fastnn.engine import Data
from fastnn.errors import warn
from . import shapes

if TYPE_CHECKING:
    from .sequential import Sequential


def wanted(model: Sequential) -> Requirements:
    """What the model wants of rows that it is trained on or measured with."""
    assert model.loss is not None
    plan = model._loss_plan or model._loss_plan_of(model.loss)
    outputs = model._widths[-1] or 0 if model._engine is None else model._engine.outputs
    domain, repeats = plan.domain, plan.outputs_a_target
    return Requirements(model._inputs, outputs, model.dtype, plan.labels, domain, repeats)


def rows(
    model: Sequential, chunk: Chunk, batch_size: int | None = None, steps: int | None = None, x_finite: bool = False
) -> Data | Feed:
    """x, y and weights, in memory and checked, or to be streamed; ``x_finite``: take x for finite, without a look."""
    chunk, asked = flat(model, chunk), wanted(model)
    stream = feed(model, chunk, asked, batch_size, steps)
    return asked.data(chunk, x_finite=x_finite) if stream is None else stream


def flat(model: Sequential, chunk: Chunk) -> Chunk:
    """Rows of one dimension."""
    flattened = shapes.flattener(model)
    return chunk if flattened is None else flattened(chunk)


def weighed(rows: Data | Feed, class_weight: Any) -> Data | Feed:
    """The rows with the weights of their classes."""
    return rows.weighed(class_weight) if isinstance(rows, Feed) else data.weighed(rows, class_weight)


def feed(
    model: Sequential, chunk: Chunk, asked: Requirements, batch_size: int | None = None, steps: int | None = None
) -> Feed | None:
    """x, if it is to be streamed."""
    if steps is not None:
        steps = data.positive_integer(steps, "steps")
    stream = streams.find(chunk.x, chunk.y, chunk.weight)
    if stream is not None:
        if isinstance(stream.source, BatchSource):
            stream.source.shaping = shapes.flattener(model)
        return Feed(stream, asked, batch_size, steps, chunk.origin)
    return None


def first(rows: Data | Feed, steps: int | None, batch_size: int) -> Data | Feed:
    """The first batches of rows in memory, so many; a stream knows its steps itself."""
    if steps is None or isinstance(rows, Feed):
        return rows
    known = -(-len(rows) // batch_size)
    if steps > known:
        warn(f"steps got {steps}, but the rows are {known} batches of {batch_size}, and all are taken")
    return rows.part(slice(0, steps * batch_size))
