"""Adam and its kin, whose steps are a running mean of gradients divided by a running measure of their size."""

from __future__ import annotations

from typing import Unpack

from .base import DEFAULTS, AdamWOptions, Optimizer, Options, Rate


class _Moments(Optimizer):
    """Base of this module's optimizers.  Their rows of the table of formulas have the same constants and defaults."""

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["adam"]["learning_rate"],
        beta_1: float = DEFAULTS["adam"]["beta_1"],
        beta_2: float = DEFAULTS["adam"]["beta_2"],
        epsilon: float = DEFAULTS["adam"]["epsilon"],
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.learning_rate, self.beta_1, self.beta_2, self.epsilon = learning_rate, beta_1, beta_2, epsilon


class Adam(_Moments):
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

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.Adam(0.01), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["adam"]["learning_rate"],
        beta_1: float = DEFAULTS["adam"]["beta_1"],
        beta_2: float = DEFAULTS["adam"]["beta_2"],
        epsilon: float = DEFAULTS["adam"]["epsilon"],
        amsgrad: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **options)
        self.amsgrad = amsgrad

    @property
    def row(self) -> str:
        return "amsgrad" if self.amsgrad else "adam"


class KerasAdam(Adam):
    """`Adam` as Keras and scikit-learn compute it: epsilon is added to the root before its correction.

    w <- w - r sqrt(1 - beta_2^k) / (1 - beta_1^k) m / (sqrt(v) + epsilon).  Models that are read of Keras's files are
    trained on with it; with weight_decay it is Keras's AdamW.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    beta_1, beta_2 : float
        At least 0, below 1.
    epsilon : float
        Above 0.
    amsgrad : bool
        The largest v so far takes the place of v in the equation.
    **options : weight_decay, clipnorm and more; see `Optimizer`

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.KerasAdam(0.01), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    @property
    def row(self) -> str:
        return f"keras_{super().row}"


class AdamW(Adam):
    """`Adam` with decoupled weight decay, Loshchilov and Hutter, 2019: w <- w - r weight_decay w before each update.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    weight_decay : float, optional
        At least 0.  The default is Keras's; PyTorch's is 0.01.
    beta_1, beta_2 : float
        At least 0, below 1.
    epsilon : float
        Above 0.
    amsgrad : bool
        The largest v so far takes the place of v in `Adam`'s last equation.
    **options : clipnorm and more; see `Optimizer`

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.AdamW(0.01, weight_decay=0.001), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """

    def __init__(
        self,
        learning_rate: Rate = DEFAULTS["adam"]["learning_rate"],
        weight_decay: float | None = 0.004,
        beta_1: float = DEFAULTS["adam"]["beta_1"],
        beta_2: float = DEFAULTS["adam"]["beta_2"],
        epsilon: float = DEFAULTS["adam"]["epsilon"],
        amsgrad: bool = False,
        **options: Unpack[AdamWOptions],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options)


class Nadam(_Moments):
    """Adam with Nesterov's momentum, Dozat, 2016.

    With u_k = beta_1 (1 - 0.96^k / 2), P_k = u_1 ... u_k, and m and v those of `Adam`, in step k, counted from 1,
    w <- w - r (u_(k+1) m / (1 - P_(k+1)) + (1 - u_k) g / (1 - P_k)) / (sqrt(v / (1 - beta_2^k)) + epsilon).
    As in Keras, and in PyTorch with momentum_decay=1.  P is computed from k, and is no state.

    Parameters
    ----------
    learning_rate : float, schedule, or callable
        At least 0.
    beta_1, beta_2 : float
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
    >>> model.compile(fastnn.optimizers.Nadam(0.01), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """


class Adamax(_Moments):
    """Adam scaled by the largest gradient so far, Kingma and Ba, 2015.

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

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = fastnn.Sequential([fastnn.layers.Dense(8, "tanh"), fastnn.layers.Dense(1)], seed=0)
    >>> model.compile(fastnn.optimizers.Adamax(0.01), "mse")
    >>> loss = model.fit(x, x**2, epochs=50, verbose=0).history["loss"]
    >>> loss[-1] < loss[0]
    True
    """
