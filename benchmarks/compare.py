"""A fresh run of fastnn's backends beside the kept results: says what became slower by more than 10%, and then fails.

What seems slower is timed once more, for it may have been company on the machine.
"""

from __future__ import annotations

import sys

import results
from results import Results

TOLERANCE = 1.10


def changes(kept: Results, fresh: Results) -> list[tuple[str, str, float]]:
    """Case, peer, and fresh time over kept time, of everything that both have of fastnn's."""
    before = {row["case"]: results.best(row["microseconds"]) for row in kept["cases"]}
    return [
        (row["case"], peer, time / before[row["case"]][peer])
        for row in fresh["cases"]
        for peer, time in results.best(row["microseconds"]).items()
        if results.is_ours(peer) and peer in before.get(row["case"], {})
    ]


def slower(kept: Results, fresh: Results, tolerance: float = TOLERANCE) -> list[tuple[str, str, float]]:
    return [change for change in changes(kept, fresh) if change[2] > tolerance]


def other_machine(kept: Results, fresh: Results) -> str:
    """In what the machines differ, or nothing."""
    pairs = [(name, kept["machine"][name], fresh["machine"][name]) for name in ("cpu", "cores", "isa")]
    return ", ".join(f"{name} {before!r} is now {now!r}" for name, before, now in pairs if before != now)


def quicker(fresh: Results, again: Results) -> Results:
    """Two runs as one, each time the lesser one."""
    repeated = {row["case"]: row["microseconds"] for row in again["cases"]}
    rows = []
    for row in fresh["cases"]:
        times = {
            peer: {t: min(time, repeated.get(row["case"], {}).get(peer, {}).get(t, time)) for t, time in by.items()}
            for peer, by in row["microseconds"].items()
        }
        rows.append(results.row(row["case"], row["flops"], times))
    return {**fresh, "cases": rows}


def main() -> int:
    from measure import arguments, run  # measuring takes Numba, comparing does not
    from peers import PEERS

    options = arguments(__doc__, [peer for peer in PEERS if results.is_ours(peer)]).parse_args()
    if not results.KEPT.exists():
        raise SystemExit("there is no benchmarks/results.json to compare with: `make bench` measures and writes it")
    kept, fresh = results.load(results.KEPT), run(options)
    if difference := other_machine(kept, fresh):
        print(f"the kept results are of another machine ({difference}), so times cannot be compared", file=sys.stderr)
        return 2
    if doubtful := slower(kept, fresh):
        options.cases = ",".join({case: "" for case, _, _ in doubtful})
        fresh = quicker(fresh, run(options))
    compared = changes(kept, fresh)
    for case, peer, ratio in compared:
        print(f"{case:34s} {peer:14s} {ratio:6.2f} times as long as before{'  SLOWER' if ratio > TOLERANCE else ''}")
    if not compared:
        print("nothing was measured both times", file=sys.stderr)
        return 2
    worse = len(slower(kept, fresh))
    print(f"{worse} of {len(compared)} are slower by more than {TOLERANCE - 1:.0%}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
