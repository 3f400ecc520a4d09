"""Speed-up with threads: measured on this machine as far as its processors go, and predicted beyond them.

The prediction (model.py) takes a step's time on one thread, the barrier's cost and the bandwidth from core to core, all
measured here.  --write puts the table into docs/performance.md, unless cases were chosen.
"""

from __future__ import annotations

import argparse
import sys

import costs
import model
from cases import Case, chosen
from machine import best_seconds, facts
from peers import Fastnn
from pieces import INSTRUCTION_SET
from report import line, number, replace_in
from results import ROOT

from fastnn.engine import processors

START, END = "<!-- scaling -->", "<!-- /scaling -->"
PREDICTED = (2, 4, 8, 16, 32, 64)


def thread_counts() -> list[int]:
    """1, 2, 4, ... and all processors."""
    most = processors()
    return sorted({most, *(2**power for power in range(most.bit_length()) if 2**power <= most)})


def measured(case: Case, counts: list[int], backend: str, budget: float) -> tuple[model.Work, dict[int, float]]:
    """The step on one thread, for the model, and the seconds of a step by threads."""
    seconds = {}
    for threads in counts:
        peer = Fastnn(case, backend, threads)
        seconds[threads] = best_seconds(peer.training, budget) / peer.steps
    return model.work_of(peer.engine, case.batch, seconds[1], INSTRUCTION_SET.tile_rows), seconds


def heading(machine: model.Machine, handed: dict[int, float]) -> str:
    found = facts()
    barriers = ", ".join(f"{seconds * 1e9:.0f} ns with {threads}" for threads, seconds in machine.barriers.items())
    handing = ", ".join(f"{size // 1024} KB in {seconds * 1e6:.2f} us" for size, seconds in handed.items())
    return (
        f"On {found['cores']} cores of {found['cpu']}, instruction set {found['isa']}: a barrier of the kernels takes"
        f" {barriers} threads; a core fetches what another one wrote, {handing}, {machine.bandwidth / 1e9:.1f} GB/s."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="*", help='patterns of names, separated by commas: "784-*,* b1"')
    parser.add_argument("--backend", default="auto", choices=["auto", "numba", "cython"])
    parser.add_argument("--seconds", type=float, default=0.7, help="for a case and number of threads")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()

    counts = thread_counts()
    together = [threads for threads in counts if threads > 1] or [2]
    handed = costs.handing(options.seconds)
    machine = model.Machine(costs.barriers(together, options.seconds), costs.bandwidth(handed))
    titles = ["network, batch", "split by", "us, T = 1", *(f"measured, T = {t}" for t in counts if t > 1)]
    titles += [*(f"model, {t}" for t in PREDICTED), f"most time at {PREDICTED[2]}", f"at {PREDICTED[-1]}"]
    lines = [
        heading(machine, handed),
        "",
        line(titles),
        line(["---", "---", *["---:"] * (len(titles) - 4), "---", "---"]),
    ]
    for case in chosen(options.cases):
        print(case.name, file=sys.stderr)
        work, seconds = measured(case, counts, options.backend, options.seconds)
        split = f"{work.pieces} chunks" if work.chunks else f"{work.pieces} tiles of rows"
        cells = [case.name, split, number(work.seconds * 1e6)]
        cells += [f"{seconds[1] / seconds[threads]:.2f}" for threads in counts if threads > 1]
        cells += [f"{model.speed_up(work, machine, threads):.1f}" for threads in PREDICTED]
        cells += [model.limit(work, machine, PREDICTED[2]), model.limit(work, machine, PREDICTED[-1])]
        lines.append(line(cells))
    print("\n".join(lines))
    if options.write and options.cases == "*":
        replace_in(ROOT / "docs" / "performance.md", "\n".join(lines), START, END)


if __name__ == "__main__":
    main()
