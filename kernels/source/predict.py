"""Predicting and evaluating."""

from __future__ import annotations

from ..formulas.activations import LINEAR, SOFTMAX
from ..language import Address, Integer, kernel
from ..program import LANES, PACK, SIZE
from ..records import ABORTED, DENSE, EVALUATE, PREDICT, Job, Layer, Layers, layer_at
from ..values import Batch, Block, Rows, Span
from ..vocabulary import atomic_get, put, put_double, to_double
from .activation import activate
from .barrier import barrier
from .dense import dot_rows, layer_product
from .gather import gather_rows, readable_in_place
from .loss import score_rows
from .normalization import move_statistics
from .output import keep_output, put_output
from .passes import forward
from .scores import sum_of_scores
from .shuffle import mixed
from .softmax import softmax
from .split import first_column_of
from .turned import predict_turned
from .vectors import vectors_for


@kernel(apart=True)
def columns_of_layer(
    layer: Layer, job: Job, base: Address, rows: Integer, thread: Integer, source: Address, scratch: Address
) -> None:
    """A thread's columns of a dense layer's output, for all rows, but for a softmax.

    Each thread's weights stay in its core's cache from one call to the next.
    """
    stride = layer.output_stride
    inputs = Rows(source, layer.input_stride)
    first = first_column_of(layer, job, thread)
    columns = first_column_of(layer, job, thread + 1) - first
    ends = thread == job.run.threads - 1
    weights = job.network.parameters + (layer.weights + first) * SIZE
    output = base + (layer.output * job.memory.capacity + first) * SIZE
    if layer.stored_transposed:  # too few to be divided
        ends = thread == 0
        columns = 0
        if ends:
            columns = vectors_for(layer.outputs) * LANES
            weights = job.network.parameters + layer.weights * SIZE
            output = base + layer.output * job.memory.capacity * SIZE
            dot_rows(layer, rows, inputs, weights, scratch + PACK, Rows(output, stride))
    else:
        layer_product(layer, job, rows, columns, layer.rows, inputs, weights, scratch + PACK, output)
    if columns > 0 and layer.activation != LINEAR and layer.activation != SOFTMAX:
        activate(layer.activation, rows, columns, stride, layer.parameter, output, output)
    if ends:
        for row in range(rows):
            put(base, layer.output * job.memory.capacity + row * stride + layer.outputs, 1.0)


@kernel
def predict_by_columns(layers: Layers, job: Job, thread: Integer) -> Integer:
    """Predictions for few rows by wide dense layers; 1 if the run was aborted.

    Each thread has some columns of every layer, and thus always the same weights, which stay in its core's cache.
    """
    base = job.memory.workspace
    if thread == 0:
        gather_rows(layers, job, base, 0, job.data.rows, 0, 0, 0)
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        if layer.kind == DENSE:
            if barrier(job):
                return 1
            source = base + layer.input * job.memory.capacity * SIZE
            scratch = job.memory.scratch + thread * job.memory.scratch_size
            columns_of_layer(layer, job, base, job.data.rows, thread, source, scratch)
    if barrier(job):
        return 1
    if thread == 0:
        last = layer_at(layers, job.network.layer_count - 1)
        if last.activation == SOFTMAX:
            output = base + last.output * job.memory.capacity * SIZE
            softmax(job, job.data.rows, last.outputs, last.output_stride, output, output, job.memory.scratch + PACK)
        put_output(last, job, Block(base, 0, job.data.rows, 0), 0)
    return 0


@kernel
def infer(layers: Layers, job: Job, thread: Integer) -> Integer:
    """Predictions, or the sums of loss and metrics, for a thread's blocks of ``capacity`` rows."""
    if job.split.by_columns:
        return predict_by_columns(layers, job, thread)
    base = job.memory.workspace + thread * job.memory.workspace_size
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    last = layer_at(layers, job.network.layer_count - 1)
    columns = 1 + job.loss.metric_count
    blocks = job.run.last_step - job.run.first_step
    first = job.run.first_step + blocks * thread // job.run.threads
    end = job.run.first_step + blocks * (thread + 1) // job.run.threads
    if job.split.turned:
        predict_turned(layers, job, base, Span(first * job.memory.capacity, end * job.memory.capacity), scratch)
        return 0
    for number in range(first, end):
        position = number * job.memory.capacity
        rows = job.data.rows - position
        if rows > job.memory.capacity:
            rows = job.memory.capacity
        data = 0
        if job.run.mode == PREDICT and readable_in_place(layer_at(layers, 0), job):
            data = job.data.x + (job.data.origin + position) * job.data.x_row
        else:
            gather_rows(layers, job, base, 0, rows, 0, position, job.run.mode == EVALUATE)
        block = Block(base, 0, rows, 0)
        forward(layers, job, 0, block, Batch(0, position, rows, 0.0, 0, 0), 0, data, scratch)
        if atomic_get(job.run.synchronisation, ABORTED):
            return 1
        if job.run.mode == PREDICT:
            put_output(last, job, block, position)
        else:
            first_score = thread * job.memory.capacity
            score_rows(job, last, block, first_score, 1.0 / to_double(rows), scratch)
            if atomic_get(job.run.synchronisation, ABORTED):
                return 1
            keep_output(last, job, block, position)
            for column in range(columns):
                scores = job.memory.scores + (first_score * columns + column) * 8
                put_double(job.memory.results, number * columns + column, sum_of_scores(rows, columns, scores))
    return 0


@kernel(apart=True)
def sample(layers: Layers, job: Job) -> Integer:
    """Predictions as they are in training, of one batch: with noise, normalised by its own statistics, which move.

    1 if the run was aborted.
    """
    base = job.memory.workspace
    scratch = job.memory.scratch
    rows = job.data.rows
    gather_rows(layers, job, base, 0, rows, 0, 0, 0)
    batch = Batch(0, 0, rows, 0.0, mixed(job.order.seed), 0)
    block = Block(base, 0, rows, 0)
    if forward(layers, job, 0, block, batch, 1, 0, scratch):
        return 1
    if atomic_get(job.run.synchronisation, ABORTED):
        return 1
    put_output(layer_at(layers, job.network.layer_count - 1), job, block, 0)
    if job.memory.partial_values > 0:
        move_statistics(layers, job, scratch)
    return 0
