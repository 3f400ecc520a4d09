"""The tiles: rows x vectors of sums that stay in registers over the whole depth.

What registers there are decides their shapes, so they are written out for each instruction set, by render/tiles.py.
"""

from __future__ import annotations

from ..language import Address, Integer, written


@written
def tile(
    rows: Integer,
    vectors: Integer,
    narrow: Integer,
    depth: Integer,
    a: Address,
    a_row: Integer,
    a_step: Integer,
    b: Address,
    b_step: Integer,
    accumulate: Integer,
    c: Address,
    c_row: Integer,
) -> Integer:
    """The tallest tile of at most so many rows, of so many vectors; returns its rows.

    With ``narrow``, the last vector is half a vector.  With ``accumulate``, the sums start with what c holds.
    """
    raise NotImplementedError


@written
def deep_tile(
    vectors: Integer,
    depth: Integer,
    a: Address,
    a_row: Integer,
    a_step: Integer,
    b: Address,
    b_step: Integer,
    accumulate: Integer,
    c: Address,
    c_row: Integer,
    a_ahead: Address,
    a_ahead_row: Integer,
    ahead: Address,
    ahead_step: Integer,
    written: Address,
    written_step: Integer,
) -> None:
    """The tallest tile, for great depths, which asks for memory as it goes."""
    raise NotImplementedError
