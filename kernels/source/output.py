"""The network's output, from a workspace to where the caller wants it."""

from __future__ import annotations

from ..language import Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layer
from ..values import Block
from ..vocabulary import copy, load, store


@kernel
def put_output(last: Layer, job: Job, block: Block, position: Integer) -> None:
    """The last layer's outputs for a block of rows, the first of which is at a position, in rows without padding."""
    output = block.base + (last.output * job.memory.capacity + block.first * last.output_stride) * SIZE
    for row in range(block.rows):
        source = output + row * last.output_stride * SIZE
        target = job.memory.output + (position + row) * job.memory.output_row * SIZE
        at = 0
        while at + LANES <= last.outputs:
            store(target, at, load(source, at))
            at += LANES
        while at < last.outputs:
            copy(source, at, target, at)
            at += 1


@kernel(inline=True)
def keep_output(last: Layer, job: Job, block: Block, position: Integer) -> None:
    """Keep what was scored, where somebody measures more of it than sums over rows."""
    if job.memory.output != 0:
        put_output(last, job, block, position)
