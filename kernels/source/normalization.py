"""Batch normalisation, layer normalisation and scaling."""

from __future__ import annotations

from ..language import Address, Integer, Vector, kernel
from ..program import LANES, SIZE, STATISTICS
from ..records import (
    BATCH_NORMALIZATION,
    DELTA_HAT_SUM,
    DELTA_SUM,
    FACTOR,
    INVERSE,
    MEAN,
    OFFSET,
    RECTIFIER,
    SCALING,
    VARIANCE,
    Job,
    Layer,
    Layers,
    layer_at,
)
from ..tuning import KEPT_VALUES, ROW_BLOCK
from ..values import Block, Panel, Rows
from ..vocabulary import (
    broadcast,
    first_lane,
    fma,
    lanes_below,
    load,
    minimum,
    put,
    reciprocal,
    splat,
    sqrt,
    store,
    sum_lanes,
    to_double,
    where,
)
from .barrier import barrier


@kernel
def statistic_of(layer: Layer, scratch: Address, number: Integer) -> Integer:
    """Where one of a thread's statistics of a batch normalisation stands."""
    return scratch + STATISTICS + (layer.statistics + number * layer.stride) * SIZE


@kernel
def partial_of(layer: Layer, job: Job, block: Integer, number: Integer) -> Integer:
    """Where one of the sums over a block of rows stands."""
    return job.memory.partials + (block * job.memory.partial_values + layer.partials + number * layer.stride) * SIZE


@kernel
def gamma_of(layer: Layer, job: Job, at: Integer) -> Vector:
    if layer.bias > 0:
        return load(job.network.parameters, layer.weights + at)
    return splat(1.0)


@kernel
def beta_of(layer: Layer, job: Job, at: Integer) -> Vector:
    if layer.height > layer.bias:
        return load(job.network.parameters, layer.weights + layer.bias * layer.stride + at)
    return splat(0.0)


