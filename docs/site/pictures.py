"""The pictures of the benchmarks, drawn from benchmarks/results-*.json whenever the site is built."""

import json
from pathlib import Path

from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
COLORS = {"NumPy": "#e69f00", "scikit-learn": "#009e73", "PyTorch": "#d55e00", "JAX": "#3a86d8", "Keras x10": "#cc79a7"}
"""Of what is compared, in the order of the legend; they are told apart by readers who see few colours, too."""
FEW = ["2-8-1 b32", "4-32-32-1 b32", "30-64-64-2 b256", "784-128-10 b128", "784-512-512-10 b256"]
"""What the front page shows: from the smallest to the large."""
INKS = {"light": "#222832", "dark": "#ced6dd"}


def best(times, peer):
    """Microseconds of a training step, at the better number of threads."""
    return min(times[peer].values())


def draw(results, cases, ink, path):
    """Draw how many times as long as fastnn each library takes for each network; a point each."""
    cases = cases[::-1]
    figure = Figure(figsize=(8, 0.34 * len(cases) + 1.5), layout="constrained")
    axes = figure.subplots()
    for peer, color in COLORS.items():
        ratios = [(best(case["microseconds"], peer), best(case["microseconds"], "fastnn numba")) for case in cases]
        axes.plot([theirs / ours for theirs, ours in ratios], range(len(cases)), "o", color=color, label=peer)
    axes.axvline(1, color=ink, linewidth=2, label="fastnn")
    axes.set_xscale("log")
    axes.set_yticks(range(len(cases)), [case["case"] for case in cases])
    axes.grid(axis="both", color=ink, alpha=0.15)
    axes.spines[:].set_visible(False)
    ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500]
    axes.set_xticks(ticks, [f"{tick}x" for tick in ticks])
    axes.set_xticks([], minor=True)
    machine = results["machine"]
    axes.set_xlabel(
        "time of a training step, as a multiple of fastnn's\n"
        f"{machine['cores']} cores of {machine['cpu']}, {machine['isa']}; measured {results['measured']}",
        color=ink,
    )
    axes.tick_params(colors=ink, length=0)
    figure.legend(loc="outside upper center", ncols=6, frameon=False, labelcolor=ink, handletextpad=0.2)
    figure.savefig(path, format="svg", metadata={"Date": None}, transparent=True)


def draw_all(app):
    """Draw each results file twice, for a light page and for a dark one."""
    folder = Path(app.srcdir) / "auto" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((ROOT / "benchmarks").glob("results-*.json")):
        results = json.loads(file.read_text(encoding="utf-8"))
        for scheme, ink in INKS.items():
            name = file.stem.removeprefix("results-")
            draw(results, results["cases"], ink, folder / f"{name}-{scheme}.svg")
            few = [case for case in results["cases"] if case["case"] in FEW]
            draw(results, few, ink, folder / f"{name}-few-{scheme}.svg")


def setup(app):
    app.connect("builder-inited", draw_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
