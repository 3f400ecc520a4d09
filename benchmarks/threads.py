"""Numbers of threads: the one that fastnn chooses, and how far each speeds a step up."""

from __future__ import annotations

import sys
from statistics import median

from . import machine, scaling_model
from .cases import Case, chosen
from .internals import chosen_threads, processors, work_of
from .peers import Fastnn
from .report import line, number, replace_in, titles
from .timing import ROOT, by_turns, least

BAR = 1.10
START, END = "<!-- scaling -->", "<!-- /scaling -->"
PREDICTED = (2, 4, 8, 16, 32, 64)


def counts() -> list[int]:
    """1, 2, 4, ... and all processors."""
    most = processors()
    return sorted({most, *(2**power for power in range(most.bit_length()) if 2**power <= most)})


def threads(
    cases: str = "*", backend: str = "auto", rounds: int = 5, seconds: float = 0.25, short: bool = False
) -> None:
    """The number of threads that fastnn chooses, against the best of those that one can force, in every case.

    All numbers take turns within one process. A figure is the median over the rounds of the mean; the default may take
    10% longer than the best forced one.
    """
    pace = (3, 0.05) if short else (rounds, seconds)
    forced = counts()
    columns = ["network, batch", "chosen", "us a step", *(f"T = {count}" for count in forced), "chosen / best", "2 / 1"]
    lines = [f"On {machine.name()}", "", *titles(columns)]
    over = []
    for case in chosen(cases):
        print(case.name, file=sys.stderr)
        peers = {count: Fastnn(case, backend, count) for count in (None, *forced)}
        turns = by_turns({count: peer.moment for count, peer in peers.items()}, *pace)
        steps = peers[None].steps["moment"]
        times = {count: median(turn.mean for turn in turns[count]) / steps for count in peers}
        ratio = times[None] / min(times[count] for count in forced)
        if ratio > BAR:
            over.append(f"{case.name} ({ratio:.2f})")
        speed_up = f"{times[1] / times[2]:.2f}" if 2 in times else "-"
        picked = chosen_threads(peers[None].model, case.batch)
        cells = [case.name, str(picked), *(number(time * 1e6) for time in times.values())]
        lines.append(line([*cells, f"{ratio:.2f}", speed_up]))
    print("\n".join(lines))
    print(f"\nslower than the best forced number by more than {BAR - 1:.0%}: {', '.join(over) or 'none'}")


def on_each(case: Case, forced: list[int], backend: str, seconds: float) -> tuple[scaling_model.Work, dict[int, float]]:
    """The step on one thread, for the model, and the seconds of a step by threads."""
    times = {}
    for count in forced:
        peer = Fastnn(case, backend, count)
        times[count] = least(peer.training, seconds) / peer.steps["training"]
    return work_of(peer.model, case.batch, times[1]), times


def heading(costs: scaling_model.Machine, handed: dict[int, float]) -> str:
    found = machine.facts()
    barriers = ", ".join(f"{seconds * 1e9:.0f} ns with {threads}" for threads, seconds in costs.barriers.items())
    handing = ", ".join(f"{size // 1024} KB in {seconds * 1e6:.2f} us" for size, seconds in handed.items())
    return (
        f"On {machine.name()}, instruction set {found['isa']}: a barrier of the kernels takes"
        f" {barriers} threads; a core fetches what another one wrote, {handing}, {costs.bandwidth / 1e9:.1f} GB/s."
    )


def scaling(cases: str = "*", backend: str = "auto", seconds: float = 0.7, write: bool = False) -> None:
    """Speed-up with threads: measured on this machine as far as its processors go, and predicted beyond them.

    The prediction (scaling_model.py) takes a step's time on one thread, the barrier's cost and the bandwidth from core
    to core, all measured here.  --write puts the table into docs/performance.md, unless cases were chosen.
    """
    forced = counts()
    together = [count for count in forced if count > 1] or [2]
    handed = machine.handing(seconds)
    costs = scaling_model.Machine(machine.barriers(together, seconds), machine.bandwidth(handed))
    columns = ["network, batch", "split by", "us, T = 1", *(f"measured, T = {t}" for t in forced if t > 1)]
    columns += [*(f"model, {t}" for t in PREDICTED), f"most time at {PREDICTED[2]}", f"at {PREDICTED[-1]}"]
    rule = line(["---", "---", *["---:"] * (len(columns) - 4), "---", "---"])
    lines = [heading(costs, handed), "", line(columns), rule]
    for case in chosen(cases):
        print(case.name, file=sys.stderr)
        work, times = on_each(case, forced, backend, seconds)
        split = f"{work.pieces} chunks" if work.chunks else f"{work.pieces} tiles of rows"
        cells = [case.name, split, number(work.seconds * 1e6)]
        cells += [f"{times[1] / times[count]:.2f}" for count in forced if count > 1]
        cells += [f"{scaling_model.speed_up(work, costs, count):.1f}" for count in PREDICTED]
        cells += [scaling_model.limit(work, costs, PREDICTED[2]), scaling_model.limit(work, costs, PREDICTED[-1])]
        lines.append(line(cells))
    print("\n".join(lines))
    if write and cases == "*":
        replace_in(ROOT / "docs" / "performance.md", "\n".join(lines), START, END)
