"""Fits on more hosts than there are: what a message costs, predicted steps beside measured ones, and speed-ups.

The model is rank_model.py; what ranks do for it, far_ranks.py. Hosts are processes of one machine, and their network's
latency is emulated: see there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

from . import machine
from .cases import chosen
from .internals import processors
from .mpi_ranks import OF_ROOT, mpiexec
from .rank_model import (
    EVERY,
    NETWORKS,
    PARTS,
    RANKS,
    Costs,
    Handling,
    Network,
    best,
    exchange,
    fitted,
    handled,
    seldom,
    speed_ups,
    strong,
    traffic,
    weak,
)
from .ranks import RANKED, environment
from .report import line, number, titles
from .timing import ROOT, VARIABLES

PLANNED = f"{RANKED},784-128-10 b128"
SIZES = tuple(2**power for power in range(12, 25, 2))
"""Bytes of the sums: 4 KB to 16 MB."""
TCP = {"OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "self,tcp", "OMPI_MCA_btl_tcp_if_include": "lo"}
"""Open MPI sends by TCP, also within a host."""
LATENCIES = (0.0, 5e-6, 50e-6, 500e-6)

SUMMED_UP = tuple(NETWORKS[number] for number in (0, 1, 2, 6, 7))
PAYS = 1.05
"""The least speed-up that the summary tells of."""
MANY = 64
"""Ranks of a batch each that the summary tells of."""


def told(work: str, ranks: int, by_tcp: bool, **given: Any) -> Any:
    """What a function of far_ranks.py returns on so many ranks of one thread."""
    command = [sys.executable, "-m", "benchmarks.far_ranks", work, json.dumps(given)]
    if ranks > 1:
        over = ["--map-by", ":OVERSUBSCRIBE"] if ranks > processors() else []
        command = [*mpiexec(ranks), *over, *command]
    with environment(OF_ROOT | dict.fromkeys(VARIABLES, "1") | (TCP if by_tcp else {})):
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def label(latency: float) -> str:
    return f"TCP + {latency * 1e6:g} us" if latency else "TCP"


def sums(seconds: float) -> dict[str, dict[int, float]]:
    """Seconds of a sum between two ranks by bytes, by the way that messages go."""
    ways: dict[str, tuple[str, float, bool]] = {
        "memory": ("memory", 0.0, False),
        "messages": ("messages", 0.0, False),
        "MPI's": ("allreduce", 0.0, False),
        **{label(latency): ("messages", latency, True) for latency in LATENCIES},
        "TCP, MPI's": ("allreduce", 0.0, True),
        "handling": ("handling", 0.0, False),
    }
    found = {}
    for name, (how, latency, by_tcp) in ways.items():
        times = told("sums", 2, by_tcp, sizes=SIZES, how=how, latency=latency, seconds=seconds)
        found[name] = {int(size): time for size, time in times.items()}
    return found


def between(times: dict[int, float], size: int) -> float:
    """The seconds of a sum of a size that lies between measured ones."""
    sizes = sorted(times)
    low, high = next((pair for pair in pairwise(sizes) if size <= pair[1]), (sizes[-2], sizes[-1]))
    return times[low] + (times[high] - times[low]) * (size - low) / (high - low)


def costs_of(case: str, seconds: float) -> Costs:
    found = told("costs", 1, False, case=case, seconds=seconds)
    by_count = {
        name: {int(count): time for count, time in found[name].items()} for name in ("alone", "shared", "whole")
    }
    return Costs(meeting=found["meeting"], gradient=found["gradient"], saved=found["saved"], **by_count)


def crowded(costs: Costs, tcp: Network, handling: Handling, ranks: int, latency: float) -> float:
    """Seconds of a step of more ranks than processors, which do its work one after another; but ranks wait at once."""
    turns = max(1.0, ranks / processors())
    messages, _, _ = traffic(ranks, costs.gradient)
    return turns * strong(costs, tcp, handling)(ranks) + messages * latency


def held(case: str, costs: Costs, by_way: dict[str, dict[int, float]], seconds: float) -> list[str]:
    """Lines: predicted steps beside measured ones."""
    handling = handled(by_way["handling"])
    near, tcp = fitted(by_way["messages"], handling), fitted(by_way["TCP"], handling)
    by_memory = costs.shared[2] + between(by_way["memory"], costs.gradient)
    # ranks, kind, way, predicted; by which way: a latency, and whether by TCP
    rows: list[tuple[int, str, str, float, float | None, bool]] = [
        (2, "parts", "memory", by_memory, None, False),
        (2, "parts", "messages", strong(costs, near, handling)(2), 0.0, False),
    ]
    for latency in LATENCIES:
        far = Network(tcp.latency + latency, tcp.bandwidth)
        rows.append((2, "parts", label(latency), strong(costs, far, handling)(2), latency, True))
        rows.append((2, f"every {EVERY}", label(latency), seldom(costs, far, handling, EVERY)(2), latency, True))
        rows.append((4, "parts", label(latency), crowded(costs, tcp, handling, 4, latency), latency, True))
    lines = titles([case, "way", "ranks", "predicted us", "measured us", "error"], 2)
    for ranks, kind, way, predicted, latency, by_tcp in sorted(rows, key=lambda row: (row[0], row[1] != "parts")):
        measured = told("steps", ranks, by_tcp, case=case, kind=kind, latency=latency, seconds=seconds)
        cells = [number(predicted * 1e6), number(measured * 1e6), f"{predicted / measured - 1:+.0%}"]
        lines.append(line([kind, way, str(ranks), *cells]))
    return lines


def predicted(case: str, costs: Costs, handling: Handling) -> list[str]:
    """Lines: speed-ups by network and ranks."""
    lines = titles([case, "network", *map(str, RANKS), "most"], 2)
    for network in NETWORKS:
        for kind, step in (
            ("one batch", strong(costs, network, handling)),
            (f"sync_every={EVERY}", seldom(costs, network, handling, EVERY)),
            ("a batch each", weak(costs, network, handling)),
        ):
            found = speed_ups(costs, step)
            count, most = best(found)
            cells = [times(found[ranks]) if ranks in found else "-" for ranks in RANKS]
            lines.append(line([kind, network.name, *cells, f"{times(most)} on {count}"]))
    return lines


def times(speed_up: float) -> str:
    """Two figures of it."""
    return f"{speed_up:.0f}" if speed_up >= 9.95 else f"{speed_up:.{1 if speed_up >= 0.995 else 2}f}"


def summary(case: str, costs: Costs, handling: Handling) -> str:
    """A line: by network the most of one batch, and its ranks; the same with sync_every; and a batch each on MANY."""
    cells = [case]
    for network in SUMMED_UP:
        found = []
        for step in (strong(costs, network, handling), seldom(costs, network, handling, EVERY)):
            count, most = best(speed_ups(costs, step))
            found.append(f"{times(most)} ({count})" if most >= PAYS else "-")
        found.append(times(costs.alone[1] / weak(costs, network, handling)(MANY)))
        cells.append(", ".join(found))
    return line(cells)


def plan(cases: str = PLANNED, seconds: float = 0.4, short: bool = False) -> None:
    """What 2 to 256 ranks of one thread would gain, by a model of measured costs; and how far the model is off here.

    Measured: sums of 4 KB to 16 MB between two ranks by each way, microseconds; of each case what one rank does of a
    step; steps on two ranks, and on four, which on two processors show the number of messages and no speed-up.
    Latencies are emulated: a wait before each message, which goes by TCP between processes of this machine. More ranks
    than a batch has parts (8) want deterministic=False, or more parts.
    """
    pace = 0.02 if short else seconds
    print(f"On {machine.name()}, instruction set {machine.facts()['isa']}", end="\n\n")
    by_way = sums(pace)
    print("\n".join(titles(["us of a sum", *(f"{size // 1024} KB" for size in SIZES)])))
    for name, by_size in by_way.items():
        print(line([name, *(number(by_size[size] * 1e6) for size in SIZES)]))
    handling = handled(by_way["handling"])
    print(
        f"\na message: {handling.message * 1e6:.1f} us of a rank's own, and {handling.byte * 1e9:.2f} ns a byte added"
    )
    for way in ("messages", *map(label, LATENCIES)):
        found = fitted(by_way[way], handling)
        off = [abs(exchange(2, size, found, handling) / time - 1) for size, time in by_way[way].items()]
        print(f"{way}: {found.latency * 1e6:.1f} us, {found.bandwidth / 1e9:.2f} GB/s, at most {max(off):.0%} off")
    print(f"\nspeed-ups beside one thread; up to {PARTS} ranks have parts of a batch", flush=True)
    heads = [f"most of one batch (ranks), of sync_every={EVERY} (ranks), of a batch each on {MANY}"]
    summaries = titles([*heads, *(network.name for network in SUMMED_UP)])
    for case in chosen(cases):
        print(case.name, file=sys.stderr)
        costs = costs_of(case.name, pace)
        print("\n" + "\n".join(predicted(case.name, costs, handling)), flush=True)
        print("\n" + "\n".join(held(case.name, costs, by_way, pace)), flush=True)
        summaries.append(summary(case.name, costs, handling))
    print("\n" + "\n".join(summaries))
