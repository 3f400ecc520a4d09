"""A warm-up before another schedule."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.data import positive_integer
from fastnn.names import serialize
from fastnn.typing import Array

from .base import Constant, LearningRateSchedule, checked_rate, get


class WarmUp(LearningRateSchedule):
    """A line from initial_learning_rate to the first rate of another schedule, which then follows.

    Parameters
    ----------
    schedule : LearningRateSchedule, float, or callable
        Its steps are counted from the end of the line.
    warmup_steps : int
        Length of the line.
    initial_learning_rate : float
    """

    def __init__(self, schedule: Any, warmup_steps: int, initial_learning_rate: float = 0.0) -> None:
        number = not isinstance(schedule, Mapping) and not callable(schedule)
        self.schedule = Constant(schedule) if number else get(schedule, "schedule")
        self.warmup_steps = positive_integer(warmup_steps, "warmup_steps")
        self.initial_learning_rate = checked_rate(initial_learning_rate, "initial_learning_rate")

    def rates(self, steps: Array) -> Array:
        """The learning rates of steps: the line, and then the rates of the other schedule."""
        after = self.schedule.rates(np.maximum(steps - self.warmup_steps, 0))
        if not (steps < self.warmup_steps).any():
            return after
        top = self.schedule.rates(np.zeros(1))[0]
        rising = self.initial_learning_rate + (top - self.initial_learning_rate) * steps / self.warmup_steps
        return np.where(steps < self.warmup_steps, rising, after)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"schedule": serialize(self.schedule)}