@kernel(apart=True)
def batch_statistics(
    layer: Layer, job: Job, block: Block, batch_rows: Integer, source: Address, scratch: Address
) -> Integer:
    """Mean and variance of each column over the batch: of eight rows at a time first, these together in fixed order.

    Each thread puts all of them together, for itself.  Returns 1 if the run was aborted.
    """
    stride = layer.input_stride
    for start in range(0, block.rows, ROW_BLOCK):
        count = block.rows - start
        if count > ROW_BLOCK:
            count = ROW_BLOCK
        means = partial_of(layer, job, (block.first + start) // ROW_BLOCK, 0)
        squares = partial_of(layer, job, (block.first + start) // ROW_BLOCK, 1)
        inverse_count = splat(1.0 / to_double(count))
        for at in range(0, layer.outputs, LANES):
            total = splat(0.0)
            for row in range(start, start + count):
                total = total + load(source, row * stride + at)
            mean = total * inverse_count
            store(means, at, mean)
            total = splat(0.0)
            for row in range(start, start + count):
                difference = load(source, row * stride + at) - mean
                total = fma(difference, difference, total)
            store(squares, at, total)
    if barrier(job):
        return 1
    parts = (batch_rows + ROW_BLOCK - 1) // ROW_BLOCK
    last = to_double(batch_rows - (parts - 1) * ROW_BLOCK)
    inverse_count = splat(1.0 / to_double(batch_rows))
    for at in range(0, layer.outputs, LANES):
        total = splat(0.0)
        for part in range(parts - 1):
            total = fma(load(partial_of(layer, job, part, 0), at), splat(to_double(ROW_BLOCK)), total)
        total = fma(load(partial_of(layer, job, parts - 1, 0), at), splat(last), total)
        mean = total * inverse_count
        total = splat(0.0)
        part_rows = to_double(ROW_BLOCK)
        for part in range(parts):
            if part == parts - 1:
                part_rows = last
            difference = load(partial_of(layer, job, part, 0), at) - mean
            squared = difference * difference
            total = total + fma(squared, splat(part_rows), load(partial_of(layer, job, part, 1), at))
        store(statistic_of(layer, scratch, MEAN), at, mean)
        store(statistic_of(layer, scratch, VARIANCE), at, total * inverse_count)
    return 0


@kernel(apart=True)
def normalize_columns(layer: Layer, job: Job, rows: Integer, source: Address, target: Rows, scratch: Address) -> None:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, by the statistics at hand."""
    means = statistic_of(layer, scratch, MEAN)
    factors = statistic_of(layer, scratch, FACTOR)
    offsets = statistic_of(layer, scratch, OFFSET)
    for at in range(0, layer.outputs, LANES):
        variance = load(statistic_of(layer, scratch, VARIANCE), at)
        inverse = reciprocal(sqrt(variance + splat(layer.epsilon)))
        store(statistic_of(layer, scratch, INVERSE), at, inverse)
        store(factors, at, inverse * gamma_of(layer, job, at))
        store(offsets, at, beta_of(layer, job, at))
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            x = load(source, row * layer.input_stride + at) - load(means, at)
            store(target.address, row * target.stride + at, fma(x, load(factors, at), load(offsets, at)))


@kernel(apart=True)
def batch_sums(
    layer: Layer, job: Job, block: Block, batch_rows: Integer, source: Address, delta: Address, scratch: Address
) -> Integer:
    """Sums over the batch of delta and of delta times the normalised input: the gradients by beta and by gamma too.

    Returns 1 if the run was aborted.
    """
    stride = layer.output_stride
    means = statistic_of(layer, scratch, MEAN)
    inverses = statistic_of(layer, scratch, INVERSE)
    for start in range(0, block.rows, ROW_BLOCK):
        count = block.rows - start
        if count > ROW_BLOCK:
            count = ROW_BLOCK
        part = (block.first + start) // ROW_BLOCK
        for at in range(0, layer.outputs, LANES):
            total = splat(0.0)
            total_hat = splat(0.0)
            for row in range(start, start + count):
                d = load(delta, row * stride + at)
                total = total + d
                total_hat = fma(d, load(source, row * layer.input_stride + at) - load(means, at), total_hat)
            store(partial_of(layer, job, part, 2), at, total)
            store(partial_of(layer, job, part, 3), at, total_hat * load(inverses, at))
    if barrier(job):
        return 1
    parts = (batch_rows + ROW_BLOCK - 1) // ROW_BLOCK
    for number in range(2):
        for at in range(0, layer.outputs, LANES):
            total = splat(0.0)
            for part in range(parts):
                total = total + load(partial_of(layer, job, part, 2 + number), at)
            store(statistic_of(layer, scratch, DELTA_SUM + number), at, total)
    return 0


@kernel(apart=True)
def normalize_columns_backward(
    layer: Layer, rows: Integer, batch_rows: Integer, source: Address, delta: Address, target: Address, scratch: Address
) -> None:
    """factor * (delta - mean(delta) - hat * mean(delta * hat)), where hat is the normalised input."""
    inverse_count = splat(1.0 / to_double(batch_rows))
    means = statistic_of(layer, scratch, MEAN)
    inverses = statistic_of(layer, scratch, INVERSE)
    factors = statistic_of(layer, scratch, FACTOR)
    sums = statistic_of(layer, scratch, DELTA_SUM)
    hat_sums = statistic_of(layer, scratch, DELTA_HAT_SUM)
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            hat = (load(source, row * layer.input_stride + at) - load(means, at)) * load(inverses, at)
            d = load(delta, row * layer.output_stride + at)
            d = d - inverse_count * fma(hat, load(hat_sums, at), load(sums, at))
            store(target, row * layer.input_stride + at, load(factors, at) * d)


@kernel(apart=True)
def factor_columns(layer: Layer, rows: Integer, delta: Address, target: Address, scratch: Address) -> None:
    """factor * delta: the way back where the statistics are the moving ones, which do not follow from the inputs."""
    factors = statistic_of(layer, scratch, FACTOR)
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            d = load(delta, row * layer.output_stride + at)
            store(target, row * layer.input_stride + at, load(factors, at) * d)


@kernel(apart=True)
def move_statistics(layers: Layers, job: Job, scratch: Address) -> None:
    """Moving mean and variance of every batch normalisation, a step nearer to the batch's."""
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        if layer.kind == BATCH_NORMALIZATION and layer.frozen == 0:
            remainder = splat(1.0 - layer.momentum)
            for moved in range(2):
                moving = job.network.state + (layer.state + moved * layer.stride) * SIZE
                for at in range(0, layer.outputs, LANES):
                    old = load(moving, at)
                    new = fma(remainder, load(statistic_of(layer, scratch, MEAN + moved), at) - old, old)
                    store(moving, at, where(lanes_below(layer.outputs - at), new, splat(0.0)))


@kernel(apart=True)
def normalize_rows(layer: Layer, job: Job, rows: Integer, source: Address, target: Rows, kept: Address) -> None:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, by each row's own statistics, kept for the way back."""
    columns = layer.outputs
    inverse_count = splat(1.0 / to_double(columns))
    epsilon = splat(layer.epsilon)
    for row in range(rows):
        start = row * layer.input_stride
        total = splat(0.0)
        for at in range(0, columns, LANES):
            total = total + where(lanes_below(columns - at), load(source, start + at), splat(0.0))
        mean = sum_lanes(total) * inverse_count
        total = splat(0.0)
        for at in range(0, columns, LANES):
            difference = where(lanes_below(columns - at), load(source, start + at) - mean, splat(0.0))
            total = fma(difference, difference, total)
        inverse = reciprocal(sqrt(fma(sum_lanes(total), inverse_count, epsilon)))
        put(kept, row * KEPT_VALUES, first_lane(mean))
        put(kept, row * KEPT_VALUES + 1, first_lane(inverse))
        for at in range(0, columns, LANES):
            hat = (load(source, start + at) - mean) * inverse
            store(target.address, row * target.stride + at, fma(hat, gamma_of(layer, job, at), beta_of(layer, job, at)))


@kernel(apart=True)
def normalize_rows_backward(
    layer: Layer, job: Job, rows: Integer, source: Address, delta: Address, target: Address, kept: Address
) -> None:
    """inverse * (d - mean(d) - hat * mean(d * hat)), where d is delta * gamma and hat the normalised input of a row."""
    columns = layer.outputs
    inverse_count = splat(1.0 / to_double(columns))
    for row in range(rows):
        mean = broadcast(kept, row * KEPT_VALUES)
        inverse = broadcast(kept, row * KEPT_VALUES + 1)
        total = splat(0.0)
        total_hat = splat(0.0)
        for at in range(0, columns, LANES):  # delta is 0 behind them
            d = load(delta, row * layer.output_stride + at) * gamma_of(layer, job, at)
            total = total + d
            total_hat = fma(d, (load(source, row * layer.input_stride + at) - mean) * inverse, total_hat)
        total = sum_lanes(total) * inverse_count
        total_hat = sum_lanes(total_hat) * inverse_count
        for at in range(0, columns, LANES):
            hat = (load(source, row * layer.input_stride + at) - mean) * inverse
            d = load(delta, row * layer.output_stride + at) * gamma_of(layer, job, at)
            d = inverse * (d - fma(hat, total_hat, total))
            store(target, row * layer.input_stride + at, where(lanes_below(columns - at), d, splat(0.0)))


@kernel
def scale_columns(layer: Layer, job: Job, rows: Integer, source: Rows, target: Rows) -> None:
    """Each column times its gamma: the way forward and, of deltas, the way back."""
    for row in range(rows):
        for at in range(0, layer.outputs, LANES):
            value = load(source.address, row * source.stride + at) * gamma_of(layer, job, at)
            store(target.address, row * target.stride + at, value)


@kernel
def normalization_gradient(
    layer: Layer, job: Job, base: Address, batch_rows: Integer, panel: Panel, scratch: Address, gradient: Rows
) -> None:
    """The gradient by gamma, beta, or both; of a scaling and a rectifier too."""
    source = base + layer.input * job.memory.capacity * SIZE
    delta = base + layer.delta * job.memory.capacity * SIZE
    kept = base + layer.kept * job.memory.capacity * SIZE
    for number in range(panel.rows):
        is_beta = 0
        if panel.row + number >= layer.bias:
            is_beta = 1
        target = gradient.address + number * gradient.stride * SIZE
        for at in range(panel.column, panel.column + panel.vectors * LANES, LANES):
            total = splat(0.0)
            if layer.kind == BATCH_NORMALIZATION:
                total = load(statistic_of(layer, scratch, DELTA_HAT_SUM - is_beta), at)
            elif is_beta:
                for row in range(batch_rows):
                    total = total + load(delta, row * layer.output_stride + at)
            elif layer.kind == SCALING or layer.kind == RECTIFIER:
                for row in range(batch_rows):
                    x = load(source, row * layer.input_stride + at)
                    if layer.kind == RECTIFIER:
                        x = minimum(x, splat(0.0))
                    total = fma(x, load(delta, row * layer.output_stride + at), total)
            else:
                for row in range(batch_rows):
                    hat = load(source, row * layer.input_stride + at) - broadcast(kept, row * KEPT_VALUES)
                    hat = hat * broadcast(kept, row * KEPT_VALUES + 1)
                    total = fma(hat, load(delta, row * layer.output_stride + at), total)
            store(target, at - panel.column, total)
