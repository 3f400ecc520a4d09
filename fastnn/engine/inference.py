"""Running over data without training: predicting, evaluating, and every layer's output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .cost_model import ROW_BLOCK
from .dataset import CONVERTED_BYTES, Data, point_at
from .jobs import fill_inference
from .memory import Array, address

if TYPE_CHECKING:
    from .engine import Engine


def infer(engine: Engine, data: Data, output: Array | None = None, mode: str = "evaluate") -> Array:
    """Predict into ``output`` (rows, outputs), or evaluate; in slices after each of which Python has control.

    To evaluate needs no ``output``, and keeps what is scored where it is given.  Returns the sums of the loss and the
    metrics: a row a block of rows, of which each thread takes some.
    """
    job, costs, size = engine.job, engine.costs_of(data), engine.dtype.itemsize
    blocks = costs.inference_blocks(len(data), mode == "evaluate")
    threads, capacity, count = blocks
    columns = 1 + len(engine.metrics)
    results = np.zeros((count, columns))
    blocks_a_slice = costs.blocks_a_slice(blocks)
    if not data.direct:
        blocks_a_slice = min(blocks_a_slice, max(1, CONVERTED_BYTES // (capacity * data.width * size)))
    fill_inference(engine, mode, capacity, threads, costs, mode == "predict" and costs.turns(len(data)))
    for first in range(0, count, blocks_a_slice):
        last = min(first + blocks_a_slice, count)
        part, start = data, 0  # ``start``: the block, and the row, that what is read begins at
        if not data.direct:
            part = data.block(slice(first * capacity, min(last * capacity, len(data))), engine.dtype)
            start = first
        job.data = point_at(part)
        job.run.first_step, job.run.last_step = first - start, last - start
        if output is not None:
            place = address(output) + start * capacity * engine.outputs * size
            job.memory.output, job.memory.output_row = place, engine.outputs
        job.memory.results = address(results) + start * columns * 8
        engine.call(job, engine.synchronisation, min(threads, last - first))
    return results


def activations(engine: Engine, data: Data, capacity: int = 64) -> list[Array]:
    """Every layer's output, each (rows, units)."""
    outputs = [np.empty((len(data), layer.units), engine.dtype) for layer in engine.plans]
    job = engine.job
    fill_inference(engine, "predict", capacity, 1)
    workspace = engine.buffers["workspace"]
    for start in range(0, len(data), capacity):
        part = data.block(slice(start, start + capacity), engine.dtype)
        job.data, job.run.first_step, job.run.last_step = point_at(part), 0, 1
        job.memory.output, job.memory.output_row = address(outputs[-1][start:]), engine.outputs
        engine.call(job, engine.synchronisation, 1)
        for record, output in zip(engine.layers, outputs, strict=True):
            first, stride = record.output * capacity, record.output_stride
            block = workspace[first : first + capacity * stride].reshape(capacity, stride)
            output[start : start + len(part)] = block[: len(part), : record.outputs]
    return outputs


def sample(engine: Engine, data: Data, seed: int, capacity: int = 1024) -> Array:
    """The output for each row as in training, (rows, outputs); all of one batch, where batches are normalised."""
    output = np.empty((len(data), engine.outputs), engine.dtype)
    job, layout = engine.job, engine.layout
    if layout.partial_values:
        capacity = -(-len(data) // ROW_BLOCK) * ROW_BLOCK
    fill_inference(engine, "sample", capacity, 1)
    blocks = -(-capacity // ROW_BLOCK)
    job.memory.partials = engine.buffers.place("partials", blocks * layout.partial_values, engine.dtype)
    for number, start in enumerate(range(0, len(data), capacity)):
        part = data.block(slice(start, start + capacity), engine.dtype)
        job.data, job.run.first_step, job.run.last_step = point_at(part), 0, 1
        job.order.seed = seed + number
        job.memory.output, job.memory.output_row = address(output[start:]), engine.outputs
        engine.call(job, engine.synchronisation, 1)
    engine.parameters.mark_written()
    return output
