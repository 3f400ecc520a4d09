"""The first layer divided among threads by columns of its matrix.

Where a line of memory that another core has read is written, that core's copy is called back first, which may take as
long as a hundred multiplications of vectors.  Wide first layers are all that a batch's rows share, mostly: so each
thread keeps some columns of it, with their slots, in memory of its own for the length of a run, and reads all of the
batch.  The thread's own records of layer and job say where; places count from the same first column.
"""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, PANEL, SIZE
from ..records import CLIPVALUE, JOB_SIZE, LAYER_SIZE, Job, Layer, Layers, as_job, as_layer, layer_at
from ..values import Batch, Panel, Rows
from .accumulation import accumulate_panel
from .clipping import clip_panel
from .first_layer import first_layer_gradient
from .optimizer import update_panel
from .penalty import add_penalty
from .split import first_column_of, panel_rows, panel_vectors
from .vectors import copy_vectors


@kernel
def own_layer(job: Job, thread: Integer) -> Layer:
    """A thread's own record of the first layer."""
    return as_layer(job.split.own_records + thread * (LAYER_SIZE + JOB_SIZE))


@kernel
def own_job(job: Job, thread: Integer) -> Job:
    """A thread's own record of the job."""
    return as_job(job.split.own_records + thread * (LAYER_SIZE + JOB_SIZE) + LAYER_SIZE)


@kernel(apart=True)
def copy_columns(layers: Layers, job: Job, thread: Integer, back: Integer) -> None:
    """Copy a thread's columns of the first layer, weights and slots, to its own memory, or back."""
    layer = layer_at(layers, 0)
    first = first_column_of(layer, job, thread)
    vectors = (first_column_of(layer, job, thread + 1) - first) // LANES
    place = layer.weights + first
    stride = layer.stride
    layer = own_layer(job, thread)
    own = own_job(job, thread).network.parameters
    for part in range(1 + job.network.slot_count):
        whole = job.network.parameters + place * SIZE
        if part > 0:
            whole = job.network.slots + ((part - 1) * job.network.parameter_count + place) * SIZE
        for _ in range(layer.height):
            if back:
                copy_vectors(vectors, own, whole)
            else:
                copy_vectors(vectors, whole, own)
            own += layer.stride * SIZE
            whole += stride * SIZE


@kernel(apart=True)
def update_columns(layer: Layer, job: Job, thread: Integer, batch: Batch, scratch: Address) -> None:
    """Update a thread's columns of the first layer: their gradient, panel by panel, and the new weights."""
    first = first_column_of(layer, job, thread)
    end = first_column_of(layer, job, thread + 1)
    width = panel_vectors(layer) * LANES
    height = panel_rows(layer, layer.height, batch.rows)
    row = 0
    if layer.frozen:
        row = layer.height
    while row < layer.height:
        rows = layer.height - row
        if rows > height:
            rows = height
        column = first
        while column < end:
            columns = end - column
            if columns > width:
                columns = width
            panel = Panel(row, rows, column, columns // LANES)
            gradient = Rows(scratch + PANEL, columns)
            first_layer_gradient(layer, job, batch, panel, column > first, 1, scratch, gradient)
            if layer.penalized:
                add_penalty(layer, job, batch.row_weight, panel, gradient)
            if job.optimizer.accumulated_steps > 1:
                accumulate_panel(layer, job, scratch, panel, gradient)
            if job.optimizer.clip == CLIPVALUE:
                clip_panel(layer, job, panel, 1.0, 1.0, gradient)
            update_panel(layer, job, scratch, panel, gradient)
            column += columns
        row += rows
