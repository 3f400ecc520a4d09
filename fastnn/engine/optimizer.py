"""The optimizer of a network, its constants and its learning rates, in the job's group."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnn.kernels import records
from fastnn.kernels.formulas import OPTIMIZERS
from .memory import Array, Buffers, address
from .parameters import Parameters

Rates = Callable[[Array], Array]
"""Learning rates of steps, counted from 0."""
CLIPS: tuple[str, ...] = records.CLIPS[1:]
RATES = 2**16
"""How many learning rates of a schedule are computed at a time."""


class Average(NamedTuple):
    """A moving average of the parameters; it overwrites them every ``frequency`` updates, unless that is 0."""

    momentum: float
    frequency: int


class OptimizerPlan(NamedTuple):
    """What an optimizer is to do.

    Attributes
    ----------
    row : str
        Its name in OPTIMIZERS.
    hyper : tuple
        Its constants in that order, then the weight decay.  The first, the learning rate, may be a function.
    clip : (str, float)
        How gradients are clipped, a name in records.CLIPS, and the limit.
    average : Average or None
        A moving average of the parameters that is asked for.
    accumulated_steps : int
        One update is made of the mean gradient of so many.
    """

    row: str
    hyper: tuple[float | Rates, ...]
    clip: tuple[str, float] = ("", 0.0)
    average: Average | None = None
    accumulated_steps: int = 1


def hyper_of(plan: OptimizerPlan) -> tuple[Array, Rates | None]:
    """An optimizer's constants as the kernels take them; and its learning rate, where that is a function (there 0)."""
    *constants, decay = [0.0 if callable(value) else value for value in plan.hyper]
    found = np.zeros(records.DECAY + 1)
    found[: len(constants)], found[records.DECAY] = constants, decay
    return found, plan.hyper[0] if callable(plan.hyper[0]) else None


class OptimizerSettings:
    """The optimizer and its constants.

    Attributes
    ----------
    plan : OptimizerPlan or None
        What `set` was given.
    rates : Rates or None
        The learning rate, where it is a function.
    hyper : array
        The optimizer's constants, as `hyper_of` returns them.
    """

    def __init__(self, group: Any, parameters: Parameters) -> None:
        self._group, self._parameters = group, parameters
        self.plan: OptimizerPlan | None = None
        self.rates: Rates | None = None
        self.hyper = np.zeros(records.DECAY + 1)
        group.hyper, group.average = address(self.hyper), -1

    def set(self, plan: OptimizerPlan) -> None:
        """Take an optimizer.  Slots keep what they hold; new ones begin as the table of formulas says."""
        optimizer, _, clip, average, accumulated_steps = plan
        row, group = OPTIMIZERS[optimizer], self._group
        self.plan = None  # until all of it is there
        self.hyper[:], self.rates = hyper_of(plan)

        def initial(slot: str) -> Array | float:
            if slot == "average":  # steps have been taken without one
                return self._parameters.values
            return float(self.hyper[list(row.hyper).index(row.initial[slot])]) if slot in row.initial else 0.0

        names = [*row.slots, *["accumulator"] * (accumulated_steps > 1), *["average"] * (average is not None)]
        self._parameters.hold_slots(names, initial)
        group.code = list(OPTIMIZERS).index(optimizer)
        group.clip, group.clip_limit = records.CLIPS.index(clip[0]), clip[1]
        group.accumulated_steps, group.accumulator = accumulated_steps, len(row.slots)
        group.average = -1 if average is None else len(names) - 1
        if average is not None:
            group.average_momentum, group.average_frequency = average.momentum, average.frequency
        self.plan = plan

    def schedule(self, iterations: int, steps: int, buffers: Buffers) -> int:
        """Put the learning rates in place of the steps after ``iterations``; returns of how many, at most ``steps``."""
        self._group.rates = 0
        if self.rates is None:
            return steps
        steps = min(steps, RATES)
        buffers.room("rates", steps, np.float64)[:steps] = self.rates(np.arange(iterations, iterations + steps))
        self._group.rates = buffers.place("rates", steps, np.float64)
        return steps
