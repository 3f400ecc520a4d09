"""The rules by which weights follow from gradients, but for Adam's and its kin's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack

from fastnn.data import positive_integer, real_number
from .base import DEFAULTS, OPTIONS, Optimizer, Options, Rate


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

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.SGD(0.1, momentum=0.9), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["sgd"]["learning_rate"],
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov

    @property
    def row(self) -> str:
        if self.momentum == 0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"


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

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.Adagrad(0.1), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["adagrad"]["learning_rate"],
        initial_accumulator_value: float = DEFAULTS["adagrad"]["initial_accumulator_value"],
        epsilon: float = DEFAULTS["adagrad"]["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate, self.initial_accumulator_value = learning_rate, initial_accumulator_value
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

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.Adadelta(1.0), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["adadelta"]["learning_rate"],
        rho: float = DEFAULTS["adadelta"]["rho"],
        epsilon: float = DEFAULTS["adadelta"]["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon


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

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.RMSprop(0.01), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
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
        self.learning_rate, self.rho, self.momentum, self.epsilon = learning_rate, rho, momentum, epsilon
        self.centered = centered

    @property
    def row(self) -> str:
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

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.Lion(0.001), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["lion"]["learning_rate"],
        beta_1: float = DEFAULTS["lion"]["beta_1"],
        beta_2: float = DEFAULTS["lion"]["beta_2"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate, self.beta_1, self.beta_2 = learning_rate, beta_1, beta_2


def _two_numbers(value: Any, name: str, below: float = math.inf, above: float | None = None) -> tuple[float, float]:
    """Check the first to be above 0 and within the bound, the second above the bound, or else above the first."""
    if not (isinstance(value, Sequence) and len(value) == 2):
        raise TypeError(f"{name} got {value!r}; wants two numbers")
    first = real_number(value[0], f"{name}[0]", above=0.0, below=below)
    return first, real_number(value[1], f"{name}[1]", above=first if above is None else above)


class Rprop(Optimizer):
    """Resilient backpropagation, Riedmiller and Braun, 1993, as in PyTorch; for full batches.

    Each weight has a step size s, at first learning_rate.  In each step s is multiplied by etas[1] where g has the sign
    that it had before, and by etas[0] where the sign has changed, within step_sizes.  Then w <- w - s sign(g), except
    that w stays where the sign has changed; the g of that step counts as 0 in the next one.

    Parameters
    ----------
    learning_rate : float
        The first step size; above 0.
    etas : (float, float)
        The factors: one above 0 and below 1, one above 1.
    step_sizes : (float, float)
        The least and the largest step size; above 0.
    **options : weight_decay, clipnorm and more; see `Optimizer`

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.Rprop(0.01), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, batch_size=64, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    etas: tuple[float, float]
    step_sizes: tuple[float, float]
    _checks = Optimizer._checks | {"etas": partial(_two_numbers, below=1.0, above=1.0), "step_sizes": _two_numbers}

    def __init__(
        self,
        learning_rate: float = DEFAULTS["rprop"]["learning_rate"],
        etas: Sequence[float] = (DEFAULTS["rprop"]["decrease"], DEFAULTS["rprop"]["increase"]),
        step_sizes: Sequence[float] = (DEFAULTS["rprop"]["least"], DEFAULTS["rprop"]["most"]),
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate = real_number(learning_rate, "learning_rate", above=0.0)  # and no schedule
        self.etas = etas  # type: ignore[assignment]
        self.step_sizes = step_sizes  # type: ignore[assignment]

    def hyper(self) -> list[Any]:
        return [self.learning_rate, *self.etas, *self.step_sizes, self.weight_decay or 0.0]


class LBFGS(Optimizer):
    """Limited-memory BFGS, for small data: every step uses all rows.  It is SciPy's: `pip install "fastnn-cpu[scipy]"`.

    `fit` takes at most ``epochs`` iterations, each an epoch in the history, and ends earlier where one changes little;
    ``batch_size`` and ``shuffle`` have no meaning.  Use dtype="float64": in float32 rounding ends it early.
    Each call of fit begins anew, from the weights that the model has.

    Parameters
    ----------
    history_size : int
        How many past steps approximate the curvature.
    tolerance_grad : float
        Training ends once no derivative of the loss is larger.
    tolerance_change : float
        Training ends once an iteration makes the loss smaller by less than this part of it.
    max_line_search : int
        The most evaluations of the loss in an iteration.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.LBFGS(), "mse", dtype="float64")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    full_batch = True
    _checks = Optimizer._checks | {
        **dict.fromkeys(("history_size", "max_line_search"), positive_integer),
        **dict.fromkeys(("tolerance_grad", "tolerance_change"), partial(real_number, least=0.0)),
    }

    def __init__(
        self,
        history_size: int = 10,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-12,
        max_line_search: int = 20,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        if set_here := [name for name, default in OPTIONS.items() if options.get(name, default) != default]:
            raise ValueError(f"{set_here[0]} got {options[set_here[0]]!r}; LBFGS follows the whole gradient")  # type: ignore[literal-required]
        self.learning_rate = 0.0
        self.history_size, self.tolerance_grad, self.tolerance_change = history_size, tolerance_grad, tolerance_change
        self.max_line_search = max_line_search

    @property
    def row(self) -> str:
        """The formulas of SGD, which do nothing with a learning rate of 0: L-BFGS has none of its own."""
        return "sgd"
