"""Dense layers: their products, and the gradient by their weights."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, PACK, PACK_INPUTS, SIZE
from ..records import DENSE, Job, Layer
from ..tuning import NEAR_INPUTS, PACK_DEPTH, PACK_ROWS, PACK_STRIDE, PACKED_INPUTS, STREAMED_BYTES, SWEPT_BYTES
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
    source: Address,
    source_row: Integer,
    weights: Address,
    pack: Address,
    target: Address,
) -> None:
    """Some rows of a layer's input times some columns of its weights.

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
            sweep_row(vectors, source + first * SIZE, weights + first * layer.stride * SIZE, layer.stride, target)
            first += 8
    elif rows < PACK_ROWS and job.network.parameter_count * SIZE > STREAMED_BYTES:
        steps = 8
    while first < depth:
        if steps > depth - first:
            steps = depth - first
        product(
            rows,
            columns,
            steps,
            source + first * SIZE,
            source_row,
            1,
            16 * source_row,
            weights + first * layer.stride * SIZE,
            layer.stride,
            0,
            first > 0,
            pack,
            target,
            layer.output_stride,
        )
        first += steps


@kernel(apart=True)
def sweep_row(vectors: Integer, a: Address, b: Address, b_step: Integer, c: Address) -> None:
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
        total = fma(x0, load(b, at), load(c, at))
        total = fma(x1, load(b, b_step + at), total)
        total = fma(x2, load(b, 2 * b_step + at), total)
        total = fma(x3, load(b, 3 * b_step + at), total)
        total = fma(x4, load(b, 4 * b_step + at), total)
        total = fma(x5, load(b, 5 * b_step + at), total)
        total = fma(x6, load(b, 6 * b_step + at), total)
        total = fma(x7, load(b, 7 * b_step + at), total)
        store(c, at, total)


@kernel(apart=True)
def add_bias(layer: Layer, rows: Integer, columns: Integer, weights: Address, target: Address) -> None:
    """Add the last row of some columns of a matrix to each row of a product with the others."""
    for row in range(rows):
        add_vectors(columns, weights + layer.bias * layer.stride * SIZE, target + row * layer.output_stride * SIZE)


@kernel
def dot_rows(
    layer: Layer,
    rows: Integer,
    source: Address,
    source_row: Integer,
    weights: Address,
    scratch: Address,
    target: Address,
    target_row: Integer,
) -> None:
    """The product with a turned matrix: each row of the source with each unit's weights, summed over the lanes.

    As many rows as there are lanes are summed together, in the order in which each would be by itself.
    """
    vectors = vectors_for(layer.rows)
    first_row = 0
    while first_row + LANES <= rows and layer.outputs <= LANES:
        h = source + first_row * source_row * SIZE
        for unit in range(layer.outputs):
            dot_square(vectors, h, source_row, weights + unit * layer.stride * SIZE, scratch + unit * LANES * SIZE)
        for row in range(LANES):
            units = broadcast(scratch, row)
            for unit in range(1, layer.outputs):
                units = where(lanes_below(unit), units, broadcast(scratch, unit * LANES + row))
            store(target, (first_row + row) * target_row, where(lanes_below(layer.outputs), units, splat(0.0)))
        first_row += LANES
    for row in range(first_row, rows):
        h = source + row * source_row * SIZE
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
            store(target, row * target_row + at, where(lanes_below(layer.outputs - at), units, splat(0.0)))


