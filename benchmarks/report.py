"""A results file, what is compared with it, and what is made of it: the tables and pictures of the documents.

A results file has the machine and of each case the microseconds a step by peer and number of threads. Nothing is
measured here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from .internals import ISAS
from .peers import is_ours
from .timing import ROOT

START, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
SHOWN = ["2-8-1 b32", "4-32-32-1 b32", "30-64-64-2 b256", "784-128-10 b128", "784-512-512-10 b256"]
"""What the README's table and the picture of speed show."""
FOLDER = ROOT / "benchmarks"

Results = dict[str, Any]
Times = dict[str, dict[str, float]]
"""Of one case: peer, threads, microseconds a step."""

TOLERANCE = 1.10
"""What is slower than before by more fails."""


def load(path: Path) -> Results:
    results: Results = json.loads(path.read_text(encoding="utf-8"))
    return results


def kept_at(isa: str) -> Path:
    """Where results of machines with an instruction set are kept."""
    return FOLDER / f"results-{isa}.json"


def kept_results(isa: str) -> Results:
    if not kept_at(isa).exists():
        raise SystemExit(f"there is no benchmarks/{kept_at(isa).name} yet: `make bench` measures and writes it")
    return load(kept_at(isa))


def all_kept() -> list[Results]:
    """What is kept, the widest instruction set first."""
    return [load(kept_at(isa)) for isa in ISAS if kept_at(isa).exists()]


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


def advantages(times: Times) -> dict[str, float]:
    """By fastnn's columns: the best peer's time over its own."""
    steps = best(times)
    peers = [time for column, time in steps.items() if not is_ours(column)]
    return {column: min(peers) / time for column, time in steps.items() if peers and is_ours(column)}


def advantage(times: Times) -> float | None:
    """That of fastnn's default backend; None where it or every peer is missing."""
    found = advantages(times)
    return next((found[peer] for peer in ("fastnn numba", "fastnn cython") if peer in found), None)


def mean_advantage(results: Results) -> float | None:
    found = [ratio for row in results["cases"] if (ratio := advantage(row["microseconds"]))]
    return geometric_mean(found) if found else None


def changes(kept: Results, fresh: Results) -> list[tuple[str, str, float]]:
    """Case, peer, and fresh time over kept time, of everything that both have of fastnn's."""
    before = {row["case"]: best(row["microseconds"]) for row in kept["cases"]}
    return [
        (row["case"], peer, time / before[row["case"]][peer])
        for row in fresh["cases"]
        for peer, time in best(row["microseconds"]).items()
        if is_ours(peer) and peer in before.get(row["case"], {})
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
    for old in fresh["cases"]:
        times = {
            peer: {t: min(time, repeated.get(old["case"], {}).get(peer, {}).get(t, time)) for t, time in by.items()}
            for peer, by in old["microseconds"].items()
        }
        rows.append(row(old["case"], old["flops"], times))
    return {**fresh, "cases": rows}


def columns(rows: list[dict[str, Any]]) -> list[str]:
    """The peers, in the order in which a file's rows have them."""
    return list(dict.fromkeys(peer for row in rows for peer in row["microseconds"]))


def number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.{1 if value >= 10 else 2}f}"


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def titles(cells: list[str], texts: int = 1) -> list[str]:
    """A table's first two lines; so many of its first columns are texts, the others numbers."""
    return [line(cells), line(["---"] * texts + ["---:"] * (len(cells) - texts))]


def table(found: Results) -> str:
    """Cases by peers, microseconds a step, as Markdown, with the machine above."""
    peers = columns(found["cases"])
    lines = titles(["network, batch", *peers, "best peer / fastnn", "GFLOP/s"])
    for row in found["cases"]:
        times = best(row["microseconds"])
        ratio = advantage(row["microseconds"])
        reached = max((rate for peer, rate in row["gflops"].items() if is_ours(peer)), default=None)
        cells = [row["case"], *(number(times.get(peer)) for peer in peers)]
        lines.append(line([*cells, f"**{ratio:.2f}**" if ratio else "-", number(reached)]))
    if mean := mean_advantage(found):
        lines.append(line(["geometric mean", *[""] * len(peers), f"**{mean:.2f}**", ""]))
    return "\n".join([heading(found), "", *lines])


def comparison(rows: list[dict[str, Any]]) -> str:
    """Microseconds of each peer, with the medians that a row has, and the advantage of each of fastnn's columns."""
    peers = columns(rows)
    ours = [peer for peer in peers if is_ours(peer)]
    lines = titles(["network, batch", *peers, *(f"best peer / {column}" for column in ours)])
    ratios: dict[str, list[float]] = {column: [] for column in ours}
    for row in rows:
        least, middle = best(row["microseconds"]), best(row.get("medians", {}))
        cells = [number(least.get(peer)) + (f" ({number(middle[peer])})" if peer in middle else "") for peer in peers]
        found = advantages(row["microseconds"])
        for column, ratio in found.items():
            ratios[column].append(ratio)
        lines.append(line([row["case"], *cells, *(_ratio(found.get(column)) for column in ours)]))
    means = [_ratio(geometric_mean(ratios[column]) if ratios[column] else None) for column in ours]
    return "\n".join([*lines, line(["geometric mean", *[""] * len(peers), *means])])


def _ratio(ratio: float | None) -> str:
    """In bold where a peer is faster."""
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio >= 1 else f"**{ratio:.2f}**"


