"""Sparse inputs: the first layer's product and its gradient from the entries of rows, which are never made dense.

The entries of row r of the data are those from row_starts[r] up to row_starts[r + 1]: their values and, ascending,
their columns.  Where each row of a batch stands in the data is kept in the workspace.  Sums are in the order of the
columns forward, in that of the rows for the gradient: the order that they have where the same inputs are dense.
"""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, SIZE
from ..records import DENSE, Job, Layer
from ..values import Block, Panel, Rows, Span
from ..vocabulary import broadcast, fma, get, get_index, get_integer, load, put, put_integer, splat, store
from .shuffle import order_key, place_of_row
from .vectors import add_vectors, vectors_for


@kernel
def is_sparse(layer: Layer, job: Job) -> Integer:
    """Whether a layer's inputs are the sparse rows of the data."""
    return job.data.row_starts != 0 and layer.input == 0 and layer.kind == DENSE


@kernel
def places_in(job: Job, base: Address, row: Integer) -> Address:
    """Where a workspace keeps the places in the data of its rows, from a row on."""
    return base + job.memory.places * job.memory.capacity * SIZE + row * 8


@kernel
def gather_places(job: Job, base: Address, rows: Span, epoch: Integer, position: Integer, targets: Address) -> None:
    """Note where rows of the batch stand in the data: in the workspace and, unless it is 0, in each row of targets."""
    key = order_key(job, epoch)
    scattered = job.order.rows != 0 or job.order.shuffle
    kept = places_in(job, base, 0)
    for row in range(rows.first, rows.end):
        place = position - job.data.origin + row
        if scattered:
            place = place_of_row(job, position + row, key)
        put_integer(kept, row, place)
        if targets:
            put_integer(targets, 0, place)
            targets += job.memory.target_stride * SIZE


@kernel
def sparse_product(layer: Layer, job: Job, block: Block, target: Address) -> None:
    """The first layer's product, with its bias, of a block of sparse rows."""
    weights = job.network.parameters + layer.weights * SIZE
    places = places_in(job, block.base, block.first)
    columns = vectors_for(layer.outputs) * LANES
    output = target
    for row in range(block.rows):
        place = get_integer(places, row)
        first = get_integer(job.data.row_starts, place)
        end = get_integer(job.data.row_starts, place + 1)
        for at in range(0, columns, LANES):
            store(output, at, splat(0.0))
        if layer.stored_transposed:
            for unit in range(layer.outputs):
                dot_entries(layer, job, first, end, weights + unit * layer.stride * SIZE, output, unit)
        else:
            for entry in range(first, end):
                value = broadcast(job.data.x, entry)
                w = weights + get_index(job.data.columns, entry) * layer.stride * SIZE
                for at in range(0, columns, LANES):
                    store(output, at, fma(value, load(w, at), load(output, at)))
            if layer.rows > layer.inputs:
                add_vectors(columns, weights + layer.bias * layer.stride * SIZE, output)
        output += layer.output_stride * SIZE


@kernel(inline=True)
def dot_entries(
    layer: Layer, job: Job, first: Integer, end: Integer, w: Address, output: Address, unit: Integer
) -> None:
    """One unit's product of a row: every other entry in a sum of its own, for one alone would wait for itself."""
    even = 0.0
    odd = 0.0
    entry = first
    while entry + 1 < end:
        even = even + get(job.data.x, entry) * get(w, get_index(job.data.columns, entry))
        odd = odd + get(job.data.x, entry + 1) * get(w, get_index(job.data.columns, entry + 1))
        entry += 2
    if entry < end:
        even = even + get(job.data.x, entry) * get(w, get_index(job.data.columns, entry))
    even = even + odd
    if layer.rows > layer.inputs:
        even = even + get(w, layer.bias)
    put(output, unit, even)


@kernel
def first_entry(job: Job, first: Integer, end: Integer, column: Integer) -> Integer:
    """The first of some entries whose column is not below one; ``end`` if there is none."""
    if column == 0:
        return first
    while first < end:
        middle = (first + end) // 2
        if get_index(job.data.columns, middle) < column:
            first = middle + 1
        else:
            end = middle
    return first


@kernel
def sparse_gradient(layer: Layer, job: Job, base: Address, batch_rows: Integer, panel: Panel, gradient: Rows) -> None:
    """The gradient by a panel of the first layer's matrix as it is stored, of a batch of sparse rows."""
    for row in range(panel.rows):
        for at in range(0, panel.vectors * LANES, LANES):
            store(gradient.address, row * gradient.stride + at, splat(0.0))
    lowest = panel.row
    behind = panel.row + panel.rows
    column = panel.column
    if layer.stored_transposed:
        lowest = panel.column
        behind = panel.column + panel.vectors * LANES
        column = panel.row
    delta = base + (layer.delta * job.memory.capacity + column) * SIZE
    places = places_in(job, base, 0)
    has_bias = layer.rows > layer.inputs and lowest <= layer.bias and layer.bias < behind
    for row in range(batch_rows):
        place = get_integer(places, row)
        end = get_integer(job.data.row_starts, place + 1)
        entry = first_entry(job, get_integer(job.data.row_starts, place), end, lowest)
        if layer.stored_transposed:
            add_entries_transposed(job, panel, entry, end, behind, delta, gradient)
            if has_bias:
                for unit in range(panel.rows):
                    at = unit * gradient.stride + layer.bias - lowest
                    put(gradient.address, at, get(gradient.address, at) + get(delta, unit))
        else:
            add_entries(job, panel, entry, end, behind, delta, gradient)
            if has_bias:
                add_vectors(
                    panel.vectors * LANES, delta, gradient.address + (layer.bias - lowest) * gradient.stride * SIZE
                )
        delta += layer.output_stride * SIZE


@kernel(inline=True)
def add_entries(
    job: Job, panel: Panel, entry: Integer, end: Integer, behind: Integer, delta: Address, gradient: Rows
) -> None:
    """Add a row's delta times each of its entries to the gradient by that entry's weights."""
    while entry < end:
        column = get_index(job.data.columns, entry)
        if column >= behind:
            return
        value = broadcast(job.data.x, entry)
        target = gradient.address + (column - panel.row) * gradient.stride * SIZE
        for at in range(0, panel.vectors * LANES, LANES):
            store(target, at, fma(value, load(delta, at), load(target, at)))
        entry += 1


@kernel(inline=True)
def add_entries_transposed(
    job: Job, panel: Panel, entry: Integer, end: Integer, behind: Integer, delta: Address, gradient: Rows
) -> None:
    """The same where the weights of each unit lie one behind the other."""
    while entry < end:
        column = get_index(job.data.columns, entry)
        if column >= behind:
            return
        value = get(job.data.x, entry)
        for unit in range(panel.rows):
            at = unit * gradient.stride + column - panel.column
            put(gradient.address, at, get(gradient.address, at) + value * get(delta, unit))
        entry += 1
