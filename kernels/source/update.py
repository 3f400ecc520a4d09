"""The update: each thread's panels of every matrix."""

from __future__ import annotations

from ..language import Address, Double, Integer, kernel
from ..program import LANES, PANEL, PANEL_VECTORS, SIZE
from ..records import (
    BIAS_SQUARES,
    CLIPNORM,
    CLIPVALUE,
    GLOBAL_CLIPNORM,
    GRADIENT,
    KERNEL_SQUARES,
    PARTS,
    Job,
    Layer,
    Layers,
    layer_at,
)
from ..tuning import SPARSE_PANEL_ROWS
from ..values import Batch, Panel, Rows, Update
from .accumulation import accumulate_panel
from .barrier import barrier
from .chunks import add_parts, sum_parts
from .clipping import clip_panel, measure_panel, scale_to
from .dense import weight_gradient
from .first_layer import first_layer_gradient
from .optimizer import update_panel
from .parts import parts_gradient
from .penalty import add_penalty, sum_of_rows
from .sparse import is_sparse, sparse_gradient
from .split import first_row_of_part, hands_over, panel_rows
from .squares import transpose_square
from .vectors import add_vectors, vectors_for


@kernel(apart=True)
def transpose_copy(layer: Layer, job: Job, panel: Panel) -> None:
    """Keep the transposed copy in step with a panel of the matrix, less the bias, in squares of LANES."""
    weights = job.network.parameters + (layer.weights + panel.column) * SIZE
    transposed = job.network.transposed + (layer.transposed + panel.column * layer.transposed_stride) * SIZE
    end = panel.row + panel.rows
    for first in range(panel.row, end, LANES):
        rows = layer.inputs - first
        if rows > end - first:
            rows = end - first
        if rows > 0:
            for vector in range(panel.vectors):
                source = Rows(weights + (first * layer.stride + vector * LANES) * SIZE, layer.stride)
                place = transposed + (vector * LANES * layer.transposed_stride + first) * SIZE
                transpose_square(rows, source, Rows(place, layer.transposed_stride))


@kernel(inline=True)
def update_all(layers: Layers, job: Job, thread: Integer, batch: Batch, parts: Integer, gradients: Address) -> Integer:
    """A thread's part of the update; 1 if the run was aborted.  Norms to clip by want the whole gradient first."""
    follows = 1
    if job.run.threads > 1 and not job.split.replicated:
        follows = 2
    handed = hands_over(job)
    if follows_gradient(job) and job.optimizer.clip > CLIPVALUE:
        update_part(layers, job, batch, Update(thread, parts, 1, handed, follows, gradients))
        if barrier(job):
            return 1
        update_part(layers, job, batch, Update(thread, parts, 2, handed, follows, gradients))
    else:
        update_part(layers, job, batch, Update(thread, parts, 0, handed, follows, gradients))
    return 0


@kernel
def follows_gradient(job: Job) -> Integer:
    """Whether parameters follow the gradient, or that alone is wanted."""
    return job.run.mode != GRADIENT and job.run.mode != PARTS


