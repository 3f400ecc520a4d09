"""Layers: what a model is built of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from . import activations, initializers
from .data import positive_integer
from .names import Configurable, serialize, snake_case, unique
from .names import deserialize as from_description

__all__ = ["Activation", "Dense", "Input", "Layer", "deserialize", "serialize", "unique_names"]

Weights = NDArray[Any]


class Layer(Configurable):
    """Base of all layers.

    Attributes
    ----------
    name : str
        Given, or the model's choice: dense, dense_1.
    input_size : int or None
        The inputs that the layer asks for; None takes whatever comes.
    """

    input_size: int | None = None
    _taken = False  # by a model

    def __init__(self, name: str | None = None) -> None:
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"name got {name!r}; wants a string")
        self.name = snake_case(type(self).__name__) if name is None else name
        self._named = name is not None

    def get_weights(self) -> list[Weights]:
        """Copies of the layer's weights; none of a layer that has none."""
        return []

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace the layer's weights, all or none."""
        if len(weights):
            raise ValueError(f"weights got {len(weights)} arrays; the layer {self.name!r} has none")

    def count_params(self) -> int:
        """How many numbers the layer learns."""
        return 0


class Input(Layer):
    """How many inputs the model has; may stand first in a model.

    Parameters
    ----------
    shape : tuple of int
        (inputs,).
    name : str, optional
    """

    def __init__(self, shape: Sequence[int], name: str | None = None) -> None:
        super().__init__(name)
        self.input_size = _only(shape, "shape")

    @property
    def shape(self) -> tuple[int]:
        """(inputs,)."""
        assert self.input_size is not None
        return (self.input_size,)


class Activation(Layer):
    """An activation as a layer of its own.

    Parameters
    ----------
    activation : str or activations.Activation
    name : str, optional
    """

    def __init__(self, activation: str | activations.Activation, name: str | None = None) -> None:
        super().__init__(name)
        self.activation = activations.get(activation)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        return super().get_config() | {"activation": activations.serialize(self.activation)}


class Dense(Layer):
    """Every unit sees every input: output = activation(input @ kernel + bias).

    Parameters
    ----------
    units : int
        How many outputs the layer has.
    activation : str or activations.Activation, optional
        Default: linear.
    use_bias : bool
    kernel_initializer, bias_initializer : str or initializers.Initializer
    name : str, optional
    input_shape : tuple of int, optional
        (inputs,), for the first layer of a model; or `input_dim`.
    input_dim : int, optional

    Attributes
    ----------
    kernel : ndarray, (inputs, units)
    bias : ndarray, (units,), or None
        Views of the model's weights, there once the model is built.
    """

    def __init__(
        self,
        units: int,
        activation: str | activations.Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: str | initializers.Initializer = "glorot_uniform",
        bias_initializer: str | initializers.Initializer = "zeros",
        name: str | None = None,
        input_shape: Sequence[int] | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__(name)
        if not isinstance(use_bias, bool):
            raise TypeError(f"use_bias got {use_bias!r}; wants True or False")
        self.units = positive_integer(units, "units")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        if input_shape is not None:
            self.input_size = _only(input_shape, "input_shape")
        if input_dim is not None:
            dim = positive_integer(input_dim, "input_dim")
            if self.input_size not in (None, dim):
                raise ValueError(f"input_dim got {dim}, but input_shape says {self.input_size}")
            self.input_size = dim
        # A model that holds this layer puts these in place when it is built.
        self._kernel_view: Weights | None = None
        self._bias_view: Weights | None = None
        self._assign: Callable[[Sequence[ArrayLike]], None] | None = None

    @property
    def kernel(self) -> Weights:
        """The weights, (inputs, units): a view."""
        if self._kernel_view is None:
            raise self._not_built()
        return self._kernel_view

    @property
    def bias(self) -> Weights | None:
        """The bias, (units,): a view; None where there is none."""
        if self._kernel_view is None:
            raise self._not_built()
        return self._bias_view

    def get_weights(self) -> list[Weights]:
        """Copies of the kernel, and of the bias where there is one."""
        return [view.copy() for view in (self.kernel, self.bias) if view is not None]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace the kernel, and the bias where there is one; both or none."""
        if self._assign is None:
            raise self._not_built()
        self._assign(weights)

    def count_params(self) -> int:
        """How many numbers the layer learns."""
        return sum(view.size for view in (self.kernel, self.bias) if view is not None)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        return {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
            "name": self.name,
            "input_dim": self.input_size,
        }

    def _not_built(self) -> RuntimeError:
        return RuntimeError(
            f"the layer {self.name!r} has no weights before its model is built: "
            "call model.build(inputs) or model.fit, or begin the model with Input"
        )


def deserialize(description: Mapping[str, Any]) -> Layer:
    """The layer that `serialize` described."""
    return from_description(description, Layer, "layers")


def unique_names(layers: Sequence[Layer]) -> list[str]:
    """A name for each layer: the given ones, and for the others dense, dense_1, ...

    Raises
    ------
    ValueError
        Two layers were given the same name.
    """
    given = [layer.name for layer in layers if layer._named]
    if twice := [name for name in given if given.count(name) > 1]:
        raise ValueError(f"layers got two of the name {twice[0]!r}; wants names that differ")
    bases = [snake_case(type(layer).__name__) for layer in layers if not layer._named]
    chosen = iter(unique(bases, taken=given))
    return [layer.name if layer._named else next(chosen) for layer in layers]


def _only(shape: Sequence[int], name: str) -> int:
    """The one number in a shape."""
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise TypeError(f"{name} got {shape!r}; wants a tuple of one integer, (inputs,)")
    if len(shape) != 1:
        raise ValueError(f"{name} got {tuple(shape)!r}; wants a tuple of one integer, (inputs,)")
    return positive_integer(shape[0], f"{name}[0]")
