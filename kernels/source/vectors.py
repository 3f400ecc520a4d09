"""Runs of whole vectors: copied, added, scaled, looked through."""

from __future__ import annotations

from ..language import Address, Double, Integer, kernel
from ..program import LANES
from ..vocabulary import first_lane, is_finite, lanes_below, load, splat, store, sum_lanes, where


@kernel
def vectors_for(columns: Integer) -> Integer:
    return (columns + LANES - 1) // LANES


@kernel
def clear_behind(rows: Integer, columns: Integer, stride: Integer, target: Address) -> None:
    """Zeros in the padding of the last vector that holds some of each row's columns."""
    at = columns // LANES * LANES
    if at < columns:
        for row in range(rows):
            store(
                target,
                row * stride + at,
                where(lanes_below(columns - at), load(target, row * stride + at), splat(0.0)),
            )


@kernel(apart=True)
def scale_vectors(count: Integer, scale_: Double, target: Address) -> None:
    scale = splat(scale_)
    for at in range(0, count, LANES):
        store(target, at, scale * load(target, at))


@kernel
def copy_vectors(vectors: Integer, source: Address, target: Address) -> None:
    for at in range(0, vectors * LANES, LANES):
        store(target, at, load(source, at))


@kernel
def add_vectors(count: Integer, source: Address, target: Address) -> None:
    for at in range(0, count, LANES):
        store(target, at, load(target, at) + load(source, at))


@kernel
def all_finite(count: Integer, source: Address) -> Integer:
    total = splat(0.0)
    for at in range(0, count, LANES):
        value = load(source, at)
        total = total + (value - value)
    if is_finite(first_lane(sum_lanes(total))):
        return 1
    return 0
