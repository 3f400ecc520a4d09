"""Losses that need all outputs of a row at once, and their gradients by the outputs."""

from __future__ import annotations

from math import inf

from ..language import Address, Double, Integer, kernel
from ..program import LANES, SIZE
from ..records import Job
from ..values import Rows
from ..vocabulary import (
    first_lane,
    get,
    lane_numbers,
    lanes_below,
    load,
    max_lanes,
    maximum,
    minimum,
    put_double,
    splat,
    sqrt,
    store,
    sum_lanes,
    to_double,
    where,
)
from .softmax import largest_of_row


@kernel
def argmax_of_row(columns: Integer, source: Address) -> Double:
    """The first column that holds the row's largest value."""
    largest = largest_of_row(columns, source)
    place = splat(inf)
    for at in range(0, columns, LANES):
        here = where(load(source, at) == largest, lane_numbers() + splat(to_double(at)), splat(inf))
        place = minimum(place, where(lanes_below(columns - at), here, splat(inf)))
    return first_lane(-max_lanes(-place))


@kernel(apart=True)
def cosine_similarity_rows(
    job: Job,
    rows: Integer,
    columns: Integer,
    row_weight: Double,
    output: Rows,
    targets: Rows,
    scores: Rows,
    delta: Address,
) -> None:
    """Minus the cosine of the angle between outputs and targets, and its gradient by the outputs, into delta.

    Either's length counts as 1e-7 at least, as in Keras.
    """
    floor = splat(1e-14)
    for row in range(rows):
        source = output.address + row * output.stride * SIZE
        wanted = targets.address + row * targets.stride * SIZE
        weight = job.loss.scale * get(wanted, columns)
        weights = splat(weight * row_weight)
        squares = splat(0.0)
        target_squares = splat(0.0)
        product = splat(0.0)
        for at in range(0, columns, LANES):
            inside = lanes_below(columns - at)
            y = where(inside, load(source, at), splat(0.0))
            target = where(inside, load(wanted, at), splat(0.0))
            squares = squares + y * y
            target_squares = target_squares + target * target
            product = product + y * target
        squares = sum_lanes(squares)
        scale = splat(1.0) / sqrt(maximum(squares, floor))
        target_scale = splat(1.0) / sqrt(maximum(sum_lanes(target_squares), floor))
        cosine = sum_lanes(product) * scale * target_scale
        along = where(squares > floor, cosine * scale * scale, splat(0.0))
        for at in range(0, columns, LANES):
            slope = load(source, at) * along - load(wanted, at) * scale * target_scale
            d = where(lanes_below(columns - at), weights * slope, splat(0.0))
            store(delta, row * output.stride + at, d)
        put_double(scores.address, row * scores.stride, weight * first_lane(-cosine))


@kernel(apart=True)
def categorical_hinge_rows(
    job: Job,
    rows: Integer,
    columns: Integer,
    row_weight: Double,
    output: Rows,
    targets: Rows,
    scores: Rows,
    delta: Address,
) -> None:
    """What the largest wrong output lacks of being 1 less than the right one, and its gradient by the outputs."""
    for row in range(rows):
        source = output.address + row * output.stride * SIZE
        wanted = targets.address + row * targets.stride * SIZE
        own = delta + row * output.stride * SIZE
        weight = job.loss.scale * get(wanted, columns)
        weights = splat(weight * row_weight)
        right = splat(0.0)
        for at in range(0, columns, LANES):
            y = load(source, at)
            target = load(wanted, at)
            inside = lanes_below(columns - at)
            right = right + where(inside, target * y, splat(0.0))
            store(own, at, where(inside, (splat(1.0) - target) * y, splat(0.0)))
        short = largest_of_row(columns, own) - sum_lanes(right) + splat(1.0)
        place = splat(argmax_of_row(columns, own))
        for at in range(0, columns, LANES):
            target = load(wanted, at)
            slope = where(lane_numbers() + splat(to_double(at)) == place, splat(1.0) - target, splat(0.0)) - target
            d = where(short > splat(0.0), weights * slope, (short - short) * weights)
            store(own, at, where(lanes_below(columns - at), d, splat(0.0)))
        put_double(scores.address, row * scores.stride, weight * first_lane(maximum(short, splat(0.0))))
