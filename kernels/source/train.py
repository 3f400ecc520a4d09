"""Training: many steps, over epochs."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, SIZE
from ..records import ABORTED, DIVERGED, DONE, GOOD_STEP, GOOD_UPDATES, NOT_FINITE, TRAIN, Job, Layers, layer_at
from ..values import Batch, Block, Rows, Span
from ..vocabulary import atomic_get, atomic_put, get_double, get_integer, is_finite, put_integer
from .barrier import barrier
from .chunks import train_chunks
from .constraints import constrain
from .first_layer import first_layer
from .gather import check_finite, gather_rows, gather_targets, targets_of
from .loss import score_rows
from .normalization import move_statistics
from .optimizer import prepare_step
from .output import keep_output
from .own_columns import copy_columns, own_job, own_layer, update_columns
from .parts import pass_parts, score_parts
from .passes import backward, forward
from .scores import add_penalties, add_scores, row_weight_of
from .shuffle import mixed
from .split import first_column_of, rows_of_thread
from .update import follows_gradient, update_all
from .vectors import all_finite, copy_vectors


@kernel
def train(layers: Layers, job: Job, thread: Integer) -> Integer:
    """Take the job's steps; 1 if the run ended early.  Threads meet after the gradient, and after the update."""
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    part_size = job.memory.gradient_levels * job.network.parameter_count * SIZE
    epoch = job.run.first_step // job.run.steps_per_epoch
    position = (job.run.first_step - epoch * job.run.steps_per_epoch) * job.data.batch_size
    for step in range(job.run.first_step, job.run.last_step):
        rows = job.data.rows - position  # of the batch: the last one of an epoch may be shorter
        if rows > job.data.batch_size:
            rows = job.data.batch_size
        parts = 0
        gradients = job.memory.gradients
        first_score = 0
        if job.split.replicated and step % 2:  # gradients and scores of every other step are elsewhere: see below
            gradients += job.run.threads * part_size
            first_score = job.data.batch_size
        key = 0
        if job.network.noisy:
            key = mixed(job.order.seed + mixed(job.optimizer.iterations + step - job.run.first_step + 1))
        batch = Batch(epoch, position, rows, row_weight_of(job, step, rows), key, first_score)
        if job.split.chunks > 0:
            parts = train_chunks(layers, job, thread, batch, gradients)
        elif train_rows(layers, job, thread, batch, scratch):
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
            update_columns(own_layer(job, thread), own_job(job, thread), thread, batch, scratch)
        if update_weights(layers, job, thread, batch, parts, gradients):
            return 1
        if thread == 0:
            add_scores(job, batch)
            if job.run.mode == TRAIN and job.memory.partial_values > 0:
                move_statistics(layers, job, scratch)
            count_step(job, step)
        # Replicated, nothing that is read after this is written again before all have met in the next step.
        epoch_ends = job.run.mode == TRAIN and position + rows == job.data.rows
        if not job.split.replicated or epoch_ends:
            if barrier(job):
                return 1
        if thread == 0 and job.network.penalized:
            add_penalties(layers, job, batch)
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


@kernel(inline=True)
def update_weights(
    layers: Layers, job: Job, thread: Integer, batch: Batch, parts: Integer, gradients: Address
) -> Integer:
    """A thread's part of the update, and of the constraints, once all have updated; 1 if the run was aborted."""
    if update_all(layers, job, thread, batch, parts, gradients):
        return 1
    if job.network.constrained and follows_gradient(job):
        if job.split.replicated == 0:
            if barrier(job):
                return 1
        constrain(layers, job, thread)
    return 0


@kernel(inline=True)
def train_rows(layers: Layers, job: Job, thread: Integer, batch: Batch, scratch: Address) -> Integer:
    """Take a thread's rows of a batch forward and back, in a workspace that all share; 1 if the run was aborted."""
    first = 0
    end = batch.rows
    if job.run.threads > 1:
        first = rows_of_thread(job, batch.rows, thread)
        end = rows_of_thread(job, batch.rows, thread + 1)
    if end == first and not job.split.by_columns and job.memory.partial_values == 0:
        return 0  # else the others wait for this thread, before all of the batch can go on
    block = Block(job.memory.workspace, first, end - first, first)
    if job.split.from_data:
        if begin_step(layers, job, thread, batch, Span(first, end), scratch):
            return 1
    else:
        gather_rows(layers, job, block.base, first, block.rows, batch.epoch, batch.position, 1)
        inputs = Rows(block.base + first * job.memory.input_stride * SIZE, job.memory.input_stride)
        check_finite(layer_at(layers, 0).inputs, job, block.rows, inputs, batch.epoch, batch.position)
    if forward(layers, job, job.split.from_data > 0, block, batch, 1, 0, scratch):
        return 1
    last = layer_at(layers, job.network.layer_count - 1)
    score_rows(job, last, block, 0, batch.row_weight, scratch)
    keep_output(last, job, block, batch.position + first)
    return backward(layers, job, block, batch, scratch)


