"""Training in company: beside other processes that keep the processors busy, next to a fair share of them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from time import perf_counter

from . import machine
from .cases import LOADED, chosen
from .internals import chosen_threads, processors, threads_now
from .peers import Fastnn
from .report import line, number, titles

OF_BEST, OF_SHARE = 0.8, 0.7
"""The bars: of the better of the forced numbers of threads, and of a fair share of as many as the work pays for."""


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


def step_seconds(peer: Fastnn, seconds: float) -> float:
    """What a step takes, over so many seconds: not over so many steps, which take far longer in company."""
    begin, calls = perf_counter(), 0
    while (passed := perf_counter() - begin) < seconds or not calls:
        peer.moment()
        calls += 1
    return passed / (calls * peer.steps["moment"])


def load(
    cases: str = LOADED,
    backend: str = "auto",
    company: tuple[str, ...] = ("1", "2", "4", "6"),
    rounds: int = 3,
    seconds: float = 1.5,
    short: bool = False,
) -> None:
    """Training beside processes that do nothing but take their time: the chosen number of threads, and forced ones.

    Times are means over turns, and the median of some. A fair share is T / (T + busy) of the speed that all processors
    reach when nothing else is busy: for T as many threads as the work in a step pays for, and for as many as were at
    work in the end.
    """
    rounds, seconds = (1, 0.15) if short else (rounds, seconds)
    cores = processors()
    asked: dict[str, int | None] = {"chosen": None, "1": 1, f"{cores}": cores}
    columns = ["network, batch", "busy", *(f"us a step, T = {name}" for name in asked), "of the best"]
    columns += ["threads", "of their share", "threads in the end", "of their share"]
    lines = [f"On {machine.name()}", "", *titles(columns)]
    below = []
    for case in chosen(cases):
        peers = {name: Fastnn(case, backend, count) for name, count in asked.items()}
        for peer in peers.values():
            peer.moment()
        alone = {name: step_seconds(peer, seconds / 3) for name, peer in peers.items()}
        wanted = chosen_threads(peers["chosen"].model, case.batch)
        lines.append(
            line([case.name, "0", *(number(time * 1e6) for time in alone.values()), "", str(wanted), "", "", ""])
        )
        for others in map(int, company):
            print(case.name, others, file=sys.stderr)
            turns: dict[str, list[float]] = {name: [] for name in peers}
            with busy(others):
                for _ in range(rounds):
                    for name, peer in peers.items():
                        turns[name].append(step_seconds(peer, seconds))
            times = {name: median(found) for name, found in turns.items()}
            now = threads_now(peers["chosen"].model)
            best = min(times[name] for name in asked if name != "chosen") / times["chosen"]
            shares = [alone[f"{cores}"] / times["chosen"] * (threads + others) / threads for threads in (wanted, now)]
            if best < OF_BEST or shares[0] < OF_SHARE:
                below.append(f"{case.name} beside {others}")
            cells = [case.name, str(others), *(number(time * 1e6) for time in times.values()), f"{best:.2f}"]
            lines.append(line([*cells, str(wanted), f"{shares[0]:.2f}", str(now), f"{shares[1]:.2f}"]))
    print("\n".join(lines))
    print(f"\nbelow {OF_BEST} of the best or {OF_SHARE} of a fair share: {', '.join(below) or 'none'}")
