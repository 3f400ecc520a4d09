"""The update: each thread's panels of every matrix."""

from __future__ import annotations

from ..language import Address, Double, Integer, kernel
from ..program import LANES, PANEL, SIZE
from ..records import (
    BIAS_SQUARES,
    CLIPNORM,
    CLIPVALUE,
    GLOBAL_CLIPNORM,
    GRADIENT,
    KERNEL_SQUARES,
    Job,
    Layer,
    Layers,
    layer_at,
)
from .barrier import barrier
from .chunks import add_parts, sum_parts
from .clipping import clip_panel, measure_panel, scale_to
from .dense import weight_gradient
from .first_layer import first_layer_gradient
from .optimizer import update_panel
from .penalty import add_penalty, sum_of_rows
from .split import first_row_of_part, hands_over, panel_rows, panel_vectors
from .squares import transpose_square
from .vectors import add_vectors, vectors_for


@kernel
def transpose_copy(
    layer: Layer, job: Job, first_unit: Integer, units: Integer, column: Integer, vectors: Integer
) -> None:
    """Keep the transposed copy in step with some rows and columns of the matrix, less the bias, in squares of LANES."""
    weights = job.network.parameters + (layer.weights + column) * SIZE
    transposed = job.network.transposed + (layer.transposed + column * layer.transposed_stride) * SIZE
    for unit in range(first_unit, first_unit + units, LANES):
        rows = layer.inputs - unit
        if rows > first_unit + units - unit:
            rows = first_unit + units - unit
        if rows > 0:
            for vector in range(vectors):
                transpose_square(
                    rows,
                    weights + (unit * layer.stride + vector * LANES) * SIZE,
                    layer.stride,
                    transposed + (vector * LANES * layer.transposed_stride + unit) * SIZE,
                    layer.transposed_stride,
                )


@kernel(inline=True)
def update_all(
    layers: Layers,
    job: Job,
    thread: Integer,
    position: Integer,
    batch_rows: Integer,
    row_weight: Double,
    parts: Integer,
    gradients: Address,
) -> Integer:
    """This thread's share of the update; 1 if the run was aborted.  Norms to clip by want the whole gradient first."""
    if job.run.mode != GRADIENT and job.optimizer.clip > CLIPVALUE:
        update_part(layers, job, thread, position, batch_rows, row_weight, parts, 1, gradients)
        if barrier(job):
            return 1
        update_part(layers, job, thread, position, batch_rows, row_weight, parts, 2, gradients)
    else:
        update_part(layers, job, thread, position, batch_rows, row_weight, parts, 0, gradients)
    return 0


