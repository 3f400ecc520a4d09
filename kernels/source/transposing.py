"""Rows turned into columns, a square of LANES x LANES at a time."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, SIZE
from ..vocabulary import load, store
from .squares import transpose_square


@kernel(apart=True)
def transpose_panel(
    steps: Integer, vectors: Integer, columns: Integer, source: Address, source_row: Integer, target: Address
) -> None:
    """The same from some vectors of columns, each of which is a row of steps values; 0 behind the last column."""
    for vector in range(vectors):
        for step in range(0, steps, LANES):
            transpose_square(
                columns - vector * LANES,
                source + (vector * LANES * source_row + step) * SIZE,
                source_row,
                target + (step * vectors + vector) * LANES * SIZE,
                vectors * LANES,
            )


@kernel
def transpose_rows(rows: Integer, columns: Integer, source: Address, source_row: Integer, target: Address) -> None:
    """Columns of up to as many rows as a vector has lanes, a vector each."""
    for at in range(0, columns, LANES):
        transpose_square(rows, source + at * SIZE, source_row, target + at * LANES * SIZE, LANES)


@kernel
def transpose_back(
    rows: Integer, columns: Integer, source: Address, square: Address, target: Address, target_row: Integer
) -> None:
    """Such vectors as rows again, 0 behind the last column."""
    for at in range(0, columns, LANES):
        transpose_square(columns - at, source + at * LANES * SIZE, LANES, square, LANES)
        for row in range(rows):
            store(target, row * target_row + at, load(square, row * LANES))
