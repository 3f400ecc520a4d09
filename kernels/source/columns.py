"""Layers that change each column by itself: by numbers that are fixed, or as rectifiers do."""

from __future__ import annotations

from ..language import Address, Integer, Vector, kernel
from ..program import LANES, SIZE
from ..records import Job, Layer
from ..values import Rows
from ..vocabulary import fma, load, minimum, splat, store, where


@kernel(apart=True)
def map_columns(layer: Layer, job: Job, rows: Integer, source: Rows, target: Rows) -> None:
    """(x - center) * factor + offset, by three numbers of each column, which nothing trains."""
    centers = job.network.state + layer.state * SIZE
    factors = centers + layer.stride * SIZE
    offsets = factors + layer.stride * SIZE
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            x = load(source.address, row * source.stride + at) - load(centers, at)
            store(target.address, row * target.stride + at, fma(x, load(factors, at), load(offsets, at)))


@kernel(apart=True)
def map_columns_backward(layer: Layer, job: Job, rows: Integer, delta: Rows, target: Rows) -> None:
    """The gradient by the input: delta * factor."""
    factors = job.network.state + (layer.state + layer.stride) * SIZE
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            d = load(delta.address, row * delta.stride + at)
            store(target.address, row * target.stride + at, d * load(factors, at))


@kernel
def slope_below(layer: Layer, job: Job, at: Integer) -> Vector:
    """A rectifier's slope below the threshold: a weight of each unit, where it has such."""
    if layer.height > 0:
        return load(job.network.parameters, layer.weights + at)
    return splat(layer.scale)


@kernel(apart=True)
def rectify_columns(layer: Layer, job: Job, rows: Integer, source: Rows, target: Rows) -> None:
    """x above the threshold, up to the limit; the slope times (x - threshold) below."""
    threshold = splat(layer.threshold)
    limit = splat(layer.limit)
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            x = load(source.address, row * source.stride + at)
            below = slope_below(layer, job, at) * (x - threshold)
            store(target.address, row * target.stride + at, where(threshold < x, minimum(x, limit), below))


@kernel(apart=True)
def rectify_columns_backward(layer: Layer, job: Job, rows: Integer, inputs: Address, delta: Rows, target: Rows) -> None:
    """The gradient by the input, which stands in rows like the target's."""
    threshold = splat(layer.threshold)
    limit = splat(layer.limit)
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            x = load(inputs, row * target.stride + at)
            above = where(x < limit, splat(1.0), splat(0.0))
            slope = where(threshold < x, above, slope_below(layer, job, at))
            d = load(delta.address, row * delta.stride + at)
            store(target.address, row * target.stride + at, d * slope)
