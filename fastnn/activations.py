"""Activations: the functions that layers apply to the product of inputs and weights, value by value or row by row.

================== ==========================================================
name               f(x)
================== ==========================================================
``linear``         x
``relu``           max(x, 0)
``leaky_relu``     x where x > 0, else negative_slope x
``sigmoid``        1 / (1 + exp(-x))
``tanh``           tanh(x)
``elu``            x where x > 0, else alpha (exp(x) - 1)
``selu``           1.0507 elu(x) with alpha = 1.6733 (Klambauer et al., 2017)
``softplus``       log(1 + exp(x))
``gelu``           x Phi(x), with the normal distribution Phi itself, not its approximation
``silu``           x sigmoid(x); also ``swish``
``mish``           x tanh(softplus(x))
``softmax``        exp(x_i) / sum_j exp(x_j), over each row; for the last layer only
``relu6``          min(max(x, 0), 6)
``celu``           x where x > 0, else alpha (exp(x / alpha) - 1)
``exponential``    exp(x)
``softsign``       x / (1 + abs(x))
``hard_sigmoid``   relu6(x + 3) / 6
``hard_silu``      x hard_sigmoid(x); also ``hard_swish``
``hard_tanh``      -1 below -1, 1 above 1, x between
``log_sigmoid``    log(sigmoid(x))
``squareplus``     (x + sqrt(x^2 + b)) / 2, with b = 4
``soft_shrink``    x - threshold above threshold, x + threshold below -threshold, else 0; threshold = 0.5
``hard_shrink``    x where abs(x) > threshold, else 0; threshold = 0.5
``sparse_plus``    0 below -1, x above 1, (x + 1)^2 / 4 between
``sparse_sigmoid`` 0 below -1, 1 above 1, (x + 1) / 2 between
================== ==========================================================

Each is also an attribute of this module: ``activations.relu``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from .absent import missing
from .data import real_number
from .engine import ACTIVATIONS, Function, ScalarActivation
from .names import Configurable, CustomObject, lookup, publish, resolve
from .names import serialize as describe

__all__ = ["ELU", "Activation", "Custom", "LeakyReLU", "get", "serialize"]


class Activation(Configurable):
    """An activation by its name, with its constant where it has one.

    Parameters
    ----------
    name : str
        A name from the table of `fastnn.activations`.
    parameter : float, optional
        ``negative_slope`` of leaky_relu (default 0.2), or ``alpha`` of elu (default 1).

    Attributes
    ----------
    name : str
    parameter : float
        0 where the activation has no constant.
    """

    parameter: float | Function
    _uncalled: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("__call__", "call"), "wants the functions of an activations.Custom(value, slope)"
    )

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

    def described(self) -> str | dict[str, Any]:
        """Its name if that says all, else its class and configuration."""
        plain = not isinstance(self, Custom) and self == Activation(self.name)
        return self.name if plain else describe(self)

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
        """The limit of -f(x) as x goes to minus infinity."""
        return float(self.parameter)  # type: ignore[arg-type]


class Custom(CustomObject, Activation):
    """An activation made of functions of your own: its value and its slope, both functions of a number.

    Numba compiles them (plain functions, or decorated by its njit), and the compiled run calls them.  A file holds only
    the name: `load_model(path, custom_objects={name: activation})`.

    Parameters
    ----------
    value, slope : callable
        x -> f(x), and its derivative x -> f'(x).
    name : str, optional
        Default: that of value.

    Attributes
    ----------
    name : str
        "custom"; the name given is ``function_name``.

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
        self.name = "custom"
        CustomObject.__init__(self, name, value, slope)

    def get_config(self) -> dict[str, Any]:
        return CustomObject.get_config(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Custom, (*self.functions, self.function_name)


_NAMES = {name: partial(Activation, name) for name in ACTIVATIONS}
_NAMES |= {"swish": _NAMES["silu"], "hard_swish": _NAMES["hard_silu"]}


def get(identifier: object, argument: str = "activation") -> Activation:
    """Make an activation of a name, a class, a configuration or None (linear); an activation is returned as it is."""
    return resolve("linear" if identifier is None else identifier, Activation, _NAMES, argument)


def serialize(activation: Activation) -> str | dict[str, Any]:
    """Describe an activation for `get`: by its name if that says all, else by its class and configuration."""
    return activation.described()


def __getattr__(name: str) -> Activation:
    """Find an activation by its name: activations.relu."""
    if name in _NAMES:
        return _NAMES[name]()
    raise missing(__name__, name)


publish(__name__)
