"""What a network is trained for, and how: the loss and the optimizer, in the job's groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnn.kernels import records
from fastnn.kernels.formulas import LOSSES, OPTIMIZERS

from .functions import Function
from .layout import Layout
from .memory import Array, Buffers, address, aligned
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


class LossSettings:
    """The loss and the metrics.

    Attributes
    ----------
    metrics : array of int
        Their codes.
    function : Function or None
        The loss, where it is the user's own.
    """

    def __init__(self, group: Any, layout: Layout, dtype: np.dtype[Any]) -> None:
        self._group, self._layout, self._dtype = group, layout, dtype
        self.metrics = np.zeros(0, np.int64)
        self.function: Function | None = None
        group.target_scale = group.score_scale = 1.0

    def set(
        self,
        loss: str,
        on_logits: bool,
        parameter: Function | Sequence[float | Sequence[float]],
        metrics: Sequence[str],
        smoothing: float,
    ) -> None:
        """Take a loss and metrics, by their names in LOSSES; see `Engine.set_loss`."""
        group, outputs, codes = self._group, self._layout.outputs, list(LOSSES)
        self.metrics = np.array([codes.index(m) for m in metrics], np.int64)
        stride = self._layout.records[-1].output_stride
        self._parameters = aligned(3 * stride, self._dtype)
        self.function = None
        if isinstance(parameter, Function):
            self.function, mean = parameter, parameter.mean
            group.code, group.function = records.CUSTOM, parameter.address(self._dtype.name)
        else:
            group.code, group.function, mean = codes.index(loss), 0, LOSSES[loss].mean
            for row, values in zip(self._parameters.reshape(3, stride), parameter, strict=False):
                row[:outputs] = np.resize(values, outputs)
        classes = 2 if mean else outputs
        group.on_logits, group.parameters = on_logits, address(self._parameters)
        group.scale = 1 / outputs if mean else 1.0
        group.target_scale, group.target_shift = 1 - smoothing, smoothing / classes
        group.metric_count, group.metrics = len(metrics), address(self.metrics)


class OptimizerSettings:
    """The optimizer and its constants.

    Attributes
    ----------
    asked : tuple or None
        What `set` was given.
    rates : Rates or None
        The learning rate, where it is a function.
    """

    def __init__(self, group: Any, parameters: Parameters) -> None:
        self._group, self._parameters = group, parameters
        self.asked: tuple[Any, ...] | None = None
        self.rates: Rates | None = None
        self._hyper = np.zeros(records.DECAY + 1)
        group.hyper, group.average = address(self._hyper), -1

    def set(self, optimizer: str, hyper: list[float | Rates], clip: tuple[str, float], average: Average | None) -> None:
        """Take an optimizer, by its name in OPTIMIZERS; see `Engine.set_optimizer`."""
        row, group = OPTIMIZERS[optimizer], self._group
        self.asked = optimizer, hyper, clip, average
        self.rates = hyper[0] if callable(hyper[0]) else None
        *constants, decay = [0.0 if callable(value) else value for value in hyper]
        self._hyper[: len(constants)], self._hyper[records.DECAY] = constants, decay

        def initial(slot: str) -> Array | float:
            if slot == "average":  # steps have been taken without one
                return self._parameters.values
            return float(self._hyper[list(row.hyper).index(row.initial[slot])]) if slot in row.initial else 0.0

        names = [*row.slots, *(["average"] if average is not None else [])]
        self._parameters.hold_slots(names, initial)
        group.code = list(OPTIMIZERS).index(optimizer)
        group.clip, group.clip_limit = records.CLIPS.index(clip[0]), clip[1]
        group.average = -1 if average is None else len(names) - 1
        if average is not None:
            group.average_momentum, group.average_frequency = average.momentum, average.frequency

    def schedule(self, iterations: int, steps: int, buffers: Buffers) -> int:
        """Put the learning rates in place of the steps after ``iterations``; returns of how many, at most ``steps``."""
        self._group.rates = 0
        if self.rates is None:
            return steps
        steps = min(steps, RATES)
        buffers.room("rates", steps, np.float64)[:steps] = self.rates(np.arange(iterations, iterations + steps))
        self._group.rates = buffers.place("rates", steps, np.float64)
        return steps
