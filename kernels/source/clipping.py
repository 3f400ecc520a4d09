"""Clipping the gradient, by value and by norm."""

from __future__ import annotations

from ..language import Double, kernel
from ..program import LANES, SIZE
from ..records import BIAS_SQUARES, CLIPVALUE, KERNEL_SQUARES, Job, Layer
from ..tuning import SUM_COLUMNS
from ..values import Panel, Rows
from ..vocabulary import (
    first_lane,
    lanes_below,
    load,
    maximum,
    minimum,
    put_double,
    splat,
    square_root,
    store,
    sum_lanes,
    where,
)
from .penalty import end_of_block, lanes_of_kernel, sums_of_row


@kernel(apart=True)
def measure_panel(layer: Layer, job: Job, panel: Panel, gradient: Rows) -> None:
    """The sums of squares over each row of a panel of the gradient, of kernel and bias."""
    for row in range(panel.rows):
        count = lanes_of_kernel(layer, panel.row + row, panel.column)
        for block in range(0, panel.vectors * LANES, SUM_COLUMNS):
            kernel = splat(0.0)
            bias = splat(0.0)
            for at in range(block, end_of_block(block, panel.vectors), LANES):
                inside = lanes_below(count - at)
                d = load(gradient.address, row * gradient.stride + at)
                kernel = kernel + where(inside, d * d, splat(0.0))
                bias = bias + where(inside, splat(0.0), d * d)
            sums = sums_of_row(layer, job, panel.row + row, panel.column + block)
            put_double(sums, KERNEL_SQUARES, first_lane(sum_lanes(kernel)))
            put_double(sums, BIAS_SQUARES, first_lane(sum_lanes(bias)))


@kernel
def scale_to(squares: Double, limit: Double) -> Double:
    """What brings a vector, whose squares have that sum, down to a norm of at most limit."""
    norm = square_root(squares)
    if norm > limit:
        return limit / norm
    return 1.0


@kernel(apart=True)
def clip_panel(layer: Layer, job: Job, panel: Panel, kernel_scale: Double, bias_scale: Double, gradient: Rows) -> None:
    """Each value of a panel of the gradient cut off at the limit, or scaled as the norms ask for."""
    limit = splat(job.optimizer.clip_limit)
    for row in range(panel.rows):
        count = lanes_of_kernel(layer, panel.row + row, panel.column)
        target = gradient.address + row * gradient.stride * SIZE
        if job.optimizer.clip == CLIPVALUE:
            for at in range(0, panel.vectors * LANES, LANES):
                store(target, at, maximum(minimum(load(target, at), limit), -limit))
        else:
            for at in range(0, panel.vectors * LANES, LANES):
                scale = where(lanes_below(count - at), splat(kernel_scale), splat(bias_scale))
                store(target, at, load(target, at) * scale)
