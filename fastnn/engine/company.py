"""How many threads take a run's steps where others want the processors too: fewer while that is faster.

Who the others are is not known, unless they are fits of this same process: those have the processors between them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import wraps
from threading import get_ident
from time import perf_counter
from typing import ParamSpec, TypeVar
from weakref import ref

from .thread_pool import processors

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

WINDOW = 0.2
"""Seconds of steps that a number of threads is judged by: several turns of whoever shares the processors, and two of
the periods that a container's quota is for."""
LOST = 0.1
"""Others are there where they take this much of a processor, and threads lack one for this part of the time."""
CLEARLY = 0.9
"""Fewer threads go on where a step on them takes less than this part of the time."""
PATIENCE = 0.5, 4.0
"""Seconds from one trial of another number to the next: at first, and after many that brought nothing."""


class Team:
    """How many threads take the steps of one kind of run.

    As many as the work pays for, until threads are seen to lack processors.  Then fewer are tried, by as many as others
    take processors, and whichever number takes a step faster goes on; from fewer, all are tried again now and then.
    Each trial that brings nothing doubles the time until the next one.  Nothing is tried while nobody else is there.

    Parameters
    ----------
    wanted : int
        How many the work of a step pays for.
    before : Team or None
        Another one, of the same process: where that has lately met others, this begins with as many threads as it has.

    Attributes
    ----------
    count : int
        How many there are now.
    """

    def __init__(self, wanted: int, before: Team | None = None) -> None:
        self.wanted = self.count = wanted
        self._patience, self._due = PATIENCE[0], 0.0  # when the next trial may begin
        self._tried_from, self._down = 0, False  # in a trial: the number before it; whether the last one was of fewer
        self._paces: dict[int, float] = {}  # by number of threads: the seconds of a step, where they lacked processors
        if before is not None and before.wanted == wanted and perf_counter() < before._due + PATIENCE[1]:
            self.count, self._due = before._settled, before._due
        self._begin_window()

    @property
    def _settled(self) -> int:
        return self._tried_from or self.count

    def note(self, steps: int, seconds: float, idle: float, slept: float) -> None:
        """Take note of what some steps took, and choose how many threads take the next ones.

        ``idle``: seconds, of all threads together, for which they had no processor; ``slept``: for which of these they
        did not want one, for they waited for each other.
        """
        self._steps += steps
        self._seconds += seconds
        self._idle += idle
        self._slept += slept
        if self._seconds >= WINDOW and self._steps:
            self._judge(self._seconds / self._steps, perf_counter())
            self._begin_window()

    def _begin_window(self) -> None:
        self._steps, self._seconds, self._idle, self._slept = 0, 0.0, 0.0, 0.0

    def _judge(self, pace: float, now: float) -> None:
        self._paces[self.count] = (pace + self._paces.get(self.count, pace)) / 2
        taken = (self._idle - self._slept) / self._seconds  # processors that others had
        company = taken > LOST and self._idle > LOST * self._seconds * self.count
        if self.count == self.wanted and not company:
            self._paces.clear()
            self._settle(self.count, 0.0, now)
        elif self._tried_from:
            more, fewer = max(self.count, self._tried_from), min(self.count, self._tried_from)
            best = fewer if self._paces[fewer] < CLEARLY * self._paces[more] else more
            self._settle(best, PATIENCE[0] if best == self.count else min(2 * self._patience, PATIENCE[1]), now)
        elif now >= self._due:  # fewer, or from some number between, in turn, all
            self._down = company and self.count > 1 and not (self._down and self.count < self.wanted)
            tried = max(1, self.count - math.ceil(taken)) if self._down else self.wanted
            self._tried_from, self.count = self.count, tried

    def _settle(self, count: int, patience: float, now: float) -> None:
        self._tried_from, self.count, self._patience = 0, count, max(patience, PATIENCE[0])
        self._due = now + patience


_last: Team | None = None


def team(wanted: int) -> Team:
    """A new team, which knows what the one before it has met."""
    global _last
    _last = Team(wanted, _last)
    return _last


# --- Fits that are at work at once in this process ---


class _AtWork:
    """What a fit has while it is at work: if Ctrl-C comes before it is given back, it is gone with the fit."""


_at_work: dict[int, ref[_AtWork]] = {}  # by thread; a fit within another one's callback is no second one
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_at_work.clear)


def fits(train: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Make a function one during which a fit is at work."""

    @wraps(train)
    def at_work(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        thread, mark = get_ident(), _AtWork()
        outer = _at_work.get(thread)
        if outer is not None and outer() is not None:
            return train(*arguments, **options)
        try:
            _at_work[thread] = ref(mark)
            return train(*arguments, **options)
        finally:
            _at_work.pop(thread, None)

    return at_work


def share(threads: int) -> int:
    """How many of so many threads this thread's fit may have beside the other fits of this process."""
    here = get_ident()
    others = sum(thread != here and mark() is not None for thread, mark in list(_at_work.items()))
    return min(threads, max(1, processors() // (1 + others))) if others else threads
