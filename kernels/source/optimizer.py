"""The optimizer's step on some rows and columns of a matrix."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import BEFORE, LANES, SIZE, STEP
from ..records import DECAY, Job, Layer
from ..values import Panel, Rows
from ..vocabulary import fma, get_double, lanes_below, load, put_double, splat, store, to_double, where
from .accumulation import update_is_due
from .optimizer_rules import prepare, update
from .penalty import lanes_of_kernel
from .vectors import copy_vectors, scale_vectors


@kernel(inline=True)
def update_panel(layer: Layer, job: Job, scalars: Address, panel: Panel, gradient: Rows) -> None:
    """New weights and slots for a panel of one layer's matrix."""
    slot_size = job.network.parameter_count * SIZE
    rows = panel.rows
    count = panel.vectors * LANES
    start = layer.weights + panel.row * layer.stride + panel.column
    rated = 0
    if layer.kernel_rate != 1.0 or layer.bias_rate != 1.0:
        rated = 1
    if gradient.stride == layer.stride and count == layer.stride and not rated:  # the panel is one run of memory
        count = count * rows
        rows = 1
    kept = get_double(scalars, DECAY)
    due = update_is_due(scalars)
    for row in range(rows):
        at = (start + row * layer.stride) * SIZE
        if rated:
            copy_vectors(panel.vectors, job.network.parameters + at, scalars + BEFORE)
        if due and kept != 1.0:
            scale_vectors(count, kept, job.network.parameters + at)
        if due:
            update(
                job.optimizer.code,
                count,
                scalars,
                gradient.address + row * gradient.stride * SIZE,
                slot_size,
                job.network.slots + at,
                job.network.parameters + at,
            )
        if rated:
            rate_row(layer, panel.row + row, panel.column, count, scalars + BEFORE, job.network.parameters + at)
        if job.optimizer.average >= 0:
            averages = job.network.slots + job.optimizer.average * slot_size + at
            average_row(scalars + STEP, count, averages, job.network.parameters + at)


@kernel
def rate_row(layer: Layer, row: Integer, column: Integer, count: Integer, before: Address, parameters: Address) -> None:
    """Move weights only a part of the way from before their update to after it: a layer's own learning rates."""
    own = lanes_of_kernel(layer, row, column)
    for at in range(0, count, LANES):
        rate = where(lanes_below(own - at), splat(layer.kernel_rate), splat(layer.bias_rate))
        w = load(before, at)
        store(parameters, at, fma(rate, load(parameters, at) - w, w))


@kernel(apart=True)
def average_row(step: Address, count: Integer, averages: Address, parameters: Address) -> None:
    """The moving average of some parameters, which overwrites them in some steps."""
    momentum = splat(get_double(step, 0))
    for at in range(0, count, LANES):
        w = load(parameters, at)
        store(averages, at, fma(momentum, load(averages, at) - w, w))
    if get_double(step, 1) > 0.0:
        copy_vectors(count // LANES, averages, parameters)


@kernel(inline=True)
def prepare_step(job: Job, step: Integer, scratch: Address) -> None:
    """The optimizer's scalars of an update, so many steps after the run's first, and the average's.

    The average begins as the parameters after the first update of all.  Where an update is made of several steps, it is
    due in the last one of them.
    """
    update_number = job.optimizer.iterations + step + 1
    put_double(scratch + STEP, 2, 1.0)
    if job.optimizer.accumulated_steps > 1:
        if update_number % job.optimizer.accumulated_steps:
            put_double(scratch + STEP, 2, 0.0)
        update_number = (update_number - 1) // job.optimizer.accumulated_steps + 1
    rate = get_double(job.optimizer.hyper, 0)
    if job.optimizer.rates != 0:
        rate = get_double(job.optimizer.rates, step)
    prepare(job.optimizer.code, job.optimizer.hyper, rate, to_double(update_number), scratch)
    put_double(scratch, DECAY, 1.0 - rate * get_double(job.optimizer.hyper, DECAY))
    put_double(scratch + STEP, 0, job.optimizer.average_momentum)
    if update_number == 1:
        put_double(scratch + STEP, 0, 0.0)
    put_double(scratch + STEP, 1, 0.0)
    if job.optimizer.average_frequency > 0:
        if update_number % job.optimizer.average_frequency == 0:
            put_double(scratch + STEP, 1, 1.0)
