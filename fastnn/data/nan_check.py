"""Looking for NaN, infinity and what is out of bounds, and saying where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from fastnn.engine import ThreadPool, prepared, processors
from fastnn.typing import Array

BLOCK_BYTES = 2**20  # checks go through an array by so much, which stays in cache and keeps temporaries small


def check_finite(array: Array, name: str, dtype: str = "float64", first_row: int = 0) -> None:
    """Refuse NaN, infinity, and what would become infinite in a dtype; the message says where it stands."""
    if array.dtype.kind != "f":
        return
    largest, all_fit = _largest(dtype, array.dtype)
    if all_fit and (prepared.finite(array) or _sums_to_finite(array)):
        return
    at = first_outside(array, -largest, largest)
    if at is None:
        return
    value = array[at]
    if np.isnan(value):
        value = "NaN"
    elif np.isfinite(value):
        hint = ": scale the data, or compile with dtype='float64'" if dtype == "float32" else ""
        raise ValueError(f"{name} has {value} in {place(at, first_row)}, too large for {dtype}{hint}")
    raise ValueError(f"{name} has {value} in {place(at, first_row)}; wants finite values")


@cache
def _largest(dtype: str, given: np.dtype[Any]) -> tuple[Any, bool]:
    """The largest value of an array that another dtype holds too, and whether that is all that it may have."""
    largest = min(np.finfo(dtype).max, np.finfo(given).max, key=np.longdouble).astype(given)
    return largest, bool(largest == np.finfo(given).max)


def blocks(array: Array) -> Iterator[tuple[int, Array]]:
    """Blocks of rows, each with its first row's number."""
    rows = max(1, BLOCK_BYTES // max(1, array.nbytes // len(array)))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]


def _sums_to_finite(array: Array) -> bool:
    """Whether the sum of each block is finite: then all of it is, at half the cost of looking for the extremes.

    Memory sets the pace, and several threads read it faster than one: up to 8 share the reading, however many a model
    is compiled for; FASTNN_NUM_THREADS limits them too.
    """
    if array.nbytes <= BLOCK_BYTES:
        with np.errstate(over="ignore", invalid="ignore"):
            return math.isfinite(np.add.reduce(array, axis=None))
    parts = [block for _, block in blocks(array)]
    finite = np.ones(len(parts), bool)

    def part(number: int) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(number, len(parts), pool.size):
                finite[i] = np.isfinite(np.add.reduce(parts[i], axis=None))

    with ThreadPool(min(processors(), len(parts) // 4, 8) if len(parts) >= 8 else 1) as pool:
        pool.run(part, lambda: None)
    return bool(finite.all())


def first_outside(array: Array, low: Any, high: Any) -> tuple[int, ...] | None:
    """Where the first value that is not within bounds stands, or is NaN; None where all is well."""
    for start, block in blocks(array):
        # NaN is the least and the largest of its block, and fails both comparisons.
        least, largest = np.minimum.reduce(block, axis=None), np.maximum.reduce(block, axis=None)
        if not (least.item() >= low and largest.item() <= high):
            with np.errstate(over="ignore"):  # a bound beyond the dtype becomes infinite, which serves as well
                row, *column = np.argwhere(~((block >= low) & (block <= high)))[0].tolist()
            return start + row, *column
    return None


def place(at: tuple[int, ...], first_row: int) -> str:
    return f"row {first_row + at[0]}" + "".join(f", column {column}" for column in at[1:])
