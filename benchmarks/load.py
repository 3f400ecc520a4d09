"""Training while the processors are busy with something else, and on more threads than there are.

One process for each processor does nothing but take its time. A fair share is then half of the processors, less for
one thread alone. Times are means over a while, quiet and busy in turn; PyTorch, if it is installed, stands beside.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import Any

from cases import Case
from interleaved import Worker
from machine import facts
from peers import PEERS, Fastnn
from report import line, number

from fastnn.engine import processors

CASES = [
    Case((4, 32, 32, 1), 32),
    Case((30, 64, 64, 2), 256),
    Case((784, 128, 10), 128),
    Case((784, 512, 512, 10), 256),
]

OPERATIONS = 1_000_000_000
"""Arithmetic of a call, at most."""


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that spin."""
    code = "print(flush=True)\nwhile True: pass"
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout
            process.stdout.readline()
        yield


def mean(function: Callable[[], Any], seconds: float) -> float:
    """Seconds of a call, over a while."""
    calls, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        function()
        calls += 1
    return (time.perf_counter() - start) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="auto", choices=["auto", "numba", "cython"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="for a case, a number of threads, a round")
    parser.add_argument("--short", action="store_true", help="one round, a moment each")
    options = parser.parse_args()
    rounds, seconds = (1, 0.15) if options.short else (options.rounds, options.seconds)
    cores = processors()
    counts: dict[str, int | None] = {"chosen": None, "1": 1, f"{cores}": cores, f"{4 * cores}": 4 * cores}
    torch = Worker("PyTorch", PEERS["PyTorch"], cores) if find_spec("torch") else contextlib.nullcontext()

    titles = ["network, batch", "threads", "us a step, quiet", f"beside {cores} busy processes", "times as long"]
    lines = [f"On {cores} cores of {facts()['cpu']}", "", line(titles), line(["---", *["---:"] * (len(titles) - 1)])]
    with torch as worker:
        for case in CASES:
            print(case.name, file=sys.stderr)
            asked: dict[str, Callable[[], float]] = {}
            for name, threads in counts.items():
                asked[name] = partial(fastnn_seconds, Fastnn(case, options.backend, threads), seconds)
            if worker:
                asked[f"PyTorch, {cores}"] = partial(torch_seconds, worker, case, seconds)
            found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in asked}
            for _ in range(rounds):
                for name, ask in asked.items():
                    found[name][0].append(ask())
                with busy(cores):
                    for name, ask in asked.items():
                        found[name][1].append(ask())
            for name, (quiet, loaded) in found.items():
                pair = median(quiet), median(loaded)
                lines.append(line([case.name, name, *(number(t * 1e6) for t in pair), f"{pair[1] / pair[0]:.2f}"]))
    print("\n".join(lines))


def fastnn_seconds(peer: Fastnn, seconds: float) -> float:
    """Of a step, many in a call, but no call much longer than a moment."""
    case = peer.case
    steps = max(2, min(case.steps, OPERATIONS // case.flops))
    x, y = peer.x[: steps * case.batch], peer.y[: steps * case.batch]
    options = {"batch_size": case.batch, "epochs": case.epochs, "shuffle": False, "verbose": 0}
    return mean(lambda: peer.model.fit(x, y, **options), seconds) / (steps * case.epochs)


def torch_seconds(worker: Worker, case: Case, seconds: float) -> float:
    answer = worker.ask((case,), "step", seconds)
    if isinstance(answer, str):
        raise SystemExit(answer)
    return answer.middle


if __name__ == "__main__":
    main()
