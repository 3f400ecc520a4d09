"""Where threads meet."""

from __future__ import annotations

from ..language import Integer, kernel
from ..records import ABORTED, ARRIVED, GENERATION, LEFT, Job
from ..tuning import BARRIER_SPINS
from ..vocabulary import atomic_add, atomic_get, atomic_put, short_sleep, spin_pause


@kernel
def barrier(job: Job) -> Integer:
    """Wait until all threads are here; 1 if the run was aborted meanwhile.

    A thread first reads the number of the generation, then counts itself as arrived.  The last one to arrive sets the
    count back, and only then begins the next generation, which lets the others go: so the count is 0 before any of them
    can arrive again.  What a thread wrote before it arrived is seen by all after they have gone.

    The others spin, since all come within microseconds.  If one does not, it may be waiting for this very processor.
    To sleep for a moment leaves the processor to it, and the system wakes the sleeper where there is room; to yield
    would put this thread behind whatever else runs here, for milliseconds.
    """
    if job.run.threads == 1:
        return 0
    generation = atomic_get(job.run.synchronisation, GENERATION)
    if atomic_add(job.run.synchronisation, ARRIVED, 1) == job.run.threads - 1:  # the last one
        atomic_put(job.run.synchronisation, ARRIVED, 0)
        atomic_put(job.run.synchronisation, GENERATION, generation + 1)
        return 0
    spins = 0
    while atomic_get(job.run.synchronisation, GENERATION) == generation:
        spins += 1
        if spins < BARRIER_SPINS:
            spin_pause()
        else:
            if atomic_get(job.run.synchronisation, ABORTED):
                return 1
            short_sleep()
    return 0


@kernel
def barrier_leave(job: Job, thread: Integer) -> None:
    """Count a thread as gone; the caller's thread, number 0, waits until all have gone: each does, come what may."""
    if job.run.threads > 1:
        left = atomic_add(job.run.synchronisation, LEFT, 1) + 1
        spins = 0
        while thread == 0 and left < job.run.threads:
            spins += 1
            if spins < BARRIER_SPINS:
                spin_pause()
            else:
                short_sleep()
            left = atomic_get(job.run.synchronisation, LEFT)
