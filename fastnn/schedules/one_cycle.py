"""The one-cycle policy."""

import numpy as np

from fastnn.data import positive_integer, real_number
from fastnn.typing import Array

from .base import LearningRateSchedule, checked_flag, checked_rate
from .cosine import half_cosine


class OneCycle(LearningRateSchedule):
    """Up to max_learning_rate and down to almost nothing, in one cycle (Smith and Topin, 2017).

    As PyTorch's OneCycleLR, without its cycle of the momentum.  After total_steps the rate stays at its last value.

    Parameters
    ----------
    max_learning_rate : float
    total_steps : int
        Epochs times the steps of an epoch; at least 2.
    pct_start : float
        The part of the steps in which the rate goes up; above 0, below 1, or below 0.5 with three_phase.
    anneal_strategy : {"cos", "linear"}
        Whether the rate changes along half cosines or along straight lines.
    div_factor : float
        The first rate is max_learning_rate / div_factor.
    final_div_factor : float
        The last rate is the first / final_div_factor.
    three_phase : bool
        Whether the rate first goes down to the first rate, in as many steps as up, and then on to the last.
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        self.max_learning_rate = checked_rate(max_learning_rate, "max_learning_rate")
        self.total_steps = positive_integer(total_steps, "total_steps", least=2)
        self.three_phase = checked_flag(three_phase, "three_phase")
        self.pct_start = real_number(pct_start, "pct_start", above=0, below=0.5 if three_phase else 1)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy got {anneal_strategy!r}; wants 'cos' or 'linear'")
        self.anneal_strategy = anneal_strategy
        self.div_factor = real_number(div_factor, "div_factor", above=0)
        self.final_div_factor = real_number(final_div_factor, "final_div_factor", above=0)

    def rates(self, steps: Array) -> Array:
        """The learning rates of steps, piece by piece, each a line or half a cosine."""
        first = self.max_learning_rate / self.div_factor
        last = first / self.final_div_factor
        top = self.pct_start * self.total_steps - 1
        turns, levels = [0.0, top], [first, self.max_learning_rate]
        if self.three_phase:
            turns, levels = [*turns, 2 * top], [*levels, first]
        turns, levels = [*turns, self.total_steps - 1.0], [*levels, last]
        rates = np.full(steps.shape, last)
        for piece in reversed(range(len(turns) - 1)):
            begin, end = turns[piece], turns[piece + 1]
            done = np.clip((steps - begin) / max(end - begin, 1e-300), 0, 1)
            left = 1 - done if self.anneal_strategy == "linear" else half_cosine(done)
            rates = np.where(steps <= end, levels[piece + 1] + (levels[piece] - levels[piece + 1]) * left, rates)
        return rates
