"""Where threads meet."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..records import ABORTED, ARRIVED, GENERATION, LEFT, SLEEPERS, SLEPT, WOKEN, Job
from ..tuning import BARRIER_SPINS
from ..vocabulary import atomic_add, atomic_get, atomic_put, sleep_while, spin_pause, wake, wall_clock


@kernel
def barrier(job: Job) -> Integer:
    """Wait until all threads are here; 1 if the run was aborted meanwhile.

    A thread first reads the number of the generation, then counts itself as arrived.  The last one to arrive sets the
    count back, and only then begins the next generation, which lets the others go: so the count is 0 before any of them
    can arrive again.  What a thread wrote before it arrived is seen by all after they have gone.

    The others spin, since all come within microseconds.  If one does not, it may be waiting for this very processor.
    To sleep leaves the processor to it, and the last one wakes the sleepers: the system lets who has slept go before
    whatever else runs there, so that all of them run at once from then on.  To yield would put this thread behind the
    others, for milliseconds.
    """
    if job.run.threads == 1:
        return 0
    generation = atomic_get(job.run.synchronisation, GENERATION)
    if atomic_add(job.run.synchronisation, ARRIVED, 1) == job.run.threads - 1:  # the last one
        atomic_put(job.run.synchronisation, ARRIVED, 0)
        atomic_put(job.run.synchronisation, GENERATION, generation + 1)
        if atomic_get(job.run.synchronisation, SLEEPERS):
            atomic_put(job.run.synchronisation, WOKEN, wall_clock())
            wake(job.run.synchronisation, GENERATION)
        return 0
    spins = 0
    while atomic_get(job.run.synchronisation, GENERATION) == generation:
        spins += 1
        if spins < BARRIER_SPINS:
            spin_pause()
        else:
            if atomic_get(job.run.synchronisation, ABORTED):
                return 1
            atomic_add(job.run.synchronisation, SLEPT, sleep_at(job.run.synchronisation, GENERATION, generation))
    return 0


@kernel(apart=True)
def sleep_at(words: Address, index: Integer, value: Integer) -> Integer:
    """Sleep while a word holds a value; returns the nanoseconds, up to when it was woken.

    What passes from then on until the thread has a processor is time that others take.

    Whoever changes the word looks for sleepers then, or just before.  One that lies down at this very moment is missed,
    and comes a millisecond later.
    """
    began = wall_clock()
    atomic_add(words, SLEEPERS, 1)
    sleep_while(words, index, value)
    atomic_add(words, SLEEPERS, -1)
    woken = atomic_get(words, WOKEN)
    if woken > began:
        return woken - began
    return wall_clock() - began


@kernel
def barrier_leave(job: Job, thread: Integer) -> None:
    """Count a thread as gone; the caller's thread, number 0, waits until all have gone: each does, come what may."""
    threads = job.run.threads
    if threads > 1:
        words = job.run.synchronisation
        sleepers = atomic_get(words, SLEEPERS)
        left = atomic_add(words, LEFT, 1) + 1  # if all have left, the words and the job may be gone from here on
        if thread > 0 and sleepers > 0 and left == threads:
            wake(words, LEFT)
        spins = 0
        while thread == 0 and left < threads:
            spins += 1
            if spins < BARRIER_SPINS:
                spin_pause()
            else:
                sleep_at(words, LEFT, left)
            left = atomic_get(words, LEFT)
