"""How a tabular estimator trains, by the number of rows and by what its parameters leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastnn.data import positive_integer, real_number

if TYPE_CHECKING:
    from .tabular import BaseTabular

CYCLES = 5
"""Of the learning rate, at most; each is twice as long as the one before.  Many small tables are best after the second,
of 6 epochs, where the ends of four cycles are at 4 and 13."""

CYCLES_OF_MANY_ROWS = 4
"""Beyond MANY_ROWS the first one may be longer: of California housing, which is done after the second of four, the
root mean squared error is 0.458, and 0.460 after the third of five, for as much work."""

MANY_ROWS = 10_000
"""Up to here narrow layers do as well, for a quarter of the work."""

STEPS_AN_EPOCH = 16
"""As long as a batch has 32 rows to 256."""


class Recipe(NamedTuple):
    """What to train, for how long, and what to hold out."""

    hidden: list[int]
    dropout: float
    batch_size: int
    epochs: int
    cycles: int
    ends: list[int]
    """The epochs, from 1, that end a cycle: the rate is 0 there."""
    validation_fraction: float
    tol: float | None
    """By what part the error must fall in a cycle for another to begin; None: whatever it does."""


def recipe_for(settings: BaseTabular, rows: int, members: int) -> Recipe:
    """The recipe for so many rows and networks.  ValueError, TypeError: a parameter that cannot be."""
    hidden = settings.hidden_layer_sizes
    if isinstance(hidden, str) and hidden == "auto":
        hidden = (128,) * 3 if rows <= MANY_ROWS else (256,) * 3
    fraction = settings.validation_fraction
    if fraction == "auto":
        fraction = 1 / min(max(members, 4), 10)
    fraction = real_number(fraction, "validation_fraction", least=0, below=1)
    batch_size = settings.batch_size
    if batch_size == "auto":
        batch_size = 2 ** int(np.clip(np.round(np.log2(rows * (1 - fraction) / STEPS_AN_EPOCH)), 5, 8))
    epochs = positive_integer(settings.epochs, "epochs")
    tol = settings.tol if settings.tol is None else real_number(settings.tol, "tol", least=0, below=1)
    cycles = CYCLES if rows <= MANY_ROWS else CYCLES_OF_MANY_ROWS
    done = (2.0 ** np.arange(1, cycles + 1) - 1) / (2**cycles - 1)
    return Recipe(
        [positive_integer(width, "hidden_layer_sizes") for width in np.atleast_1d(hidden).tolist()],
        real_number(settings.dropout, "dropout", least=0, below=1),
        positive_integer(batch_size, "batch_size"),
        epochs,
        cycles,
        np.unique(np.maximum(1, np.round(done * epochs))).astype(int).tolist(),
        fraction,
        tol,
    )
