"""Adagrad and its kin, whose steps are gradients divided by the root of their past squares, weight by weight."""

from typing import Unpack

from .base import DEFAULTS, Optimizer, Options, Rate


class Adagrad(Optimizer):
    """Adagrad, Duchi et al., 2011: a <- a + g^2, and then w <- w - r g / sqrt(a + epsilon).

    As in Keras; PyTorch adds epsilon to the root, and its a is 0 at first.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    initial_accumulator_value : float
        What a is at first; at least 0.
    epsilon : float
        Above 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["adagrad"]["learning_rate"],
        initial_accumulator_value: float = DEFAULTS["adagrad"]["initial_accumulator_value"],
        epsilon: float = DEFAULTS["adagrad"]["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = learning_rate
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon


class Adadelta(Optimizer):
    """Adadelta, Zeiler, 2012.

    a <- rho a + (1 - rho) g^2, d = g sqrt(b + epsilon) / sqrt(a + epsilon), b <- rho b + (1 - rho) d^2, w <- w - r d.
    As in Keras and PyTorch; the defaults are Keras's.

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

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["adadelta"]["learning_rate"],
        rho: float = DEFAULTS["adadelta"]["rho"],
        epsilon: float = DEFAULTS["adadelta"]["epsilon"],
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

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["rmsprop"]["learning_rate"],
        rho: float = DEFAULTS["rmsprop"]["rho"],
        momentum: float = DEFAULTS["rmsprop_momentum"]["momentum"],
        epsilon: float = DEFAULTS["rmsprop"]["epsilon"],
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
        if self.centered:
            return "rmsprop_centered"
        return "rmsprop_momentum" if self.momentum else "rmsprop"
