"""The base of all optimizers: the options and the learning rate, which they have in common."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Self, TypedDict, Unpack
from weakref import ref

import numpy as np

from fastnn import schedules
from fastnn.data import boolean, positive_integer, real_number
from fastnn.engine import CLIPS, OPTIMIZERS, Average, Count, Engine, OptimizerPlan
from fastnn.names import Configurable, serialize

DEFAULTS = {name: row.hyper for name, row in OPTIMIZERS.items()}  # of each row of the table of formulas

Rate = float | schedules.LearningRateSchedule | Callable[[int], float]
Check = Callable[[Any, str], Any]  # what a value becomes, given the argument's name for errors


class AdamWOptions(TypedDict, total=False):
    """The arguments that every optimizer takes by name, except weight_decay; see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None


class Options(AdamWOptions, total=False):
    """The arguments that every optimizer takes by name; see `Optimizer`."""

    weight_decay: float | None


OPTIONS: dict[str, Any] = {
    "weight_decay": None,
    **dict.fromkeys(CLIPS),
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "gradient_accumulation_steps": None,
}

OLD_OPTIONS = {
    "lr": "learning_rate, which is what Keras calls it now",
    "decay": "a schedule: learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)",
    "loss_scale_factor": "nothing: float32 and float64 need no scaling of the loss",
}
"""What to write for arguments that Keras has or had."""


def _optional(check: Check) -> Check:
    return lambda value, name: None if value is None else check(value, name)


