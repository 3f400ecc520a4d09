"""The one list of cases: networks from tiny to large, and data for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

LEARNING_RATE = 1e-3
MOMENTUM = 0.9
EPOCH_STEPS = 50


@dataclass(frozen=True)
class Case:
    """A network (units of each layer, inputs first), its batch, and how it is trained."""

    sizes: tuple[int, ...]
    batch: int
    activation: str = "relu"
    optimizer: str = "sgd"

    @property
    def name(self) -> str:
        extra = [word for word in (self.activation, self.optimizer) if word not in ("relu", "sgd")]
        return "-".join(map(str, self.sizes)) + f" b{self.batch}" + "".join(f" {word}" for word in extra)

    @property
    def classes(self) -> int:
        """Classes of the softmax output; 0 where the output is a number, for the mean squared error."""
        return self.sizes[-1] if self.sizes[-1] > 1 else 0

    def data(self, steps: int) -> tuple[Any, Any]:
        """Inputs (rows, inputs) in float32 and targets, class labels or (rows, 1), for some steps."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.batch * steps, self.sizes[0]), np.float32)
        if self.classes:
            return x, rng.integers(0, self.classes, len(x))
        return x, rng.standard_normal((len(x), 1), np.float32)


CASES = [
    Case((2, 8, 1), 4),
    Case((4, 32, 32, 1), 32),
    Case((8, 64, 64, 4), 64, "tanh", "adam"),
    Case((30, 64, 64, 2), 32),
    Case((64, 128, 10), 32),
    Case((784, 128, 10), 128),
    Case((784, 512, 512, 10), 256),
]
