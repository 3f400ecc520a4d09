"""Softmax, and the way back through it."""

from __future__ import annotations

from math import inf

from ..language import Address, Integer, Vector, kernel
from ..program import LANES, SIZE
from ..records import Job
from ..tuning import FEW_VALUES
from ..values import Rows
from ..vocabulary import exp, lanes_below, load, log, max_lanes, maximum, reciprocal, splat, store, sum_lanes, where
from .transposing import transpose_back, transpose_rows


@kernel
def largest_of_row(columns: Integer, source: Address) -> Vector:
    """The largest of columns values, in every lane: of four at a time, for each waits for the one before."""
    a = splat(-inf)
    b = a
    c = a
    d = a
    at = 0
    while at + 4 * LANES <= columns:
        a = maximum(a, load(source, at))
        b = maximum(b, load(source, at + LANES))
        c = maximum(c, load(source, at + 2 * LANES))
        d = maximum(d, load(source, at + 3 * LANES))
        at += 4 * LANES
    while at < columns:
        a = maximum(a, where(lanes_below(columns - at), load(source, at), a))
        at += LANES
    return max_lanes(maximum(maximum(a, b), maximum(c, d)))


@kernel
def softmax_row(columns: Integer, source: Address, target: Address) -> Vector:
    """target = exp(source) / sum; returns log(sum(exp(source))) in every lane."""
    largest = largest_of_row(columns, source)
    total = splat(0.0)
    at = 0
    while at + LANES <= columns:
        raised = exp(load(source, at) - largest)
        store(target, at, raised)
        total = total + raised
        at += LANES
    if at < columns:
        raised = where(lanes_below(columns - at), exp(load(source, at) - largest), splat(0.0))
        store(target, at, raised)
        total = total + raised
    total = sum_lanes(total)
    scale = reciprocal(total)
    for at in range(0, columns, LANES):
        store(target, at, load(target, at) * scale)
    return largest + log(total)


@kernel
def softmax(
    job: Job, rows: Integer, columns: Integer, stride: Integer, source: Address, target: Address, scratch: Address
) -> None:
    """The softmax of some rows: one by one, or, of few columns, transposed, a vector for a column of several rows.

    Which of the two depends on all rows of the job, not on those of a thread, so that results do not depend on how
    many threads there are.
    """
    if columns >= FEW_VALUES or job.data.rows == 1:
        for row in range(rows):
            softmax_row(columns, source + row * stride * SIZE, target + row * stride * SIZE)
        return
    square = scratch + FEW_VALUES * LANES * SIZE
    for first in range(0, rows, LANES):
        count = rows - first
        if count > LANES:
            count = LANES
        transpose_rows(count, columns, Rows(source + first * stride * SIZE, stride), scratch)
        scale = reciprocal(exponentials_of_columns(columns, largest_of_columns(columns, scratch), scratch, scratch))
        for column in range(columns):
            store(scratch, column * LANES, load(scratch, column * LANES) * scale)
        transpose_back(count, columns, scratch, square, Rows(target + first * stride * SIZE, stride))


@kernel
def largest_of_columns(columns: Integer, source: Address) -> Vector:
    """The largest of each lane, of columns vectors."""
    largest = splat(-inf)
    for column in range(columns):
        largest = maximum(largest, load(source, column * LANES))
    return largest


@kernel
def exponentials_of_columns(columns: Integer, largest: Vector, source: Address, target: Address) -> Vector:
    """target = exp(source - largest), of columns vectors; returns the sums of the lanes."""
    total = splat(0.0)
    for column in range(columns):
        raised = exp(load(source, column * LANES) - largest)
        store(target, column * LANES, raised)
        total = total + raised
    return total


@kernel(apart=True)
def softmax_backward(rows: Integer, columns: Integer, stride: Integer, output: Address, delta: Address) -> None:
    """delta = y * (delta - sum(delta * y)): the softmax's Jacobian, row by row."""
    for row in range(rows):
        start = row * stride
        total = splat(0.0)
        for at in range(0, columns, LANES):
            term = load(output, start + at) * load(delta, start + at)
            total = total + where(lanes_below(columns - at), term, splat(0.0))
        total = sum_lanes(total)
        for at in range(0, columns, LANES):
            d = load(output, start + at) * (load(delta, start + at) - total)
            store(delta, start + at, where(lanes_below(columns - at), d, splat(0.0)))
