"""What the fields of a document must be: a document is what somebody may have written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["ANY", "COUNT", "NUMBER", "Each", "Optional", "check", "too_large"]

MOST_BYTES, MOST_VALUES = 1 << 26, 1_000_000  # of JSON: a list of nothing takes 20 times as much in memory


class Each(NamedTuple):
    """A list, or the values of a dict, each of which must be the same."""

    kind: type
    wanted: Any


class Optional(NamedTuple):
    """None, or something else."""

    wanted: Any


ANY = object()
"""Whatever it is: the user's own."""
COUNT = "an integer from 0 to 2**63 - 1"
NUMBER = "a number"


def check(value: Any, wanted: Any, place: str) -> None:
    """Raise ValueError, which names the place, where a value is not what is wanted.

    That is a type, of which bool is no int; COUNT; NUMBER; `Each`; `Optional`; or a dict of the fields that there must
    be, of which there may be more.
    """
    if isinstance(wanted, Optional):
        if value is not None:
            check(value, wanted.wanted, place)
    elif isinstance(wanted, Each):
        check(value, wanted.kind, place)
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            check(part, wanted.wanted, f"{place}[{name!r}]")
    elif isinstance(wanted, Mapping):
        check(value, dict, place)
        for name, kind in wanted.items():
            if name not in value:
                raise ValueError(f"{place} lacks {name!r}")
            check(value[name], kind, f"{place}[{name!r}]")
    elif not _is(value, wanted):
        said = wanted if isinstance(wanted, str) else wanted.__name__
        raise ValueError(f"{place} is {value!r:.60}; wants {said}")


def too_large(text: bytes, arrays: int = 0) -> str:
    """What is too large about JSON, with that many arrays whose names are still to come; empty where nothing is."""
    size, values = len(text) + 400 * arrays, sum(map(text.count, (b",", b"[", b"{"))) + 2 * arrays
    if size > MOST_BYTES:
        return f"has {size:,} bytes, and may have {MOST_BYTES:,}"
    return f"holds {values:,} values, and may hold {MOST_VALUES:,}" if values > MOST_VALUES else ""


def _is(value: Any, wanted: Any) -> bool:
    if wanted is ANY:
        return True
    if wanted == COUNT:
        return isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= int(value) < 2**63
    if wanted == NUMBER:
        return isinstance(value, int | float | np.number) and not isinstance(value, bool)
    fits: bool = isinstance(value, wanted)
    return fits and (wanted is bool or not isinstance(value, bool))