def heading(found: Results) -> str:
    machine = found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"Microseconds a training step on {machine['cores']} cores of {machine['cpu']}, instruction set"
        f" {machine['isa']}, whose cores reach {machine['fma_gflops']:.0f} GFLOP/s each in fastnn's tile and"
        f" {machine['blas_gflops']:.0f} together in NumPy's BLAS (float32). Measured {found['measured']} with Python"
        f" {machine['python']}, {packages}."
    )


def section(kept: list[Results]) -> str:
    """What docs/benchmarks.md has between its marks: a table for each machine."""
    return "\n\n".join(map(table, kept))


def summary(found: Results) -> str:
    """The README's table: a few networks, fastnn by its default backend, and when and where they were measured."""
    machine = found["machine"]
    rows = [row for row in found["cases"] if row["case"] in SHOWN]
    peers = [peer for peer in columns(rows) if not is_ours(peer)]
    lines = titles(["network, batch", "fastnn", *peers, "best other / fastnn"])
    for row in rows:
        times = best(row["microseconds"])
        ours = next(time for column, time in times.items() if is_ours(column))
        ratio = advantage(row["microseconds"])
        cells = [number(ours), *(number(times.get(peer)) for peer in peers), f"**{ratio:.2f}**" if ratio else "-"]
        lines.append(line([row["case"], *cells]))
    place = (
        f"Microseconds per training step on {machine['cores']} cores of an {machine['cpu']}, measured"
        f" {found['measured']}; less is better."
    )
    mean = mean_advantage(found)
    over = f" Over all {len(found['cases'])} networks of the benchmark the geometric mean of the last column is"
    return "\n".join([place + (f"{over} {mean:.2f}." if mean else ""), "", *lines])


def between(text: str, inside: str, start: str, end: str) -> str:
    """The text with what stands between two marks replaced.  Raises ValueError where they are missing."""
    pattern = re.escape(start) + ".*?" + re.escape(end)
    replaced, count = re.subn(pattern, lambda _: f"{start}\n{inside}\n{end}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{start} ... {end} must be there once, is there {count} times")
    return replaced


def replace_in(path: Path, inside: str, start: str, end: str) -> None:
    path.write_text(between(path.read_text(encoding="utf-8"), inside, start, end), encoding="utf-8")


def picture(found: Results, path: Path) -> None:
    """Achieved GFLOP/s against the size of a step, and what the machine can do as lines; float32 alone."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="arithmetic in a step (FLOP)", ylabel="GFLOP/s")
    machine = found["machine"]
    rows = sorted((row for row in found["cases"] if "float64" not in row["case"]), key=lambda row: row["flops"])
    for mark, peer in zip("oD^vs*PXhd<>", columns(found["cases"]), strict=False):
        points = [(row["flops"], row["gflops"][peer]) for row in rows if peer in row["gflops"]]
        weight = 1.0 if is_ours(peer) else 0.6
        axes.plot(*zip(*points, strict=True), marker=mark, markersize=5, linewidth=0.8, alpha=weight, label=peer)
    all_cores = machine["fma_gflops"] * machine["cores"]
    for rate, style, name in [
        (machine["fma_gflops"], ":", "the tile on one core"),
        (all_cores, "-", f"the tile on {machine['cores']} cores"),
        (machine["blas_gflops"], "--", "NumPy's BLAS, 2048 square"),
    ]:
        axes.axhline(rate, color="black", linestyle=style, linewidth=0.8, label=f"{name}: {rate:.0f}")
    axes.set_title(f"Training steps on {machine['cpu']}", fontsize="medium")
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small", ncols=2)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def speed_picture(found: Results, path: Path) -> None:
    """How many times as long as fastnn each peer takes for a training step, on a logarithmic axis."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    rows = [row for row in found["cases"] if row["case"] in SHOWN][::-1]
    peers = [peer for peer in columns(rows) if not is_ours(peer)]
    colours = dict(zip(peers, ["#E69F00", "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#56B4E9"], strict=False))
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.add_subplot(xscale="log")
    for height, row in enumerate(rows):
        times = best(row["microseconds"])
        ours = next(time for column, time in times.items() if is_ours(column))
        ratios = {peer: times[peer] / ours for peer in peers if peer in times}
        axes.plot(
            [1, max(ratios.values())], [height, height], color="0.85", linewidth=6, solid_capstyle="round", zorder=1
        )
        axes.plot(1, height, "D", color="black", markersize=9, label="fastnn" if height == 0 else None)
        for peer, ratio in ratios.items():
            axes.plot(ratio, height, "o", color=colours[peer], markersize=9, label=peer if height == 0 else None)
    axes.set_yticks(range(len(rows)), [row["case"] for row in rows])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("time of a training step, as a multiple of fastnn's")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.margins(y=0.12)
    figure.legend(loc="outside upper center", ncols=len(peers) + 1, frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def report() -> None:
    """Write the tables of README.md and docs/benchmarks.md and two pictures from the kept results; measure nothing."""
    kept = all_kept()
    if not kept:
        raise SystemExit("no benchmarks/results-*.json is there yet: `make bench` measures and writes one")
    replace_in(ROOT / "README.md", summary(kept[0]), START, END)
    replace_in(ROOT / "docs" / "benchmarks.md", section(kept), START, END)
    picture(kept[0], ROOT / "docs" / "roofline.png")
    speed_picture(kept[0], ROOT / "docs" / "speed.png")
