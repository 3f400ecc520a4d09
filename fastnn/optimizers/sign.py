"""Lion and Rprop, whose steps follow the sign of gradients, and not their size."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack

from fastnn.data import real_number

from .base import DEFAULTS, Optimizer, Options, Rate


class Lion(Optimizer):
    """Lion, Chen et al., 2023: w <- w - r sign(beta_1 m + (1 - beta_1) g), and then m <- beta_2 m + (1 - beta_2) g.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0; a third to a tenth of Adam's.
    beta_1, beta_2 : float
        At least 0, below 1.
    **options : weight_decay (here 3 to 10 times AdamW's), clipnorm and more; see `Optimizer`
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["lion"]["learning_rate"],
        beta_1: float = DEFAULTS["lion"]["beta_1"],
        beta_2: float = DEFAULTS["lion"]["beta_2"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2


def _two_numbers(value: Any, name: str, below: float = math.inf, above: float | None = None) -> tuple[float, float]:
    """Check the first to be above 0 and within the bound, the second above the bound, or else above the first."""
    if not (isinstance(value, Sequence) and len(value) == 2):
        raise TypeError(f"{name} got {value!r}; wants two numbers")
    first = real_number(value[0], f"{name}[0]", above=0.0, below=below)
    return first, real_number(value[1], f"{name}[1]", above=first if above is None else above)


class Rprop(Optimizer):
    """Resilient backpropagation, Riedmiller and Braun, 1993, as in PyTorch; for full batches.

    Each weight has a step size s, at first learning_rate.  In each step s is multiplied by etas[1] where g has the sign
    that it had before, and by etas[0] where the sign has changed, within step_sizes.  Then w <- w - s sign(g), except
    that w stays where the sign has changed; the g of that step counts as 0 in the next one.

    Parameters
    ----------
    learning_rate : float
        The first step size; above 0.
    etas : (float, float)
        The factors: one above 0 and below 1, one above 1.
    step_sizes : (float, float)
        The least and the largest step size; above 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    etas: tuple[float, float]
    step_sizes: tuple[float, float]
    _checks = Optimizer._checks | {"etas": partial(_two_numbers, below=1.0, above=1.0), "step_sizes": _two_numbers}

    def __init__(
        self,
        learning_rate: float = DEFAULTS["rprop"]["learning_rate"],
        etas: Sequence[float] = (DEFAULTS["rprop"]["decrease"], DEFAULTS["rprop"]["increase"]),
        step_sizes: Sequence[float] = (DEFAULTS["rprop"]["least"], DEFAULTS["rprop"]["most"]),
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = real_number(learning_rate, "learning_rate", above=0.0)  # and no schedule
        self.etas = etas  # type: ignore[assignment]
        self.step_sizes = step_sizes  # type: ignore[assignment]

    def hyper(self) -> list[Any]:
        return [self.learning_rate, *self.etas, *self.step_sizes, self.weight_decay or 0.0]
