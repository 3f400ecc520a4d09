"""The entry: what a thread is called with."""

from __future__ import annotations

from ..language import Integer, kernel
from ..records import (
    CALLED_JOB,
    CALLED_LAYERS,
    CALLED_THREAD,
    DIVERGED,
    EVALUATE,
    GONE,
    IDLE,
    LACKING,
    MEMBERS,
    PARTS,
    PREDICT,
    SAMPLE,
    STAND_BY,
    STATE,
    TRAIN,
    UPDATE,
    Job,
    Layers,
    as_job,
    as_layers,
)
from ..values import Batch
from ..vocabulary import (
    atomic_add,
    atomic_get,
    flush_denormals,
    get_integer,
    put_integer,
    restore_denormals,
    thread_clock,
    wall_clock,
)
from .barrier import barrier, barrier_leave
from .members import train_members
from .optimizer import prepare_step
from .own_columns import copy_columns
from .predict import infer, sample
from .scores import add_penalties, row_weight_of
from .train import sum_gradients, train, undo, update_weights
from .workers import begin_call, call_workers, called, gather_workers, let_go


@kernel
def run(layers: Layers, job: Job, thread: Integer) -> Integer:
    """The entry: the whole job, with the workers that it names, or this thread's part of it.

    1 if the run ended early (aborted, or diverged), LACKING if nothing was done, for too few workers stand by.
    """
    if job.run.mode == STAND_BY:
        words = job.run.synchronisation
        atomic_add(words, STATE, -GONE)
        turns = job.run.waits
        while called(words, turns):
            turns = 0
            called_layers = get_integer(words, CALLED_LAYERS)
            called_job = get_integer(words, CALLED_JOB)
            called_thread = get_integer(words, CALLED_THREAD)
            work(as_layers(called_layers), as_job(called_job), called_thread)
            let_go(words)
            barrier_leave(as_job(called_job), called_thread)
        return 0
    if job.run.threads == 1:
        begin_call(job)
    elif thread == 0 and job.run.workers != 0:
        if not gather_workers(job):
            return LACKING
        begin_call(job)
        call_workers(job)
    ended = work(layers, job, thread)
    barrier_leave(job, thread)
    if ended and thread == 0 and job.run.mode == TRAIN:
        if atomic_get(job.run.synchronisation, DIVERGED):
            undo(job)
    return ended


@kernel
def work(layers: Layers, job: Job, thread: Integer) -> Integer:
    """A thread's part of a job that is no waiting: training, evaluating, predicting, a gradient, an update."""
    state = flush_denormals()
    ended = 0
    watched = job.run.threads > 1 and job.run.mode == TRAIN
    idle = 0
    if watched:
        idle = thread_clock() - wall_clock()
    if job.run.mode == EVALUATE or job.run.mode == PREDICT:
        ended = infer(layers, job, thread)
    elif job.run.mode == UPDATE:
        ended = update_alone(layers, job, thread)
    elif job.run.mode == PARTS:
        ended = sum_gradients(layers, job, thread)
    elif job.run.mode == SAMPLE:
        ended = sample(layers, job)
    elif job.run.mode == MEMBERS:
        ended = train_members(layers, job)
    elif job.split.by_columns:
        copy_columns(layers, job, thread, 0)
        ended = train(layers, job, thread)
        if ended or job.run.last_step % job.run.steps_per_epoch:  # else they have been copied as the epoch ended
            copy_columns(layers, job, thread, 1)
    else:
        ended = train(layers, job, thread)
    if watched:
        atomic_add(job.run.synchronisation, IDLE, idle + wall_clock() - thread_clock())
    restore_denormals(state)
    return ended


@kernel
def update_alone(layers: Layers, job: Job, thread: Integer) -> Integer:
    """One step of the optimizer along a gradient that is there; 1 if the run was aborted.

    Where there are results, the penalties on the weights as they were are added to the first one.
    """
    prepare_step(job, 0, job.memory.scratch + thread * job.memory.scratch_size)
    batch = Batch(0, 0, 1, row_weight_of(job, 0, 1), 0, 0)
    if update_weights(layers, job, thread, batch, 1, job.memory.gradients):
        return 1
    if barrier(job):
        return 1
    if thread == 0:
        if job.network.penalized and job.memory.results != 0:
            add_penalties(layers, job, batch)
        put_integer(job.network.updates, 0, job.optimizer.iterations + 1)
    return 0
