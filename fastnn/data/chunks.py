"""The chunks of rows that a source yields.

A source is read by one thread at a time, from a beginning to an end; what it yields has not been checked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

CHUNK_BYTES = 2**22
"""How much of a file is decoded at a time: what stays in cache until it stands in a block."""


class Chunk(NamedTuple):
    """Some rows, as the source has them, and how an error is to name them."""

    x: Any
    y: Any = None
    weight: Any = None
    origin: str = ""
    first_row: int = 0

    def named(self, argument: str) -> str:
        return f"{self.origin}: {argument}" if self.origin else argument
