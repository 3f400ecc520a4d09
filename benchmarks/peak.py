"""How much of what the processors can multiply and add a training step reaches."""

from __future__ import annotations

import sys
from statistics import median

from . import machine
from .cases import LARGE, chosen
from .internals import processors
from .peers import Fastnn
from .report import line, number, titles
from .timing import by_turns


def peak(
    cases: str = LARGE, backends: tuple[str, ...] = ("numba", "cython"), rounds: int = 8, seconds: float = 0.15
) -> None:
    """Training steps on all processors, by turns with tiles of multiply-adds on all of them at once.

    A step's share of the peak is the median over the rounds of the ratio of two turns that follow each other, for what
    other machines on the same host do changes both; beside it stands that of the best times.
    """
    threads = processors()
    columns = [
        "network, batch",
        *(f"{name}: {what}" for name in backends for what in ("us", "GFLOP/s", "share", "best")),
    ]
    lines = titles(columns)
    with machine.tiles(threads) as (run, operations):
        rates = []
        for case in chosen(cases):
            print(case.name, file=sys.stderr)
            cells = [case.name]
            for name in backends:
                peer = Fastnn(case, name, threads)
                turns = by_turns({"tiles": run, "steps": peer.training}, rounds, seconds)
                steps = peer.steps["training"]
                ours = [case.flops * steps / turn.min for turn in turns["steps"]]
                most = [operations / turn.min for turn in turns["tiles"]]
                rates += most
                share = median(own / whole for own, whole in zip(ours, most, strict=True))
                least = case.flops / max(ours) * 1e6
                cells += [number(least), number(max(ours) / 1e9), f"{share:.2f}", f"{max(ours) / max(most):.2f}"]
            lines.append(line(cells))
    one = machine.fma_rate(seconds)
    print(f"On {machine.name()}, instruction set {machine.ISA}: one core multiplies and adds at {one:.0f} GFLOP/s")
    print(
        f"in the largest tile, {threads} at once at {max(rates) / 1e9:.0f}, {median(rates) / 1e9:.0f} by the median.\n"
    )
    print("\n".join(lines))
