"""Activations: what a layer makes of its product, value by value; softmax row by row.

=============  ==========================================================
name           f(x)
=============  ==========================================================
``linear``     x
``relu``       max(x, 0)
``leaky_relu`` x where x > 0, else negative_slope x
``sigmoid``    1 / (1 + exp(-x))
``tanh``       tanh(x)
``elu``        x where x > 0, else alpha (exp(x) - 1)
``selu``       1.0507 elu(x) with alpha = 1.6733 (Klambauer et al., 2017)
``softplus``   log(1 + exp(x))
``gelu``       x Phi(x), with the normal distribution Phi, not its approximation
``silu``       x sigmoid(x); also ``swish``
``mish``       x tanh(softplus(x))
``softmax``    exp(x_i) / sum_j exp(x_j); of the last layer only
=============  ==========================================================

Each is also an attribute of this module: ``activations.relu``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from .data import real_number
from .engine import ACTIVATIONS, Function, ScalarActivation
from .names import Configurable, CustomObject, lookup, resolve
from .names import serialize as describe

__all__ = ["ELU", "Activation", "Custom", "LeakyReLU", "get", "serialize"]


class Activation(Configurable):
    """An activation by its name, with its constant where it has one.

    Parameters
    ----------
    name : str
        A name of the table above.
    parameter : float, optional
        ``negative_slope`` of leaky_relu, ``alpha`` of elu. Default: 0.2 and 1.

    Attributes
    ----------
    name : str
    parameter : float
        0 where the activation has no constant.
    """

    parameter: float | Function

    def __init__(self, name: str, parameter: float | None = None) -> None:
        known = lookup(name, ACTIVATIONS, "activation").parameter
        if parameter is not None and known is None:
            raise ValueError(f"parameter got {parameter!r}; the activation {name!r} has none")
        label, default = known or ("parameter", 0.0)
        self.name = name
        self.parameter = default if parameter is None else real_number(parameter, label)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them; no parameter where the activation has none."""
        config = super().get_config()
        return config if ACTIVATIONS[self.name].parameter else {"name": self.name}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Activation):
            return NotImplemented
        return (self.name, self.parameter) == (other.name, other.parameter)

    def __hash__(self) -> int:
        return hash((self.name, self.parameter))


class LeakyReLU(Activation):
    """leaky_relu: f(x) = x where x > 0, else negative_slope x."""

    def __init__(self, negative_slope: float = 0.2) -> None:
        super().__init__("leaky_relu", negative_slope)

    @property
    def negative_slope(self) -> float:
        """The slope below zero."""
        return float(self.parameter)  # type: ignore[arg-type]


class ELU(Activation):
    """elu: f(x) = x where x > 0, else alpha (exp(x) - 1)."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__("elu", alpha)

    @property
    def alpha(self) -> float:
        """What -f tends to for x far below zero."""
        return float(self.parameter)  # type: ignore[arg-type]


class Custom(CustomObject, Activation):
    """An activation of your own: its value and its slope, both functions of a number.

    Numba makes machine code of them (they may be under its njit, or plain), which the compiled run calls. A file holds
    its name alone: `load_model(path, custom_objects={name: activation})`.

    Parameters
    ----------
    value, slope : callable
        x -> f(x), and x -> f'(x).
    name : str, optional
        Default: that of value.

    Attributes
    ----------
    name : str
        "custom"; function_name is its own.

    Raises
    ------
    TypeError
        Numba cannot compile a function, or one returns no number.

    Examples
    --------
    >>> from fastnn.activations import Custom
    >>> cube = Custom(lambda x: x**3, lambda x: 3 * x**2, name="cube")
    """

    what: ClassVar[str] = "activation"

    def __init__(self, value: Callable[..., Any], slope: Callable[..., Any], name: str | None = None) -> None:
        self.parameter = ScalarActivation(value, slope)
        CustomObject.__init__(self, name, value, slope)
        self.name = "custom"

    def get_config(self) -> dict[str, Any]:
        """Its name."""
        return CustomObject.get_config(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Custom, (*self.functions, self.function_name)


_NAMES = {name: partial(Activation, name) for name in ACTIVATIONS}
_NAMES["swish"] = _NAMES["silu"]


def get(identifier: object, argument: str = "activation") -> Activation:
    """The activation that a name, an object or None (linear) stands for."""
    return resolve("linear" if identifier is None else identifier, Activation, _NAMES, argument)


def serialize(activation: Activation) -> str | dict[str, Any]:
    """What `get` makes the same activation of: its name, where that says it all."""
    if not isinstance(activation, Custom) and activation == Activation(activation.name):
        return activation.name
    return describe(activation)


def __getattr__(name: str) -> Activation:
    if name in _NAMES:
        return _NAMES[name]()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
