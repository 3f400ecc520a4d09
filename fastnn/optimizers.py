"""Optimizers: how weights follow from gradients.

In the equations w is a weight, g the gradient of the loss by it, and r the learning rate.
"""

from __future__ import annotations

from typing import Any

from .data import positive_integer, real_number
from .engine import OPTIMIZERS
from .names import Configurable, resolve

__all__ = ["SGD", "Adam", "Optimizer", "get"]

_SGD, _ADAM = OPTIMIZERS["sgd"].hyper, OPTIMIZERS["adam"].hyper

_RANGES: dict[str, dict[str, float]] = {
    "learning_rate": {"least": 0.0},
    "momentum": {"least": 0.0, "most": 1.0},
    "beta_1": {"least": 0.0, "below": 1.0},
    "beta_2": {"least": 0.0, "below": 1.0},
    "epsilon": {"above": 0.0},
}


class Optimizer(Configurable):
    """Base of all. What its constructor takes are attributes that may be set at any time, between epochs too.

    Attributes
    ----------
    iterations : int
        The steps taken so far.
    """

    iterations: int = 0

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _RANGES:
            value = real_number(value, name, **_RANGES[name])
        elif name == "iterations":
            value = positive_integer(value, name, least=0)
        super().__setattr__(name, value)

    @property
    def row(self) -> str:
        """Its formulas in the table."""
        raise NotImplementedError

    def hyper(self) -> list[float]:
        """Its constants, in the table's order."""
        return [getattr(self, name) for name in OPTIMIZERS[self.row].hyper]


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
    """

    learning_rate: float
    momentum: float

    def __init__(
        self,
        learning_rate: float = _SGD["learning_rate"],
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None:
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
    ) -> None:
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