@kernel
def sum_gradients(layers: Layers, job: Job, thread: Integer) -> Integer:
    """The gradient of a rank's parts of one batch, and the scores of each; 1 if the run was aborted."""
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    step = job.run.first_step
    epoch = step // job.run.steps_per_epoch
    position = (step - epoch * job.run.steps_per_epoch) * job.data.batch_size
    rows = job.memory.capacity
    key = 0
    if job.network.noisy:
        key = mixed(job.order.seed + mixed(job.optimizer.iterations + 1))
    batch = Batch(epoch, position, rows, row_weight_of(job, step, rows), key, 0)
    if pass_parts(layers, job, thread, batch, scratch):
        return 1
    if atomic_get(job.run.synchronisation, ABORTED):
        return 1
    if barrier(job):
        return 1
    if thread == 0:
        score_parts(job)
        if job.memory.partial_values > 0:
            move_statistics(layers, job, scratch)
    return update_all(layers, job, thread, batch, 0, job.memory.gradients)


@kernel
def begin_step(layers: Layers, job: Job, thread: Integer, batch: Batch, rows: Span, scratch: Address) -> Integer:
    """The first layer straight from the data: a thread's columns of it for all of the batch, or its rows.

    1 if the run was aborted.
    """
    layer = layer_at(layers, 0)
    if job.split.by_columns:
        columns = Span(first_column_of(layer, job, thread), first_column_of(layer, job, thread + 1))
        own = own_job(job, thread)
        first_layer(own_layer(job, thread), own, batch, Span(0, batch.rows), rows, columns, scratch)
    else:
        first_layer(layer, job, batch, rows, rows, Span(0, layer.outputs), scratch)
    last = layer_at(layers, job.network.layer_count - 1)
    targets = targets_of(job, job.memory.workspace, rows.first)
    gather_targets(job.data.y_kind, last.outputs, job, rows.end - rows.first, targets)
    if job.split.by_columns:
        return barrier(job)
    return 0


@kernel
def end_epoch(job: Job, thread: Integer, epoch: Integer) -> Integer:
    """Keep parameters, slots and state if they and the epoch's loss are finite; 1 if not, which ends the run."""
    vectors = job.network.parameter_count // LANES
    start = vectors * thread // job.run.threads * LANES
    count = vectors * (thread + 1) // job.run.threads * LANES - start
    good = all_finite(count, job.network.parameters + start * SIZE)
    for part in range(job.network.slot_count):
        if not all_finite(count, job.network.slots + (part * job.network.parameter_count + start) * SIZE):
            good = 0
    if thread == 0:
        if not all_finite(job.network.state_count, job.network.state):
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
        keep_count(job, get_integer(job.run.synchronisation, DONE), get_integer(job.network.updates, 0))
    return 0


@kernel
def count_step(job: Job, step: Integer) -> None:
    """Count a step of training that has been taken, and its update."""
    if job.run.mode == TRAIN:
        put_integer(job.run.synchronisation, DONE, step + 1)
        put_integer(job.network.updates, 0, job.optimizer.iterations + step - job.run.first_step + 1)


@kernel
def keep_count(job: Job, steps: Integer, updates: Integer) -> None:
    """Note which steps and updates the backup is of."""
    put_integer(job.run.synchronisation, GOOD_STEP, steps)
    put_integer(job.run.synchronisation, GOOD_UPDATES, updates)


@kernel(apart=True)
def undo(job: Job) -> None:
    """Bring back what is in the backup, and the count of updates of then; no other thread is at work any more."""
    size = job.network.parameter_count * SIZE
    vectors = job.network.parameter_count // LANES
    copy_vectors(vectors, job.network.backup, job.network.parameters)
    copy_vectors(vectors * job.network.slot_count, job.network.backup + size, job.network.slots)
    state = job.network.backup + (1 + job.network.slot_count) * size
    copy_vectors(job.network.state_count // LANES, state, job.network.state)
    put_integer(job.network.updates, 0, get_integer(job.run.synchronisation, GOOD_UPDATES))
