"""Single calls of a few microseconds, most of which is Python's: train_on_batch, a prediction, a fit of one step."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from . import machine
from .cases import Case
from .internals import processors
from .peers import Fastnn
from .report import line, number, titles
from .timing import ROOT, Worker
from .versus import Pair, both, checkout, interpreter

CASE = Case((4, 32, 32, 1), 32, optimizer="adam")
CALLS = {
    "train_on_batch": "train_on_batch",
    "one": "a prepared predictor, one row",
    "predict": "predict, a batch",
    "fit": "fit, one step",
}


class Calls:
    """The calls, on one thread, with a batch that is an array of the model's dtype."""

    def __init__(self, backend: str) -> None:
        self.model = model = Fastnn(CASE, backend, threads=1).model
        self.x, self.y = CASE.rows(CASE.batch)
        self.row, self.predictor = self.x[0].copy(), model.predictor()

    def train_on_batch(self) -> Any:
        return self.model.train_on_batch(self.x, self.y)

    def one(self) -> Any:
        return self.predictor(self.row)

    def predict(self) -> Any:
        return self.model.predict(self.x)

    def fit(self) -> Any:
        return self.model.fit(self.x, self.y, batch_size=CASE.batch, verbose=0)


def table(found: dict[tuple[str, str], Pair], beside: bool) -> str:
    """A row of each call and backend: the best block; ``beside``: with those of another checkout."""
    before = ["old us"] * beside
    lines = titles(["call", "backend", *before, "us", *["new / old", "of minima"] * beside], texts=2)
    for (call, backend), pair in found.items():
        times = [number(pair.least(turns) * 1e6) for turns in ([pair.old] * beside + [pair.new])]
        ratios = [f"{ratio:.3f}" for ratio in (pair.ratio, pair.ratio_of_minima)] * beside
        lines.append(line([CALLS[call], backend, *times, *ratios]))
    return "\n".join(lines)


def calls(
    old: str = "",
    backends: tuple[str, ...] = ("numba", "cython"),
    rounds: int = 10,
    seconds: float = 0.05,
    python: str | None = None,
) -> None:
    """What a single call takes, on one thread: 4-32-32-1 b32 with adam, of which little is arithmetic.

    With --old the calls of another checkout beside them, by turns, as `versus` has steps. It takes 20 seconds.
    """
    other = checkout(old) if old else ROOT
    found: dict[tuple[str, str], Pair] = {}
    with ExitStack() as stack:

        def worker(name: str, folder: Path, path: str) -> Worker:
            return stack.enter_context(Worker(name, Calls, processors(), str(folder), path))

        new = worker("new", ROOT, sys.executable)
        workers = worker("old", other, python or interpreter(other)) if old else new, new
        for backend in backends:
            for call in CALLS:
                pair = both(workers, (backend,), rounds, seconds, call)
                if isinstance(pair, str):
                    print(f"{call}, {backend}: {pair}", file=sys.stderr)
                    continue
                found[call, backend] = pair
    if not found:
        raise SystemExit("nothing could be measured")
    beside = f"; old: {other}" * bool(old)
    print(f"On {machine.name()}, {CASE.name}, microseconds a call, the best block{beside}\n")
    print(table(found, bool(old)))
