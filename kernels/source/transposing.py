"""Rows turned into columns, a square of LANES x LANES at a time."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, SIZE
from ..values import Rows
from ..vocabulary import load, store
from .squares import transpose_square


@kernel(apart=True)
def transpose_panel(steps: Integer, vectors: Integer, columns: Integer, source: Rows, target: Address) -> None:
    """Some vectors of each of so many rows, side by side, from a matrix that holds them as columns.

    A column is a row of the source; behind the last column of all, the vectors hold 0.
    """
    for vector in range(vectors):
        for step in range(0, steps, LANES):
            square = source.address + (vector * LANES * source.stride + step) * SIZE
            place = target + (step * vectors + vector) * LANES * SIZE
            transpose_square(columns - vector * LANES, Rows(square, source.stride), Rows(place, vectors * LANES))


@kernel
def transpose_rows(rows: Integer, columns: Integer, source: Rows, target: Address) -> None:
    """The columns of up to as many rows as a vector has lanes, a vector each."""
    for at in range(0, columns, LANES):
        square = Rows(source.address + at * SIZE, source.stride)
        transpose_square(rows, square, Rows(target + at * LANES * SIZE, LANES))


@kernel
def transpose_back(rows: Integer, columns: Integer, source: Address, square: Address, target: Rows) -> None:
    """Rows, from vectors that each hold one of their columns; 0 behind the last column.

    ``square`` has room for LANES vectors.
    """
    for at in range(0, columns, LANES):
        transpose_square(columns - at, Rows(source + at * LANES * SIZE, LANES), Rows(square, LANES))
        for row in range(rows):
            store(target.address, row * target.stride + at, load(square, row * LANES))
