"""The first layer straight from the data, and divided among threads by columns.

Where a line of memory that another core has read is written, that core's copy is called back first, which may take as
long as a hundred multiplications of vectors.  Wide first layers are all that a batch's rows share, mostly: so each
thread keeps some columns of it, with their slots, in memory of its own for the length of a run, and reads all of the
batch.  The thread's own records of layer and job say where; places count from the same first column."""

from __future__ import annotations

from ..formulas.activations import LINEAR
from ..language import Address, Double, Integer, kernel
from ..program import LANES, ONE, PACK, PANEL, ROWS_AHEAD, SIZE, TILE_ROWS
from ..records import CLIPVALUE, JOB_SIZE, LAYER_SIZE, Job, Layer, Layers, as_job, as_layer, layer_at
from ..vocabulary import put, put_integer
from .activation import activate, activate_keeping
from .barrier import barrier
from .clipping import clip_panel
from .dense import add_bias, columns_of_panel, is_flat, packed_gradient
from .gather import check_finite, gather_inputs, gather_targets, put_next_rows, readable_in_order, targets_of
from .optimizer import update_panel
from .penalty import add_penalty
from .prefetching import prefetch_write_panel
from .product import product, tile_width
from .split import panel_rows, panel_vectors
from .tile import deep_tile
from .vectors import copy_vectors, vectors_for


@kernel
def first_column_of(layer: Layer, job: Job, thread: Integer) -> Integer:
    """The first of the units of a layer that are a thread's, where each has some."""
    blocks = (layer.outputs + job.split.column_block - 1) // job.split.column_block
    unit = blocks * thread // job.run.threads * job.split.column_block
    if unit > layer.outputs:
        return (layer.outputs + 15) // 16 * 16
    return unit


@kernel(apart=True)
def first_layer(
    layer: Layer,
    job: Job,
    base: Address,
    first_row: Integer,
    rows: Integer,
    first_target: Integer,
    targets: Address,
    first_unit: Integer,
    end_unit: Integer,
    epoch: Integer,
    position: Integer,
    scratch: Address,
) -> None:
    """Some units' outputs for some rows of the batch, from the data; the places of the rows that are targets too.

    They are multiplied a few at a time, as they lie or as soon as they have been read; meanwhile the next ones are
    asked for.
    """
    stride = layer.output_stride
    vectors = vectors_for(end_unit - first_unit)
    weights = job.network.parameters + (layer.weights + first_unit) * SIZE
    in_order = readable_in_order(layer, job)
    row = first_row
    while row < first_row + rows:
        count = first_row + rows - row
        if count > TILE_ROWS:
            count = TILE_ROWS
        places = 0
        if row >= first_target and row < first_target + targets:
            places = targets_of(job, base, row)
        inputs = job.memory.inputs + row * job.memory.input_stride * SIZE
        input_row = job.memory.input_stride
        depth = layer.rows
        below = inputs
        below_row = input_row
        if in_order:
            place = position + row - job.data.origin
            inputs = job.data.x + place * job.data.x_row
            input_row = job.data.x_row // SIZE
            depth = layer.inputs
            if job.data.rows - (position + row) >= 2 * TILE_ROWS:
                below = inputs + TILE_ROWS * job.data.x_row
                below_row = input_row
            if places:
                for number in range(count):
                    put_integer(places, 0, place + number)
                    places += job.memory.target_stride * SIZE
        else:
            gather_inputs(job.data.x_kind, layer.inputs, job, job.memory.inputs, row, count, epoch, position, places)
            if job.data.x_column <= 8 and job.data.rows - (position + row) >= 2 * TILE_ROWS:
                below = scratch + ROWS_AHEAD
                below_row = 0
                put_next_rows(job, epoch, position + row + TILE_ROWS, below)
        output = base + (layer.output * job.memory.capacity + row * stride + first_unit) * SIZE
        vector = 0
        while vector < vectors:
            wide = tile_width(count, vectors - vector)
            panel = weights + vector * LANES * SIZE
            target = output + vector * LANES * SIZE
            if wide > 1 and count == TILE_ROWS:
                deep_tile(
                    wide,
                    depth,
                    inputs,
                    input_row,
                    1,
                    panel,
                    layer.stride,
                    0,
                    target,
                    stride,
                    below,
                    below_row,
                    panel,
                    0,
                    target,
                    0,
                )
            else:
                product(
                    count, wide * LANES, depth, inputs, input_row, 1, 0, panel, layer.stride, 0, 0, 0, target, stride
                )
            below = inputs  # once is enough
            below_row = input_row
            vector += wide
        if depth < layer.rows:
            add_bias(layer, count, vectors * LANES, weights, output)
        if places:
            check_finite(layer.inputs, job, count, inputs, input_row, epoch, position)
        row += count
    output = base + (layer.output * job.memory.capacity + first_row * stride + first_unit) * SIZE
    columns = vectors * LANES
    if layer.slope >= 0:
        slopes = base + (layer.slope * job.memory.capacity + first_row * stride + first_unit) * SIZE
        activate_keeping(layer.activation, rows, columns, stride, layer.parameter, output, output, slopes)
    elif layer.activation != LINEAR:
        activate(layer.activation, rows, columns, stride, layer.parameter, output, output)
    if end_unit >= layer.outputs:
        for number in range(rows):
            put(output, number * stride + layer.outputs - first_unit, 1.0)


