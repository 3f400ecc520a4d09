"""What a shuffled epoch costs beside one in order, where the data are a few rows and where no cache holds them.

    python benchmarks/shuffling.py --backend cython --threads 1

In a shuffled epoch each row is read from a place of its own.  Both take turns in one process; a figure is the best of
the rounds.
"""

from __future__ import annotations

import argparse
import time

from cases import Case
from machine import facts
from peers import Fastnn
from report import line, number

SIZES = [
    (Case((2, 8, 1), 32), 3_200),
    (Case((4, 32, 32, 1), 32), 3_200),
    (Case((8, 32, 1), 64), 2_000_000),
    (Case((30, 64, 64, 2), 256), 1_000_000),
    (Case((64, 50, 10), 200), 400_000),
    (Case((784, 128, 10), 128), 60_000),
]
"""Networks, and rows of data."""

SECONDS = 0.5
"""How long a round takes, at least."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="auto", choices=["auto", "numba", "cython"])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"On {facts()['cores']} cores of {facts()['cpu']}, microseconds a step\n")
    print(line(["network, batch", "MB of inputs", "in order", "shuffled", "ratio"]))
    print(line(["---", *["---:"] * 4]))
    for case, rows in SIZES:
        x, y = case.rows(rows)
        model = Fastnn(case, options.backend, options.threads).model
        best = {False: float("inf"), True: float("inf")}
        epochs = 1
        for turn in range(2 * (options.rounds + 1)):  # the first two find out how many epochs are a round
            start = time.perf_counter()
            model.fit(x, y, batch_size=case.batch, epochs=epochs, shuffle=turn % 2 == 1, verbose=0)
            seconds = time.perf_counter() - start
            if turn < 2:
                epochs = max(1, round(epochs * SECONDS / seconds))
            else:
                best[turn % 2 == 1] = min(best[turn % 2 == 1], seconds / epochs * case.batch / rows)
        times = [best[False] * 1e6, best[True] * 1e6]
        cells = [f"{x.nbytes / 1e6:.2f}", *map(number, times), f"{times[1] / times[0]:.2f}"]
        print(line([case.name, *cells]), flush=True)


if __name__ == "__main__":
    main()
