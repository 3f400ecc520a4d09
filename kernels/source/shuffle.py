"""The order in which an epoch visits the rows."""

from __future__ import annotations

from ..language import Integer, kernel
from ..records import Job
from ..vocabulary import get_integer


@kernel
def mixed(value: Integer) -> Integer:
    """A hash of 62 bits (two rounds of multiply and xor-shift)."""
    value = (value + 0x1E3779B97F4A7C15) & 0x3FFFFFFFFFFFFFFF
    value = ((value ^ (value >> 30)) * 0x3F58476D1CE4E5B9) & 0x3FFFFFFFFFFFFFFF
    value = ((value ^ (value >> 27)) * 0x14D049BB133111EB) & 0x3FFFFFFFFFFFFFFF
    return value ^ (value >> 31)


@kernel
def shuffled(position: Integer, rows: Integer, mask: Integer, shift: Integer, key: Integer) -> Integer:
    """The row to visit at a position: a permutation of range(rows) that needs no memory and no order of evaluation.

    Four rounds of add, multiply by an odd number and xor-shift permute range(mask + 1), 2**k numbers; one that falls
    outside range(rows) is sent round again until it is inside.
    """
    row = position
    outside = 1
    while outside:
        rotated = key
        for _ in range(4):
            row = ((row + rotated) * ((rotated >> 20) | 1)) & mask
            row = row ^ (row >> shift)
            rotated = (rotated >> 9) | ((rotated & 511) << 53)
        outside = row >= rows
    return row


@kernel
def order_key(job: Job, epoch: Integer) -> Integer:
    """What the order of an epoch's rows follows from: where it is written down, or the key of the shuffle."""
    if job.order.rows != 0:
        return (epoch - job.run.first_epoch) * job.data.rows
    if job.order.shuffle:
        return mixed(job.order.seed + mixed(epoch))
    return 0


@kernel(inline=True)
def place_of_row(job: Job, position: Integer, key: Integer) -> Integer:
    """Where in x and y the row stands that is visited at a position."""
    if job.order.rows != 0:
        return get_integer(job.order.rows, key + position)
    if job.order.shuffle:
        position = shuffled(position, job.data.rows, job.order.mask, job.order.shift, key)
    return position - job.data.origin
