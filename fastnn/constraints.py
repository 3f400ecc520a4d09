"""Constraints: what weights are brought to after each update, in the compiled run.

The norm that is meant is that of what comes into a unit, a column of a kernel; of a bias, a gamma or a beta, that of
the whole vector.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .absent import missing
from .data import real_number
from .names import Configurable, resolve, snake_case
from .names import serialize as describe
from .typing import Array

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "get", "serialize"]

EPSILON = 1e-7
"""What is added to a norm before it divides, as in Keras."""


class Constraint(Configurable):
    """Base of all constraints; ``constraint(w)`` gives the weights that it makes of some, as an array."""

    code: ClassVar[int] = 0  # place in the kernels' records.CONSTRAINTS

    def bounds(self) -> tuple[float, float, float]:
        """The least and the largest norm, and the part of the way that a norm is brought there."""
        return 0.0, 0.0, 1.0

    def constants(self, part: str) -> dict[str, float]:
        """Fields of a layer's record, for its "kernel" or "bias"."""
        least, most, pull = self.bounds()
        return {f"{part}_constraint": self.code, f"{part}_least": least, f"{part}_most": most, f"{part}_pull": pull}

    def __call__(self, w: ArrayLike) -> Array:
        """The weights that become of w, (inputs, units) or (units,)."""
        w = np.asarray(w)
        least, most, pull = self.bounds()
        norm = np.sqrt(np.square(w).sum(axis=0, keepdims=True))
        found: Array = w * ((pull * np.clip(norm, least, most) + (1 - pull) * norm) / (norm + EPSILON))
        return found.astype(w.dtype)


class NonNeg(Constraint):
    """Keeps weights at or above 0.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> layer = fastnn.layers.Dense(1, kernel_constraint=fastnn.constraints.NonNeg())
    >>> model = fastnn.Sequential([layer], seed=0)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(x, -4 * x, epochs=50, verbose=0)
    >>> round(float(model.get_weights()[0][0, 0]), 4)
    0.0
    """

    code = 1

    def __call__(self, w: ArrayLike) -> Array:
        w = np.asarray(w)
        found: Array = np.maximum(w, w.dtype.type(0))
        return found


class _Norm(Constraint):
    """Base of the constraints on norms."""

    code = 2
    axis: int

    def _set_axis(self, axis: int) -> None:
        if axis != 0:
            raise ValueError(f"axis got {axis!r}; wants 0: a norm is that of what comes into a unit")
        self.axis = axis


class MaxNorm(_Norm):
    """Keeps norms at or below max_value.

    Parameters
    ----------
    max_value : float
        Above 0.
    axis : int
        0; taken for Keras's sake.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> layer = fastnn.layers.Dense(1, kernel_constraint=fastnn.constraints.MaxNorm(2.0))
    >>> model = fastnn.Sequential([layer], seed=0)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(x, -4 * x, epochs=50, verbose=0)
    >>> round(float(model.get_weights()[0][0, 0]), 4)
    -1.7565
    """

    def __init__(self, max_value: float = 2.0, axis: int = 0) -> None:
        self.max_value = real_number(max_value, "max_value", above=0)
        self._set_axis(axis)

    def bounds(self) -> tuple[float, float, float]:
        return 0.0, self.max_value, 1.0


class UnitNorm(_Norm):
    """Brings each norm to 1.

    Parameters
    ----------
    axis : int
        0; taken for Keras's sake.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> layer = fastnn.layers.Dense(1, kernel_constraint=fastnn.constraints.UnitNorm())
    >>> model = fastnn.Sequential([layer], seed=0)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(x, -4 * x, epochs=50, verbose=0)
    >>> round(float(model.get_weights()[0][0, 0]), 4)
    1.0
    """

    def __init__(self, axis: int = 0) -> None:
        self._set_axis(axis)

    def bounds(self) -> tuple[float, float, float]:
        return 1.0, 1.0, 1.0


class MinMaxNorm(_Norm):
    """Brings norms between min_value and max_value, or part of the way there.

    Parameters
    ----------
    min_value, max_value : float
    rate : float
        The part of the way, from 0 to 1.
    axis : int
        0; taken for Keras's sake.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> layer = fastnn.layers.Dense(1, kernel_constraint=fastnn.constraints.MinMaxNorm(0.5, 2.0))
    >>> model = fastnn.Sequential([layer], seed=0)
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(x, -4 * x, epochs=50, verbose=0)
    >>> round(float(model.get_weights()[0][0, 0]), 4)
    0.5
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int = 0) -> None:
        self.min_value = real_number(min_value, "min_value", least=0)
        self.max_value = real_number(max_value, "max_value", least=self.min_value)
        self.rate = real_number(rate, "rate", least=0, most=1)
        self._set_axis(axis)

    def bounds(self) -> tuple[float, float, float]:
        return self.min_value, self.max_value, self.rate


_CLASSES: list[type[Constraint]] = [MaxNorm, MinMaxNorm, NonNeg, UnitNorm]
_NAMES: dict[str, type[Constraint]] = {snake_case(found.__name__): found for found in _CLASSES}


def get(identifier: object, argument: str = "constraint") -> Constraint | None:
    """Make a constraint of a name, a class or a configuration; a constraint and None are returned as they are."""
    if identifier is None:
        return None
    found = resolve(identifier, Constraint, _NAMES, argument)
    if type(found) not in _CLASSES:
        names = ", ".join(known.__name__ for known in _CLASSES)
        raise TypeError(f"{argument} got {type(found).__name__}, which no kernel is compiled for; wants one of {names}")
    return found


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """Describe a constraint for `get`, by its class and configuration; None for None."""
    return None if constraint is None else describe(constraint)


def __getattr__(name: str) -> type[Constraint]:
    """Find a class by Keras's other name for it: constraints.max_norm(3)."""
    if name in _NAMES:
        return _NAMES[name]
    raise missing(__name__, name)
