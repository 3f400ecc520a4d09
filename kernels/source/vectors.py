"""Runs of whole vectors: copied, added, scaled, looked through."""

from __future__ import annotations

from ..language import Address, Double, Integer, kernel
from ..program import LANES
from ..values import Rows
from ..vocabulary import first_lane, is_finite, lanes_below, load, splat, store, sum_lanes, where


@kernel
def vectors_for(columns: Integer) -> Integer:
    """How many vectors hold so many reals."""
    return (columns + LANES - 1) // LANES


@kernel
def clear_behind(rows: Integer, columns: Integer, target: Rows) -> None:
    """Zeros in the padding of the last vector that holds some of each row's columns."""
    at = columns // LANES * LANES
    if at < columns:
        for row in range(rows):
            value = load(target.address, row * target.stride + at)
            store(target.address, row * target.stride + at, where(lanes_below(columns - at), value, splat(0.0)))


@kernel(apart=True)
def scale_vectors(count: Integer, factor: Double, target: Address) -> None:
    """Multiply count reals, in place."""
    scale = splat(factor)
    for at in range(0, count, LANES):
        store(target, at, scale * load(target, at))


@kernel
def copy_vectors(vectors: Integer, source: Address, target: Address) -> None:
    """Copy whole vectors."""
    for at in range(0, vectors * LANES, LANES):
        store(target, at, load(source, at))


@kernel
def add_vectors(count: Integer, source: Address, target: Address) -> None:
    """Add count reals to the target."""
    for at in range(0, count, LANES):
        store(target, at, load(target, at) + load(source, at))


@kernel
def all_finite(count: Integer, source: Address) -> Integer:
    """Whether none of count reals is NaN or infinite."""
    total = splat(0.0)
    for at in range(0, count, LANES):
        value = load(source, at)
        total = total + (value - value)
    if is_finite(first_lane(sum_lanes(total))):
        return 1
    return 0
