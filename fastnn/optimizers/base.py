"""Optimizers: how weights follow from gradients.

In the equations w is a weight, g the gradient of the loss by it, and r the learning rate.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypedDict, Unpack

import numpy as np

from fastnn import schedules
from fastnn.data import positive_integer, real_number
from fastnn.engine import CLIPS, OPTIMIZERS, Average
from fastnn.names import Configurable, resolve, serialize

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "Rprop",
    "get",
    "schedules",
]

_HYPER = {name: row.hyper for name, row in OPTIMIZERS.items()}

_RANGES: dict[str, dict[str, float]] = {
    "momentum": {"least": 0.0, "most": 1.0},
    "beta_1": {"least": 0.0, "below": 1.0},
    "beta_2": {"least": 0.0, "below": 1.0},
    "rho": {"least": 0.0, "below": 1.0},
    "epsilon": {"above": 0.0},
    "initial_accumulator_value": {"least": 0.0},
    "ema_momentum": {"least": 0.0, "most": 1.0},
}

Rate = float | schedules.LearningRateSchedule | Callable[[int], float]


class AdamWOptions(TypedDict, total=False):
    """What every optimizer takes, by name, but for the weight decay; see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None


class Options(AdamWOptions, total=False):
    """What every optimizer takes, by name; see `Optimizer`."""

    weight_decay: float | None


_OPTIONS: dict[str, Any] = {
    "weight_decay": None,
    **dict.fromkeys(CLIPS),
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
}


class Optimizer(Configurable):
    """Base of all. What its constructor takes are attributes that may be set at any time, between epochs too.

    Every optimizer takes these parameters, by name alone; AdamW its weight decay also by place.

    Parameters
    ----------
    weight_decay : float, optional
        Before each update, w <- w - r weight_decay w, as in Keras; decoupled, not through the gradient as PyTorch's
        Adam and SGD have it.
    clipvalue : float, optional
        Each value of a gradient is cut off at plus and minus this.
    clipnorm : float, optional
        Each kernel's and each bias's gradient is scaled down to this norm, where its own is larger.
    global_clipnorm : float, optional
        All gradients together are; of the three at most one can be given.
    use_ema : bool
        Keep an exponential moving average of the weights, average <- ema_momentum average + (1 - ema_momentum) w
        after each step, w after the first one. It takes the weights' place at the end of fit.
    ema_momentum : float
        From 0 to 1.
    ema_overwrite_frequency : int, optional
        It takes their place also in every so many steps.

    Attributes
    ----------
    learning_rate : float
        At least 0: the next step's.  May be set to a number, to one of `schedules`, or to a function of the step,
        which counts from 0.
    schedule : schedules.LearningRateSchedule or None
        What it follows.
    iterations : int
        The steps taken so far.
    """

    full_batch: ClassVar[bool] = False
    iterations: int = 0
    schedule: schedules.LearningRateSchedule | None = None
    weight_decay: float | None
    _learning_rate: float
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None

    def __init__(self, **options: Unpack[Options]) -> None:
        if unknown := options.keys() - _OPTIONS:
            raise TypeError(f"{type(self).__name__} got {min(unknown)!r}; wants some of {', '.join(self._arguments())}")
        for name, default in _OPTIONS.items():
            setattr(self, name, options.get(name, default))
        self.options()

    @classmethod
    def _arguments(cls) -> list[str]:
        return [name for name in {**inspect.signature(cls).parameters, **_OPTIONS} if name != "options"]

    @property
    def learning_rate(self) -> float:
        """The next step's."""
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
        if name in _RANGES:
            value = real_number(value, name, **_RANGES[name])
        elif name == "weight_decay" and value is not None:
            value = real_number(value, name, least=0.0)
        elif name in ("nesterov", "amsgrad", "centered", "use_ema") and not isinstance(value, bool):
            raise TypeError(f"{name} got {value!r}; wants True or False")
        elif name == "iterations":
            value = positive_integer(value, name, least=0)
        elif name in CLIPS and value is not None:
            value = real_number(value, name, above=0)
        elif name == "ema_overwrite_frequency" and value is not None:
            value = positive_integer(value, name)
        self.__dict__.pop("_held_options", None)
        super().__setattr__(name, value)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        config = {name: getattr(self, name) for name in self._arguments()}
        return config if self.schedule is None else config | {"learning_rate": serialize(self.schedule)}

    def __repr__(self) -> str:
        config = self.get_config().items()
        told = [
            f"{name}={value!r}" for name, value in config if value is not None and value != _OPTIONS.get(name, object())
        ]
        return f"{type(self).__name__}({', '.join(told)})"

    @property
    def row(self) -> str:
        """Its formulas in the table."""
        return type(self).__name__.lower()

    def hyper(self) -> list[Any]:
        """Its constants, in the table's order, and the weight decay; a learning rate may be a function of steps."""
        rate = self._learning_rate if self.schedule is None else self.schedule.at
        rest = list(OPTIMIZERS[self.row].hyper)[1:]
        return [rate, *(getattr(self, name) for name in rest), self.weight_decay or 0.0]

    def options(self) -> tuple[tuple[str, float], Average | None]:
        """How gradients are clipped, and whether an average is kept, as the engine takes it.

        Raises
        ------
        ValueError
            More than one way to clip is asked for.
        """
        held: tuple[tuple[str, float], Average | None] | None = self.__dict__.get("_held_options")
        if held is not None:  # train_on_batch asks in every call
            return held
        clips = [(name, getattr(self, name)) for name in CLIPS if getattr(self, name) is not None]
        if len(clips) > 1:
            raise ValueError(f"{' and '.join(name for name, _ in clips)} got a value each; wants at most one of them")
        average = Average(self.ema_momentum, self.ema_overwrite_frequency or 0) if self.use_ema else None
        held = (clips or [("", 0.0)])[0], average
        self.__dict__["_held_options"] = held
        return held


