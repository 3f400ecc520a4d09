"""Dense layers: their products, and the gradient by their weights."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, PACK, PACK_INPUTS, SIZE
from ..records import DENSE, Job, Layer
from ..tuning import NEAR_INPUTS, PACK_DEPTH, PACK_ROWS, PACK_STRIDE, PACKED_INPUTS, STREAMED_BYTES, SWEPT_BYTES
from ..values import Left, Panel, Prefetch, Right, Rows
from ..vocabulary import broadcast, fma, lanes_below, load, splat, store, sum_lanes, where
from .normalization import normalization_gradient
from .prefetching import prefetch_write_panel, prefetch_write_transposed
from .product import deep_rows, pack_panel, product, tile_width
from .squares import dot_square
from .vectors import add_vectors, clear_behind, vectors_for


@kernel
def layer_product(
    layer: Layer,
    job: Job,
    rows: Integer,
    columns: Integer,
    depth: Integer,
    source: Rows,
    weights: Address,
    pack: Address,
    target: Address,
) -> None:
    """Some rows of a layer's input times some columns of its weights, into rows of its output.

    With few rows what counts is how fast the weights are read, and memory is fastest where it is read on and on, from
    as many places as a core keeps in view: so one row takes a large matrix eight rows at a time, and a few rows one of
    a network that no cache holds.
    """
    steps = depth
    first = 0
    if rows == 1 and depth * layer.stride * SIZE > SWEPT_BYTES:
        vectors = vectors_for(columns)
        for at in range(0, vectors * LANES, LANES):
            store(target, at, splat(0.0))
        while first + 8 <= depth:
            eight = Rows(weights + first * layer.stride * SIZE, layer.stride)
            sweep_row(vectors, source.address + first * SIZE, eight, target)
            first += 8
    elif rows < PACK_ROWS and job.network.parameter_count * SIZE > STREAMED_BYTES:
        steps = 8
    while first < depth:
        if steps > depth - first:
            steps = depth - first
        left = Left(source.address + first * SIZE, source.stride, 1, 16 * source.stride)
        right = Right(weights + first * layer.stride * SIZE, layer.stride, 0)
        product(rows, columns, steps, left, right, first > 0, pack, Rows(target, layer.output_stride))
        first += steps


@kernel(apart=True)
def sweep_row(vectors: Integer, a: Address, b: Rows, c: Address) -> None:
    """Add eight values of a row times as many rows of b to a row of c, in the order of a product."""
    x0 = broadcast(a, 0)
    x1 = broadcast(a, 1)
    x2 = broadcast(a, 2)
    x3 = broadcast(a, 3)
    x4 = broadcast(a, 4)
    x5 = broadcast(a, 5)
    x6 = broadcast(a, 6)
    x7 = broadcast(a, 7)
    for at in range(0, vectors * LANES, LANES):
        total = fma(x0, load(b.address, at), load(c, at))
        total = fma(x1, load(b.address, b.stride + at), total)
        total = fma(x2, load(b.address, 2 * b.stride + at), total)
        total = fma(x3, load(b.address, 3 * b.stride + at), total)
        total = fma(x4, load(b.address, 4 * b.stride + at), total)
        total = fma(x5, load(b.address, 5 * b.stride + at), total)
        total = fma(x6, load(b.address, 6 * b.stride + at), total)
        total = fma(x7, load(b.address, 7 * b.stride + at), total)
        store(c, at, total)


@kernel(apart=True)
def add_bias(layer: Layer, rows: Integer, columns: Integer, weights: Address, target: Address) -> None:
    """Add the bias, the last row of some columns of a matrix, to each row of a product with the others."""
    for row in range(rows):
        add_vectors(columns, weights + layer.bias * layer.stride * SIZE, target + row * layer.output_stride * SIZE)


@kernel
def dot_rows(layer: Layer, rows: Integer, source: Rows, weights: Address, scratch: Address, target: Rows) -> None:
    """The product with a matrix that is stored transposed: each row of the source with each unit's weights.

    Each product is summed over the lanes.  As many rows as there are lanes are summed together, in the order in which
    each would be by itself.
    """
    vectors = vectors_for(layer.rows)
    first_row = 0
    while first_row + LANES <= rows and layer.outputs <= LANES:
        some = Rows(source.address + first_row * source.stride * SIZE, source.stride)
        for unit in range(layer.outputs):
            dot_square(vectors, some, weights + unit * layer.stride * SIZE, scratch + unit * LANES * SIZE)
        for row in range(LANES):
            units = broadcast(scratch, row)
            for unit in range(1, layer.outputs):
                units = where(lanes_below(unit), units, broadcast(scratch, unit * LANES + row))
            units = where(lanes_below(layer.outputs), units, splat(0.0))
            store(target.address, (first_row + row) * target.stride, units)
        first_row += LANES
    for row in range(first_row, rows):
        h = source.address + row * source.stride * SIZE
        for at in range(0, layer.outputs, LANES):
            units = splat(0.0)
            last = layer.outputs
            if last > at + LANES:
                last = at + LANES
            for unit in range(at, last):
                w = weights + unit * layer.stride * SIZE
                total = load(h, 0) * load(w, 0)
                for vector in range(1, vectors):
                    total = fma(load(h, vector * LANES), load(w, vector * LANES), total)
                units = where(lanes_below(unit - at), units, sum_lanes(total))
            units = where(lanes_below(layer.outputs - at), units, splat(0.0))
            store(target.address, row * target.stride + at, units)


@kernel(inline=True)
def weight_gradient(
    layer: Layer,
    job: Job,
    base: Address,
    batch_rows: Integer,
    panel: Panel,
    packed: Integer,
    update_follows: Integer,
    scratch: Address,
    gradient: Rows,
) -> None:
    """The gradient by a panel of a layer's matrix as it is stored, of at most PACKED_INPUTS / PACK_DEPTH rows.

    That is the layer's input, transposed, times its delta; of a matrix that is stored transposed, the delta,
    transposed, times the input.  The input's columns are brought together first, 16 side by side, for each is a page
    away from the next, unless all inputs are near; ``packed`` if the last call has left the same ones so.
    ``update_follows``: 1 if these weights are updated next, 2 if other cores have read them.
    """
    source = base + layer.input * job.memory.capacity * SIZE
    if layer.kind != DENSE:
        normalization_gradient(layer, job, base, batch_rows, panel, scratch, gradient)
        return
    if layer.stored_transposed:
        deltas = base + (layer.delta * job.memory.capacity + panel.row) * SIZE
        product(
            panel.rows,
            columns_of_panel(layer, panel),
            batch_rows,
            Left(deltas, 1, layer.output_stride, 16),
            Right(source + panel.column * SIZE, layer.input_stride, 0),
            0,
            scratch + PACK,
            gradient,
        )
        if panel.column + panel.vectors * LANES > layer.rows:
            clear_behind(panel.rows, layer.rows - panel.column, gradient)
        return
    flat = is_flat(layer, panel.rows)
    if flat and batch_rows * layer.input_stride * SIZE <= NEAR_INPUTS:
        if update_follows == 2:
            prefetch_write_panel(layer, job, panel)
        deltas = base + (layer.delta * job.memory.capacity + panel.column) * SIZE
        product(
            panel.rows,
            columns_of_panel(layer, panel),
            batch_rows,
            Left(source + panel.row * SIZE, 1, layer.input_stride, 16),
            Right(deltas, layer.output_stride, 0),
            0,
            scratch + PACK,
            gradient,
        )
        return
    blocks = (panel.rows + 15) // 16
    kept = blocks * 16 * batch_rows <= PACKED_INPUTS
    first = 0
    while first < batch_rows:
        rows = batch_rows - first
        if rows > PACK_DEPTH:
            rows = PACK_DEPTH
        pack = scratch + PACK_INPUTS
        if kept:
            pack += first * blocks * 16 * SIZE
        if not (packed and kept):
            inputs = source + (first * layer.input_stride + panel.row) * SIZE
            pack_inputs(blocks, rows, Rows(inputs, layer.input_stride), pack)
        deltas = base + (layer.delta * job.memory.capacity + first * layer.output_stride + panel.column) * SIZE
        inputs_of_rows = Left(pack, 1, 16, 16 * rows)
        if not flat:
            packed_gradient(
                layer, job, panel, rows, deltas, inputs_of_rows, first > 0, update_follows, scratch + PACK, gradient
            )
        else:
            if update_follows == 2 and first == 0:
                prefetch_write_panel(layer, job, panel)
            right = Right(deltas, layer.output_stride, 0)
            product(panel.rows, columns_of_panel(layer, panel), rows, inputs_of_rows, right, first > 0, 0, gradient)
        first += rows


@kernel(inline=True)
def pack_inputs(blocks: Integer, rows: Integer, source: Rows, pack: Address) -> None:
    """Bring columns of some rows together, 16 side by side: blocks of 16, each of all rows."""
    for block in range(blocks):
        inputs = source.address + block * 16 * SIZE
        for row in range(rows):
            for lane in range(0, 16, LANES):
                store(pack, (block * rows + row) * 16 + lane, load(inputs, row * source.stride + lane))


@kernel
def columns_of_panel(layer: Layer, panel: Panel) -> Integer:
    """How many of a matrix's columns a panel has: its last vector may reach behind them."""
    if panel.column + panel.vectors * LANES > layer.width:
        return layer.width - panel.column
    return panel.vectors * LANES


