"""Squares of LANES x LANES reals in registers, written out for each instruction set by render/tiles.py."""

from __future__ import annotations

from ..language import Address, Integer, written
from ..values import Rows


@written
def transpose_square(rows: Integer, source: Rows, target: Rows) -> None:
    """A square of LANES x LANES, transposed.  Its rows from ``rows`` on are taken for 0."""
    raise NotImplementedError


@written
def dot_square(vectors: Integer, source: Rows, weights: Address, target: Address) -> None:
    """LANES rows times one row of weights: a sum a lane, LANES in all."""
    raise NotImplementedError
