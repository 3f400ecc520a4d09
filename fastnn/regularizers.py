"""Regularizers: a penalty on weights, added to the loss.

The penalty is the sum over the weights of l1 |w| + l2 w^2, as in Keras; the w^2 of PyTorch's ``weight_decay`` has half
of that factor.  The losses that fit and evaluate report contain it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .data import real_number
from .names import Configurable, resolve
from .names import serialize as describe

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "serialize"]


class Regularizer(Configurable):
    """Base of all.

    Attributes
    ----------
    l1, l2 : float
        Factors of |w| and of w^2.
    """

    l1: float = 0.0
    l2: float = 0.0


class L1(Regularizer):
    """l1 |w|.

    Parameters
    ----------
    l1 : float
        At least 0.
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = real_number(l1, "l1", least=0)


class L2(Regularizer):
    """l2 w^2.

    Parameters
    ----------
    l2 : float
        At least 0.
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = real_number(l2, "l2", least=0)


class L1L2(Regularizer):
    """l1 |w| + l2 w^2; by its name, "l1_l2", with 0.01 for both.

    Parameters
    ----------
    l1, l2 : float
        At least 0.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = real_number(l1, "l1", least=0)
        self.l2 = real_number(l2, "l2", least=0)


l1, l2, l1_l2 = L1, L2, L1L2  # the classes have these names in Keras too
_NAMES: dict[str, Callable[[], Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": lambda: L1L2(0.01, 0.01)}


def get(identifier: object, argument: str = "regularizer") -> Regularizer | None:
    """The regularizer that a name, a class, a configuration or the object itself stands for; None of None."""
    return None if identifier is None else resolve(identifier, Regularizer, _NAMES, argument)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """What `get` makes the same regularizer of."""
    return None if regularizer is None else describe(regularizer)
