"""The first layer straight from the data: its outputs, and its gradient, from the rows where they lie."""

from __future__ import annotations

from ..formulas.activations import LINEAR
from ..language import Address, Integer, kernel
from ..program import LANES, ONE, PACK, ROWS_AHEAD, SIZE, TILE_ROWS
from ..records import Job, Layer
from ..values import Ahead, Batch, Left, Panel, Right, Rows, Span
from ..vocabulary import put, put_integer
from .activation import activate, activate_keeping
from .dense import add_bias, columns_of_panel, is_flat, packed_gradient
from .gather import check_finite, gather_inputs, put_next_rows, readable_in_order, targets_of
from .prefetching import prefetch_write_panel
from .product import product, tile_width
from .tile import deep_tile
from .vectors import vectors_for


@kernel(apart=True)
def first_layer(
    layer: Layer, job: Job, batch: Batch, rows: Span, targets: Span, columns: Span, scratch: Address
) -> None:
    """Some columns of the output for some rows of the batch; and where those rows stand whose targets are wanted.

    The rows are multiplied a few at a time, as they lie or as soon as they have been read; meanwhile the next ones are
    asked for.
    """
    base = job.memory.workspace
    stride = layer.output_stride
    vectors = vectors_for(columns.end - columns.first)
    weights = job.network.parameters + (layer.weights + columns.first) * SIZE
    in_order = readable_in_order(layer, job)
    row = rows.first
    while row < rows.end:
        count = rows.end - row
        if count > TILE_ROWS:
            count = TILE_ROWS
        places = 0
        if row >= targets.first and row < targets.end:
            places = targets_of(job, base, row)
        inputs = Rows(job.memory.inputs + row * job.memory.input_stride * SIZE, job.memory.input_stride)
        depth = layer.rows
        below = inputs
        if in_order:
            place = batch.position + row - job.data.origin
            inputs = Rows(job.data.x + place * job.data.x_row, job.data.x_row // SIZE)
            depth = layer.inputs
            if job.data.rows - (batch.position + row) >= 2 * TILE_ROWS:
                below = Rows(inputs.address + TILE_ROWS * job.data.x_row, inputs.stride)
            if places:
                for number in range(count):
                    put_integer(places, 0, place + number)
                    places += job.memory.target_stride * SIZE
        else:
            some = Span(row, row + count)
            gather_inputs(
                job.data.x_kind, layer.inputs, job, job.memory.inputs, some, batch.epoch, batch.position, places
            )
            if job.data.x_column <= 8 and job.data.rows - (batch.position + row) >= 2 * TILE_ROWS:
                below = Rows(scratch + ROWS_AHEAD, 0)
                put_next_rows(job, batch.epoch, batch.position + row + TILE_ROWS, scratch + ROWS_AHEAD)
        output = base + (layer.output * job.memory.capacity + row * stride + columns.first) * SIZE
        multiply_rows(count, vectors, depth, inputs, Rows(weights, layer.stride), below, Rows(output, stride))
        if depth < layer.rows:
            add_bias(layer, count, vectors * LANES, weights, output)
        if places:
            check_finite(layer.inputs, job, count, inputs, batch.epoch, batch.position)
        row += count
    output = base + (layer.output * job.memory.capacity + rows.first * stride + columns.first) * SIZE
    all_rows = rows.end - rows.first
    if layer.slope >= 0:
        slopes = base + (layer.slope * job.memory.capacity + rows.first * stride + columns.first) * SIZE
        activate_keeping(layer.activation, all_rows, vectors * LANES, stride, layer.parameter, output, output, slopes)
    elif layer.activation != LINEAR:
        activate(layer.activation, all_rows, vectors * LANES, stride, layer.parameter, output, output)
    if columns.end >= layer.outputs:
        for number in range(all_rows):
            put(output, number * stride + layer.outputs - columns.first, 1.0)


@kernel(inline=True)
def multiply_rows(
    rows: Integer, vectors: Integer, depth: Integer, inputs: Rows, weights: Rows, below: Rows, output: Rows
) -> None:
    """As many rows of inputs as a tile has, or fewer, times the weights; meanwhile the rows below are asked for."""
    vector = 0
    while vector < vectors:
        wide = tile_width(rows, vectors - vector)
        panel = Right(weights.address + vector * LANES * SIZE, weights.stride, 0)
        target = Rows(output.address + vector * LANES * SIZE, output.stride)
        left = Left(inputs.address, inputs.stride, 1, 0)
        if wide > 1 and rows == TILE_ROWS:
            ahead = Ahead(below.address, below.stride, panel.address, 0, target.address, 0)
            deep_tile(wide, depth, left, panel, 0, target, ahead)
        else:
            product(rows, wide * LANES, depth, left, panel, 0, 0, target)
        below = inputs  # once is enough
        vector += wide


@kernel(apart=True)
def first_layer_gradient(
    layer: Layer,
    job: Job,
    position: Integer,
    batch_rows: Integer,
    panel: Panel,
    update_follows: Integer,
    scratch: Address,
    gradient: Rows,
) -> None:
    """The first layer's gradient by a panel of its weights, from where first_layer has had the batch's inputs."""
    inputs = Rows(job.memory.inputs, job.memory.input_stride)
    own = panel  # less the bias, whose inputs, ones, are not among the data
    if readable_in_order(layer, job):
        inputs = Rows(job.data.x + (position - job.data.origin) * job.data.x_row, job.data.x_row // SIZE)
        if panel.row + panel.rows > layer.inputs:
            own = Panel(panel.row, layer.inputs - panel.row, panel.column, panel.vectors)
    deltas = Right(
        job.memory.workspace + (layer.delta * job.memory.capacity + panel.column) * SIZE, layer.output_stride, 0
    )
    left = Left(inputs.address + panel.row * SIZE, 1, inputs.stride, 16)
    if is_flat(layer, own.rows):
        if update_follows == 2:
            prefetch_write_panel(layer, job, panel)
        columns = columns_of_panel(layer, panel)
        product(own.rows, columns, batch_rows, left, deltas, 0, scratch + PACK, gradient)
    else:
        packed_gradient(layer, job, own, batch_rows, deltas.address, left, 0, update_follows, scratch + PACK, gradient)
    if own.rows < panel.rows:
        put(scratch + ONE, 0, 1.0)
        last = Rows(gradient.address + own.rows * gradient.stride * SIZE, gradient.stride)
        product(1, panel.vectors * LANES, batch_rows, Left(scratch + ONE, 0, 0, 0), deltas, 0, 0, last)