class Optimizer(Configurable):
    """Base of all optimizers.  The constructor's arguments are attributes, which may be set at any time between steps.

    Every optimizer takes these parameters, by name only; AdamW takes its weight decay by position too.

    Parameters
    ----------
    weight_decay : float, optional
        Before each update, w <- w - r weight_decay w, as in Keras.  It is decoupled: PyTorch's Adam and SGD add it to
        the gradient instead.
    clipvalue : float, optional
        Each value of a gradient is limited to between minus and plus this.
    clipnorm : float, optional
        The gradient of each kernel and of each bias is scaled down to this norm where its own is larger.
    global_clipnorm : float, optional
        All gradients together, as one vector, are scaled down to this norm where theirs is larger.  At most one of the
        three ways to clip can be given.
    use_ema : bool
        Keep an exponential moving average of the weights: w after the first step, and after each later one
        average <- ema_momentum average + (1 - ema_momentum) w.  At the end of fit the average replaces the weights.
    ema_momentum : float
        From 0 to 1.
    ema_overwrite_frequency : int, optional
        After every so many steps, too, the average replaces the weights.
    gradient_accumulation_steps : int, optional
        An update is made of every so many steps, at least 2: of the mean of their gradients, which is then clipped.
        Steps are counted over epochs and fits, and what is kept of those since the last update is part of a model's
        file.  The schedule goes by steps, as in Keras, and so does the average; Adam's correction goes by updates.

    Attributes
    ----------
    learning_rate : float
        That of the next step, at least 0.  May be set to a number, to one of `schedules`, or to a function of the
        step's number, counted from 0.
    schedule : schedules.LearningRateSchedule or None
        What the learning rate follows.
    iterations : int
        The steps taken so far, since the model was compiled; may be set, for schedules and corrections go by it.
    """

    full_batch: ClassVar[bool] = False  # whether a step takes all rows
    _uncalled: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("update_step", "build", "apply", "apply_gradients", "assign", "assign_add", "assign_sub", "scale_loss"),
        "wants one of the optimizers that there are: their rules are compiled",
    ) | {"finalize_variable_values": "wants on_train_end of a callback"}
    _unread: ClassVar[Mapping[str, str]] = {
        "lr": "wants learning_rate",
        "decay": "wants a schedule as learning_rate",
        "loss_scale_factor": "wants float32 or float64, which need none",
        "variables": "wants load_model, which brings the state back",
    }
    _checks: ClassVar[dict[str, Check]] = {  # what setting an attribute goes through; others are set as they are
        **dict.fromkeys(("momentum", "ema_momentum"), partial(real_number, least=0.0, most=1.0)),
        **dict.fromkeys(("beta_1", "beta_2", "rho"), partial(real_number, least=0.0, below=1.0)),
        **dict.fromkeys(("nesterov", "amsgrad", "centered", "use_ema"), boolean),
        **dict.fromkeys(CLIPS, _optional(partial(real_number, above=0))),
        "epsilon": partial(real_number, above=0.0),
        "initial_accumulator_value": partial(real_number, least=0.0),
        "weight_decay": _optional(partial(real_number, least=0.0)),
        "iterations": partial(positive_integer, least=0),
        "ema_overwrite_frequency": _optional(positive_integer),
        "gradient_accumulation_steps": _optional(partial(positive_integer, least=2)),
    }
    schedule: schedules.LearningRateSchedule | None = None
    weight_decay: float | None
    _learning_rate: float
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None

    def __init__(self, **options: Unpack[Options]) -> None:
        if unknown := options.keys() - OPTIONS:
            name = min(unknown)
            wanted = OLD_OPTIONS.get(name, f"some of {', '.join(self._arguments())}")
            raise TypeError(f"{type(self).__name__} got {name!r}; wants {wanted}")
        self.__dict__["_count"] = Count()
        for name, default in OPTIONS.items():
            setattr(self, name, options.get(name, default))
        self.options()

    @classmethod
    def _arguments(cls) -> list[str]:
        return [name for name in dict.fromkeys([*super()._arguments(), *OPTIONS]) if name != "options"]

    def _changed(self, name: str, value: Any) -> Any:
        """What is set counts from the next step on."""
        if name == "initial_accumulator_value" and self.iterations:
            return super(Configurable, self)._changed(name, value)
        return value

    @property
    def iterations(self) -> int:
        """The steps taken so far."""
        count: Count = self.__dict__["_count"]
        return count.value

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        self.__dict__["_count"].value = iterations

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        if self.schedule is not None:
            return float(self.schedule.at(np.array([self.iterations]))[0])
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Rate | Mapping[str, Any]) -> None:
        if callable(value) or isinstance(value, Mapping):
            self.schedule = schedules.get(value)
        else:
            self._learning_rate = real_number(value, "learning_rate", least=0.0)
            self.schedule = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._checks:
            value = self._checks[name](value, name)
        self.__dict__["_plans"] = []
        super().__setattr__(name, value)
        self.__dict__["_plans"] = []  # another thread may have filled the last one meanwhile

    def __getstate__(self) -> dict[str, Any]:
        """A copy counts for itself, and is no model's."""
        private = ("_count", "_model", "_plans")
        return {name: v for name, v in vars(self).items() if name not in private} | {"iterations": self.iterations}

    def __setstate__(self, state: dict[str, Any]) -> None:
        rest = dict(state)
        vars(self).update(_count=Count(rest.pop("iterations")), _plans=[])
        vars(self).update(rest)

    def given_to(self, model: Any) -> Self:
        """This optimizer, or, where another model is compiled with it, a copy: each model's counts are its own."""
        taken = self.__dict__.get("_model")
        other = None if taken is None else taken()
        if other is None or other is model or other.optimizer is not self:
            return self
        return copy.copy(self)

    def begin(self, model: Any, engine: Engine | None) -> None:
        """Be a model's own from now on, and count with its engine, or from 0."""
        self.__dict__["_model"] = ref(model)
        self.__dict__["_count"] = Count() if engine is None else engine.count

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config if self.schedule is None else config | {"learning_rate": serialize(self.schedule)}

    def __repr__(self) -> str:
        config = self.get_config().items()
        unusual = [
            (name, value) for name, value in config if value is not None and value != OPTIONS.get(name, object())
        ]
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in unusual)})"

    @property
    def row(self) -> str:
        """Name of its formulas in the table of optimizers, `fastnn.kernels.formulas.OPTIMIZERS`."""
        return type(self).__name__.lower()

    def hyper(self) -> list[Any]:
        """The constants of its formulas, in the table's order, and the weight decay.

        The first is the learning rate: a number, or a function of an array of steps.
        """
        rate = self._learning_rate if self.schedule is None else self.schedule.at
        rest = list(OPTIMIZERS[self.row].hyper)[1:]
        return [rate, *(getattr(self, name) for name in rest), self.weight_decay or 0.0]

    def configure(self, engine: Engine) -> None:
        """Tell an engine that trains of the optimizer as it is now, and count with it."""
        self.__dict__["_count"] = engine.count
        self.describe_to(engine)

    def describe_to(self, engine: Engine) -> None:
        """Tell an engine of the optimizer; no more."""
        engine.set_optimizer(self.plan())

    def plan(self) -> OptimizerPlan:
        """What engines are told of the optimizer: the same object until an attribute is set."""
        plans: list[OptimizerPlan] = self.__dict__["_plans"]
        if not plans:
            plans.append(OptimizerPlan(self.row, tuple(self.hyper()), *self.options()))
        return plans[0]

    def options(self) -> tuple[tuple[str, float], Average | None, int]:
        """How gradients are clipped, weights averaged and gradients accumulated, as a plan says it.

        Clipping is a way and a limit, ("", 0.0) for none.  ValueError: more than one way to clip is asked for.
        """
        clips = [(name, getattr(self, name)) for name in CLIPS if getattr(self, name) is not None]
        if len(clips) > 1:
            raise ValueError(f"{' and '.join(name for name, _ in clips)} got a value each; wants at most one of them")
        average = Average(self.ema_momentum, self.ema_overwrite_frequency or 0) if self.use_ema else None
        return (clips or [("", 0.0)])[0], average, self.gradient_accumulation_steps or 1