@kernel
def is_flat(layer: Layer, rows: Integer) -> Integer:
    """Whether, for a panel of so many rows, deltas are as well read as they lie."""
    return rows < PACK_ROWS or layer.output_stride * SIZE <= PACK_STRIDE


@kernel
def packed_gradient(
    layer: Layer,
    job: Job,
    panel: Panel,
    rows: Integer,
    deltas: Address,
    inputs: Left,
    accumulate: Integer,
    update_follows: Integer,
    pack: Address,
    gradient: Rows,
) -> None:
    """The gradient by a panel where rows of deltas lie far apart.

    They are packed a tile's width at a time, for all rows of the panel; ``rows`` are those of the batch.
    """
    place = layer.weights + panel.row * layer.stride + panel.column
    matrices = 0
    if update_follows:  # the weights, and what of the slots goes with them
        matrices = 1
        if job.network.slot_count:
            matrices = 2
    strip = 0
    while strip < panel.vectors:
        wide = tile_width(panel.rows, panel.vectors - strip)
        pack_panel(rows, wide, Rows(deltas + strip * LANES * SIZE, layer.output_stride), pack)
        next_panel = 0
        if strip + wide < panel.vectors:
            next_panel = deltas + (strip + wide) * LANES * SIZE
        if update_follows == 2:
            prefetch_write_transposed(layer, job, Panel(panel.row, panel.rows, panel.column + strip * LANES, wide))
        prefetch = Prefetch(
            next_panel,
            layer.output_stride,
            matrices,
            job.network.parameters + (place + strip * LANES) * SIZE,
            job.network.slots - job.network.parameters,
            panel.rows,
            layer.stride,
        )
        target = Rows(gradient.address + strip * LANES * SIZE, gradient.stride)
        deep_rows(panel.rows, wide, rows, inputs, Right(pack, wide * LANES, 0), prefetch, accumulate, target)
        strip += wide
