"""Learning rates that change with the step: Keras's schedules, and PyTorch's one-cycle policy.

Steps are an optimizer's updates, counted from 0.  A schedule maps an array of them to as many rates, a table of which
goes to the compiled run ahead of its steps.  Also `fastnn.optimizers.schedules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.data import positive_integer, real_number
from fastnn.names import Configurable, CustomObject, deserialize, serialize

__all__ = [
    "Constant",
    "CosineDecay",
    "CosineDecayRestarts",
    "CosineLog",
    "Custom",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "WarmUp",
    "get",
]

Array = NDArray[np.float64]


class LearningRateSchedule(Configurable):
    """Base of all.

    One of your own has either `rates`, or, as in Keras, `__call__`, which is then called step by step.
    """

    def rates(self, steps: Array) -> Array:
        """The learning rates of steps, both (n,)."""
        return np.array([float(self(int(step))) for step in steps])

    def __call__(self, step: ArrayLike) -> Any:
        """The learning rate of a step, a float, or of an array of them."""
        if type(self).rates is LearningRateSchedule.rates:
            raise NotImplementedError(f"{type(self).__name__} has neither rates nor __call__")
        steps = np.asarray(step, np.float64)
        rates: Array = self.rates(steps.ravel()).reshape(steps.shape)
        return rates if steps.ndim else float(rates)

    def at(self, steps: NDArray[Any]) -> Array:
        """The same as `rates`, checked.

        Raises
        ------
        ValueError
            A rate is negative, or not finite.
        """
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
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = _rate(learning_rate, "learning_rate")

    def rates(self, steps: Array) -> Array:
        """As many times the same."""
        return np.full(steps.shape, self.learning_rate)


class Custom(CustomObject, LearningRateSchedule):
    """A function of your own, from a step (int) to its rate; called step by step, ahead of the steps.

    Parameters
    ----------
    function : callable
        Of the number of the step alone: it is called some thousand steps before the rate is used.
    name : str, optional
        What it is called in a file.  Default: the function's name.
    """

    what: ClassVar[str] = "learning_rate"

    def __init__(self, function: Callable[[int], float], name: str | None = None) -> None:
        if not callable(function):
            raise TypeError(f"function got {function!r}; wants a function of the step")
        super().__init__(name, function)

    def rates(self, steps: Array) -> Array:
        """A call for each."""
        (function,) = self.functions
        return np.array([float(function(int(step))) for step in steps])


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and including step boundaries[0], values[1] up to boundaries[1], ..., then the last.

    Parameters
    ----------
    boundaries : sequence of int
        Increasing.
    values : sequence of float
        One more than boundaries.
    """

    def __init__(self, boundaries: Sequence[int], values: Sequence[float]) -> None:
        self.boundaries = [positive_integer(b, f"boundaries[{i}]", least=0) for i, b in enumerate(boundaries)]
        self.values = [_rate(value, f"values[{i}]") for i, value in enumerate(values)]
        if sorted(set(self.boundaries)) != self.boundaries:
            raise ValueError(f"boundaries got {self.boundaries}; wants steps that increase")
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values got {len(self.values)}; wants {len(self.boundaries) + 1}, one more than boundaries"
            )

    def rates(self, steps: Array) -> Array:
        """A look-up."""
        return np.array(self.values)[np.searchsorted(self.boundaries, steps)]


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate^(step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    decay_rate : float
        Above 0.
    staircase : bool
        step / decay_steps is rounded down.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = positive_integer(decay_steps, "decay_steps")
        self.decay_rate = real_number(decay_rate, "decay_rate", above=0)
        self.staircase = _flag(staircase, "staircase")

    def rates(self, steps: Array) -> Array:
        """The equation."""
        return self.initial_learning_rate * np.power(self.decay_rate, _decays(self, steps))


class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    decay_rate : float
        At least 0.
    staircase : bool
        step / decay_steps is rounded down.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = positive_integer(decay_steps, "decay_steps")
        self.decay_rate = real_number(decay_rate, "decay_rate", least=0)
        self.staircase = _flag(staircase, "staircase")

    def rates(self, steps: Array) -> Array:
        """The equation."""
        return self.initial_learning_rate / (1 + self.decay_rate * _decays(self, steps))


class PolynomialDecay(LearningRateSchedule):
    """(initial_learning_rate - end_learning_rate) (1 - step / decay_steps)^power + end_learning_rate, and then the end.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    end_learning_rate : float
    power : float
        Above 0; 1 is a line.
    cycle : bool
        Past decay_steps, they become the next multiple of decay_steps, and the rate jumps up and goes down again.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = positive_integer(decay_steps, "decay_steps")
        self.end_learning_rate = _rate(end_learning_rate, "end_learning_rate")
        self.power = real_number(power, "power", above=0)
        self.cycle = _flag(cycle, "cycle")

    def rates(self, steps: Array) -> Array:
        """The equation."""
        if self.cycle:
            done = steps / (self.decay_steps * np.maximum(1, np.ceil(steps / self.decay_steps)))
        else:
            done = np.minimum(steps / self.decay_steps, 1)
        span = self.initial_learning_rate - self.end_learning_rate
        rates: Array = span * np.power(1 - done, self.power) + self.end_learning_rate
        return rates


class CosineDecay(LearningRateSchedule):
    """From initial_learning_rate to alpha times it, along half a cosine, and then that (Loshchilov and Hutter, 2016).

    With warmup_target, first a line from initial_learning_rate to that, and the cosine begins there.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Of the cosine.
    alpha : float
        From 0 to 1.
    warmup_target : float, optional
    warmup_steps : int
        Before the cosine.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = positive_integer(decay_steps, "decay_steps")
        self.alpha = real_number(alpha, "alpha", least=0, most=1)
        self.warmup_target = None if warmup_target is None else _rate(warmup_target, "warmup_target")
        self.warmup_steps = positive_integer(warmup_steps, "warmup_steps", least=0)

    def rates(self, steps: Array) -> Array:
        """The equation."""
        start, height = 0, self.initial_learning_rate
        if self.warmup_target is not None:
            start, height = self.warmup_steps, self.warmup_target
        done = np.clip((steps - start) / self.decay_steps, 0, 1)
        decayed = height * ((1 - self.alpha) * _cosine(done) + self.alpha)
        rising = self.initial_learning_rate + (height - self.initial_learning_rate) * steps / max(start, 1)
        return np.where(steps < start, rising, decayed)


class CosineDecayRestarts(LearningRateSchedule):
    """A cosine that starts again whenever it has reached its end (Loshchilov and Hutter, 2016).

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : int
        Of the first period.
    t_mul : float
        How many times as long as the one before each period is; at least 1.
    m_mul : float
        How many times as high; above 0.
    alpha : float
        The end of a period, as a part of initial_learning_rate; from 0 to 1.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
    ) -> None:
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")
        self.first_decay_steps = positive_integer(first_decay_steps, "first_decay_steps")
        self.t_mul = real_number(t_mul, "t_mul", least=1)
        self.m_mul = real_number(m_mul, "m_mul", above=0)
        self.alpha = real_number(alpha, "alpha", least=0, most=1)

    def rates(self, steps: Array) -> Array:
        """The equation."""
        done = steps / self.first_decay_steps
        if self.t_mul == 1:
            period = np.floor(done)
            done = done - period
        else:
            period = np.floor(np.log(1 + done * (self.t_mul - 1)) / np.log(self.t_mul))
            length = np.power(self.t_mul, period)
            done = (done - (length - 1) / (self.t_mul - 1)) / length
        height = np.power(self.m_mul, period) * _cosine(done)
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)


class CosineLog(LearningRateSchedule):
    """From 0 up to learning_rate and down to 0, in cycles each twice as long as the one before.

    learning_rate (1 - cos(2 pi log2(1 + (2^cycles - 1) step / total_steps))) / 2, and then 0: "coslog4" of Holzmueller,
    Grinsztajn and Steinwart, 2024.

    Parameters
    ----------
    learning_rate : float
        The highest.
    total_steps : int
        Epochs times steps an epoch.
    cycles : int
    """

    def __init__(self, learning_rate: float, total_steps: int, cycles: int = 4) -> None:
        self.learning_rate = _rate(learning_rate, "learning_rate")
        self.total_steps = positive_integer(total_steps, "total_steps")
        self.cycles = positive_integer(cycles, "cycles")

    def rates(self, steps: Array) -> Array:
        """The equation."""
        done = np.minimum(steps / self.total_steps, 1)
        turns: Array = np.log2(1 + (2.0**self.cycles - 1) * done)
        return self.learning_rate * _cosine(2 * turns + 1)


class OneCycle(LearningRateSchedule):
    """Up to max_learning_rate and down to almost nothing, in one cycle (Smith and Topin, 2017).

    As PyTorch's OneCycleLR, less its cycle of momenta; past total_steps the rate stays at its end.

    Parameters
    ----------
    max_learning_rate : float
    total_steps : int
        Epochs times steps an epoch; at least 2.
    pct_start : float
        The part of them that the rate goes up in; above 0, below 1.
    anneal_strategy : {"cos", "linear"}
    div_factor : float
        The rate begins at max_learning_rate / div_factor,
    final_div_factor : float
        and ends at that / final_div_factor.
    three_phase : bool
        Down to the beginning in as many steps as up, and to the end in the rest.
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
        self.max_learning_rate = _rate(max_learning_rate, "max_learning_rate")
        self.total_steps = positive_integer(total_steps, "total_steps", least=2)
        self.three_phase = _flag(three_phase, "three_phase")
        self.pct_start = real_number(pct_start, "pct_start", above=0, below=0.5 if three_phase else 1)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy got {anneal_strategy!r}; wants 'cos' or 'linear'")
        self.anneal_strategy = anneal_strategy
        self.div_factor = real_number(div_factor, "div_factor", above=0)
        self.final_div_factor = real_number(final_div_factor, "final_div_factor", above=0)

    def rates(self, steps: Array) -> Array:
        """A piece after the other, each a line or half a cosine."""
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
            left = 1 - done if self.anneal_strategy == "linear" else _cosine(done)
            rates = np.where(steps <= end, levels[piece + 1] + (levels[piece] - levels[piece + 1]) * left, rates)
        return rates


class WarmUp(LearningRateSchedule):
    """A line from initial_learning_rate to where another schedule begins, and then that one.

    Parameters
    ----------
    schedule : LearningRateSchedule, float, or callable
        It sees the steps since the end of the line.
    warmup_steps : int
    initial_learning_rate : float
    """

    def __init__(self, schedule: Any, warmup_steps: int, initial_learning_rate: float = 0.0) -> None:
        number = not isinstance(schedule, Mapping) and not callable(schedule)
        self.schedule = Constant(schedule) if number else get(schedule, "schedule")
        self.warmup_steps = positive_integer(warmup_steps, "warmup_steps")
        self.initial_learning_rate = _rate(initial_learning_rate, "initial_learning_rate")

    def rates(self, steps: Array) -> Array:
        """The line, and the other's."""
        after = self.schedule.rates(np.maximum(steps - self.warmup_steps, 0))
        if not (steps < self.warmup_steps).any():
            return after
        top = self.schedule.rates(np.zeros(1))[0]
        rising = self.initial_learning_rate + (top - self.initial_learning_rate) * steps / self.warmup_steps
        return np.where(steps < self.warmup_steps, rising, after)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        return super().get_config() | {"schedule": serialize(self.schedule)}


def get(identifier: object, argument: str = "learning_rate") -> LearningRateSchedule:
    """The schedule that an object, its description, or a function of the step stands for."""
    if isinstance(identifier, LearningRateSchedule):
        return identifier
    if isinstance(identifier, Mapping):
        return deserialize(identifier, LearningRateSchedule, argument)
    if callable(identifier) and not isinstance(identifier, type):
        return Custom(identifier)
    raise TypeError(f"{argument} got {identifier!r}; wants a number, a schedule, or a function of the step")


def _rate(value: object, name: str) -> float:
    return real_number(value, name, least=0)


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} got {value!r}; wants True or False")
    return value


def _decays(schedule: ExponentialDecay | InverseTimeDecay, steps: Array) -> Array:
    done: Array = steps / schedule.decay_steps
    return np.floor(done) if schedule.staircase else done


def _cosine(done: Array) -> Array:
    """From 1 to 0."""
    return 0.5 * (1 + np.cos(np.pi * done))
