"""How the work of a step is divided: among threads, chunks and panels."""

from __future__ import annotations

from ..language import Integer, kernel
from ..program import PANEL_VECTORS, SIZE
from ..records import Job, Layer
from ..tuning import FLAT_ROWS, PACK_STRIDE, PACKED_INPUTS, PANEL_ROWS
from .vectors import vectors_for


@kernel
def first_row_of_part(layer: Layer, job: Job, values: Integer) -> Integer:
    """The first row of a layer's matrix that is a thread's, whose part of all begins so many values behind the layer's
    first."""
    units = (values + layer.stride - 1) // layer.stride
    units = (units + 15) // 16 * 16
    if units < 0:
        return 0
    if units > layer.height:
        return layer.height
    return units


@kernel
def panel_rows(layer: Layer, units: Integer, batch_rows: Integer) -> Integer:
    """Rows of a panel: few, that stay in the nearest cache; or many, where the deltas are packed for each panel, as
    many as fit beside a batch's packed inputs."""
    if layer.output_stride * SIZE <= PACK_STRIDE:
        return FLAT_ROWS
    most = PANEL_ROWS
    if most * batch_rows > PACKED_INPUTS:
        most = PACKED_INPUTS // batch_rows // 16 * 16  # inputs are packed 16 side by side
    if most < 32:
        most = 32
    panels = (units + most - 1) // most
    if panels < 2:
        return units
    return ((units + panels - 1) // panels + 15) // 16 * 16


@kernel
def panel_vectors(layer: Layer) -> Integer:
    vectors = vectors_for(layer.width)
    if vectors > PANEL_VECTORS:
        return PANEL_VECTORS
    return vectors


@kernel
def chunk_count(job: Job, batch_rows: Integer) -> Integer:
    """Into how many chunks a batch falls: a power of two, so that two, four, eight threads have alike.

    The last batch of an epoch falls into as many, unless they would have a quarter of a chunk's rows or less.  None is
    empty, for a chunk has room for 24 rows at least.
    """
    chunks = job.split.chunks
    while chunks > 1 and chunks * job.memory.capacity >= 4 * batch_rows:
        chunks = chunks // 2
    return chunks


@kernel
def chunks_a_thread(job: Job, batch_rows: Integer) -> Integer:
    """A power of two, so that each thread's chunks are a whole branch of the tree in which chunks are summed.

    The tree is the same for any number of threads, and so is the sum.
    """
    chunks = chunk_count(job, batch_rows)
    each_ = 1
    while each_ * job.run.threads < chunks:
        each_ *= 2
    return each_


@kernel
def hands_over(job: Job) -> Integer:
    """Whether two threads, of which each updates all parameters, give each other their gradients.

    Each leaves a copy of its own to the other, which adds its own to that in place: to write lines of memory that the
    other has written takes a sixth of what it takes to write lines that the other has only read.
    """
    return job.split.replicated and job.run.threads == 2
