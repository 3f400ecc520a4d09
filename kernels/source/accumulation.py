"""Gradients of several steps, of which one update is made."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, SIZE, STEP
from ..records import Job, Layer
from ..values import Panel, Rows
from ..vocabulary import get_double, load, splat, store, to_double


@kernel(inline=True)
def update_is_due(scalars: Address) -> Integer:
    """Whether the weights are updated in this step; if not, its gradient is kept."""
    return get_double(scalars + STEP, 2) > 0.0


@kernel(apart=True)
def accumulate_panel(layer: Layer, job: Job, scalars: Address, panel: Panel, gradient: Rows) -> None:
    """Add a panel of the gradient to what is kept of it; where an update is due, make it the mean over its steps."""
    kept = job.network.slots + job.optimizer.accumulator * job.network.parameter_count * SIZE
    kept += (layer.weights + panel.row * layer.stride + panel.column) * SIZE
    part = splat(1.0 / to_double(job.optimizer.accumulated_steps))
    for row in range(panel.rows):
        target = gradient.address + row * gradient.stride * SIZE
        source = kept + row * layer.stride * SIZE
        for at in range(0, panel.vectors * LANES, LANES):
            total = load(target, at) + load(source, at)
            if update_is_due(scalars):
                store(target, at, total * part)
                store(source, at, splat(0.0))
            else:
                store(source, at, total)
