"""The entry: what a thread is called with."""

from __future__ import annotations

from ..language import Integer, kernel
from ..records import (
    CALL,
    CALLED,
    CALLED_JOB,
    CALLED_LAYERS,
    CALLED_THREAD,
    ENGAGE,
    EVALUATE,
    FINISHED,
    GONE,
    PREDICT,
    STAND_BY,
    UPDATE,
    Job,
    Layers,
    as_job,
    as_layers,
)
from ..tuning import STANDBY_SPINS
from ..values import Batch
from ..vocabulary import atomic_add, atomic_get, atomic_put, flush_denormals, get_integer, restore_denormals, spin_pause
from .barrier import barrier_leave
from .optimizer import prepare_step
from .own_columns import copy_columns
from .predict import infer
from .train import train
from .update import update_all


@kernel
def stand_by(job: Job) -> Integer:
    """A worker's wait for the next run, for a moment: then it is there at once, and without Python.

    Returns 1 once it has been called, 0 if nobody did.
    """
    spins = 0
    while atomic_get(job.run.synchronisation, CALLED) == 0 and spins < STANDBY_SPINS:
        spin_pause()
        spins += 1
    return atomic_add(job.run.synchronisation, CALLED, GONE) == CALL


@kernel
def run(layers: Layers, job: Job, thread: Integer) -> Integer:
    """The entry: this thread's part of the job.  1 if the run ended early (aborted, or diverged)."""
    if job.run.mode == ENGAGE:  # by adding to the word of a worker: 1 if it stands by, and comes
        return atomic_add(job.run.synchronisation, CALLED, CALL) == 0
    if job.run.mode == STAND_BY:
        words = job.run.synchronisation
        while stand_by(job):
            called_layers = get_integer(words, CALLED_LAYERS)
            called_job = get_integer(words, CALLED_JOB)
            called_thread = get_integer(words, CALLED_THREAD)
            atomic_put(words, CALLED, 0)  # before the work: the caller goes on as soon as that is done
            if called_job == 0:
                return 0
            work(as_layers(called_layers), as_job(called_job), called_thread)
            atomic_add(words, FINISHED, 1)
        return 0
    return work(layers, job, thread)


@kernel
def work(layers: Layers, job: Job, thread: Integer) -> Integer:
    """A thread's part of a job that is no waiting: training, evaluating, predicting, a gradient, an update."""
    state = flush_denormals()
    ended = 0
    if job.run.mode == EVALUATE or job.run.mode == PREDICT:
        ended = infer(layers, job, thread)
    elif job.run.mode == UPDATE:
        prepare_step(job, 0, job.memory.scratch)
        ended = update_all(layers, job, thread, Batch(0, 0, 1, 1.0, 0, 0), 1, job.memory.gradients)
    elif job.split.by_columns:
        copy_columns(layers, job, thread, 0)
        ended = train(layers, job, thread)
        if ended or job.run.last_step % job.run.steps_per_epoch:  # else they have been copied as the epoch ended
            copy_columns(layers, job, thread, 1)
    else:
        ended = train(layers, job, thread)
    barrier_leave(job, thread)
    restore_denormals(state)
    return ended
