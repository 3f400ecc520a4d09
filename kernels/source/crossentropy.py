"""Softmax, crossentropy and its gradient by the logits, in one."""

from __future__ import annotations

from ..elementary import log
from ..language import Address, Double, Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layer
from ..tuning import FEW_VALUES
from ..vocabulary import first_lane, fma, get, lanes_below, load, put_double, reciprocal, splat, store, sum_lanes, where
from .softmax import exponentials_of_columns, largest_of_columns, softmax_row
from .transposing import transpose_back, transpose_rows


@kernel
def crossentropy_row(
    columns: Integer,
    scale_: Double,
    target_scale: Double,
    target_shift: Double,
    targets: Address,
    logits: Address,
    probabilities: Address,
    delta: Address,
) -> Double:
    """Softmax, -sum(target * log(softmax)) and its gradient by the logits in one; delta may be either of the two."""
    level = softmax_row(columns, logits, probabilities)
    scale = splat(scale_)
    smooth = splat(target_scale)
    floor = splat(target_shift)
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
    targets: Address,
    logits: Address,
    probabilities: Address,
    delta: Address,
    scores: Address,
    scratch: Address,
) -> None:
    """The same for rows of few columns: turned, so that a vector holds a column of as many rows as it has lanes."""
    columns = layer.outputs
    stride = layer.output_stride
    zero = splat(0.0)
    columns_of_logits = scratch
    columns_of_exponentials = columns_of_logits + FEW_VALUES * LANES * SIZE
    columns_of_targets = columns_of_exponentials + FEW_VALUES * LANES * SIZE
    square = columns_of_targets + FEW_VALUES * LANES * SIZE
    for first in range(0, rows, LANES):
        count = rows - first
        if count > LANES:
            count = LANES
        transpose_rows(count, columns, logits + first * stride * SIZE, stride, columns_of_logits)
        transpose_rows(
            count,
            columns + 1,
            targets + first * job.memory.target_stride * SIZE,
            job.memory.target_stride,
            columns_of_targets,
        )
        largest = largest_of_columns(columns, columns_of_logits)
        total = exponentials_of_columns(columns, largest, columns_of_logits, columns_of_exponentials)
        level = largest + log(total)
        inverse = reciprocal(total)
        weight = zero
        costs = zero
        for column in range(columns):
            target = fma(
                load(columns_of_targets, column * LANES), splat(job.loss.target_scale), splat(job.loss.target_shift)
            )
            weight = weight + target
            # A target of 0 counts nothing even where the logit is infinite.
            cost = where(target == zero, target, target * (level - load(columns_of_logits, column * LANES)))
            costs = costs + cost
        scale = splat(row_weight) * load(columns_of_targets, columns * LANES)
        for column in range(columns):
            target = fma(
                load(columns_of_targets, column * LANES), splat(job.loss.target_scale), splat(job.loss.target_shift)
            )
            p = load(columns_of_exponentials, column * LANES) * inverse
            store(columns_of_exponentials, column * LANES, p)
            store(columns_of_logits, column * LANES, scale * (weight * p - target))
        store(square, 0, costs * load(columns_of_targets, columns * LANES))
        for row in range(count):
            put_double(scores, (first + row) * (1 + job.loss.metric_count), get(square, row))
        if probabilities:
            transpose_back(
                count, columns, columns_of_exponentials, square, probabilities + first * stride * SIZE, stride
            )
        transpose_back(count, columns, columns_of_logits, square, delta + first * stride * SIZE, stride)
