"""Training steps of networks that nobody tuned for: fastnn beside PyTorch and JAX, in one run.

Widths that are no multiple of 16, batches of one row, of 10,000 and of all rows, deep and narrow, a very wide first
layer, one output, a thousand classes, every activation, float64.  Each library, at all processors and at one, has a
process of its own; they are measured in turn.  What the best peer does faster is named at the end.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from statistics import geometric_mean

import results
from cases import Case
from interleaved import Question, Worker, in_turn
from peers import NEEDS, PEERS, TORCH_NAMES
from report import line, number

from fastnn.engine import processors

NAMES = ("fastnn numba", "fastnn cython", "PyTorch", "JAX")


@dataclass(frozen=True)
class Whole(Case):
    """One step over all rows is an epoch."""

    @property
    def steps(self) -> int:
        return 1

    @property
    def name(self) -> str:
        return super().name + " all rows"


CASES = [
    Case((17, 33, 7), 1),
    Case((17, 33, 7), 32),
    Case((17, 33, 7), 10_000),
    Whole((17, 33, 7), 5_000),
    Whole((30, 64, 64, 2), 569),
    Whole((100, 129, 3), 10_000, optimizer="adam"),
    Case((9, *[8] * 10, 1), 1),
    Case((9, *[8] * 10, 1), 32),
    Case((9, *[8] * 10, 1), 1_000),
    Case((100, *[100] * 8, 10), 100),
    Case((20_000, 64, 10), 32),
    Case((20_000, 64, 10), 128, optimizer="adam"),
    Case((20_000, 1), 128),
    Case((13, 50, 1), 20),
    Case((1, 1), 1),
    Case((1, 500, 1), 100),
    Case((50, 1000), 100),
    Case((65, 250, 1000), 100, optimizer="adam"),
    Case((1025, 1023, 5), 200),
    *(Case((33, 100, 100, 5), 70, activation) for activation in TORCH_NAMES),
    Case((17, 33, 7), 32, dtype="float64"),
    Case((33, 100, 100, 5), 70, "tanh", "adam", "float64"),
    Case((257, 513, 10), 100, dtype="float64"),
    Case((30, 64, 64, 2), 10_000, dtype="float64"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="*", help='patterns of names, separated by commas: "17-*,* float64"')
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.08, help="for a case, a peer, a round")
    parser.add_argument("--short", action="store_true", help="one round, a moment each")
    options = parser.parse_args()
    rounds, seconds = (1, 0.03) if options.short else (options.rounds, options.seconds)
    peers = [peer for peer in NAMES if all(map(find_spec, NEEDS[peer]))]
    questions = [Question(peer, peer, "training") for peer in peers]
    ours = [peer for peer in peers if results.is_ours(peer)]

    lines = [
        "Microseconds a step, the median over the rounds of the best block, at the better number of threads",
        "",
        line(["network, batch", *peers, *(f"best peer / {peer}" for peer in ours)]),
        line(["---", *["---:"] * (len(peers) + len(ours))]),
    ]
    ratios: dict[str, dict[str, float]] = {peer: {} for peer in ours}
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(peer, PEERS[peer], threads))
            for peer in peers
            for threads in sorted({1, processors()})
        ]
        for case in CASES:
            if not any(fnmatchcase(case.name, pattern.strip()) for pattern in options.cases.split(",")):
                continue
            print(case.name, file=sys.stderr)
            times, _, missing = in_turn(workers, (case,), questions, rounds, seconds)
            for peer, reason in missing.items():
                print(f"{case.name}, {peer}: {reason}", file=sys.stderr)
            best = results.best(times)
            fastest = min((time for peer, time in best.items() if not results.is_ours(peer)), default=None)
            cells = [number(best.get(peer)) for peer in peers]
            for peer in ours:
                if fastest and peer in best:
                    ratios[peer][case.name] = fastest / best[peer]
                cells.append(number(ratios[peer].get(case.name)))
            lines.append(line([case.name, *cells]))
    means = [number(geometric_mean(ratios[peer].values()) if ratios[peer] else None) for peer in ours]
    lines.append(line(["geometric mean", *[""] * len(peers), *means]))
    print("\n".join(lines))
    for peer in ours:
        slow = [f"{name} ({ratio:.2f})" for name, ratio in ratios[peer].items() if ratio < 1]
        print(
            f"\n{peer} is slower than the best peer in {len(slow)} of {len(ratios[peer])}: {', '.join(slow) or 'none'}"
        )


if __name__ == "__main__":
    main()
