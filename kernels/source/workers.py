"""Workers that stand by, and how a caller has them do their part of a job: all of it in one call of the entry.

No signal can come between, for Python handles them when the call has returned: then all workers have done their part.
"""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..records import (
    ABORTED,
    ARRIVED,
    CALLED,
    CALLED_JOB,
    CALLED_LAYERS,
    CALLED_THREAD,
    CALLER,
    DIVERGED,
    GONE,
    GOOD_STEP,
    GOOD_UPDATES,
    IDLE,
    LEFT,
    NOT_FINITE,
    RESTS,
    SLEPT,
    STATE,
    TAKEN,
    TRAIN,
    Job,
)
from ..tuning import BARRIER_SPINS, STANDBY_SPINS
from ..vocabulary import (
    atomic_add,
    atomic_get,
    atomic_put,
    get_integer,
    put_integer,
    short_sleep,
    sleep_while,
    spin_pause,
    wake,
)


@kernel
def begin_call(job: Job) -> None:
    """Set the words of synchronisation as they are before the threads of a call begin."""
    words = job.run.synchronisation
    atomic_put(words, ARRIVED, 0)
    atomic_put(words, ABORTED, 0)
    atomic_put(words, LEFT, 0)
    atomic_put(words, DIVERGED, 0)
    atomic_put(words, NOT_FINITE, 0)
    atomic_put(words, IDLE, 0)
    atomic_put(words, SLEPT, 0)
    if job.run.mode == TRAIN and job.run.first_step % job.run.steps_per_epoch == 0:
        put_integer(words, GOOD_STEP, job.run.first_step)
        put_integer(words, GOOD_UPDATES, job.optimizer.iterations)


@kernel
def called(words: Address, turns: Integer) -> Integer:
    """A worker's wait for the next call, for a moment: then it is there at once, and without Python.

    It sleeps for so many turns after that, where it was asked to come: its caller may have lost its processor.  While
    it does, it is woken when it is called: many of them that looked again and again would take others' processors.
    Returns 1 once it has been called, 0 if nobody did; whoever has taken it decides, however long that takes.
    """
    spins = 0
    while atomic_get(words, CALLED) == 0:
        spins += 1
        if spins < STANDBY_SPINS:
            spin_pause()
        elif spins < STANDBY_SPINS + turns:
            rest(words)
        elif atomic_add(words, STATE, GONE) == 0:
            return 0
        else:
            atomic_add(words, STATE, -GONE)
            rest(words)
    atomic_put(words, CALLED, 0)
    return 1


@kernel(apart=True)
def rest(words: Address) -> None:
    """A worker's sleep until it is called, for a moment at most."""
    atomic_put(words, RESTS, 1)
    sleep_while(words, CALLED, 0)
    atomic_put(words, RESTS, 0)


@kernel
def take_workers(job: Job, most: Integer) -> Integer:
    """Take workers that stand by, up to so many; returns how many."""
    taken = 0
    for number in range(job.run.worker_count):
        words = get_integer(job.run.workers, number)
        if taken < most and atomic_get(words, STATE) == 0:
            if atomic_add(words, STATE, TAKEN) == 0:
                put_integer(words, CALLER, job.run.synchronisation)
                taken += 1
            else:  # another caller was faster
                atomic_add(words, STATE, -TAKEN)
    return taken


@kernel
def let_go(words: Address) -> None:
    """Have a worker stand by again: before it leaves the job, so that its caller finds it for the next one."""
    put_integer(words, CALLER, 0)
    atomic_add(words, STATE, -TAKEN)


@kernel(apart=True)
def gather_workers(job: Job) -> Integer:
    """Take as many workers as the job has threads, beside the caller's, or none; whether that was done."""
    missing = job.run.threads - 1 - take_workers(job, job.run.threads - 1)
    spins = 0
    while missing > 0 and job.run.waits > 0 and spins < BARRIER_SPINS + job.run.waits:
        spins += 1
        if spins < BARRIER_SPINS:
            spin_pause()
        else:
            short_sleep()
        missing -= take_workers(job, missing)
    if missing == 0:
        return 1
    for number in range(job.run.worker_count):
        words = get_integer(job.run.workers, number)
        if get_integer(words, CALLER) == job.run.synchronisation:
            let_go(words)
    return 0


@kernel(apart=True)
def call_workers(job: Job) -> None:
    """Have the workers that were gathered begin."""
    thread = 1
    for number in range(job.run.worker_count):
        words = get_integer(job.run.workers, number)
        if get_integer(words, CALLER) == job.run.synchronisation:
            put_integer(words, CALLED_LAYERS, job.run.layers)
            put_integer(words, CALLED_JOB, get_integer(job.run.jobs, thread))
            put_integer(words, CALLED_THREAD, thread)
            atomic_put(words, CALLED, 1)
            if atomic_get(words, RESTS):
                wake(words, CALLED)
            thread += 1
