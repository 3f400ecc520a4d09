"""Training: many steps, over epochs."""

from __future__ import annotations

from ..language import Integer, kernel
from ..program import LANES, SIZE
from ..records import ABORTED, DIVERGED, DONE, NOT_FINITE, TRAIN, Job, Layers, layer_at
from ..tuning import ROW_BLOCK
from ..vocabulary import atomic_get, atomic_put, get_double, is_finite, put_integer
from .barrier import barrier
from .chunks import train_chunks
from .first_layer import begin_step, copy_columns, own_job, own_layer, update_columns
from .gather import check_finite, gather_rows
from .loss import score_rows
from .normalization import move_statistics
from .optimizer import prepare_step
from .passes import backward, forward
from .scores import add_penalties, add_scores, row_weight_of
from .shuffle import mixed
from .update import update_all
from .vectors import all_finite, copy_vectors


@kernel
def end_epoch(job: Job, thread: Integer, epoch: Integer) -> Integer:
    """Keep the parameters and slots if they and the epoch's loss are finite; 1 if not, which ends the run."""
    vectors = job.network.parameter_count // LANES
    start = vectors * thread // job.run.threads * LANES
    count = vectors * (thread + 1) // job.run.threads * LANES - start
    good = all_finite(count, job.network.parameters + start * SIZE)
    for part in range(job.network.slot_count):
        if not all_finite(count, job.network.slots + (part * job.network.parameter_count + start) * SIZE):
            good = 0
    loss = get_double(job.memory.results, (epoch - job.run.first_epoch) * (1 + job.loss.metric_count))
    if not good or not is_finite(loss):
        atomic_put(job.run.synchronisation, DIVERGED, epoch + 1)
    if barrier(job):
        return 1
    if atomic_get(job.run.synchronisation, DIVERGED):
        return 1
    for part in range(1 + job.network.slot_count):
        at = (part * job.network.parameter_count + start) * SIZE
        source = job.network.parameters + start * SIZE
        if part > 0:
            source = job.network.slots + at - job.network.parameter_count * SIZE
        copy_vectors(count // LANES, source, job.network.backup + at)
    if thread == 0:
        state = job.network.backup + (1 + job.network.slot_count) * job.network.parameter_count * SIZE
        copy_vectors(job.network.state_count // LANES, job.network.state, state)
    return 0


@kernel
def train(layers: Layers, job: Job, thread: Integer) -> Integer:
    last = layer_at(layers, job.network.layer_count - 1)
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    part_size = job.memory.gradient_levels * job.network.parameter_count * SIZE
    epoch = job.run.first_step // job.run.steps_per_epoch
    position = (job.run.first_step - epoch * job.run.steps_per_epoch) * job.data.batch_size
    for step in range(job.run.first_step, job.run.last_step):
        batch_rows = job.data.rows - position
        if batch_rows > job.data.batch_size:
            batch_rows = job.data.batch_size
        row_weight = row_weight_of(job, step, batch_rows)
        parts = 0
        gradients = job.memory.gradients
        first_score = 0
        if job.split.replicated and step % 2:  # gradients and scores of every other step are elsewhere: see below
            gradients += job.run.threads * part_size
            first_score = job.data.batch_size
        key = 0
        if job.network.noisy:
            key = mixed(job.order.seed + mixed(job.optimizer.iterations + step - job.run.first_step + 1))
        if job.split.chunks > 0:
            parts = train_chunks(
                layers, job, thread, epoch, position, batch_rows, row_weight, first_score, gradients, key
            )
        else:
            first_row = 0
            rows = batch_rows
            if job.run.threads > 1:
                blocks = (batch_rows + ROW_BLOCK - 1) // ROW_BLOCK
                first_row = blocks * thread // job.run.threads * ROW_BLOCK
                rows = blocks * (thread + 1) // job.run.threads * ROW_BLOCK
                if rows > batch_rows:
                    rows = batch_rows
                rows -= first_row
            if (
                rows > 0 or job.split.by_columns or job.memory.partial_values > 0
            ):  # others wait for all of a batch to be normalised
                base = job.memory.workspace
                if job.split.from_data:
                    if begin_step(layers, job, thread, first_row, rows, batch_rows, epoch, position, scratch):
                        return 1
                else:
                    gather_rows(layers, job, base, first_row, rows, epoch, position, 1)
                    inputs = base + first_row * job.memory.input_stride * SIZE
                    layer = layer_at(layers, 0)
                    check_finite(layer.inputs, job, rows, inputs, job.memory.input_stride, epoch, position)
                if forward(
                    layers,
                    job,
                    job.split.from_data > 0,
                    base,
                    first_row,
                    rows,
                    first_row,
                    batch_rows,
                    key,
                    1,
                    0,
                    scratch,
                ):
                    return 1
                score_rows(job, last, base, first_row, rows, 0, row_weight, scratch)
                if backward(layers, job, base, first_row, rows, first_row, batch_rows, key, scratch):
                    return 1
        if atomic_get(job.run.synchronisation, ABORTED):  # a function of the user's own failed
            return 1
        if barrier(job):
            return 1
        if job.data.lazy_nan_check and epoch == 0:
            found = atomic_get(job.run.synchronisation, NOT_FINITE)
            if found > 0 and found <= position + 1:  # replicated, another thread may be at the next batch already
                return 1
        if job.run.mode == TRAIN:
            prepare_step(job, step - job.run.first_step, scratch)
        if job.split.by_columns:
            update_columns(
                own_layer(job, thread), own_job(job, thread), thread, position, batch_rows, row_weight, scratch
            )
        if update_all(layers, job, thread, position, batch_rows, row_weight, parts, gradients):
            return 1
        if thread == 0:
            add_scores(job, epoch, first_score, batch_rows, row_weight)
            if job.run.mode == TRAIN and job.memory.partial_values > 0:
                move_statistics(layers, job, scratch)
            put_integer(job.run.synchronisation, DONE, step + 1)
        # Replicated, nothing that is read after this is written again before all have met in the next step.
        epoch_ends = job.run.mode == TRAIN and position + batch_rows == job.data.rows
        if not job.split.replicated or epoch_ends:
            if barrier(job):
                return 1
        if thread == 0 and job.network.penalized:
            add_penalties(layers, job, epoch, batch_rows)
        if epoch_ends:
            if job.split.by_columns:
                copy_columns(layers, job, thread, 1)
                if barrier(job):
                    return 1
            if end_epoch(job, thread, epoch):
                return 1
        position += job.data.batch_size
        if position >= job.data.rows:
            position = 0
            epoch += 1
    return 0
