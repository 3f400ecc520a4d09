"""How the work of a step is divided: among threads, chunks and panels."""

from __future__ import annotations

from ..language import Integer, kernel
from ..program import PANEL_VECTORS, SIZE
from ..records import Job, Layer
from ..tuning import FLAT_ROWS, PACK_STRIDE, PACKED_INPUTS, PANEL_ROWS, ROW_BLOCK
from .vectors import vectors_for


@kernel
def first_row_of_part(layer: Layer, job: Job, values: Integer) -> Integer:
    """The first row of a layer's matrix that belongs to a thread.

    The thread's part of all parameters begins so many values behind the layer's first one.
    """
    rows = (values + layer.stride - 1) // layer.stride
    rows = (rows + 15) // 16 * 16
    if rows < 0:
        return 0
    if rows > layer.height:
        return layer.height
    return rows


@kernel
def first_column_of(layer: Layer, job: Job, thread: Integer) -> Integer:
    """The first column of a layer's matrix that belongs to a thread, where each thread has some columns."""
    blocks = (layer.outputs + job.split.column_block - 1) // job.split.column_block
    column = blocks * thread // job.run.threads * job.split.column_block
    if column > layer.outputs:
        return (layer.outputs + 15) // 16 * 16
    return column


@kernel
def panel_rows(layer: Layer, rows: Integer, batch_rows: Integer) -> Integer:
    """How many of a matrix's rows a panel has.

    Few, that stay in the nearest cache; or, where the deltas are packed for each panel, as many as fit beside a batch's
    packed inputs.
    """
    if layer.output_stride * SIZE <= PACK_STRIDE:
        return FLAT_ROWS
    most = PANEL_ROWS
    if most * batch_rows > PACKED_INPUTS:
        most = PACKED_INPUTS // batch_rows // 16 * 16  # inputs are packed 16 side by side
    if most < 32:
        most = 32
    panels = (rows + most - 1) // most
    if panels < 2:
        return rows
    return ((rows + panels - 1) // panels + 15) // 16 * 16


@kernel
def panel_vectors(layer: Layer) -> Integer:
    """How many vectors of a matrix's row a panel has."""
    vectors = vectors_for(layer.width)
    if vectors > PANEL_VECTORS:
        return PANEL_VECTORS
    return vectors


@kernel
def chunk_count(job: Job, batch_rows: Integer) -> Integer:
    """How many chunks a batch is divided into: a power of two, so that two, four, eight threads have equal work.

    The last, shorter batch of an epoch is divided into as many, unless a chunk would have a quarter of its rows or
    less.  No chunk is empty, for each has room for 24 rows at least.
    """
    chunks = job.split.chunks
    while chunks > 1 and chunks * job.memory.capacity >= 4 * batch_rows:
        chunks = chunks // 2
    return chunks


@kernel
def chunks_a_thread(job: Job, batch_rows: Integer) -> Integer:
    """How many chunks a thread has: a power of two, so that they are a whole branch of the tree of sums.

    The tree is the same for any number of threads, and so is the sum.
    """
    chunks = chunk_count(job, batch_rows)
    own = 1
    while own * job.run.threads < chunks:
        own *= 2
    return own


@kernel
def hands_over(job: Job) -> Integer:
    """Whether two threads, each of which updates all parameters, give each other copies of their gradients.

    Each thread adds its own gradient to the copy that the other has left, in place.  To write lines of memory that the
    other core has written takes a sixth of the time that it takes to write lines that it has only read.
    """
    return job.split.replicated and job.run.threads == 2


@kernel
def rows_of_thread(job: Job, batch_rows: Integer, thread: Integer) -> Integer:
    """The first of a batch's rows that belongs to a thread, where each thread has some: a multiple of ROW_BLOCK."""
    blocks = (batch_rows + ROW_BLOCK - 1) // ROW_BLOCK
    row = blocks * thread // job.run.threads * ROW_BLOCK
    if row > batch_rows:
        return batch_rows
    return row
