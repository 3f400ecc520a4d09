"""Activations, row by row, and their slopes on the way back."""

from __future__ import annotations

from ..formulas.activations import DERIVED_SLOPES, KEPT_SLOPES, LINEAR, VALUES
from ..language import Address, Code, Double, Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layer
from ..values import Block
from ..vocabulary import load, splat, store
from .vectors import vectors_for


@kernel(each=VALUES)
def activate(
    activation: Code,
    rows: Integer,
    columns: Integer,
    stride: Integer,
    constant: Double,
    source: Address,
    target: Address,
) -> None:
    """Rows of an activation's values."""
    parameter = splat(constant)
    for row in range(rows):
        for at in range(row * stride, row * stride + columns, LANES):
            x = load(source, at)
            store(target, at, activation.value(x, parameter))


@kernel(each=KEPT_SLOPES)
def activate_keeping(
    activation: Code,
    rows: Integer,
    columns: Integer,
    stride: Integer,
    constant: Double,
    source: Address,
    target: Address,
    slopes: Address,
) -> None:
    """Rows of an activation's values and, beside them, slopes; the compiler shares what both need, such as exp(x)."""
    parameter = splat(constant)
    for row in range(rows):
        for at in range(row * stride, row * stride + columns, LANES):
            x = load(source, at)
            store(slopes, at, activation.slope(x, parameter))
            store(target, at, activation.value(x, parameter))


@kernel(each=DERIVED_SLOPES)
def scale_by_derived(
    activation: Code,
    rows: Integer,
    columns: Integer,
    stride: Integer,
    constant: Double,
    output: Address,
    source: Address,
    target: Address,
) -> None:
    """Rows of the source times the slopes that follow from an activation's output."""
    parameter = splat(constant)
    for row in range(rows):
        for at in range(row * stride, row * stride + columns, LANES):
            y = load(output, at)
            store(target, at, load(source, at) * activation.slope(y, parameter))


@kernel
def scale_by_kept(
    rows: Integer, columns: Integer, stride: Integer, slopes: Address, source: Address, target: Address
) -> None:
    """Rows of the source times slopes that were kept."""
    for row in range(rows):
        for at in range(row * stride, row * stride + columns, LANES):
            store(target, at, load(source, at) * load(slopes, at))


@kernel(inline=True)
def through_activation(layer: Layer, job: Job, block: Block, source: Address) -> None:
    """The layer's delta, from the gradient by its output: times the activation's slope."""
    stride = layer.output_stride
    columns = vectors_for(layer.outputs) * LANES
    delta = block.base + (layer.delta * job.memory.capacity + block.first * stride) * SIZE
    output = block.base + (layer.output * job.memory.capacity + block.first * stride) * SIZE
    if layer.slope >= 0:
        slopes = block.base + (layer.slope * job.memory.capacity + block.first * stride) * SIZE
        scale_by_kept(block.rows, columns, stride, slopes, source, delta)
    elif layer.activation != LINEAR or source != delta:
        scale_by_derived(layer.activation, block.rows, columns, stride, layer.parameter, output, source, delta)
