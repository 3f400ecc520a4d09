"""Training steps of this checkout beside those of another one, by turns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any, NamedTuple

from . import machine
from .cases import Case, chosen
from .internals import processors
from .peers import Fastnn
from .report import line, number, titles
from .timing import ROOT, Timing, Worker

BAR = 1.02
"""What takes more times as long as before is named."""


class Pair(NamedTuple):
    """The turns of both in a case, two by two."""

    old: Sequence[Timing]
    new: Sequence[Timing]

    @property
    def ratio(self) -> float:
        """The median over the turns of the new time to the old one of the same moment."""
        return median(new.middle / old.middle for old, new in zip(self.old, self.new, strict=True))

    @property
    def ratio_of_minima(self) -> float:
        return self.least(self.new) / self.least(self.old)

    @staticmethod
    def least(turns: Sequence[Timing]) -> float:
        return min(turn.least for turn in turns)


def both(
    workers: tuple[Worker, Worker], arguments: tuple[Any, ...], rounds: int, seconds: float, method: str = "moment"
) -> Pair | str:
    """Old and new take turns, and turns at being first; or why they cannot."""
    found: tuple[list[Timing], list[Timing]] = ([], [])
    for worker in workers:  # what is made, compiled and calibrated counts for nothing
        answer = worker.ask(arguments, method, 0.0)
        if isinstance(answer, str):
            return f"{worker.name}: {answer}"
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            answer = workers[which].ask(arguments, method, seconds)
            if isinstance(answer, str):
                return f"{workers[which].name}: {answer}"
            found[which].append(answer)
    return Pair(*found)


def checkout(folder: str) -> Path:
    """A folder that has fastnn/ in it."""
    path = Path(folder).resolve()
    if not (path / "fastnn" / "__init__.py").exists():
        raise SystemExit(f"old got {folder!r}; wants the folder of a checkout, with fastnn/ in it")
    return path


def interpreter(of: Path) -> str:
    """That of a checkout's .venv, if it has one."""
    path = of / ".venv" / "bin" / "python"
    return str(path) if path.exists() else sys.executable


def table(pairs: dict[tuple[Case, str, str], Pair]) -> str:
    """A row of each case, backend and number of threads, and the geometric means."""
    columns = ["network, batch", "backend", "threads", "old us", "new us", "new / old", "of minima"]
    lines = titles(columns, texts=2)
    for (case, backend, count), pair in pairs.items():
        times = [number(Pair.least(turns) * 1e6) for turns in pair]
        lines.append(line([case.name, backend, count, *times, f"{pair.ratio:.3f}", f"{pair.ratio_of_minima:.3f}"]))
    groups = dict.fromkeys((backend, count) for _, backend, count in pairs)
    for backend, count in [*groups, ("all", "")] if len(groups) > 1 else groups:
        chosen_ = [pair for (_, b, c), pair in pairs.items() if (b, c) == (backend, count) or backend == "all"]
        means = [geometric_mean(pair.ratio for pair in chosen_), geometric_mean(p.ratio_of_minima for p in chosen_)]
        lines.append(line(["geometric mean", backend, count, "", "", *(f"**{mean:.3f}**" for mean in means)]))
    slow = [
        f"{case.name} {backend} T = {count} ({pair.ratio:.3f}, {pair.ratio_of_minima:.3f})"
        for (case, backend, count), pair in pairs.items()
        if min(pair.ratio, pair.ratio_of_minima) > BAR
    ]
    last = f"slower by more than {BAR - 1:.0%}, by both ratios: {', '.join(slow) or 'none'}"
    return "\n".join([*lines, "", last])


def versus(
    old: str,
    cases: str = "*",
    backends: tuple[str, ...] = ("numba", "cython"),
    counts: tuple[str, ...] = ("1", "2"),
    rounds: int = 30,
    seconds: float = 0.05,
    python: str | None = None,
) -> None:
    """Training steps of this checkout beside those of another one, by turns: new, old, old, new, new, old ...

    The other checkout is a folder that has fastnn/ and kernels/ in it, such as a worktree of an older commit; where
    Cython's backend is to be measured its extension is built there. A process for each of both imports its own fastnn;
    cases, clock and network are those of this checkout, and only fastnn's public names are used. New / old is the
    median over the rounds of the ratio of two turns that follow each other; beside it stands the ratio of the least
    times. All cases take about ten minutes with two backends and two numbers of threads.
    """
    other = checkout(old)
    pairs: dict[tuple[Case, str, str], Pair] = {}
    with ExitStack() as stack:

        def worker(name: str, folder: Path, path: str) -> Worker:
            return stack.enter_context(Worker(name, Fastnn, processors(), str(folder), path))

        workers = worker("old", other, python or interpreter(other)), worker("new", ROOT, sys.executable)
        for case in chosen(cases):
            for backend in backends:
                for count in counts:
                    print(f"{case.name}, {backend}, threads: {count}", file=sys.stderr)
                    arguments = (case, backend, None if count == "auto" else int(count))
                    pair = both(workers, arguments, rounds, seconds)
                    if isinstance(pair, str):
                        print(f"{case.name}, {backend}, threads: {count}: {pair}", file=sys.stderr)
                        continue
                    pairs[case, backend, count] = pair
    if not pairs:
        raise SystemExit("nothing could be measured on both sides")
    print(f"On {machine.name()}, microseconds a step, the best block; old: {other}", table(pairs), sep="\n\n")
