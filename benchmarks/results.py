"""A results file: the machine, and of each case the microseconds a step by peer and number of threads."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import geometric_mean
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "benchmarks" / "results.json"

Results = dict[str, Any]
Times = dict[str, dict[str, float]]
"""Of one case: peer, threads, microseconds a step."""


def load(path: Path) -> Results:
    results: Results = json.loads(path.read_text(encoding="utf-8"))
    return results


def save(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def row(case: str, flops: int, times: Times) -> dict[str, Any]:
    """One case as the file has it."""
    gflops = {peer: round(flops / time / 1e3, 3) for peer, time in best(times).items()}
    return {"case": case, "flops": flops, "microseconds": times, "gflops": gflops}


def best(times: Times) -> dict[str, float]:
    """Microseconds a step of each peer, at its better number of threads."""
    return {peer: min(by_threads.values()) for peer, by_threads in times.items()}


def is_ours(peer: str) -> bool:
    return peer.startswith("fastnn")


def advantage(times: Times) -> float | None:
    """The best peer's time over that of fastnn's default backend; None where one of them is missing."""
    steps = best(times)
    ours = next((steps[peer] for peer in ("fastnn numba", "fastnn cython") if peer in steps), None)
    peers = [time for peer, time in steps.items() if not is_ours(peer)]
    return min(peers) / ours if ours and peers else None


def mean_advantage(results: Results) -> float | None:
    found = [ratio for row in results["cases"] if (ratio := advantage(row["microseconds"]))]
    return geometric_mean(found) if found else None
