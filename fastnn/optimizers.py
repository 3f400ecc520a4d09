"""Optimizers: how weights follow from gradients.

In the equations w is a weight, g the gradient of the loss by it, and r the learning rate.
"""

from __future__ import annotations

import inspect
from typing import Any, TypedDict, Unpack

from .data import positive_integer, real_number
from .engine import CLIPS, OPTIMIZERS, Average
from .names import Configurable, resolve

__all__ = ["SGD", "Adam", "Optimizer", "get"]

_SGD, _ADAM = OPTIMIZERS["sgd"].hyper, OPTIMIZERS["adam"].hyper

_RANGES: dict[str, dict[str, float]] = {
    "learning_rate": {"least": 0.0},
    "momentum": {"least": 0.0, "most": 1.0},
    "beta_1": {"least": 0.0, "below": 1.0},
    "beta_2": {"least": 0.0, "below": 1.0},
    "epsilon": {"above": 0.0},
    "ema_momentum": {"least": 0.0, "most": 1.0},
}


class Options(TypedDict, total=False):
    """What every optimizer takes, by name; see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None


_OPTIONS: dict[str, Any] = {
    **dict.fromkeys(CLIPS),
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
}


class Optimizer(Configurable):
    """Base of all. What its constructor takes are attributes that may be set at any time, between epochs too.

    Parameters
    ----------
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
    iterations : int
        The steps taken so far.
    """

    iterations: int = 0
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
        return [*(name for name in inspect.signature(cls).parameters if name != "options"), *_OPTIONS]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        return {name: getattr(self, name) for name in self._arguments()}

    def __repr__(self) -> str:
        config = self.get_config().items()
        told = [f"{name}={value!r}" for name, value in config if name not in _OPTIONS or value != _OPTIONS[name]]
        return f"{type(self).__name__}({', '.join(told)})"

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _RANGES:
            value = real_number(value, name, **_RANGES[name])
        elif name == "iterations":
            value = positive_integer(value, name, least=0)
        elif name in CLIPS and value is not None:
            value = real_number(value, name, above=0)
        elif name == "use_ema" and not isinstance(value, bool):
            raise TypeError(f"use_ema got {value!r}; wants True or False")
        elif name == "ema_overwrite_frequency" and value is not None:
            value = positive_integer(value, name)
        super().__setattr__(name, value)

    @property
    def row(self) -> str:
        """Its formulas in the table."""
        raise NotImplementedError

    def hyper(self) -> list[float]:
        """Its constants, in the table's order."""
        return [getattr(self, name) for name in OPTIMIZERS[self.row].hyper]

    def options(self) -> tuple[tuple[str, float], Average | None]:
        """How gradients are clipped, and whether an average is kept, as the engine takes it.

        Raises
        ------
        ValueError
            More than one way to clip is asked for.
        """
        clips = [(name, getattr(self, name)) for name in CLIPS if getattr(self, name) is not None]
        if len(clips) > 1:
            raise ValueError(f"{' and '.join(name for name, _ in clips)} got a value each; wants at most one of them")
        average = Average(self.ema_momentum, self.ema_overwrite_frequency or 0) if self.use_ema else None
        return (clips or [("", 0.0)])[0], average


class SGD(Optimizer):
    """Stochastic gradient descent.

    Without momentum, w <- w - r g. With it, v <- momentum v - r g, and then w <- w + v; with Nesterov's,
    w <- w + momentum v - r g.

    Parameters
    ----------
    learning_rate : float
        At least 0.
    momentum : float
        From 0 to 1.
    nesterov : bool
        Nesterov's momentum; of no effect where momentum is 0.
    **options
        Clipping and averaging, see `Optimizer`.
    """

    learning_rate: float
    momentum: float

    def __init__(
        self,
        learning_rate: float = _SGD["learning_rate"],
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        if not isinstance(nesterov, bool):
            raise TypeError(f"nesterov got {nesterov!r}; wants True or False")
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
    learning_rate : float
        At least 0.
    beta_1, beta_2 : float
        At least 0, below 1.
    epsilon : float
        Above 0.
    **options
        Clipping and averaging, see `Optimizer`.
    """

    learning_rate: float
    beta_1: float
    beta_2: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float = _ADAM["learning_rate"],
        beta_1: float = _ADAM["beta_1"],
        beta_2: float = _ADAM["beta_2"],
        epsilon: float = _ADAM["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    @property
    def row(self) -> str:
        """Its formulas in the table."""
        return "adam"


_NAMES: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}


def get(identifier: object, argument: str = "optimizer") -> Optimizer:
    """The optimizer that a name, a class, a configuration or the object itself stands for."""
    return resolve(identifier, Optimizer, _NAMES, argument)
