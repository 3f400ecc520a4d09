"""Penalties on the weights, l1 and l2."""

from __future__ import annotations

from ..language import Double, Integer, kernel
from ..program import LANES, SIZE
from ..records import PENALTY, SUMS, Job, Layer
from ..tuning import SUM_COLUMNS
from ..values import Panel, Rows
from ..vocabulary import (
    absolute,
    copysign,
    first_lane,
    fma,
    get_double,
    lanes_below,
    load,
    put_double,
    splat,
    store,
    sum_lanes,
    where,
)


@kernel
def lanes_of_kernel(layer: Layer, row: Integer, column: Integer) -> Integer:
    """How many values of a stored row, from a column on, are not of the bias."""
    if layer.stored_transposed:
        return layer.bias - column
    if row < layer.bias:
        return layer.width - column
    return 0


@kernel
def sums_of_row(layer: Layer, job: Job, row: Integer, column: Integer) -> Integer:
    """Where the sums over some columns of a row stand: what is summed does not depend on how a matrix is split."""
    blocks = (layer.width + SUM_COLUMNS - 1) // SUM_COLUMNS
    return job.memory.sums + (layer.sums + row * blocks + column // SUM_COLUMNS) * SUMS * 8


@kernel(apart=True)
def add_penalty(layer: Layer, job: Job, row_weight: Double, panel: Panel, gradient: Rows) -> None:
    """Add the gradient of l1 |w| + l2 w^2 to a panel of the gradient, and keep the sum of these over each row."""
    zero = splat(0.0)
    strength = 1.0
    if job.network.penalty_by_row:
        strength = row_weight
    plain = layer.kernel_l1 == 0.0 and layer.bias_l1 == 0.0 and not layer.stored_transposed  # one l2 all along a row
    for row in range(panel.rows):
        place = layer.weights + (panel.row + row) * layer.stride + panel.column
        weights = job.network.parameters + place * SIZE
        target = gradient.address + row * gradient.stride * SIZE
        count = lanes_of_kernel(layer, panel.row + row, panel.column)
        row_l2 = splat(strength * layer.kernel_l2)
        if count == 0:
            row_l2 = splat(strength * layer.bias_l2)
        for block in range(0, panel.vectors * LANES, SUM_COLUMNS):
            total = zero
            if plain:
                for at in range(block, end_of_block(block, panel.vectors), LANES):
                    w = load(weights, at)
                    total = total + row_l2 * w * w
                    store(target, at, load(target, at) + (row_l2 + row_l2) * w)
            else:
                for at in range(block, end_of_block(block, panel.vectors), LANES):
                    inside = lanes_below(count - at)
                    l1 = where(inside, splat(strength * layer.kernel_l1), splat(strength * layer.bias_l1))
                    l2 = where(inside, splat(strength * layer.kernel_l2), splat(strength * layer.bias_l2))
                    w = load(weights, at)
                    total = total + fma(l1, absolute(w), l2 * w * w)
                    sign = where(splat(0.0) == w, zero, copysign(l1, w))
                    store(target, at, load(target, at) + fma(l2 + l2, w, sign))
            sums = sums_of_row(layer, job, panel.row + row, panel.column + block)
            put_double(sums, PENALTY, first_lane(sum_lanes(total)))


@kernel
def end_of_block(block: Integer, vectors: Integer) -> Integer:
    """Where the columns end that are summed together, of so many vectors of a panel."""
    if block + SUM_COLUMNS < vectors * LANES:
        return block + SUM_COLUMNS
    return vectors * LANES


@kernel(apart=True)
def sum_of_rows(layer: Layer, job: Job, number: Integer) -> Double:
    """One of the sums, over all rows of a layer's matrix."""
    blocks = (layer.width + SUM_COLUMNS - 1) // SUM_COLUMNS
    total = 0.0
    for row in range(layer.height * blocks):
        total = total + get_double(job.memory.sums, (layer.sums + row) * SUMS + number)
    return total