@kernel
def update_part(layers: Layers, job: Job, batch: Batch, how: Update) -> None:
    """A thread's panels of every matrix: their gradient, the new weights, the transposed copy.

    Where threads have left gradients of their chunks, these are summed here, as a tree.  Where parameters are
    replicated, each thread has parameters and slots of its own and updates all of them, alike; then gradients are all
    that goes from core to core.
    """
    kernel_scale = 1.0
    if how.phase == 2 and job.optimizer.clip == GLOBAL_CLIPNORM:
        kernel_scale = global_scale(layers, job)
    bias_scale = kernel_scale
    tall = 1
    first = 0
    if job.split.by_columns:  # update_columns has updated that one
        first = 1
    total = values_to_update(layers, job)
    if how.follows == 2 and rows_of_all(layers, job) < 512 * job.run.threads:  # too few to be split evenly
        tall = 0
    work = 0  # in values of the parameters
    packed = -1
    for number in range(first, job.network.layer_count):
        layer = layer_at(layers, number)
        if how.phase == 2 and job.optimizer.clip == CLIPNORM:
            kernel_scale = scale_to(sum_of_rows(layer, job, KERNEL_SQUARES), job.optimizer.clip_limit)
            bias_scale = scale_to(sum_of_rows(layer, job, BIAS_SQUARES), job.optimizer.clip_limit)
        row = 0
        end = layer.height
        if layer.frozen:
            end = 0
        elif tall:
            if how.follows == 2:
                row = first_row_of_part(layer, job, total * how.thread // job.run.threads - work)
                if how.thread + 1 < job.run.threads:
                    end = first_row_of_part(layer, job, total * (how.thread + 1) // job.run.threads - work)
                work += layer.height * layer.stride
        height = rows_of_panel(layer, job, end - row, batch.rows, tall)
        width = vectors_of_panel(layer, job)
        while row < end:
            rows = end - row
            if rows > height:
                rows = height
            vector = 0
            while vector < vectors_for(layer.width):
                vectors = vectors_for(layer.width) - vector
                if vectors > width:
                    vectors = width
                if tall or work * job.run.threads // total == how.thread:
                    panel = Panel(row, rows, vector * LANES, vectors)
                    gradient = Rows(place_of_gradient(layer, job, panel, how), layer.stride)
                    if gradient.address == own_panel(job, how):
                        gradient = Rows(gradient.address, vectors * LANES)
                    if how.phase < 2:
                        panel_gradient(layer, job, number, batch, panel, packed == layer.weights + row, how, gradient)
                        packed = layer.weights + row
                    if how.phase == 1:
                        measure_panel(layer, job, panel, gradient)
                    elif follows_gradient(job):
                        if job.optimizer.clip == CLIPVALUE or kernel_scale < 1.0 or bias_scale < 1.0:
                            clip_panel(layer, job, panel, kernel_scale, bias_scale, gradient)
                        scalars = job.memory.scratch + how.thread * job.memory.scratch_size
                        update_panel(layer, job, scalars, panel, gradient)
                        if layer.transposed >= 0 and job.network.keeps_transposed:
                            transpose_copy(layer, job, panel)
                if not tall:
                    work += rows * vectors * LANES
                vector += vectors
            row += rows


@kernel
def rows_of_panel(layer: Layer, job: Job, rows: Integer, batch_rows: Integer, tall: Integer) -> Integer:
    """How many of so many rows of a matrix a panel has.

    Of sparse inputs, in each row of the batch the panel's entries have to be found: so a gradient that is wanted as a
    whole is not divided, and panels are as large as the second cache allows.
    """
    if is_sparse(layer, job):
        if job.run.mode == GRADIENT or rows < SPARSE_PANEL_ROWS:
            return rows
        return SPARSE_PANEL_ROWS
    if tall:
        return panel_rows(layer, rows, batch_rows)
    return 16


@kernel
def vectors_of_panel(layer: Layer, job: Job) -> Integer:
    """How many vectors of a matrix's row a panel has, at most: the same that is said of rows."""
    if job.run.mode == GRADIENT and layer.stored_transposed and is_sparse(layer, job):
        part = (vectors_for(layer.width) + job.run.threads - 1) // job.run.threads
        return (part + PANEL_VECTORS - 1) // PANEL_VECTORS * PANEL_VECTORS
    return PANEL_VECTORS


@kernel
def values_to_update(layers: Layers, job: Job) -> Integer:
    """How many parameters there are to update, but for those of a first layer that is divided by columns."""
    total = job.network.updated_count
    if job.split.by_columns:
        layer = layer_at(layers, 0)
        if layer.frozen == 0:
            total -= layer.height * layer.stride
    return total


@kernel
def own_panel(job: Job, how: Update) -> Address:
    """Where a thread keeps the gradient of a panel that nobody else wants."""
    return job.memory.scratch + how.thread * job.memory.scratch_size + PANEL


@kernel(inline=True)
def place_of_gradient(layer: Layer, job: Job, panel: Panel, how: Update) -> Address:
    """Where the gradient of a panel stands: among all gradients, or in a panel of the thread's own."""
    place = how.gradients + (layer.weights + panel.row * layer.stride + panel.column) * SIZE
    part_size = job.memory.gradient_levels * job.network.parameter_count * SIZE
    if how.handed and (how.parts == 2 or how.thread == 1):  # in what the other thread has left
        return place + (2 - how.thread) * part_size - job.network.parameter_count * SIZE
    if how.handed:
        return place + how.thread * part_size
    if how.phase == 0 and follows_gradient(job) and (how.parts == 0 or job.split.replicated):
        return own_panel(job, how)
    return place


@kernel(inline=True)
def panel_gradient(
    layer: Layer, job: Job, number: Integer, batch: Batch, panel: Panel, packed: Integer, how: Update, gradient: Rows
) -> None:
    """The gradient by a panel of a matrix, computed or summed over what threads have left; and the penalty's.

    ``packed``: the panel before had the same inputs.
    """
    scratch = job.memory.scratch + how.thread * job.memory.scratch_size
    if job.run.mode == PARTS:
        parts_gradient(layer, job, how.thread, panel, scratch, gradient)
    elif how.parts == 0 and number == 0 and job.split.from_data:
        first_layer_gradient(layer, job, batch, panel, packed, how.follows, scratch, gradient)
    elif how.parts == 0 and is_sparse(layer, job):
        sparse_gradient(layer, job, job.memory.workspace, batch.rows, panel, gradient)
    elif how.parts == 0:
        weight_gradient(layer, job, job.memory.workspace, batch.rows, panel, packed, how.follows, scratch, gradient)
    else:
        sum_panel(layer, job, panel, how, gradient)
    if layer.penalized and job.run.mode != PARTS:  # the update adds it, once for all parts
        add_penalty(layer, job, batch.row_weight, panel, gradient)
    if job.optimizer.accumulated_steps > 1 and follows_gradient(job):
        accumulate_panel(layer, job, scratch, panel, gradient)


@kernel(apart=True)
def sum_panel(layer: Layer, job: Job, panel: Panel, how: Update, gradient: Rows) -> None:
    """The gradient by a panel of a matrix, summed over what threads have left."""
    place = how.gradients + (layer.weights + panel.row * layer.stride + panel.column) * SIZE
    part_size = job.memory.gradient_levels * job.network.parameter_count * SIZE
    if how.handed:
        if how.parts == 2:
            own = place + how.thread * part_size
            for row in range(panel.rows):
                at = row * layer.stride * SIZE
                add_vectors(panel.vectors * LANES, own + at, gradient.address + at)
    elif job.split.replicated:
        for row in range(panel.rows):
            source = place + row * layer.stride * SIZE
            target = gradient.address + row * gradient.stride * SIZE
            sum_parts(how.parts, part_size, gradient.stride, source, target)
    else:
        add_parts(how.parts, part_size, panel.rows, panel.vectors, gradient)


@kernel
def rows_of_all(layers: Layers, job: Job) -> Integer:
    """The rows of all matrices, as they are stored."""
    rows = 0
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        if layer.frozen == 0:
            rows += layer.height
    return rows


@kernel
def global_scale(layers: Layers, job: Job) -> Double:
    """What brings the whole gradient down to the norm that it is clipped to."""
    squares = 0.0
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        if layer.frozen == 0:
            squares = squares + (sum_of_rows(layer, job, KERNEL_SQUARES) + sum_of_rows(layer, job, BIAS_SQUARES))
    return scale_to(squares, job.optimizer.clip_limit)
