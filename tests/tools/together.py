"""Compile, fit, train_on_batch, predict, evaluate and save one model from several threads at once.

    python tests/tools/together.py [SECONDS] [--backend numba]

Whatever is predicted or saved must be of weights after a whole number of steps, whoever trains meanwhile: every step
adds the same to all weights, so that they are all equal at all times. Errors must say what may not be done at once.
Prints how often each thing was done, and what went wrong; exit 1 if anything did.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastnn
from fastnn.layers import Dense, Input
from fastnn.optimizers import SGD

WIDTH, ROWS = 300, 5
OPTIMIZERS: list[Callable[[], Any]] = [
    lambda: SGD(0.01),
    lambda: SGD(0.01, momentum=0.5),
    lambda: SGD(0.01, use_ema=True),
    lambda: fastnn.optimizers.Adam(0.01),
    lambda: fastnn.optimizers.RMSprop(0.01),
]
X = np.ones((ROWS, WIDTH), "float32")
Y = np.zeros((ROWS, WIDTH), "float32")


def shared(backend: str) -> fastnn.Sequential:
    """A model whose weights are all the same number, and stay that."""
    layers = [Dense(WIDTH, kernel_initializer="zeros", use_bias=False)]
    model = fastnn.Sequential([Input((WIDTH,)), *layers], seed=0)
    model.compile(SGD(0.01), "mse", backend=backend)
    model.set_weights([np.full((WIDTH, WIDTH), 0.5)])
    return model


def check(array: np.ndarray[Any, Any]) -> None:
    """All rows are the same, and within each all numbers, but for a rounding of sums."""
    if not np.isfinite(array).all() or np.ptp(array) > 1e-5 * np.abs(array).max():
        raise AssertionError(f"wrong rows: from {array.min()} to {array.max()}")


def tasks(model: fastnn.Sequential, backend: str, folder: Path) -> dict[str, Callable[[int], None]]:
    """What the threads do; each takes its number of turns so far."""
    act = model.predictor(ROWS)

    def compile(turn: int) -> None:
        dtype = ("float32", "float64")[turn % 2]
        model.compile(OPTIMIZERS[turn % len(OPTIMIZERS)](), "mse", backend=backend, dtype=dtype)

    def fit(turn: int) -> None:
        model.fit(X, Y, epochs=3, batch_size=2, verbose=0)

    def train_on_batch(turn: int) -> None:
        model.train_on_batch(X, Y)

    def predict(turn: int) -> None:
        check(model.predict(X))
        check(act(X))

    def evaluate(turn: int) -> None:
        model.evaluate(X, Y, verbose=0)

    def save(turn: int) -> None:
        model.save(folder / "model.fastnn")
        check(fastnn.load_model(folder / "model.fastnn", backend=backend).get_weights()[0])

    def set_weights(turn: int) -> None:
        model.set_weights([np.full((WIDTH, WIDTH), 0.1 + turn % 7)])

    def get_weights(turn: int) -> None:
        (weights,) = model.get_weights()
        check(weights)

    return {
        "compile": compile,
        "fit": fit,
        "train_on_batch": train_on_batch,
        "predict": predict,
        "evaluate": evaluate,
        "save": save,
        "set_weights": set_weights,
        "get_weights": get_weights,
    }


GROUPS = [("compile", "set_weights"), ("fit", "evaluate"), ("train_on_batch", "get_weights"), ("predict",), ("save",)]
"""What a thread does in turn."""


def run(seconds: float, backend: str = "auto") -> tuple[Counter[str], list[str]]:
    """Do all at once; how often each was done and refused, and what went wrong."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    model = shared(backend)
    with tempfile.TemporaryDirectory() as folder:
        todo = tasks(model, backend, Path(folder))
        end = time.monotonic() + seconds

        def work(names: tuple[str, ...]) -> None:
            turn = 0
            while time.monotonic() < end and not wrong:
                for name in names:
                    try:
                        todo[name](turn)
                        counts[name] += 1
                    except RuntimeError as error:
                        if "in another thread" not in str(error):
                            wrong.append(f"{name}: {error!r}")
                        counts[f"{name} refused"] += 1
                    except BaseException as error:
                        wrong.append(f"{name}: {error!r}")
                turn += 1

        threads = [threading.Thread(target=work, args=(names,)) for names in GROUPS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return counts, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args()
    counts, wrong = run(options.seconds, options.backend)
    for name, count in sorted(counts.items()):
        print(f"{name:24} {count:8}")
    for line in wrong:
        print("WRONG:", line)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
