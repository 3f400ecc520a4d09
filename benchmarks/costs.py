"""What threads cost on this machine: the kernels' barrier, and handing memory from core to core."""

from __future__ import annotations

import ctypes

import numpy as np
from machine import best_seconds
from pieces import LANES, compiled

from fastnn.engine import JobRecord, ThreadPool, address, aligned
from fastnn.kernels.records import SYNCHRONISATION_WORDS

MEETINGS = 20_000
HANDED = (16 * 2**10, 256 * 2**10)
"""Bytes of the two amounts by which handing over is measured."""

MEET = f"""
def entry(job, a, b):
    for _ in range({MEETINGS}):
        wait(job)
    return 0
"""

# Two threads, number 0 and 1, in turn: each adds 1 to all values, which the other one wrote last, then passes the turn
# on.  With a number of 2, one thread does the work of both.
HAND = f"""
def entry(record, number, turns):
    buffer = get_integer(record, 0)
    count = get_integer(record, 1)
    flag = get_integer(record, 2)
    for turn in range(turns):
        if number == 2 or turn % 2 == number:
            if number < 2:
                while atomic_get(flag, 0) != turn:
                    relax()
            for at in range(0, count, {LANES}):
                store(buffer, at, load(buffer, at) + splat(1.0))
            if number < 2:
                atomic_put(flag, 0, turn + 1)
    return 0
"""


def barriers(counts: list[int], budget: float) -> dict[int, float]:
    """Seconds of one meeting, by the number of threads."""
    run = compiled(MEET, "wait")
    synchronisation = aligned(SYNCHRONISATION_WORDS, np.int64)
    found = {}
    for threads in counts:
        with ThreadPool(threads) as pool:
            job = JobRecord()
            job.run.threads, job.run.synchronisation = pool.size, address(synchronisation)
            place = ctypes.addressof(job)
            seconds = best_seconds(lambda pool=pool, place=place: pool.run(lambda _: run(place, 0, 0), _none), budget)
        found[threads] = seconds / MEETINGS
    return found


def handing(budget: float) -> dict[int, float]:
    """Seconds by which touching memory that another core wrote takes longer than touching one's own, by bytes."""
    run = compiled(HAND)
    flag, found = aligned(8, np.int64), {}
    for size in HANDED:
        buffer, turns = aligned(size // 4, np.float32), 2 * max(10, 2**26 // size // 2)
        record = np.array([address(buffer), size // 4, address(flag)])
        place = address(record)

        def both(place: int = place, turns: int = turns) -> None:
            flag[0] = 0
            with ThreadPool(2) as pool:
                pool.run(lambda number: run(place, number, turns), _none)

        alone = best_seconds(lambda place=place, turns=turns: run(place, 2, turns), budget)
        found[size] = (best_seconds(both, budget) - alone) / turns
    return found


def bandwidth(handed: dict[int, float]) -> float:
    """Bytes a second from core to core: what the larger amount takes more than the smaller one."""
    small, large = sorted(handed)
    return (large - small) / max(handed[large] - handed[small], 1e-12)


def _none() -> None:
    """Nobody is let out early: every thread meets every other one."""
