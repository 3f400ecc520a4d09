"""The tiles: rows x vectors of sums that stay in registers over the whole depth.

What registers there are decides their shapes, so they are written out for each instruction set, by render/tiles.py.
"""

from __future__ import annotations

from ..language import Integer, written
from ..values import Ahead, Left, Right, Rows, Strided


@written
def tile(
    rows: Integer,
    vectors: Integer,
    narrow: Integer,
    depth: Integer,
    left: Left,
    right: Right,
    accumulate: Integer,
    target: Rows,
) -> Integer:
    """The tallest tile of at most so many rows, of so many vectors; returns its rows.

    With ``narrow``, the last vector is half a vector.  With ``accumulate``, the sums start with what target holds.
    """
    raise NotImplementedError


@written
def deep_tile(
    vectors: Integer, depth: Integer, left: Left, right: Right, accumulate: Integer, target: Rows, ahead: Ahead
) -> None:
    """The tallest tile, for great depths: it takes four steps a turn, and asks for memory as it goes."""
    raise NotImplementedError


@written
def member_tile(
    rows: Integer, vectors: Integer, depth: Integer, left: Strided, right: Strided, accumulate: Integer, target: Rows
) -> Integer:
    """The tallest tile of at most so many rows, of so many vectors, of vectors times vectors; returns its rows."""
    raise NotImplementedError
