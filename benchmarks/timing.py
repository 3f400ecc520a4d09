"""Measuring several things in turn: each in a process of its own that lives as long as the run.

What is compared is then measured within the same second, so that company on the machine meets all alike, and no
library's threads spin beside those of another.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import median
from typing import Any, NamedTuple

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What tells NumPy's BLAS, PyTorch, the peers of peers.py and fastnn how many threads they may use."""

BLOCK = 5e-3
"""Seconds of a block of calls, which is what the clock is read around."""


class Timing(NamedTuple):
    """Seconds of a step: the least and the median of the blocks."""

    least: float
    middle: float


def timed(function: Callable[[], Any], seconds: float, steps: int = 1) -> Timing:
    """What one of the steps of a call takes, from blocks of many calls, after a call that is not counted."""
    start = time.perf_counter()
    function()
    first = time.perf_counter() - start
    calls = 1
    while first < BLOCK and (taken := _block(function, calls)) < BLOCK:
        calls = max(2 * calls, int(calls * BLOCK / max(taken, 1e-9)))
    found, end = [], time.perf_counter() + seconds
    while not found or time.perf_counter() < end:
        found.append(_block(function, calls) / calls)
    return Timing(min(found) / steps, median(found) / steps)


def _block(function: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return time.perf_counter() - start


def _serve(pipe: Any, make: Callable[..., Any]) -> None:
    """A worker's life: (arguments of make, method, seconds) comes in, a Timing or an error's text goes out.

    What make returned is kept while it is asked for the same.
    """
    made: Any = None
    kept: Any = None
    while (asked := pipe.recv()) is not None:
        arguments, method, seconds = asked
        try:
            if kept != arguments:
                made = None  # the old one's memory first
                made, kept = make(*arguments), arguments
            steps = made.steps if method == "training" else 1
            pipe.send(timed(getattr(made, method), seconds, steps))
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}")


class Worker:
    """A process that measures what ``make`` makes, with a limit on the threads of all libraries; a context manager."""

    def __init__(self, name: str, make: Callable[..., Any], threads: int) -> None:
        self.name, self.threads = name, threads
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        before = {variable: os.environ.get(variable) for variable in VARIABLES}
        os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
        try:
            self._process = context.Process(target=_serve, args=(other, make), daemon=True)
            self._process.start()
        finally:
            for variable, value in before.items():
                os.environ.pop(variable)
                if value is not None:
                    os.environ[variable] = value
        other.close()

    def ask(self, arguments: tuple[Any, ...], method: str, seconds: float) -> Timing | str:
        """A Timing, or why there is none."""
        self._pipe.send((arguments, method, seconds))
        try:
            answer: Timing | str = self._pipe.recv()
        except EOFError:
            self._process.join()
            answer = f"{self.name} ended with code {self._process.exitcode}"
        return answer

    def close(self) -> None:
        with suppress(OSError):
            self._pipe.send(None)
        self._process.join()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Question(NamedTuple):
    """What is asked of the workers of a name, and the column that the answers go to."""

    column: str
    worker: str
    method: str


Found = dict[str, dict[str, float]]
"""Of one case: column, threads, microseconds; the shape of `results.Times`."""


def in_turn(
    workers: Sequence[Worker], arguments: tuple[Any, ...], questions: Sequence[Question], rounds: int, seconds: float
) -> tuple[Found, Found, dict[str, str]]:
    """The medians over the rounds of each one's least and of its middle block, and why some columns are missing."""
    timings: dict[tuple[str, str], list[Timing]] = {}
    missing: dict[str, str] = {}
    for _ in range(rounds):
        for question in questions:
            for worker in workers:
                if worker.name != question.worker or question.column in missing:
                    continue
                answer = worker.ask(arguments, question.method, seconds)
                if isinstance(answer, str):
                    missing[question.column] = answer
                else:
                    timings.setdefault((question.column, str(worker.threads)), []).append(answer)
    least: Found = {}
    middle: Found = {}
    for (column, threads), found in timings.items():
        if column not in missing:
            least.setdefault(column, {})[threads] = _microseconds([timing.least for timing in found])
            middle.setdefault(column, {})[threads] = _microseconds([timing.middle for timing in found])
    return least, middle, missing


def _microseconds(seconds: Sequence[float]) -> float:
    return round(median(seconds) * 1e6, 4)
