"""Predictions by narrow networks, turned: a vector holds one unit of as many rows as it has lanes.

Side by side, the few units of a row would leave most lanes idle, and what is done once a row would cost more than the
arithmetic.  A thread takes some rows at a time through all layers, so that they stay in the nearest cache.  Its
workspace is laid out as for so many rows, but with all rows of one unit behind those of the unit before.

Each number is computed in the order in which forward does it, and so is the same to the bit.
"""

from __future__ import annotations

from ..formulas.activations import LINEAR, SOFTMAX
from ..language import Address, Code, Integer, Vector, kernel
from ..program import LANES, PACK, SIZE
from ..records import KINDS, Job, Layer, Layers, layer_at
from ..tuning import TURNED_ROWS
from ..values import Left, Right, Rows, Span
from ..vocabulary import broadcast, copy, fma, load, put, reciprocal, splat, store, write
from .activation import activate
from .product import product
from .softmax import exponentials_of_columns, largest_of_columns
from .vectors import vectors_for


@kernel(apart=True)
def predict_turned(layers: Layers, job: Job, base: Address, rows: Span, scratch: Address) -> None:
    """Predict some rows, up to the last one that there is, in a workspace that holds whole vectors of them."""
    width = TURNED_ROWS  # values from one unit to the next
    if width > job.memory.capacity:
        width = job.memory.capacity
    end = rows.end
    if end > job.data.rows:
        end = job.data.rows
    inputs = layer_at(layers, 0).inputs
    last = layer_at(layers, job.network.layer_count - 1)
    outputs = Rows(base + last.output * width * SIZE, width)
    first = rows.first
    while first < end:
        count = end - first
        if count > width:
            count = width
        gather_turned(job.data.x_kind, inputs, job, count, first, Rows(base, width))
        for number in range(job.network.layer_count):
            turned_layer(layer_at(layers, number), job, vectors_for(count), base, width, scratch + PACK)
        put_turned(last.outputs, job, count, outputs, first)
        first += count


@kernel(each=KINDS)
def gather_turned(kind: Code, columns: Integer, job: Job, rows: Integer, position: Integer, target: Rows) -> None:
    """Read rows of x in order, a column behind the other, and a column of ones; 0 behind the rows, in whole vectors."""
    x = job.data.x + (position - job.data.origin) * job.data.x_row
    x_row = job.data.x_row
    place = target.address
    for _ in range(columns):
        source = x
        for row in range(rows):
            write(place, row, kind.read(source))
            source += x_row
        for row in range(rows, vectors_for(rows) * LANES):
            put(place, row, 0.0)
        place += target.stride * SIZE
        x += job.data.x_column
    for at in range(0, rows, LANES):
        store(place, at, splat(1.0))


@kernel
def turned_layer(layer: Layer, job: Job, vectors: Integer, base: Address, width: Integer, scratch: Address) -> None:
    """A dense layer's outputs for some vectors of rows, and a column of ones behind them."""
    source = Rows(base + layer.input * width * SIZE, width)
    target = Rows(base + layer.output * width * SIZE, width)
    weights = job.network.parameters + layer.weights * SIZE
    if layer.stored_transposed:
        for unit in range(layer.outputs):
            unit_weights = weights + unit * layer.stride * SIZE
            dot_turned(layer.rows, vectors, unit_weights, source, scratch, target.address + unit * width * SIZE)
    else:
        left = Left(weights, 1, layer.stride, 16)
        right = Right(source.address, width, 0)
        product(layer.outputs, vectors * LANES, layer.rows, left, right, 0, scratch, target)
    if layer.activation == SOFTMAX:
        softmax_turned(layer.outputs, vectors, scratch, target)
    elif layer.activation != LINEAR:
        activate(
            layer.activation, layer.outputs, vectors * LANES, width, layer.parameter, target.address, target.address
        )
    for at in range(vectors):
        store(target.address, layer.outputs * width + at * LANES, splat(1.0))


@kernel
def dot_turned(
    depth: Integer, vectors: Integer, weights: Address, source: Rows, scratch: Address, target: Address
) -> None:
    """One unit of a layer that is stored transposed: what would be the sum over lanes, its halves, its quarters ..."""
    half = LANES // 2
    lanes = half  # of those that are added to the ones behind them, in a first turn; behind the depth there is nothing
    if lanes > depth:
        lanes = depth
    for vector in range(vectors):
        h = source.address + vector * LANES * SIZE
        for lane in range(lanes):
            first = terms_of_lane(lane, depth, weights, Rows(h, source.stride))
            second = splat(0.0)
            if lane + half < depth:
                second = terms_of_lane(lane + half, depth, weights, Rows(h, source.stride))
            store(scratch, lane * LANES, first + second)
        for lane in range(lanes, half):
            store(scratch, lane * LANES, splat(0.0))
        distance = half // 2
        while distance > 0:
            for lane in range(distance):
                store(scratch, lane * LANES, load(scratch, lane * LANES) + load(scratch, (lane + distance) * LANES))
            distance = distance // 2
        store(target, vector * LANES, load(scratch, 0))


@kernel(inline=True)
def terms_of_lane(lane: Integer, depth: Integer, weights: Address, source: Rows) -> Vector:
    """What a lane sums up of one row: each as many values behind the other as a vector has lanes."""
    total = load(source.address, lane * source.stride) * broadcast(weights, lane)
    for at in range(lane + LANES, depth, LANES):
        total = fma(load(source.address, at * source.stride), broadcast(weights, at), total)
    return total


@kernel(apart=True)
def softmax_turned(columns: Integer, vectors: Integer, scratch: Address, target: Rows) -> None:
    """The softmax, in place, of fewer than FEW_VALUES columns."""
    for vector in range(vectors):
        place = target.address + vector * LANES * SIZE
        for column in range(columns):
            store(scratch, column * LANES, load(place, column * target.stride))
        scale = reciprocal(exponentials_of_columns(columns, largest_of_columns(columns, scratch), scratch, scratch))
        for column in range(columns):
            store(place, column * target.stride, load(scratch, column * LANES) * scale)


@kernel
def put_turned(columns: Integer, job: Job, rows: Integer, source: Rows, position: Integer) -> None:
    """The outputs for some rows, the first of which is at a position, to where the caller wants them."""
    row_values = job.memory.output_row
    target = job.memory.output + position * row_values * SIZE
    row = 0
    if row_values == 1:
        while row + LANES <= rows:
            store(target, row, load(source.address, row))
            row += LANES
    while row < rows:
        for column in range(columns):
            copy(source.address, column * source.stride + row, target, row * row_values + column)
        row += 1