class SGD(Optimizer):
    """Stochastic gradient descent.

    Without momentum, w <- w - r g. With it, v <- momentum v - r g, and then w <- w + v; with Nesterov's,
    w <- w + momentum v - r g.  As in Keras: PyTorch's velocity does not hold r, which differs once r changes.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    momentum : float
        From 0 to 1.
    nesterov : bool
        Nesterov's momentum; of no effect where momentum is 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    momentum: float
    nesterov: bool

    def __init__(
        self,
        learning_rate: Rate = _HYPER["sgd"]["learning_rate"],
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def row(self) -> str:
        """Its formulas in the table."""
        if self.momentum == 0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"


class Adam(Optimizer):
    """Adam, Kingma and Ba, 2015.

    m <- beta_1 m + (1 - beta_1) g and v <- beta_2 v + (1 - beta_2) g^2; in step k, counted from 1,
    w <- w - r m / (1 - beta_1^k) / (sqrt(v / (1 - beta_2^k)) + epsilon).
    epsilon is added to the corrected root, as in the paper and in PyTorch; Keras adds it before the correction.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    beta_1, beta_2 : float
        At least 0, below 1.
    epsilon : float
        Above 0.
    amsgrad : bool
        The largest v so far takes the place of v in the last equation (Reddi et al., 2018).
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    beta_1: float
    beta_2: float
    epsilon: float
    amsgrad: bool

    def __init__(
        self,
        learning_rate: Rate = _HYPER["adam"]["learning_rate"],
        beta_1: float = _HYPER["adam"]["beta_1"],
        beta_2: float = _HYPER["adam"]["beta_2"],
        epsilon: float = _HYPER["adam"]["epsilon"],
        amsgrad: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    @property
    def row(self) -> str:
        """Its formulas in the table."""
        return "amsgrad" if self.amsgrad else "adam"


class AdamW(Adam):
    """`Adam` with decoupled weight decay, Loshchilov and Hutter, 2019: w <- w - r weight_decay w before each update.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    weight_decay : float, optional
        At least 0; Keras's default, PyTorch's is 0.01.
    beta_1, beta_2 : float
        At least 0, below 1.
    epsilon : float
        Above 0.
    amsgrad : bool
    **options : clipnorm and more; see `Optimizer`
    """

    def __init__(
        self,
        learning_rate: Rate = _HYPER["adam"]["learning_rate"],
        weight_decay: float | None = 0.004,
        beta_1: float = _HYPER["adam"]["beta_1"],
        beta_2: float = _HYPER["adam"]["beta_2"],
        epsilon: float = _HYPER["adam"]["epsilon"],
        amsgrad: bool = False,
        **options: Unpack[AdamWOptions],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options)


class Nadam(Optimizer):
    """Adam with Nesterov's momentum, Dozat, 2016.

    With u_k = beta_1 (1 - 0.96^k / 2), P_k = u_1 ... u_k, and m and v as Adam has them, in step k, counted from 1,
    w <- w - r (u_(k+1) m / (1 - P_(k+1)) + (1 - u_k) g / (1 - P_k)) / (sqrt(v / (1 - beta_2^k)) + epsilon).
    As in Keras, and in PyTorch with momentum_decay=1; P is computed from k, so that nothing need be kept.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    beta_1, beta_2 : float
        At least 0, below 1.
    epsilon : float
        Above 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    beta_1: float
    beta_2: float
    epsilon: float

    def __init__(
        self,
        learning_rate: Rate = _HYPER["nadam"]["learning_rate"],
        beta_1: float = _HYPER["nadam"]["beta_1"],
        beta_2: float = _HYPER["nadam"]["beta_2"],
        epsilon: float = _HYPER["nadam"]["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon


class Adamax(Optimizer):
    """Adam by the largest gradient, Kingma and Ba, 2015.

    m <- beta_1 m + (1 - beta_1) g and u <- max(beta_2 u, abs(g)); in step k, counted from 1,
    w <- w - r m / (1 - beta_1^k) / (u + epsilon).  As in Keras; PyTorch adds epsilon to abs(g).

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    beta_1, beta_2 : float
        At least 0, below 1.
    epsilon : float
        Above 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    beta_1: float
    beta_2: float
    epsilon: float

    def __init__(
        self,
        learning_rate: Rate = _HYPER["adamax"]["learning_rate"],
        beta_1: float = _HYPER["adamax"]["beta_1"],
        beta_2: float = _HYPER["adamax"]["beta_2"],
        epsilon: float = _HYPER["adamax"]["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon


class Adagrad(Optimizer):
    """Adagrad, Duchi et al., 2011: a <- a + g^2, and then w <- w - r g / sqrt(a + epsilon).

    As in Keras; PyTorch adds epsilon to the root, and its a begins at 0.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    initial_accumulator_value : float
        Where a begins; at least 0.
    epsilon : float
        Above 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    initial_accumulator_value: float
    epsilon: float

    def __init__(
        self,
        learning_rate: Rate = _HYPER["adagrad"]["learning_rate"],
        initial_accumulator_value: float = _HYPER["adagrad"]["initial_accumulator_value"],
        epsilon: float = _HYPER["adagrad"]["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon


class Adadelta(Optimizer):
    """Adadelta, Zeiler, 2012.

    a <- rho a + (1 - rho) g^2, d = g sqrt(b + epsilon) / sqrt(a + epsilon), b <- rho b + (1 - rho) d^2, w <- w - r d.
    Keras and PyTorch have the same, but for the defaults, which are Keras's.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0; 1 in the paper.
    rho : float
        At least 0, below 1.
    epsilon : float
        Above 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    rho: float
    epsilon: float

    def __init__(
        self,
        learning_rate: Rate = _HYPER["adadelta"]["learning_rate"],
        rho: float = _HYPER["adadelta"]["rho"],
        epsilon: float = _HYPER["adadelta"]["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.rho = rho
        self.epsilon = epsilon


class RMSprop(Optimizer):
    """RMSprop, Hinton, 2012.

    a <- rho a + (1 - rho) g^2, d = r g / sqrt(a + epsilon), and then w <- w - d; with momentum, v <- momentum v + d
    and w <- w - v.  As in Keras; PyTorch adds epsilon to the root, and multiplies v by r.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    rho : float
        At least 0, below 1.
    momentum : float
        From 0 to 1.
    epsilon : float
        Above 0.
    centered : bool
        a - m^2 takes the place of a in d, with m <- rho m + (1 - rho) g.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    rho: float
    momentum: float
    epsilon: float
    centered: bool

    def __init__(
        self,
        learning_rate: Rate = _HYPER["rmsprop"]["learning_rate"],
        rho: float = _HYPER["rmsprop"]["rho"],
        momentum: float = _HYPER["rmsprop_momentum"]["momentum"],
        epsilon: float = _HYPER["rmsprop"]["epsilon"],
        centered: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    @property
    def row(self) -> str:
        """Its formulas in the table."""
        if self.centered:
            return "rmsprop_centered"
        return "rmsprop_momentum" if self.momentum else "rmsprop"


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

    beta_1: float
    beta_2: float

    def __init__(
        self,
        learning_rate: Rate = _HYPER["lion"]["learning_rate"],
        beta_1: float = _HYPER["lion"]["beta_1"],
        beta_2: float = _HYPER["lion"]["beta_2"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2


class Rprop(Optimizer):
    """Resilient backpropagation, Riedmiller and Braun, 1993, as in PyTorch; for full batches.

    Each weight has a step size s, at first learning_rate: times etas[1] where g has the sign it had before, times
    etas[0] where it has the other, and within step_sizes.  w <- w - s sign(g); but a g that changed sign counts 0.

    Parameters
    ----------
    learning_rate : float
        The first step size; above 0.
    etas : (float, float)
        Below and above 1.
    step_sizes : (float, float)
        The least and the largest.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    etas: tuple[float, float]
    step_sizes: tuple[float, float]

    def __init__(
        self,
        learning_rate: float = _HYPER["rprop"]["learning_rate"],
        etas: Sequence[float] = (_HYPER["rprop"]["decrease"], _HYPER["rprop"]["increase"]),
        step_sizes: Sequence[float] = (_HYPER["rprop"]["least"], _HYPER["rprop"]["most"]),
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = real_number(learning_rate, "learning_rate", above=0.0)  # and no schedule
        self.etas = etas  # type: ignore[assignment]
        self.step_sizes = step_sizes  # type: ignore[assignment]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("etas", "step_sizes"):
            if not (isinstance(value, Sequence) and len(value) == 2):
                raise TypeError(f"{name} got {value!r}; wants two numbers")
            low = real_number(value[0], f"{name}[0]", above=0.0, below=1.0 if name == "etas" else float("inf"))
            value = low, real_number(value[1], f"{name}[1]", above=1.0 if name == "etas" else low)
        super().__setattr__(name, value)

    def hyper(self) -> list[Any]:
        """Its constants, in the table's order, and the weight decay."""
        return [self.learning_rate, *self.etas, *self.step_sizes, self.weight_decay or 0.0]


class LBFGS(Optimizer):
    """Limited-memory BFGS, for data so few that every step takes all of it; by SciPy, `pip install "fastnn[scipy]"`.

    `fit` takes at most ``epochs`` iterations, each an epoch in the history, and ends before where one changes little;
    ``batch_size`` and ``shuffle`` have no meaning. Use dtype="float64": in float32 rounding ends it early.
    Each call of fit begins anew, from the weights that are there.

    Parameters
    ----------
    history_size : int
        How many corrections approximate the curvature.
    tolerance_grad : float
        It ends where no derivative is larger.
    tolerance_change : float
        It ends where an iteration makes the loss smaller by less than this part of it.
    max_line_search : int
        Evaluations in an iteration, at most.
    """

    full_batch = True
    history_size: int
    tolerance_grad: float
    tolerance_change: float
    max_line_search: int

    def __init__(
        self,
        history_size: int = 10,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-12,
        max_line_search: int = 20,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        if set_here := [name for name, default in _OPTIONS.items() if options.get(name, default) != default]:
            raise ValueError(f"{set_here[0]} got {options[set_here[0]]!r}; LBFGS follows the whole gradient")  # type: ignore[literal-required]
        self.learning_rate = 0.0
        self.history_size = history_size
        self.tolerance_grad = tolerance_grad
        self.tolerance_change = tolerance_change
        self.max_line_search = max_line_search

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("history_size", "max_line_search"):
            value = positive_integer(value, name)
        elif name in ("tolerance_grad", "tolerance_change"):
            value = real_number(value, name, least=0.0)
        super().__setattr__(name, value)

    @property
    def row(self) -> str:
        """It has no formulas: a rate of 0 makes any do nothing."""
        return "sgd"


_CLASSES: tuple[type[Optimizer], ...] = (
    SGD,
    Adagrad,
    Adadelta,
    RMSprop,
    Adam,
    AdamW,
    Nadam,
    Adamax,
    Lion,
    Rprop,
    LBFGS,
)
_NAMES: dict[str, type[Optimizer]] = {found.__name__.lower(): found for found in _CLASSES}


def get(identifier: object, argument: str = "optimizer") -> Optimizer:
    """The optimizer that a name, a class, a configuration or the object itself stands for."""
    return resolve(identifier, Optimizer, _NAMES, argument)
