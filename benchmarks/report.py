"""The README's table and docs/roofline.png, from the kept results file alone; nothing is measured."""

from __future__ import annotations

import re
from pathlib import Path

import results
from results import ROOT, Results

START, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"


def columns(found: Results) -> list[str]:
    """The peers, in the order in which the file has them."""
    return list(dict.fromkeys(peer for row in found["cases"] for peer in row["microseconds"]))


def number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.{1 if value >= 10 else 2}f}"


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(found: Results) -> str:
    """Cases by peers, microseconds a step, as Markdown, with the machine above."""
    peers = columns(found)
    lines = [
        line(["network, batch", *peers, "best peer / fastnn", "GFLOP/s"]),
        line(["---", *["---:"] * (len(peers) + 2)]),
    ]
    for row in found["cases"]:
        times = results.best(row["microseconds"])
        ratio = results.advantage(row["microseconds"])
        reached = max((rate for peer, rate in row["gflops"].items() if results.is_ours(peer)), default=None)
        cells = [row["case"], *(number(times.get(peer)) for peer in peers)]
        lines.append(line([*cells, f"**{ratio:.2f}**" if ratio else "-", number(reached)]))
    if mean := results.mean_advantage(found):
        lines.append(line(["geometric mean", *[""] * len(peers), f"**{mean:.2f}**", ""]))
    return "\n".join([heading(found), "", *lines])


def heading(found: Results) -> str:
    machine = found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"Microseconds a training step on {machine['cores']} cores of {machine['cpu']}, instruction set"
        f" {machine['isa']}, whose cores reach {machine['fma_gflops']:.0f} GFLOP/s each in fastnn's tile and"
        f" {machine['blas_gflops']:.0f} together in NumPy's BLAS (float32). Measured {found['measured']} with Python"
        f" {machine['python']}, {packages}."
    )


def section(found: Results) -> str:
    """What the README has between its marks."""
    return f"{table(found)}\n\n![GFLOP/s reached, by size of a step](docs/roofline.png)"


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
    for mark, peer in zip("oD^vs*P", columns(found), strict=False):
        points = [(row["flops"], row["gflops"][peer]) for row in rows if peer in row["gflops"]]
        weight = 1.0 if results.is_ours(peer) else 0.6
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


def write(found: Results) -> None:
    """Bring the README and the picture in step with results."""
    replace_in(ROOT / "README.md", section(found), START, END)
    picture(found, ROOT / "docs" / "roofline.png")


if __name__ == "__main__":
    if not results.KEPT.exists():
        raise SystemExit("there is no benchmarks/results.json yet: `make bench` measures and writes it")
    write(results.load(results.KEPT))