@kernel(apart=True)
def first_layer_gradient(
    layer: Layer,
    job: Job,
    position: Integer,
    batch_rows: Integer,
    unit: Integer,
    units: Integer,
    column: Integer,
    vectors: Integer,
    update_follows: Integer,
    scratch: Address,
    gradient: Address,
    gradient_row: Integer,
) -> None:
    """Its gradient by some of its weights, from where first_layer has had the batch's inputs."""
    inputs = job.memory.inputs
    input_row = job.memory.input_stride
    count = units
    if readable_in_order(layer, job):
        inputs = job.data.x + (position - job.data.origin) * job.data.x_row
        input_row = job.data.x_row // SIZE
        if unit + units > layer.inputs:  # the bias's inputs, ones, are not among the data
            count = layer.inputs - unit
    deltas = job.memory.workspace + (layer.delta * job.memory.capacity + column) * SIZE
    if is_flat(layer, count):
        if update_follows == 2:
            prefetch_write_panel(layer, job, unit, units, column, vectors * LANES)
        product(
            count,
            columns_of_panel(layer, column, vectors),
            batch_rows,
            inputs + unit * SIZE,
            1,
            input_row,
            16,
            deltas,
            layer.output_stride,
            0,
            0,
            scratch + PACK,
            gradient,
            gradient_row,
        )
    else:
        packed_gradient(
            layer,
            job,
            unit,
            count,
            column,
            vectors,
            batch_rows,
            deltas,
            inputs + unit * SIZE,
            input_row,
            16,
            0,
            update_follows,
            scratch + PACK,
            gradient,
            gradient_row,
        )
    if count < units:
        put(scratch + ONE, 0, 1.0)
        product(
            1,
            vectors * LANES,
            batch_rows,
            scratch + ONE,
            0,
            0,
            0,
            deltas,
            layer.output_stride,
            0,
            0,
            0,
            gradient + count * gradient_row * SIZE,
            gradient_row,
        )


@kernel
def own_layer(job: Job, thread: Integer) -> Layer:
    """A thread's own record of the first layer."""
    return as_layer(job.split.own_records + thread * (LAYER_SIZE + JOB_SIZE))


@kernel
def own_job(job: Job, thread: Integer) -> Job:
    """A thread's own record of the job."""
    return as_job(job.split.own_records + thread * (LAYER_SIZE + JOB_SIZE) + LAYER_SIZE)


@kernel(apart=True)
def copy_columns(layers: Layers, job: Job, thread: Integer, back: Integer) -> None:
    """A thread's units of the first layer, weights and slots, to its own memory or back."""
    layer = layer_at(layers, 0)
    first = first_column_of(layer, job, thread)
    vectors = (first_column_of(layer, job, thread + 1) - first) // LANES
    place = layer.weights + first
    stride = layer.stride
    layer = own_layer(job, thread)
    own = own_job(job, thread).network.parameters
    for part in range(1 + job.network.slot_count):
        whole = job.network.parameters + place * SIZE
        if part > 0:
            whole = job.network.slots + ((part - 1) * job.network.parameter_count + place) * SIZE
        for _ in range(layer.height):
            if back:
                copy_vectors(vectors, own, whole)
            else:
                copy_vectors(vectors, whole, own)
            own += layer.stride * SIZE
            whole += stride * SIZE


@kernel(apart=True)
def update_columns(
    layer: Layer,
    job: Job,
    thread: Integer,
    position: Integer,
    batch_rows: Integer,
    row_weight: Double,
    scratch: Address,
) -> None:
    """This thread's units of the first layer: their gradient, panel by panel, and the new weights."""
    first = first_column_of(layer, job, thread)
    end = first_column_of(layer, job, thread + 1)
    width = panel_vectors(layer) * LANES
    height = panel_rows(layer, layer.height, batch_rows)
    gradient = scratch + PANEL
    unit = 0
    while unit < layer.height:
        units = layer.height - unit
        if units > height:
            units = height
        column = first
        while column < end:
            columns = end - column
            if columns > width:
                columns = width
            vectors = columns // LANES
            first_layer_gradient(
                layer, job, position, batch_rows, unit, units, column, vectors, 1, scratch, gradient, columns
            )
            if layer.penalized:
                add_penalty(layer, job, row_weight, unit, units, column, vectors, gradient, columns)
            if job.optimizer.clip == CLIPVALUE:
                clip_panel(layer, job, unit, units, column, vectors, 1.0, 1.0, gradient, columns)
            update_panel(layer, job, scratch, unit, units, column, vectors, gradient, columns)
            column += columns
        unit += units


@kernel
def begin_step(
    layers: Layers,
    job: Job,
    thread: Integer,
    first_row: Integer,
    rows: Integer,
    batch_rows: Integer,
    epoch: Integer,
    position: Integer,
    scratch: Address,
) -> Integer:
    """The first layer straight from the data: this thread's units of it for all of the batch, or its rows.

    1 if the run was aborted.
    """
    base = job.memory.workspace
    layer = layer_at(layers, 0)
    if job.split.by_columns:
        start = first_column_of(layer, job, thread)
        end = first_column_of(layer, job, thread + 1)
        own = own_job(job, thread)
        layer = own_layer(job, thread)
        first_layer(layer, own, base, 0, batch_rows, first_row, rows, start, end, epoch, position, scratch)
    else:
        end = layer.outputs
        first_layer(layer, job, base, first_row, rows, first_row, rows, 0, end, epoch, position, scratch)
    last = layer_at(layers, job.network.layer_count - 1)
    gather_targets(job.data.y_kind, last.outputs, job, rows, targets_of(job, base, first_row))
    if job.split.by_columns:
        return barrier(job)
    return 0
