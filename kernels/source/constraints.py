"""Constraints on the weights, once all threads have updated them."""

from __future__ import annotations

from ..language import Address, Double, Integer, Vector, kernel
from ..program import LANES, SIZE
from ..records import DENSE, NON_NEGATIVE, NORM, Job, Layer, Layers, layer_at
from ..values import Bounds, Panel
from ..vocabulary import (
    first_lane,
    fma,
    get,
    lanes_below,
    load,
    maximum,
    minimum,
    put,
    reciprocal,
    splat,
    sqrt,
    store,
    sum_lanes,
    where,
)
from .update import transpose_copy
from .vectors import vectors_for


@kernel
def factor_to(squares: Vector, least: Double, most: Double, pull: Double) -> Vector:
    """What brings vectors, whose squares have these sums, to norms within bounds, or a part (``pull``) of the way."""
    norm = sqrt(squares)
    wanted = maximum(minimum(norm, splat(most)), splat(least))
    wanted = fma(splat(pull), wanted, splat(1.0 - pull) * norm)
    return wanted * reciprocal(norm + splat(0.0000001))


@kernel(apart=True)
def constrain_columns(layer: Layer, first: Integer, end: Integer, bounds: Bounds, weights: Address) -> None:
    """Some columns of a kernel, in vectors: each column is what comes into a unit."""
    for at in range(first * LANES, end * LANES, LANES):
        factor = splat(1.0)
        if bounds.constraint == NORM:
            total = splat(0.0)
            for row in range(layer.bias):
                w = load(weights, row * layer.stride + at)
                total = fma(w, w, total)
            factor = factor_to(total, bounds.least, bounds.most, bounds.pull)
        for row in range(layer.bias):
            w = load(weights, row * layer.stride + at)
            if bounds.constraint == NON_NEGATIVE:
                w = maximum(w, splat(0.0))
            store(weights, row * layer.stride + at, w * factor)


@kernel(apart=True)
def constrain_run(count: Integer, bounds: Bounds, weights: Address) -> None:
    """So many weights, one behind the other, as one vector."""
    factor = splat(1.0)
    if bounds.constraint == NORM:
        total = splat(0.0)
        for at in range(0, count, LANES):
            w = load(weights, at)
            total = total + where(lanes_below(count - at), w * w, splat(0.0))
        factor = factor_to(sum_lanes(total), bounds.least, bounds.most, bounds.pull)
    for at in range(0, count, LANES):
        w = load(weights, at)
        new = w
        if bounds.constraint == NON_NEGATIVE:
            new = maximum(w, splat(0.0))
        store(weights, at, where(lanes_below(count - at), new * factor, w))


@kernel(apart=True)
def constrain_apart(count: Integer, stride: Integer, bounds: Bounds, weights: Address) -> None:
    """So many weights, a stride apart, as one vector."""
    factor = splat(1.0)
    if bounds.constraint == NORM:
        total = splat(0.0)
        for number in range(count):
            w = splat(get(weights, number * stride))
            total = total + w * w
        factor = factor_to(total, bounds.least, bounds.most, bounds.pull)
    for number in range(count):
        w = splat(get(weights, number * stride))
        if bounds.constraint == NON_NEGATIVE:
            w = maximum(w, splat(0.0))
        put(weights, number * stride, first_lane(w * factor))


@kernel(apart=True)
def constrain(layers: Layers, job: Job, thread: Integer) -> None:
    """A thread's part of the weights that are constrained: some columns of large kernels; the rest is the first one's.

    Where parameters are replicated, each thread has its own.
    """
    threads = job.run.threads
    own = thread
    if job.split.replicated:
        threads = 1
        own = 0
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        weights = job.network.parameters + layer.weights * SIZE
        kernel = Bounds(layer.kernel_constraint, layer.kernel_least, layer.kernel_most, layer.kernel_pull)
        bias = Bounds(layer.bias_constraint, layer.bias_least, layer.bias_most, layer.bias_pull)
        if layer.frozen == 0 and kernel.constraint:
            if layer.kind == DENSE and layer.stored_transposed == 0:
                vectors = vectors_for(layer.width)
                first = vectors * own // threads
                end = vectors * (own + 1) // threads
                constrain_columns(layer, first, end, kernel, weights)
                if layer.transposed >= 0 and job.network.keeps_transposed:
                    transpose_copy(layer, job, Panel(0, layer.height, first * LANES, end - first))
            elif own == 0 and layer.kind == DENSE:
                for unit in range(layer.outputs):
                    constrain_run(layer.bias, kernel, weights + unit * layer.stride * SIZE)
            elif own == 0:
                constrain_run(layer.outputs, kernel, weights)
        if layer.frozen == 0 and bias.constraint and own == 0:
            if layer.stored_transposed:
                constrain_apart(layer.outputs, layer.stride, bias, weights + layer.bias * SIZE)
            else:
                constrain_run(layer.outputs, bias, weights + layer.bias * layer.stride * SIZE)
