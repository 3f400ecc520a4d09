"""Regularizers: a penalty on weights, added to the loss.

The penalty is the sum over the weights of l1 |w| + l2 w^2, as in Keras; PyTorch's ``weight_decay`` is twice such an l2.
The losses that fit and evaluate report contain the penalty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .data import real_number
from .names import Configurable, publish, resolve
from .names import serialize as describe

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "serialize"]


class Regularizer(Configurable):
    """Base of all regularizers; l1 and l2 are the factors of |w| and of w^2."""

    l1: float = 0.0
    l2: float = 0.0
    _uncalled: ClassVar[Mapping[str, str]] = {
        "__call__": "wants L1, L2 or L1L2: the compiled run knows their sums alone"
    }


class L1(Regularizer):
    """The sum of l1 |w|.

    Parameters
    ----------
    l1 : float
        At least 0.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> layer = fastnn.layers.Dense(1, kernel_regularizer=fastnn.regularizers.L1(0.1))
    >>> model = fastnn.Sequential([layer], seed=0)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(x, -4 * x, epochs=50, verbose=0)
    >>> abs(float(model.get_weights()[0][0, 0])) < 4
    True
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = real_number(l1, "l1", least=0)


class L2(Regularizer):
    """The sum of l2 w^2.

    Parameters
    ----------
    l2 : float
        At least 0.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> layer = fastnn.layers.Dense(1, kernel_regularizer=fastnn.regularizers.L2(0.1))
    >>> model = fastnn.Sequential([layer], seed=0)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(x, -4 * x, epochs=50, verbose=0)
    >>> abs(float(model.get_weights()[0][0, 0])) < 4
    True
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = real_number(l2, "l2", least=0)


class L1L2(Regularizer):
    """The sum of l1 |w| + l2 w^2; the name "l1_l2" stands for 0.01 for both.

    Parameters
    ----------
    l1, l2 : float
        At least 0.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> layer = fastnn.layers.Dense(1, kernel_regularizer=fastnn.regularizers.L1L2(l1=0.01, l2=0.01))
    >>> model = fastnn.Sequential([layer], seed=0)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(x, -4 * x, epochs=50, verbose=0)
    >>> abs(float(model.get_weights()[0][0, 0])) < 4
    True
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = real_number(l1, "l1", least=0)
        self.l2 = real_number(l2, "l2", least=0)


l1, l2, l1_l2 = L1, L2, L1L2  # the classes have these names in Keras too
_NAMES: dict[str, Callable[[], Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": lambda: L1L2(0.01, 0.01)}


def get(identifier: object, argument: str = "regularizer") -> Regularizer | None:
    """Make a regularizer of a name, a class or a configuration; a regularizer and None are returned as they are."""
    return None if identifier is None else resolve(identifier, Regularizer, _NAMES, argument)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """Describe a regularizer for `get`, by its class and configuration; None for None."""
    return None if regularizer is None else describe(regularizer)


publish(__name__)
