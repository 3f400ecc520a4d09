"""Calls of the kernels by several threads, and where worker threads stand by in compiled code between two calls.

A program that calls again at once finds its workers spinning there, and hands them the next job without Python and
without waking anybody.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.kernels import records
from fastnn.kernels.records import JobRecord
from .jobs import MODE
from .memory import Array, address, aligned
from .thread_pool import ThreadPool

Entry = Callable[[int, int, int], int]
"""The kernels: (address of the layers' records, address of the job, number of the thread) -> 0, or another code."""


@dataclass
class ParallelCall:
    """One call of the kernels by each thread of a pool: thread n does jobs[n].  It can be made as often as wanted."""

    entry: Entry
    layers: int
    jobs: list[int]
    synchronisation: Array

    def on(self, pool: ThreadPool) -> None:
        """Make the call on all threads of a pool."""
        pool.run(self, self.abort, lambda: bool(self.synchronisation[records.LEFT] == pool.size), self.standby)

    def abort(self) -> None:
        """Let the threads out that wait at a barrier."""
        self.synchronisation[records.ABORTED] = 1

    def standby(self, before: Any) -> Any:
        """Where a worker shall stand by that has stood by at ``before``: there, if it is of these kernels."""
        return before if before is not None and before.entry is self.entry else Standby(self.entry)

    def __call__(self, number: int) -> None:
        try:
            self.entry(self.layers, self.jobs[number], number)
        except BaseException:  # it did not come to the barrier: the others must not wait
            self.abort()
            raise


class Standby:
    """Where a worker stands by, in the kernels of one backend and dtype; see threads.Standby."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.words = aligned(records.STANDBY_WORDS, np.int64)
        self.words[records.CALLED] = records.GONE
        self.calls = 0
        self.jobs = (JobRecord * 2)()
        for job, mode in zip(self.jobs, ("stand_by", "engage"), strict=True):
            job.run.mode, job.run.synchronisation = MODE[mode], address(self.words)

    def stand_by(self) -> None:
        self.words[records.CALLED] = 0
        self.entry(0, ctypes.addressof(self.jobs[0]), 0)

    def call(self, work: Any, number: int) -> bool:
        return self._call(work.layers, work.jobs[number], number)

    def dismiss(self) -> None:
        self._call(0, 0, 0)

    def _call(self, layers: int, job: int, thread: int) -> bool:
        words = self.words
        words[records.CALLED_LAYERS], words[records.CALLED_JOB], words[records.CALLED_THREAD] = layers, job, thread
        self.calls += bool(job)
        if self.entry(0, ctypes.addressof(self.jobs[1]), 0):
            return True
        self.calls -= bool(job)
        return False

    def works(self) -> bool:
        return bool(self.words[records.FINISHED] < self.calls)
