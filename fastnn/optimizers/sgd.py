"""Stochastic gradient descent, with momentum or without."""

from typing import Unpack

from .base import DEFAULTS, Optimizer, Options, Rate


class SGD(Optimizer):
    """Stochastic gradient descent.

    Without momentum, w <- w - r g.  With it, v <- momentum v - r g, and then w <- w + v; with Nesterov's,
    w <- w + momentum v - r g.  As in Keras: PyTorch's v leaves r out, which makes a difference once r changes.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    momentum : float
        From 0 to 1.
    nesterov : bool
        Whether momentum is Nesterov's; without effect where momentum is 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["sgd"]["learning_rate"],
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
        if self.momentum == 0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"
