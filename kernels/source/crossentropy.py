"""Softmax, crossentropy and its gradient by the logits, in one."""

from __future__ import annotations

from ..language import Address, Double, Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layer
from ..tuning import FEW_VALUES
from ..values import Rows
from ..vocabulary import (
    first_lane,
    fma,
    get,
    lanes_below,
    load,
    log,
    put_double,
    reciprocal,
    splat,
    store,
    sum_lanes,
    where,
)
from .softmax import exponentials_of_columns, largest_of_columns, softmax_row
from .transposing import transpose_back, transpose_rows


@kernel
def crossentropy_row(
    job: Job,
    columns: Integer,
    row_weight: Double,
    targets: Address,
    logits: Address,
    probabilities: Address,
    delta: Address,
) -> Double:
    """Softmax, -sum(target * log(softmax)) and its gradient by the logits, times row_weight, of one row.

    delta may be the logits or the probabilities.
    """
    level = softmax_row(columns, logits, probabilities)
    scale = splat(row_weight)
    smooth = splat(job.loss.target_scale)
    floor = splat(job.loss.target_shift)
    weight = splat(0.0)
    total = splat(0.0)
    for at in range(0, columns, LANES):
        target = fma(load(targets, at), smooth, floor)
        inside = lanes_below(columns - at)
        weight = weight + where(inside, target, splat(0.0))
        # A target of 0 counts nothing even where the logit is infinite.
        costs = where(target == splat(0.0), target, target * (level - load(logits, at)))
        total = total + where(inside, costs, splat(0.0))
    weight = sum_lanes(weight)
    for at in range(0, columns, LANES):
        d = scale * (weight * load(probabilities, at) - fma(load(targets, at), smooth, floor))
        store(delta, at, where(lanes_below(columns - at), d, splat(0.0)))
    return first_lane(sum_lanes(total))


@kernel
def crossentropy_rows(
    job: Job,
    layer: Layer,
    rows: Integer,
    row_weight: Double,
    targets: Rows,
    logits: Address,
    probabilities: Address,
    delta: Address,
    scores: Rows,
    scratch: Address,
) -> None:
    """crossentropy_row for rows of few columns, transposed: a vector holds a column of as many rows as it has lanes.

    Probabilities are written unless they are 0.
    """
    columns = layer.outputs
    stride = layer.output_stride
    zero = splat(0.0)
    own_logits = scratch
    exponentials = own_logits + FEW_VALUES * LANES * SIZE
    own_targets = exponentials + FEW_VALUES * LANES * SIZE
    square = own_targets + FEW_VALUES * LANES * SIZE
    for first in range(0, rows, LANES):
        count = rows - first
        if count > LANES:
            count = LANES
        place = first * stride * SIZE
        transpose_rows(count, columns, Rows(logits + place, stride), own_logits)
        given = Rows(targets.address + first * targets.stride * SIZE, targets.stride)
        transpose_rows(count, columns + 1, given, own_targets)
        largest = largest_of_columns(columns, own_logits)
        total = exponentials_of_columns(columns, largest, own_logits, exponentials)
        level = largest + log(total)
        inverse = reciprocal(total)
        weight = zero
        costs = zero
        for column in range(columns):
            at = column * LANES
            target = fma(load(own_targets, at), splat(job.loss.target_scale), splat(job.loss.target_shift))
            weight = weight + target
            # A target of 0 counts nothing even where the logit is infinite.
            costs = costs + where(target == zero, target, target * (level - load(own_logits, at)))
        scale = splat(row_weight) * load(own_targets, columns * LANES)
        for column in range(columns):
            at = column * LANES
            target = fma(load(own_targets, at), splat(job.loss.target_scale), splat(job.loss.target_shift))
            p = load(exponentials, at) * inverse
            store(exponentials, at, p)
            store(own_logits, at, scale * (weight * p - target))
        store(square, 0, costs * load(own_targets, columns * LANES))
        for row in range(count):
            put_double(scores.address, (first + row) * scores.stride, get(square, row))
        if probabilities:
            transpose_back(count, columns, exponentials, square, Rows(probabilities + place, stride))
        transpose_back(count, columns, own_logits, square, Rows(delta + place, stride))