@kernel
def update_part(
    layers: Layers,
    job: Job,
    thread: Integer,
    position: Integer,
    batch_rows: Integer,
    row_weight: Double,
    parts: Integer,
    phase: Integer,
    gradients: Address,
) -> None:
    """This thread's panels of every matrix: their gradient, the new weights, the transposed copy.

    ``parts`` 0: the gradient of the whole batch is computed here, panel by panel, while each is in cache.
    Otherwise that many threads have left the gradient of their chunks, and they are summed here, as a tree.
    Replicated: each thread has parameters and slots of its own and updates all of them, alike; then gradients are all
    that goes from core to core.
    Phase 1 leaves the gradient and its sums of squares, 2 clips it by its norm and updates; 0 does all in one.
    """
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    kernel_scale = 1.0
    bias_scale = 1.0
    if phase == 2 and job.optimizer.clip == GLOBAL_CLIPNORM:
        squares = 0.0
        for number in range(job.network.layer_count):
            layer = layer_at(layers, number)
            squares = squares + (sum_of_rows(layer, job, KERNEL_SQUARES) + sum_of_rows(layer, job, BIAS_SQUARES))
        kernel_scale = scale_to(squares, job.optimizer.clip_limit)
        bias_scale = kernel_scale
    vector_size = job.network.parameter_count * SIZE
    part_size = job.memory.gradient_levels * vector_size
    handed = hands_over(job)
    tall = 1
    update_follows = 1
    first_layer = 0
    total = job.network.parameter_count
    if job.split.by_columns:  # update_units has updated that one
        first_layer = 1
        layer = layer_at(layers, 0)
        total -= layer.height * layer.stride
    if job.run.threads > 1 and not job.split.replicated:
        update_follows = 2  # other cores have read what is written here
        rows = 0
        for number in range(job.network.layer_count):
            layer = layer_at(layers, number)
            rows += layer.height
        if rows < 512 * job.run.threads:  # too few to be split evenly
            tall = 0
    work = 0  # in values of the parameters
    packed = -1
    for number in range(first_layer, job.network.layer_count):
        layer = layer_at(layers, number)
        if phase == 2 and job.optimizer.clip == CLIPNORM:
            kernel_scale = scale_to(sum_of_rows(layer, job, KERNEL_SQUARES), job.optimizer.clip_limit)
            bias_scale = scale_to(sum_of_rows(layer, job, BIAS_SQUARES), job.optimizer.clip_limit)
        width = panel_vectors(layer)
        unit = 0
        end = layer.height
        height = 16
        if tall:
            if update_follows == 2:
                unit = first_row_of_part(layer, job, total * thread // job.run.threads - work)
                if thread + 1 < job.run.threads:
                    end = first_row_of_part(layer, job, total * (thread + 1) // job.run.threads - work)
                work += layer.height * layer.stride
            height = panel_rows(layer, end - unit, batch_rows)
        while unit < end:
            units = end - unit
            if units > height:
                units = height
            vector = 0
            while vector < vectors_for(layer.width):
                vectors = vectors_for(layer.width) - vector
                if vectors > width:
                    vectors = width
                if tall or work * job.run.threads // total == thread:
                    column = vector * LANES
                    place = layer.weights + unit * layer.stride + column
                    gradient = gradients + place * SIZE
                    gradient_row = layer.stride
                    own = gradient + thread * part_size  # where there are parts
                    if handed and (parts == 2 or thread == 1):  # in what the other thread has left
                        gradient += (2 - thread) * part_size - vector_size
                    elif handed:
                        gradient = own
                    elif (
                        phase == 0 and job.run.mode != GRADIENT and (parts == 0 or job.split.replicated)
                    ):  # nobody else wants it
                        gradient = scratch + PANEL
                        gradient_row = vectors * LANES
                    if phase < 2:
                        if parts == 0 and number == 0 and job.split.from_data:
                            first_layer_gradient(
                                layer,
                                job,
                                position,
                                batch_rows,
                                unit,
                                units,
                                column,
                                vectors,
                                update_follows,
                                scratch,
                                gradient,
                                gradient_row,
                            )
                        elif parts == 0:
                            weight_gradient(
                                layer,
                                job,
                                job.memory.workspace,
                                batch_rows,
                                unit,
                                units,
                                column,
                                vectors,
                                packed == layer.weights + unit,
                                update_follows,
                                scratch,
                                gradient,
                                gradient_row,
                            )
                            packed = layer.weights + unit
                        elif handed:
                            if parts == 2:
                                for row in range(units):
                                    at = row * layer.stride * SIZE
                                    add_vectors(vectors * LANES, own + at, gradient + at)
                        elif job.split.replicated:
                            for row in range(units):
                                at = (place + row * layer.stride) * SIZE
                                target = gradient + row * gradient_row * SIZE
                                sum_parts(parts, part_size, gradient_row, gradients + at, target)
                        else:
                            add_parts(parts, part_size, units, vectors, gradient, gradient_row)
                        if layer.penalized:
                            add_penalty(layer, job, row_weight, unit, units, column, vectors, gradient, gradient_row)
                    if phase == 1:
                        measure_panel(layer, job, unit, units, column, vectors, gradient, gradient_row)
                    if job.run.mode != GRADIENT and phase != 1:
                        if job.optimizer.clip == CLIPVALUE or kernel_scale < 1.0 or bias_scale < 1.0:
                            clip_panel(
                                layer,
                                job,
                                unit,
                                units,
                                column,
                                vectors,
                                kernel_scale,
                                bias_scale,
                                gradient,
                                gradient_row,
                            )
                        update_panel(layer, job, scratch, unit, units, column, vectors, gradient, gradient_row)
                        if layer.transposed >= 0 and job.network.keeps_transposed:
                            transpose_copy(layer, job, unit, units, column, vectors)
                if not tall:
                    work += units * vectors * LANES
                vector += vectors
            unit += units
