"""The first layer straight from the data: its outputs, and its gradient, from the rows where they lie."""

from __future__ import annotations

from ..formulas.activations import LINEAR
from ..language import Address, Integer, kernel
from ..program import LANES, ONE, PACK, PACK_INPUTS, ROWS_AHEAD, SIZE, TILE_ROWS
from ..records import Job, Layer
from ..tuning import DEEP_PACK_DEPTH, FIRST_PACK_ROWS
from ..values import Ahead, Batch, Left, Panel, Prefetch, Right, Rows, Span
from ..vocabulary import put, put_integer
from .activation import activate, activate_keeping
from .dense import add_bias, columns_of_panel, is_flat, pack_inputs, packed_gradient
from .gather import check_finite, gather_inputs, put_next_rows, readable_in_order, targets_of
from .prefetching import prefetch_write_panel
from .product import deep_rows, pack_panel, product, tile_width
from .tile import deep_tile
from .vectors import vectors_for


@kernel(apart=True)
def first_layer(
    layer: Layer, job: Job, batch: Batch, rows: Span, targets: Span, columns: Span, scratch: Address
) -> None:
    """Some columns of the output for some rows of the batch; and where those rows stand whose targets are wanted."""
    base = job.memory.workspace
    stride = layer.output_stride
    vectors = vectors_for(columns.end - columns.first)
    most = TILE_ROWS
    if layer.rows <= DEEP_PACK_DEPTH and pays_to_pack(rows.end - rows.first):
        most = rows.end - rows.first
    row = rows.first
    while row < rows.end:
        count = rows.end - row
        if count > most:
            count = most
        multiply_block(layer, job, batch, Span(row, row + count), targets, columns, scratch)
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
def multiply_block(
    layer: Layer, job: Job, batch: Batch, rows: Span, targets: Span, columns: Span, scratch: Address
) -> None:
    """The product of some rows: as many as a tile has, or all, for which each panel of the weights is packed.

    They are multiplied with the first panel a tile's rows at a time, as they lie or as soon as they have been read;
    meanwhile the next ones are asked for.
    """
    stride = layer.output_stride
    vectors = vectors_for(columns.end - columns.first)
    weights = job.network.parameters + (layer.weights + columns.first) * SIZE
    output = job.memory.workspace + (layer.output * job.memory.capacity + rows.first * stride + columns.first) * SIZE
    in_order = readable_in_order(layer, job) > 0
    inputs = Rows(job.memory.inputs + rows.first * job.memory.input_stride * SIZE, job.memory.input_stride)
    depth = layer.rows
    if in_order:
        first_place = batch.position + rows.first - job.data.origin
        inputs = Rows(job.data.x + first_place * job.data.x_row, job.data.x_row // SIZE)
        depth = layer.inputs
    count = rows.end - rows.first
    vector = 0
    while vector < vectors:
        wide = tile_width(count, vectors - vector)
        panel = Right(weights + vector * LANES * SIZE, layer.stride, 0)
        next_panel = 0
        if count > TILE_ROWS:
            pack_panel(depth, wide, Rows(panel.address, panel.step), scratch + PACK)
            if vector + wide < vectors:
                next_panel = panel.address + wide * LANES * SIZE
            panel = Right(scratch + PACK, wide * LANES, 0)
        target = Rows(output + vector * LANES * SIZE, stride)
        if vector == 0 or count <= TILE_ROWS:
            for first in range(0, count, TILE_ROWS):
                some = Span(rows.first + first, rows.first + first + TILE_ROWS)
                if some.end > rows.end:
                    some = Span(some.first, rows.end)
                left = Left(inputs.address + first * inputs.stride * SIZE, inputs.stride, 1, 0)
                below = Rows(left.address, left.row)
                if vector == 0:
                    coming = read_tile(layer, job, batch, some, targets, in_order, below, scratch)
                    if coming:
                        below = Rows(coming, left.row * in_order)
                own = Rows(target.address + first * stride * SIZE, stride)
                if wide > 1 and some.end - some.first == TILE_ROWS:
                    ahead = Ahead(below.address, below.stride, panel.address, 0, own.address, 0)
                    deep_tile(wide, depth, left, panel, 0, own, ahead)
                else:
                    product(some.end - some.first, wide * LANES, depth, left, panel, 0, 0, own)
        else:
            left = Left(inputs.address, inputs.stride, 1, 16 * inputs.stride)
            deep_rows(count, wide, depth, left, panel, Prefetch(next_panel, layer.stride, 0, 0, 0, 0, 0), 0, target)
        vector += wide
    if depth < layer.rows:
        add_bias(layer, count, vectors * LANES, weights, output)


@kernel(inline=True)
def read_tile(
    layer: Layer, job: Job, batch: Batch, rows: Span, targets: Span, in_order: Integer, inputs: Rows, scratch: Address
) -> Address:
    """Read a tile's rows of inputs, unless they are taken as they lie.

    Returns where the next ones stand, or, unless they are taken as they lie, where their addresses do; 0: unknown.
    """
    count = rows.end - rows.first
    more = job.data.rows - (batch.position + rows.first) >= 2 * TILE_ROWS
    places = 0
    if rows.first >= targets.first and rows.first < targets.end:
        places = targets_of(job, job.memory.workspace, rows.first)
    coming = 0
    if in_order:
        if more:
            coming = inputs.address + TILE_ROWS * job.data.x_row
        if places:
            place = batch.position + rows.first - job.data.origin
            for number in range(count):
                put_integer(places + number * job.memory.target_stride * SIZE, 0, place + number)
    else:
        gather_inputs(job.data.x_kind, layer.inputs, job, job.memory.inputs, rows, batch.epoch, batch.position, places)
        if job.data.x_column <= 8 and more:
            coming = scratch + ROWS_AHEAD
            put_next_rows(job, batch.epoch, batch.position + rows.first + TILE_ROWS, scratch + ROWS_AHEAD)
    if places:
        check_finite(layer.inputs, job, count, inputs, batch.epoch, batch.position)
    return coming


@kernel(apart=True)
def first_layer_gradient(
    layer: Layer,
    job: Job,
    batch: Batch,
    panel: Panel,
    packed: Integer,
    update_follows: Integer,
    scratch: Address,
    gradient: Rows,
) -> None:
    """The first layer's gradient by a panel of its weights, from where first_layer has had the batch's inputs.

    ``packed``: the last call has had the same rows of the panel.
    """
    inputs = Rows(job.memory.inputs, job.memory.input_stride)
    own = panel  # less the bias, whose inputs, ones, are not among the data
    if readable_in_order(layer, job):
        inputs = Rows(job.data.x + (batch.position - job.data.origin) * job.data.x_row, job.data.x_row // SIZE)
        if panel.row + panel.rows > layer.inputs:
            own = Panel(panel.row, layer.inputs - panel.row, panel.column, panel.vectors)
    left = Left(inputs.address + panel.row * SIZE, 1, inputs.stride, 16)
    whole = 0
    if pays_to_pack(batch.rows):
        whole = own.rows // 16 * 16  # behind the last inputs of all there may be none of the program's memory
        if not packed:
            pack_inputs(whole // 16, batch.rows, Rows(left.address, inputs.stride), scratch + PACK_INPUTS)
        if whole:
            left_packed = Left(scratch + PACK_INPUTS, 1, 16, 16 * batch.rows)
            some = Panel(panel.row, whole, panel.column, panel.vectors)
            gradient_of_rows(layer, job, some, batch.rows, left_packed, update_follows, scratch + PACK, gradient)
    if whole < own.rows:
        left = Left(left.address + whole * SIZE, 1, inputs.stride, 16)
        rest = Panel(panel.row + whole, own.rows - whole, panel.column, panel.vectors)
        below = Rows(gradient.address + whole * gradient.stride * SIZE, gradient.stride)
        gradient_of_rows(layer, job, rest, batch.rows, left, update_follows, scratch + PACK, below)
    if own.rows < panel.rows:
        put(scratch + ONE, 0, 1.0)
        last = Rows(gradient.address + own.rows * gradient.stride * SIZE, gradient.stride)
        deltas = Right(delta_of_panel(layer, job, panel), layer.output_stride, 0)
        product(1, panel.vectors * LANES, batch.rows, Left(scratch + ONE, 0, 0, 0), deltas, 0, 0, last)


@kernel(inline=True)
def gradient_of_rows(
    layer: Layer,
    job: Job,
    panel: Panel,
    batch_rows: Integer,
    inputs: Left,
    update_follows: Integer,
    pack: Address,
    gradient: Rows,
) -> None:
    """The gradient by a panel all of whose rows have inputs."""
    deltas = delta_of_panel(layer, job, panel)
    if is_flat(layer, panel.rows):
        if update_follows == 2:
            prefetch_write_panel(layer, job, panel)
        right = Right(deltas, layer.output_stride, 0)
        product(panel.rows, columns_of_panel(layer, panel), batch_rows, inputs, right, 0, pack, gradient)
    else:
        packed_gradient(layer, job, panel, batch_rows, deltas, inputs, 0, update_follows, pack, gradient)


@kernel
def delta_of_panel(layer: Layer, job: Job, panel: Panel) -> Address:
    """Where the batch's first delta of a panel's columns stands."""
    return job.memory.workspace + (layer.delta * job.memory.capacity + panel.column) * SIZE


@kernel
def pays_to_pack(rows: Integer) -> Integer:
    """Whether so many rows pay for packing the weights they are multiplied with, and for packing them.

    Tall tiles use what they read often enough as it lies; low ones ask for all of it twice as often.
    """
    return TILE_ROWS < 8 and rows >= FIRST_PACK_ROWS
