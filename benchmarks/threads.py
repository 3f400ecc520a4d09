"""The number of threads that fastnn chooses, against the best of those that one can force, in every case.

All numbers take turns within one process. A figure is the median over the rounds; the default may take 10% longer than
the best forced one.
"""

from __future__ import annotations

import argparse
import sys
from statistics import median

from cases import chosen
from load import fastnn_seconds
from machine import facts
from peers import Fastnn
from report import line, number
from scaling import thread_counts

BAR = 1.10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="*", help='patterns of names, separated by commas: "784-*,* b1"')
    parser.add_argument("--backend", default="auto", choices=["auto", "numba", "cython"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.25, help="for a case, a number of threads, a round")
    parser.add_argument("--short", action="store_true", help="three rounds, a moment each")
    options = parser.parse_args()
    rounds, seconds = (3, 0.05) if options.short else (options.rounds, options.seconds)
    counts = thread_counts()

    titles = ["network, batch", "chosen", "us a step", *(f"T = {count}" for count in counts), "chosen / best", "2 / 1"]
    lines = [f"On {facts()['cores']} cores of {facts()['cpu']}", "", line(titles)]
    lines.append(line(["---", *["---:"] * (len(titles) - 1)]))
    over = []
    for case in chosen(options.cases):
        print(case.name, file=sys.stderr)
        peers = {count: Fastnn(case, options.backend, count) for count in (None, *counts)}
        found: dict[int | None, list[float]] = {count: [] for count in peers}
        for _ in range(rounds):
            for count, peer in peers.items():
                found[count].append(fastnn_seconds(peer, seconds))
        times = {count: median(times) for count, times in found.items()}
        engine = peers[None].engine
        pieces = engine.costs.chunks(case.batch) or case.batch
        picked = engine.costs.training_threads(case.batch, pieces)
        ratio = times[None] / min(times[count] for count in counts)
        if ratio > BAR:
            over.append(f"{case.name} ({ratio:.2f})")
        speed_up = f"{times[1] / times[2]:.2f}" if 2 in times else "-"
        cells = [case.name, str(picked), *(number(time * 1e6) for time in times.values())]
        lines.append(line([*cells, f"{ratio:.2f}", speed_up]))
    print("\n".join(lines))
    print(f"\nslower than the best forced number by more than {BAR - 1:.0%}: {', '.join(over) or 'none'}")


if __name__ == "__main__":
    main()
