"""What ranks do, timed, for benchmarks/plan.py: sums, steps, and what one rank does of a step that many share.

mpiexec -n 2 python -m benchmarks.far_ranks WORK ARGUMENTS

Arguments are a function's of this file, as JSON; the first rank prints what it returns, as JSON.

Hosts that are far from each other are emulated: before each message that `Ranks.sum` sends, a rank waits as long as the
network would, with shared memory off (`emulate`), and Open MPI is made to use TCP (`plan.TCP`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from .cases import chosen
from .mpi_ranks import Shared
from .rank_model import EVERY, RANKS, parts_of
from .timing import BLOCK

Take = Callable[[int], object]
"""Does something so many times."""


def world() -> Any:
    """The ranks of this run."""
    from fastnn.distribution.ranks import world

    return world()


def emulate(ranks: Any, latency: float) -> None:
    """Have each message wait so many seconds, and none go by the memory that ranks share."""
    send = ranks._exchange

    def exchange(*given: Any) -> None:
        until = perf_counter() + latency
        while perf_counter() < until:
            os.sched_yield()  # to a rank that shares this processor
        send(*given)

    ranks._exchange, ranks.room = exchange, lambda count, dtype: None


def paced(ranks: Any, take: Take, seconds: float) -> float:
    """Seconds of one, in the middle one of as many blocks as fill the time; the same number of them on each rank."""
    take(2)
    begin = perf_counter()
    take(2)
    each = (perf_counter() - begin) / 2
    block = ranks.from_first(max(1, round(BLOCK / each)))
    times = []
    for _ in range(ranks.from_first(max(3, round(seconds / each / block)))):
        begin = perf_counter()
        take(block)
        times.append((perf_counter() - begin) / block)
    return median(times)


def repeated(function: Callable[[], object]) -> Take:
    def take(count: int) -> None:
        for _ in range(count):
            function()

    return take


def sums(sizes: list[int], how: str, latency: float, seconds: float) -> dict[str, float]:
    """Seconds of a sum of so many bytes, by these.

    ``how``: "memory" that ranks share, "messages", MPI's own "allreduce", or "handling", which is messages without what
    MPI does for them.
    """
    ranks, numbers, found = world(), np.zeros(4), {}
    if how != "memory":
        emulate(ranks, latency)
    if how == "handling":
        ranks._exchange = lambda *given: None
    for size in sizes:
        own = ranks.room(size // 4, "float32")
        vector = np.zeros(size // 4, "float32") if own is None else own
        call = lambda vector=vector: ranks.sum(vector, numbers, how != "allreduce")  # noqa: E731
        found[str(size)] = paced(ranks, repeated(call), seconds)
    return found


def steps(case: str, kind: str, latency: float | None, seconds: float) -> float:
    """Seconds of a step; without a latency, by shared memory."""
    ranks, (chosen_case,) = world(), chosen(case)
    if latency is not None:
        emulate(ranks, latency)
    return paced(ranks, Shared(chosen_case, kind, 1).take, seconds)


def costs(case: str, seconds: float) -> dict[str, Any]:
    """`rank_model.Costs`, measured by one rank."""
    from fastnn.engine.parts import PartSteps

    (whole,) = chosen(case)

    def step(batch: int, kind: str) -> float:
        return paced(world(), Shared(replace(whole, batch=batch), kind, 1).take, seconds)

    counts = [count for count in RANKS if whole.batch % count == 0]
    few = max(1, whole.batch // 16)  # so that a meeting is much of what is timed
    meeting = step(few, f"every {EVERY}") - step(few, "alone")
    engine = Shared(whole, "alone", 1).model._engine
    return {
        "alone": {count: step(whole.batch // count, "alone") for count in (1, *counts)},
        "shared": {count: step(whole.batch // count, f"parts {parts_of(count)}") for count in counts},
        "whole": {parts: step(whole.batch, f"parts {parts}") for parts in (1, 2, 4, 8)},
        "meeting": EVERY * max(0.0, meeting),
        "gradient": PartSteps.size(engine) * engine.dtype.itemsize,
        "saved": engine.parameters.saved_count * engine.dtype.itemsize,
    }


WORKS = {"sums": sums, "steps": steps, "costs": costs}


def main() -> None:
    work, given = sys.argv[1:]
    found = WORKS[work](**json.loads(given))
    if world().first:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
