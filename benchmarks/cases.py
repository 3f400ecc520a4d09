"""The one list of cases: networks from tiny to large, and data for them.

CASES go into docs/benchmarks.md, a few of them into the README.
ODD, SHUFFLED and LOADED are what single benchmarks measure besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from re import fullmatch
from typing import Any

import numpy as np

LEARNING_RATE = 1e-3
MOMENTUM = 0.9


@dataclass(frozen=True)
class Case:
    """A network (units of each layer, inputs first), its batch, and how it is trained."""

    sizes: tuple[int, ...]
    batch: int
    activation: str = "relu"
    optimizer: str = "sgd"
    dtype: str = "float32"

    @property
    def name(self) -> str:
        words = (self.activation, self.optimizer, self.dtype)
        extra = [word for word in words if word not in ("relu", "sgd", "float32")]
        return "-".join(map(str, self.sizes)) + f" b{self.batch}" + "".join(f" {word}" for word in extra)

    @property
    def classes(self) -> int:
        """Classes of the softmax output; 0 where the output is a number, for the mean squared error."""
        return self.sizes[-1] if self.sizes[-1] > 1 else 0

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of the weight matrices."""
        return list(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def flops(self) -> int:
        """Arithmetic of a step's products: forward, twice that back, less the gradient by the network's input."""
        return sum(2 * self.batch * a * b * (3 if number else 2) for number, (a, b) in enumerate(self.shapes))

    @property
    def steps(self) -> int:
        """Batches in the data, so that data and one pass over them stay moderate."""
        return max(1, min(100, 20_000_000 // (self.batch * self.sizes[0]), 350_000_000_000 // self.flops))

    @property
    def epochs(self) -> int:
        """Passes in one call, so that what the call itself costs is not what is measured."""
        return max(1, min(200_000_000 // self.flops, 20_000) // self.steps)

    def data(self) -> tuple[Any, Any]:
        """Inputs (rows, inputs) and targets, class labels or (rows, 1), for all steps."""
        return self.rows(self.batch * self.steps)

    def rows(self, count: int) -> tuple[Any, Any]:
        """So many rows of inputs and targets."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((count, self.sizes[0]), self.dtype)
        if self.classes:
            return x, rng.integers(0, self.classes, len(x))
        return x, rng.standard_normal((len(x), 1), self.dtype)


@dataclass(frozen=True)
class Whole(Case):
    """One step over all rows is an epoch."""

    @property
    def steps(self) -> int:
        return 1

    @property
    def name(self) -> str:
        return super().name + " all rows"


CASES = [
    Case((2, 8, 1), 4),
    Case((2, 8, 1), 32),
    Case((4, 32, 32, 1), 32),
    Case((4, 32, 32, 1), 256),
    Case((8, 64, 64, 4), 64, "tanh", "adam"),
    Case((30, 64, 64, 2), 32),
    Case((30, 64, 64, 2), 256),
    Case((784, 128, 10), 32),
    Case((784, 128, 10), 128),
    Case((784, 128, 10), 128, optimizer="adam"),
    Case((784, 256, 256, 10), 128),
    Case((784, 512, 512, 10), 256),
    Case((1024, 2048, 2048, 10), 1024),
    # One row a step, all rows in one, many classes, widths that fit no vector, and double precision.
    Case((30, 64, 64, 2), 1),
    Case((30, 64, 64, 2), 10_000),
    Case((128, 256, 1000), 128),
    Case((257, 257, 257, 10), 128),
    Case((784, 128, 10), 128, dtype="float64"),
]

"""What everything measures that does not say otherwise."""

ACTIVATIONS = ("relu", "leaky_relu", "sigmoid", "tanh", "elu", "selu", "softplus", "gelu", "silu", "mish")

ODD = [
    Case((17, 33, 7), 1),
    Case((17, 33, 7), 32),
    Case((17, 33, 7), 10_000),
    Whole((17, 33, 7), 5_000),
    Whole((30, 64, 64, 2), 569),
    Whole((100, 129, 3), 10_000, optimizer="adam"),
    Case((9, *[8] * 10, 1), 1),
    Case((9, *[8] * 10, 1), 32),
    Case((9, *[8] * 10, 1), 1_000),
    Case((100, *[100] * 8, 10), 100),
    Case((20_000, 64, 10), 32),
    Case((20_000, 64, 10), 128, optimizer="adam"),
    Case((20_000, 1), 128),
    Case((13, 50, 1), 20),
    Case((1, 1), 1),
    Case((1, 500, 1), 100),
    Case((50, 1000), 100),
    Case((65, 250, 1000), 100, optimizer="adam"),
    Case((1025, 1023, 5), 200),
    *(Case((33, 100, 100, 5), 70, activation) for activation in ACTIVATIONS),
    Case((17, 33, 7), 32, dtype="float64"),
    Case((33, 100, 100, 5), 70, "tanh", "adam", "float64"),
    Case((257, 513, 10), 100, dtype="float64"),
    Case((30, 64, 64, 2), 10_000, dtype="float64"),
]
"""Networks that nobody tuned for: widths that are no multiple of 16, batches of one row, of 10,000 and of all rows,
deep and narrow, a very wide first layer, one output, a thousand classes, every activation, float64."""

SHUFFLED = {
    Case((2, 8, 1), 32): 3_200,
    Case((4, 32, 32, 1), 32): 3_200,
    Case((8, 32, 1), 64): 2_000_000,
    Case((30, 64, 64, 2), 256): 1_000_000,
    Case((64, 50, 10), 200): 400_000,
    Case((784, 128, 10), 128): 60_000,
}
"""Networks, and rows of data: from a few to more than any cache holds."""

LARGE = ",".join(
    [
        "784-128-10 b128",
        "784-256-256-10 b128",
        "784-512-512-10 b256",
        "1024-2048-2048-10 b1024",
        "256-512-1000 b128",
        "100-256-256-256-1 b256 adam",
        "900-1500-1500-7 b700",
    ]
)
"""Networks whose steps are mostly products, as a pattern."""

LOADED = "4-32-32-1 b32,30-64-64-2 b256,784-128-10 b128,784-512-512-10 b256"
"""The CASES that are trained beside other work, as a pattern."""


def chosen(patterns: str, cases: Sequence[Case] = CASES) -> list[Case]:
    """The cases whose names match one of some patterns, separated by commas: "784-*,* b1"; or that a name describes.

    So "100-64-10 b32 adam" is a case whether it is listed or not.
    """
    found = []
    for pattern in (p.strip() for p in patterns.split(",")):
        matching = [case for case in cases if fnmatchcase(case.name, pattern)] or described(pattern)
        found += [case for case in matching if case not in found]
    if not found:
        raise SystemExit(f"--cases got {patterns!r}, which matches none of {', '.join(case.name for case in cases)}")
    return found


def described(name: str) -> list[Case]:
    """The case of a name, such as "100-64-10 b32 tanh adam float64"; none, if it is no such name."""
    found = fullmatch(r"(\d+(?:-\d+)+) b(\d+)((?: \w+)*)", name)
    if not found:
        return []
    extra = {"tanh": "activation", "sigmoid": "activation", "adam": "optimizer", "float64": "dtype"}
    words = found[3].split()
    if not set(words) <= set(extra):
        return []
    return [Case(tuple(map(int, found[1].split("-"))), int(found[2]), **{extra[word]: word for word in words})]
