"""Noise, in place: what is random follows from a key, and is drawn again on the way back."""

from __future__ import annotations

from ..formulas import normal_quantile
from ..language import Address, Integer, kernel
from ..program import LANES
from ..records import DROPOUT, Layer
from ..vocabulary import fma, load, put, random_lanes, splat, store, where
from .shuffle import mixed


@kernel
def noise_key(layer: Layer, key: Integer, row: Integer) -> Integer:
    """The key of a row of the batch, from that of the step.

    What is random follows from this key and the column, so it can be drawn again and need not be kept.
    """
    return mixed(mixed(key + layer.seed) + row)


@kernel(apart=True)
def add_noise(layer: Layer, rows: Integer, batch_row: Integer, key: Integer, output: Address) -> None:
    """Dropout or Gaussian noise, in place."""
    stride = layer.output_stride
    threshold = splat(layer.threshold)
    scale = splat(layer.scale)
    shift = splat(layer.shift)
    dropped = splat(layer.dropped)
    deviation = splat(layer.deviation)
    for row in range(rows):
        row_key = noise_key(layer, key, batch_row + row)
        if layer.kind == DROPOUT:
            for at in range(0, layer.outputs, LANES):
                y = fma(load(output, row * stride + at), scale, shift)
                store(output, row * stride + at, where(random_lanes(row_key, at) < threshold, dropped, y))
        else:
            for at in range(0, layer.outputs, LANES):
                noise = normal_quantile(random_lanes(row_key, at))
                store(output, row * stride + at, fma(noise, deviation, load(output, row * stride + at)))
        put(output, row * stride + layer.outputs, 1.0)


@kernel(apart=True)
def through_noise(
    layer: Layer, rows: Integer, batch_row: Integer, key: Integer, source: Address, target: Address
) -> None:
    """The gradient by what dropout was given, from that by what it gave: its random numbers are drawn again."""
    stride = layer.output_stride
    threshold = splat(layer.threshold)
    scale = splat(layer.scale)
    for row in range(rows):
        row_key = noise_key(layer, key, batch_row + row)
        for at in range(0, layer.outputs, LANES):
            d = load(source, row * stride + at) * scale
            store(target, row * stride + at, where(random_lanes(row_key, at) < threshold, splat(0.0), d))
