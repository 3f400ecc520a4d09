"""Rates along cosines: once, again and again, in cycles that grow longer, or up and down in one cycle."""

from __future__ import annotations

import numpy as np

from fastnn.data import boolean, positive_integer, real_number
from fastnn.typing import Array
from .base import LearningRateSchedule, checked_rate


class CosineDecay(LearningRateSchedule):
    """Down from initial_learning_rate to alpha times it, along half a cosine (Loshchilov and Hutter, 2016).

    After decay_steps the rate stays there.  With warmup_target, the rate goes along a line from initial_learning_rate
    to warmup_target first, and the cosine begins at warmup_target.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Length of the cosine.
    alpha : float
        The part of the rate that is left at the end; from 0 to 1.
    warmup_target : float, optional
    warmup_steps : int
        Length of the line before the cosine.

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.CosineDecay(0.01, decay_steps=100)
    >>> [round(float(rate(step)), 5) for step in (0, 50, 100)]
    [0.01, 0.005, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = positive_integer(decay_steps, "decay_steps")
        self.alpha = real_number(alpha, "alpha", least=0, most=1)
        self.warmup_target = None if warmup_target is None else checked_rate(warmup_target, "warmup_target")
        self.warmup_steps = positive_integer(warmup_steps, "warmup_steps", least=0)

    def rates(self, steps: Array) -> Array:
        start, height = 0, self.initial_learning_rate
        if self.warmup_target is not None:
            start, height = self.warmup_steps, self.warmup_target
        done = np.clip((steps - start) / self.decay_steps, 0, 1)
        decayed = height * ((1 - self.alpha) * half_cosine(done) + self.alpha)
        rising = self.initial_learning_rate + (height - self.initial_learning_rate) * steps / max(start, 1)
        return np.where(steps < start, rising, decayed)


class CosineDecayRestarts(LearningRateSchedule):
    """A cosine that starts again whenever it has reached its end (Loshchilov and Hutter, 2016).

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : int
        Length of the first period.
    t_mul : float
        Each period is so many times as long as the one before; at least 1.
    m_mul : float
        Each period begins so many times as high as the one before; above 0.
    alpha : float
        The part of initial_learning_rate at which each period ends; from 0 to 1.

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.CosineDecayRestarts(0.01, first_decay_steps=100)
    >>> [round(float(rate(step)), 5) for step in (0, 50, 100, 300)]
    [0.01, 0.005, 0.01, 0.01]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "initial_learning_rate")
        self.first_decay_steps = positive_integer(first_decay_steps, "first_decay_steps")
        self.t_mul = real_number(t_mul, "t_mul", least=1)
        self.m_mul = real_number(m_mul, "m_mul", above=0)
        self.alpha = real_number(alpha, "alpha", least=0, most=1)

    def rates(self, steps: Array) -> Array:
        done = steps / self.first_decay_steps
        if self.t_mul == 1:
            period = np.floor(done)
            done = done - period
        else:
            period = np.floor(np.log(1 + done * (self.t_mul - 1)) / np.log(self.t_mul))
            length = np.power(self.t_mul, period)
            done = (done - (length - 1) / (self.t_mul - 1)) / length
        height = np.power(self.m_mul, period) * half_cosine(done)
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)


class CosineLog(LearningRateSchedule):
    """From 0 up to learning_rate and down to 0, in cycles each twice as long as the one before.

    learning_rate (1 - cos(2 pi log2(1 + (2^cycles - 1) step / total_steps))) / 2, and 0 after total_steps: "coslog4" of
    Holzmueller, Grinsztajn and Steinwart, 2024.

    Parameters
    ----------
    learning_rate : float
        The highest rate.
    total_steps : int
        Epochs times the steps of an epoch.
    cycles : int

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.CosineLog(0.01, total_steps=150, cycles=4)
    >>> [round(float(rate(step)), 5) for step in (0, 5, 10, 149)]
    [0.0, 0.0093, 0.0, 1e-05]
    """

    def __init__(self, learning_rate: float, total_steps: int, cycles: int = 4) -> None:
        self.learning_rate = checked_rate(learning_rate, "learning_rate")
        self.total_steps = positive_integer(total_steps, "total_steps")
        self.cycles = positive_integer(cycles, "cycles")

    def rates(self, steps: Array) -> Array:
        done = np.minimum(steps / self.total_steps, 1)
        turns: Array = np.log2(1 + (2.0**self.cycles - 1) * done)
        return self.learning_rate * half_cosine(2 * turns + 1)


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

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.OneCycle(0.01, total_steps=100)
    >>> [round(float(rate(step)), 5) for step in (0, 30, 99)]
    [0.0004, 0.00999, 0.0]
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
        self.three_phase = boolean(three_phase, "three_phase")
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


def half_cosine(done: Array) -> Array:
    """From 1, where none is done, to 0, where all is, along half a cosine."""
    return 0.5 * (1 + np.cos(np.pi * done))
