"""The base of all schedules, one rate, a function of the user's own, and a warm-up before another schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fastnn.data import positive_integer, real_number
from fastnn.names import Configurable, CustomObject, deserialize
from fastnn.typing import Array


class LearningRateSchedule(Configurable):
    """Base of all schedules.

    A schedule of your own defines either `rates`, or, as in Keras, `__call__`, which is then called for each step.
    """

    def rates(self, steps: Array) -> Array:
        """The learning rates of steps; both arrays are (n,)."""
        return np.array([float(self(int(step))) for step in steps])

    def __call__(self, step: ArrayLike) -> Any:
        """The learning rate of a step, a float; or those of an array of steps, an array of its shape."""
        if type(self).rates is LearningRateSchedule.rates:
            raise NotImplementedError(f"{type(self).__name__} has neither rates nor __call__")
        steps = np.asarray(step, np.float64)
        rates: Array = self.rates(steps.ravel()).reshape(steps.shape)
        return rates if steps.ndim else float(rates)

    def at(self, steps: Array) -> Array:
        """The learning rates of steps; ValueError if one is negative or not finite, or there is not a rate a step."""
        rates = np.asarray(self.rates(steps.astype(np.float64)), np.float64)
        if rates.shape != steps.shape:
            raise ValueError(f"learning_rate got rates of shape {rates.shape} from {self!r}; wants {steps.shape}")
        if not (np.isfinite(rates).all() and (rates >= 0).all()):
            first = int(np.flatnonzero(~((rates >= 0) & (rates < np.inf)))[0])
            raise ValueError(
                f"learning_rate got {rates[first]} from {self!r} in step {int(steps[first])}; "
                "wants a finite number of at least 0"
            )
        return rates


class Constant(LearningRateSchedule):
    """The same rate in every step.

    Parameters
    ----------
    learning_rate : float
        At least 0.

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.Constant(0.01)
    >>> [round(float(rate(step)), 5) for step in (0, 100)]
    [0.01, 0.01]
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = checked_rate(learning_rate, "learning_rate")

    def rates(self, steps: Array) -> Array:
        return np.full(steps.shape, self.learning_rate)


class Custom(CustomObject, LearningRateSchedule):
    """A function of your own, from the number of a step (int) to its rate.

    Parameters
    ----------
    function : callable
        It may depend on nothing but the step: it is called some thousand steps before its rate is used.
    name : str, optional
        What a file calls it.  Default: the function's name.

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.Custom(lambda step: 0.1 / (1 + step))
    >>> [round(float(rate(step)), 5) for step in (0, 1, 9)]
    [0.1, 0.05, 0.01]
    """

    what: ClassVar[str] = "learning_rate"

    def __init__(self, function: Callable[[int], float], name: str | None = None) -> None:
        if not callable(function):
            raise TypeError(f"function got {function!r}; wants a function of the step")
        super().__init__(name, function)

    def rates(self, steps: Array) -> Array:
        (function,) = self.functions
        return np.array([float(function(int(step))) for step in steps])


class WarmUp(LearningRateSchedule):
    """A line from initial_learning_rate to the first rate of another schedule, which then follows.

    Parameters
    ----------
    schedule : LearningRateSchedule, float, or callable
        Its steps are counted from the end of the line.
    warmup_steps : int
        Length of the line.
    initial_learning_rate : float

    Examples
    --------
    >>> import fastnn
    >>> rate = fastnn.schedules.WarmUp(fastnn.schedules.Constant(0.01), warmup_steps=10)
    >>> [round(float(rate(step)), 5) for step in (0, 5, 10)]
    [0.0, 0.005, 0.01]
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


def get(identifier: object, argument: str = "learning_rate") -> LearningRateSchedule:
    """Make a schedule of its configuration or of a function of the step; a schedule is returned as it is."""
    if isinstance(identifier, LearningRateSchedule):
        vars(identifier)["_held"] = True
        return identifier
    if isinstance(identifier, Mapping):
        return deserialize(identifier, LearningRateSchedule, argument)
    if callable(identifier) and not isinstance(identifier, type):
        return Custom(identifier)
    raise TypeError(f"{argument} got {identifier!r}; wants a number, a schedule, or a function of the step")


def checked_rate(value: object, name: str) -> float:
    """Check a learning rate: a number of at least 0."""
    return real_number(value, name, least=0)
