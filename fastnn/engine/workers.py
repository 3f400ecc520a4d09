"""The workers: threads beside the caller, which its one call of the kernels finds standing by.

A worker waits in compiled code for the next call, and, if none comes for a moment, in Python for a bell.  The caller
rings where too few stand by, and calls again: the call itself takes them, has them work and comes back when all are
done.  So Python has nothing to remember about a call, and Ctrl-C, which it handles between two instructions, can come
at any of them: before a call nothing has begun, after it nothing is at work any more.
"""

from __future__ import annotations

import ctypes
import os
import threading
from _thread import start_new_thread
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import numpy as np

from fastnn.kernels import records
from fastnn.kernels.records import JobRecord
from .memory import address, aligned

Entry = Callable[[int, int, int], int]
"""The kernels: (address of the layers' records, address of the job, number of the thread) -> 0, or another code."""

MOST_WORKERS = 4096
CALLERS_TURNS, WORKERS_TURNS = 200, 200
"""How often a caller sleeps, for 50 us each time, until Python has control again; and a worker that it has rung for, a
millisecond each time, until that is in vain: long after, for on a busy machine either may wait for a processor."""


class _Worker:
    """A thread, which no other module knows of: a bell that is rung twice is as good as one that is rung once."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.words = aligned(records.STANDBY_WORDS, np.int64)
        self.words[records.STATE] = records.GONE
        self.bell: SimpleQueue[None] = SimpleQueue()
        self.listed = threading.Lock()
        self.listed.acquire()
        self.job = JobRecord()
        run = self.job.run
        run.mode, run.synchronisation, run.waits = records.STAND_BY, address(self.words), WORKERS_TURNS

    def live(self) -> None:
        """What its thread does: no signal is ever handled there."""
        entry, place = self.crew.entry, ctypes.addressof(self.job)
        self.crew.enlist(self)
        self.listed.release()
        while True:
            entry(0, place, 0)
            self.bell.get()


class Crew:
    """The workers of one entry of the kernels; any number of callers have calls at once, each with its own."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.places = np.zeros(MOST_WORKERS, np.int64)
        self._places_at = address(self.places)
        self.leave()

    def leave(self) -> None:
        """Know of no worker: in a forked child none lives."""
        self.workers: list[_Worker] = []
        self._listing = threading.Lock()  # which only workers take

    def enlist(self, worker: _Worker) -> None:
        """Have callers see a worker, whether the caller that started it still wants to or not."""
        with self._listing:
            self.places[len(self.workers)] = address(worker.words)
            self.workers.append(worker)

    def call(self, layers: int, job: Any, threads: int) -> int:
        """Run a job on so many threads; what the entry returns, LACKING if the system grants no such number."""
        run, place = job.run, ctypes.addressof(job)
        run.workers, run.worker_count, run.waits = self._places_at, len(self.workers), 0
        while (ended := self.entry(layers, place, 0)) == records.LACKING:
            if not self._summon(threads - 1):
                break
            run.worker_count, run.waits = len(self.workers), CALLERS_TURNS
        return ended

    def _summon(self, wanted: int) -> bool:
        """Have so many workers on their way, or there; False if there will not be as many."""
        coming = 0
        for worker in self.workers:
            state = worker.words[records.STATE]
            if state == records.GONE:
                worker.bell.put(None)
            coming += state in (0, records.GONE)
            if coming == wanted:
                return True
        while coming < wanted and self._start():
            coming += 1
        return coming == wanted

    def _start(self) -> bool:
        """Start a worker; False where the system grants no more threads."""
        if len(self.workers) == MOST_WORKERS:
            return False
        worker = _Worker(self)
        try:
            start_new_thread(worker.live, ())
        except RuntimeError:
            return False
        worker.listed.acquire()
        return True


_crews: dict[Entry, Crew] = {}


def crew_of(entry: Entry) -> Crew:
    """The workers of an entry, of which there are few."""
    return _crews.get(entry) or _crews.setdefault(entry, Crew(entry))


def _leave_all() -> None:
    for crew in _crews.values():
        crew.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)
