"""The words that kernels are written in, apart from what they compute with: types, records, decorators.

Kernels are functions over 64-bit integers, doubles, vectors of LANES reals and records in memory.  What a thing is
stands in the annotations of a kernel's arguments and result, and follows from there for all that is made of them.
"""

from __future__ import annotations

from typing import Any

Integer = int
"""A signed integer of 64 bits."""

Address = int
"""An Integer that says where in memory something stands, in bytes."""

Double = float
"""A real of 64 bits."""


class Record:
    """Base of the records in memory, which the kernels are given by address: a field is read where it stands."""

    def __getattr__(self, name: str) -> Any: ...  # for editors: fields are annotations
