"""The order in which rows are visited: source/shuffle for many values at once."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


def mixed(value: Integers) -> Integers:
    """A hash of each value, of 62 bits."""
    keep = np.int64(0x3FFFFFFFFFFFFFFF)
    value = (value + 0x1E3779B97F4A7C15) & keep
    value = ((value ^ (value >> 30)) * 0x3F58476D1CE4E5B9) & keep
    value = ((value ^ (value >> 27)) * 0x14D049BB133111EB) & keep
    return value ^ (value >> 31)


def shuffled(position: Integers, rows: int, mask: int, shift: int, key: Integers) -> Integers:
    """The row at each position of an epoch of so many rows: a permutation by the epoch's key.

    The rounds permute the numbers up to ``mask``; a number that is no row's goes through them again.
    """
    row = position.copy()
    outside = np.ones(len(row), bool)
    while outside.any():
        some, round_key = row[outside], key
        for _ in range(4):
            some = ((some + round_key) * ((round_key >> 20) | 1)) & mask
            some = some ^ (some >> shift)
            round_key = (round_key >> 9) | ((round_key & 511) << 53)
        row[outside] = some
        outside = row >= rows
    return row
