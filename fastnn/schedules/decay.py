"""Rates that go down: in pieces, exponentially, as the inverse of time, along a polynomial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastnn.data import boolean, positive_integer, real_number
from fastnn.typing import Array
from .base import LearningRateSchedule, checked_rate


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and including step boundaries[0], then values[1] up to boundaries[1], ..., then the last value.

    Parameters
    ----------
    boundaries : sequence of int
        Steps, in increasing order.
    values : sequence of float
        Rates: one more than boundaries.

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.PiecewiseConstantDecay(boundaries=[100], values=[0.01, 0.001])
    >>> [round(float(rate(step)), 5) for step in (0, 100, 101)]
    [0.01, 0.01, 0.001]
    """

    def __init__(self, boundaries: Sequence[int], values: Sequence[float]) -> None:
        self.boundaries = [positive_integer(b, f"boundaries[{i}]", least=0) for i, b in enumerate(boundaries)]
        self.values = [checked_rate(value, f"values[{i}]") for i, value in enumerate(values)]
        if sorted(set(self.boundaries)) != self.boundaries:
            raise ValueError(f"boundaries got {self.boundaries}; wants steps that increase")
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values got {len(self.values)}; wants {len(self.boundaries) + 1}, one more than boundaries"
            )

    def rates(self, steps: Array) -> Array:
        return np.array(self.values)[np.searchsorted(self.boundaries, steps)]


class _Staircase(LearningRateSchedule):
    """Base of the schedules by decay_rate, which go down all the time or every decay_steps steps only."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = positive_integer(decay_steps, "decay_steps")
        self.decay_rate = self._checked(decay_rate, "decay_rate")
        self.staircase = boolean(staircase, "staircase")

    def _checked(self, decay_rate: float, name: str) -> float:
        return real_number(decay_rate, name, least=0)

    def _periods(self, steps: Array) -> Array:
        """How many times decay_steps have passed."""
        done = steps / self.decay_steps
        return np.asarray(np.floor(done) if self.staircase else done)


class ExponentialDecay(_Staircase):
    """initial_learning_rate * decay_rate^(step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    decay_rate : float
        Above 0.
    staircase : bool
        Whether step / decay_steps is rounded down, so that the rate changes every decay_steps steps only.

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.ExponentialDecay(0.01, decay_steps=100, decay_rate=0.5)
    >>> [round(float(rate(step)), 5) for step in (0, 100, 200)]
    [0.01, 0.005, 0.0025]
    """

    def _checked(self, decay_rate: float, name: str) -> float:
        return real_number(decay_rate, name, above=0)

    def rates(self, steps: Array) -> Array:
        return self.initial_learning_rate * np.power(self.decay_rate, self._periods(steps))


class InverseTimeDecay(_Staircase):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    decay_rate : float
        At least 0.
    staircase : bool
        Whether step / decay_steps is rounded down, so that the rate changes every decay_steps steps only.

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.InverseTimeDecay(0.01, decay_steps=100, decay_rate=1.0)
    >>> [round(float(rate(step)), 5) for step in (0, 100, 300)]
    [0.01, 0.005, 0.0025]
    """

    def rates(self, steps: Array) -> Array:
        return self.initial_learning_rate / (1 + self.decay_rate * self._periods(steps))


class PolynomialDecay(LearningRateSchedule):
    """(initial_learning_rate - end_learning_rate) (1 - step / decay_steps)^power + end_learning_rate.

    After decay_steps steps the rate stays at end_learning_rate, unless ``cycle`` is set.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    end_learning_rate : float
    power : float
        Above 0; 1 makes a straight line.
    cycle : bool
        Whether, after decay_steps steps, the next multiple of decay_steps takes their place: the rate jumps up and goes
        down again.

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.PolynomialDecay(0.01, decay_steps=100, end_learning_rate=0.0)
    >>> [round(float(rate(step)), 5) for step in (0, 50, 100)]
    [0.01, 0.005, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = positive_integer(decay_steps, "decay_steps")
        self.end_learning_rate = checked_rate(end_learning_rate, "end_learning_rate")
        self.power = real_number(power, "power", above=0)
        self.cycle = boolean(cycle, "cycle")

    def rates(self, steps: Array) -> Array:
        if self.cycle:
            done = steps / (self.decay_steps * np.maximum(1, np.ceil(steps / self.decay_steps)))
        else:
            done = np.minimum(steps / self.decay_steps, 1)
        span = self.initial_learning_rate - self.end_learning_rate
        return np.asarray(span * np.power(1 - done, self.power) + self.end_learning_rate)