@kernel(inline=True)
def weight_gradient(
    layer: Layer,
    job: Job,
    base: Address,
    batch_rows: Integer,
    unit: Integer,
    units: Integer,
    column: Integer,
    vectors: Integer,
    packed: Integer,
    update_follows: Integer,
    scratch: Address,
    gradient: Address,
    gradient_row: Integer,
) -> None:
    """Some rows (as many as fit PACKED_INPUTS, PACK_DEPTH deep) and columns of a gradient by a matrix as it is stored.

    That is the layer's input, transposed, times its delta; turned, the delta, transposed, times the input.  The
    input's columns are brought together first, 16 side by side, for each is a page away from the next, unless all
    inputs are near; ``packed`` if the last call has left the same ones so.  ``claims``: 1 if these weights are updated
    next, 2 if other cores have read them.
    """
    source = base + layer.input * job.memory.capacity * SIZE
    source_stride = layer.input_stride
    if layer.kind != DENSE:
        normalization_gradient(
            layer, job, base, batch_rows, unit, units, column, vectors, scratch, gradient, gradient_row
        )
        return
    if layer.stored_transposed:
        product(
            units,
            columns_of_panel(layer, column, vectors),
            batch_rows,
            base + (layer.delta * job.memory.capacity + unit) * SIZE,
            1,
            layer.output_stride,
            16,
            source + column * SIZE,
            source_stride,
            0,
            0,
            scratch + PACK,
            gradient,
            gradient_row,
        )
        if column + vectors * LANES > layer.rows:
            clear_behind(units, layer.rows - column, gradient_row, gradient)
        return
    flat = is_flat(layer, units)
    if flat and batch_rows * source_stride * SIZE <= NEAR_INPUTS:
        if update_follows == 2:
            prefetch_write_panel(layer, job, unit, units, column, vectors * LANES)
        product(
            units,
            columns_of_panel(layer, column, vectors),
            batch_rows,
            source + unit * SIZE,
            1,
            source_stride,
            16,
            base + (layer.delta * job.memory.capacity + column) * SIZE,
            layer.output_stride,
            0,
            0,
            scratch + PACK,
            gradient,
            gradient_row,
        )
        return
    blocks = (units + 15) // 16
    kept = blocks * 16 * batch_rows <= PACKED_INPUTS
    first_row = 0
    while first_row < batch_rows:
        rows = batch_rows - first_row
        if rows > PACK_DEPTH:
            rows = PACK_DEPTH
        pack = scratch + PACK_INPUTS
        if kept:
            pack += first_row * blocks * 16 * SIZE
        if not (packed and kept):
            for block in range(blocks):
                inputs = source + (first_row * source_stride + unit + block * 16) * SIZE
                for row in range(rows):
                    for lane in range(0, 16, LANES):
                        store(pack, (block * rows + row) * 16 + lane, load(inputs, row * source_stride + lane))
        deltas = base + (layer.delta * job.memory.capacity + first_row * layer.output_stride + column) * SIZE
        if not flat:
            packed_gradient(
                layer,
                job,
                unit,
                units,
                column,
                vectors,
                rows,
                deltas,
                pack,
                16,
                16 * rows,
                first_row > 0,
                update_follows,
                scratch + PACK,
                gradient,
                gradient_row,
            )
        else:
            if update_follows == 2 and first_row == 0:
                prefetch_write_panel(layer, job, unit, units, column, vectors * LANES)
            product(
                units,
                columns_of_panel(layer, column, vectors),
                rows,
                pack,
                1,
                16,
                16 * rows,
                deltas,
                layer.output_stride,
                0,
                first_row > 0,
                0,
                gradient,
                gradient_row,
            )
        first_row += rows


@kernel
def columns_of_panel(layer: Layer, column: Integer, vectors: Integer) -> Integer:
    """How many of a matrix's columns so many vectors hold, from a column on."""
    if column + vectors * LANES > layer.width:
        return layer.width - column
    return vectors * LANES


@kernel
def is_flat(layer: Layer, units: Integer) -> Integer:
    """Whether deltas for so many units of the layer before are as well read as they lie."""
    return units < PACK_ROWS or layer.output_stride * SIZE <= PACK_STRIDE


@kernel
def packed_gradient(
    layer: Layer,
    job: Job,
    first_unit: Integer,
    units: Integer,
    column: Integer,
    vectors: Integer,
    rows: Integer,
    deltas: Address,
    inputs: Address,
    inputs_row: Integer,
    inputs_block: Integer,
    accumulate: Integer,
    update_follows: Integer,
    pack: Address,
    gradient: Address,
    gradient_row: Integer,
) -> None:
    """The same where rows of deltas lie far apart: they are packed a tile's width at a time, for all units.

    A row's inputs are inputs_row apart from the next one's, and 16 of them inputs_block from the next 16.
    """
    place = layer.weights + first_unit * layer.stride + column
    written = 0
    if update_follows:  # the weights, and what of the slots goes with them
        written = 1
        if job.network.slot_count:
            written = 2
    strip = 0
    while strip < vectors:
        wide = tile_width(units, vectors - strip)
        pack_panel(rows, wide, deltas + strip * LANES * SIZE, layer.output_stride, pack)
        ahead = 0
        if strip + wide < vectors:
            ahead = deltas + (strip + wide) * LANES * SIZE
        if update_follows == 2:
            prefetch_write_transposed(layer, job, first_unit, units, column + strip * LANES, wide * LANES)
        deep_rows(
            units,
            wide,
            rows,
            inputs,
            1,
            inputs_row,
            inputs_block,
            pack,
            wide * LANES,
            ahead,
            layer.output_stride,
            written,
            job.network.parameters + (place + strip * LANES) * SIZE,
            job.network.slots - job.network.parameters,
            units,
            layer.stride,
            accumulate,
            gradient + strip * LANES * SIZE,
            gradient_row,
        )
        strip += wide
