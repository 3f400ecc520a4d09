"""The gradient of a rank's parts of a batch: of each part by itself, summed as a tree.

Where several machines share a batch, it falls into a number of parts that does not follow from theirs.  The sum over
the parts is a tree, whose branches are a rank's: so it has the same bits for any number of ranks.  All parts go through
the network first, each in a workspace of its own; then each panel of the gradient is summed while it is in cache.
"""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layer, Layers, layer_at
from ..tuning import PANEL_COLUMNS, PANEL_ROWS
from ..values import Batch, Block, Panel, Rows
from ..vocabulary import get_integer, put_double, splat, store
from .dense import weight_gradient
from .gather import check_finite, gather_rows
from .loss import score_rows
from .output import keep_output
from .passes import backward, forward
from .scores import sum_of_scores
from .sparse import is_sparse, sparse_gradient
from .split import rows_of_thread
from .vectors import add_vectors


@kernel
def start_of_part(job: Job, part: Integer) -> Integer:
    """The number in the batch of a part's first row; of the part behind the last, where that one ends."""
    return get_integer(job.split.part_starts, part)


@kernel
def workspace_of_part(job: Job, part: Integer) -> Address:
    """Where a part's workspace starts."""
    return job.memory.workspace + part * job.memory.workspace_size


@kernel
def pass_parts(layers: Layers, job: Job, thread: Integer, batch: Batch, scratch: Address) -> Integer:
    """Take a thread's rows of each part forward and back; 1 if the run was aborted.

    A thread has some rows of all parts in a row, or, where batches are normalised, some of each part: then threads meet
    within it.
    """
    last = layer_at(layers, job.network.layer_count - 1)
    begin = start_of_part(job, 0)
    all_rows = start_of_part(job, job.split.parts) - begin
    for part in range(job.split.parts):
        start = start_of_part(job, part)
        rows = start_of_part(job, part + 1) - start
        first = rows_of_thread(job, rows, thread)
        end = rows_of_thread(job, rows, thread + 1)
        if job.memory.partial_values == 0:
            first = bounded(begin + rows_of_thread(job, all_rows, thread) - start, rows)
            end = bounded(begin + rows_of_thread(job, all_rows, thread + 1) - start, rows)
        if end > first or (job.memory.partial_values > 0 and rows > 0):
            block = Block(workspace_of_part(job, part), first, end - first, job.split.batch_row + start + first)
            own = Batch(batch.epoch, batch.position, rows, batch.row_weight, batch.key, start - begin)
            place = batch.position + start
            gather_rows(layers, job, block.base, first, end - first, batch.epoch, place, 1)
            inputs = Rows(block.base + first * job.memory.input_stride * SIZE, job.memory.input_stride)
            check_finite(layer_at(layers, 0).inputs, job, end - first, inputs, batch.epoch, batch.position)
            if forward(layers, job, 0, block, own, 1, 0, scratch):
                return 1
            score_rows(job, last, block, start - begin, batch.row_weight, scratch)
            keep_output(last, job, block, start - begin + first)
            if backward(layers, job, block, own, scratch):
                return 1
    return 0


@kernel
def bounded(row: Integer, rows: Integer) -> Integer:
    """A row's number, or the nearest one from 0 to so many."""
    if row < 0:
        return 0
    if row > rows:
        return rows
    return row


@kernel(apart=True)
def parts_gradient(layer: Layer, job: Job, thread: Integer, panel: Panel, scratch: Address, gradient: Rows) -> None:
    """The gradient by a panel of a matrix: of one part after another, two branches of equal size added at once."""
    size = PANEL_ROWS * PANEL_COLUMNS * SIZE
    branches = job.memory.branches + thread * job.memory.branch_count * size - size
    stride = panel.vectors * LANES
    level = 0
    for part in range(job.split.parts):
        target = gradient
        if level > 0:
            target = Rows(branches + level * size, stride)
        rows = start_of_part(job, part + 1) - start_of_part(job, part)
        base = workspace_of_part(job, part)
        if rows == 0:
            clear_panel(panel, target)
        elif is_sparse(layer, job):
            sparse_gradient(layer, job, base, rows, panel, target)
        else:
            weight_gradient(layer, job, base, rows, panel, 0, 0, scratch, target)
        level += 1
        pairs = part + 1
        while pairs % 2 == 0:
            level -= 1
            below = gradient
            if level > 1:
                below = Rows(branches + (level - 1) * size, stride)
            for row in range(panel.rows):
                branch = branches + level * size + row * stride * SIZE
                add_vectors(stride, branch, below.address + row * below.stride * SIZE)
            pairs = pairs // 2


@kernel
def clear_panel(panel: Panel, gradient: Rows) -> None:
    """The gradient of no rows."""
    for row in range(panel.rows):
        for at in range(0, panel.vectors * LANES, LANES):
            store(gradient.address, row * gradient.stride + at, splat(0.0))


@kernel
def score_parts(job: Job) -> None:
    """The sums of the scores of each part, a row a part."""
    columns = 1 + job.loss.metric_count
    begin = start_of_part(job, 0)
    for part in range(job.split.parts):
        start = start_of_part(job, part) - begin
        rows = start_of_part(job, part + 1) - begin - start
        for column in range(columns):
            total = sum_of_scores(rows, columns, job.memory.scores + (start * columns + column) * 8)
            if column == 0:
                total = total * job.loss.score_scale
            put_double(job.memory.results, part * columns + column, total)
