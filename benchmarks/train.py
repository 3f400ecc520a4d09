"""Training steps of every case, by every peer that is installed, into one results file.

Each peer runs in a process of its own for each number of threads (one, and all processors), in turn, for some rounds.
pytest-benchmark measures; a figure is the median over the rounds of the best block.  A whole run is kept as
results.json and goes into the README; one of chosen cases or peers, or a short one, is shown and kept nowhere.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median

import machine
import report
import results
from cases import CASES, chosen
from interleaved import VARIABLES
from peers import PEERS

from fastnn.team import processors


def timed(peer: str, threads: int, cases: str, seconds: float) -> Iterator[tuple[str, float]]:
    """Each case's name and the microseconds of a step, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.json"
        command = [sys.executable, "-m", "pytest", "benchmarks", "-q", "-W", "default", "-p", "no:cacheprovider"]
        command += ["--work", "training", "--peer", peer, "--case", cases, f"--benchmark-json={path}"]
        command += [f"--benchmark-max-time={seconds}", f"--benchmark-min-time={seconds / 20}"]
        command += ["--benchmark-min-rounds=3"]
        environment = {**os.environ, **dict.fromkeys(VARIABLES, str(threads))}
        done = subprocess.run(command, cwd=results.ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-2000:], done.stderr[-2000:], sep="\n", file=sys.stderr)
        if not path.exists() or not path.stat().st_size:
            return
        for benchmark in json.loads(path.read_text(encoding="utf-8"))["benchmarks"]:
            info = benchmark["extra_info"]
            yield info["case"], benchmark["stats"]["min"] / info["steps"] * 1e6


def measure(cases: str, peers: list[str], rounds: int, seconds: float) -> results.Results:
    """The results, as the file has them."""
    counts = sorted({1, processors()})
    found: dict[str, dict[str, dict[str, list[float]]]] = {case.name: {} for case in chosen(cases)}
    for number in range(rounds):
        for peer in peers:
            for threads in counts:
                print(f"round {number + 1} of {rounds}: {peer}, threads: {threads}", file=sys.stderr)
                for name, time in timed(peer, threads, cases, seconds):
                    found[name].setdefault(peer, {}).setdefault(str(threads), []).append(time)
    rows = []
    for case in chosen(cases):
        times = {p: {t: round(median(v), 4) for t, v in by.items()} for p, by in found[case.name].items()}
        rows.append(results.row(case.name, case.flops, times))
    rates = {"fma_gflops": round(machine.fma_rate(), 1), "blas_gflops": round(machine.blas_rate(), 1)}
    return {"machine": {**machine.facts(), **rates}, "measured": str(date.today()), "cases": rows}


def arguments(description: str | None, peers: list[str]) -> argparse.ArgumentParser:
    """What a run that measures can be told."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--cases", default="*", help='patterns of names, separated by commas: "784-*,* b1"')
    parser.add_argument("--peers", default=",".join(peers), help="names, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.6, help="for a case, a peer, a round")
    parser.add_argument("--short", action="store_true", help="one round, a moment each")
    return parser


def run(options: argparse.Namespace) -> results.Results:
    peers = options.peers.split(",")
    if unknown := [peer for peer in peers if peer not in PEERS]:
        raise SystemExit(f"--peers got {', '.join(unknown)}; it takes some of {', '.join(PEERS)}")
    if not chosen(options.cases):
        raise SystemExit(f"--cases got {options.cases!r}, which matches none of {', '.join(c.name for c in CASES)}")
    rounds, seconds = (1, 0.05) if options.short else (options.rounds, options.seconds)
    return measure(options.cases, peers, rounds, seconds)


def main() -> None:
    options = arguments(__doc__, list(PEERS)).parse_args()
    fresh = run(options)
    print(report.table(fresh))
    if options.short or options.cases != "*" or options.peers != ",".join(PEERS):
        return
    results.save(fresh, results.KEPT)
    report.write(fresh)


if __name__ == "__main__":
    main()
