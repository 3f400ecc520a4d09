"""What all layers have in common, the two that have nothing of their own to learn or to draw, and names in a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from fastnn import activations
from fastnn.data import positive_integer
from fastnn.engine import Engine, LayerPlan
from fastnn.names import Configurable, snake_case, unique
from fastnn.names import deserialize as from_description
from fastnn.typing import Array

settings = {"plan": 0}
"""How often what models heed has been set, of whichever layer: who has seen the number need not look."""


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
    _uncalled: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("call", "__call__"),
            "wants an activation of your own, activations.Custom(value, slope), or a layer of fastnn.layers; what is "
            "random in training is there at prediction with model(x, training=True)",
        ),
        **dict.fromkeys(
            ("build", "add_weight", "compute_output_shape", "compute_output_spec", "compute_mask", "add_loss"),
            "wants a layer of fastnn.layers, whose weights and shapes are known to the compiled run",
        ),
    }
    _unread: ClassVar[Mapping[str, str]] = {
        "activity_regularizer": "wants kernel_regularizer",
        **dict.fromkeys(("dtype", "dtype_policy", "autocast"), "wants compile(dtype=...)"),
        **dict.fromkeys(("supports_masking", "input_spec", "built", "stateful"), "wants nothing in its place"),
    }

    _fixed: ClassVar[frozenset[str]] = frozenset(
        ["units", "use_bias", "center", "scale", "shape", "input_shape", "input_dim", "target_shape", "layers", "name"]
    )  # arguments that count when a model takes the layer

    def __init__(self, name: str | None = None) -> None:
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"name got {name!r}; wants a string")
        self.name = snake_case(type(self).__name__) if name is None else name
        self._named = name is not None

    def _unshown(self) -> list[str]:
        return [] if self._named else ["name"]

    def _changed(self, name: str, value: Any) -> Any:
        """What is set counts from the model's next call on, but for shapes, names and what weights began with."""
        if self._taken and (name in self._fixed or name.endswith("_initializer")):
            return super(Configurable, self)._changed(name, value)
        value = self._as_argument(name, value)
        if name == "name":
            self._named = True
        else:
            settings["plan"] += 1
        return value

    def _instead(self, name: str) -> str:
        return "; wants set_weights" if name in self.weight_shapes(1) else ""

    def output_size(self, inputs: int | None) -> int | None:
        """How many values of a row go out, where that many come in; None where that is not known."""
        return inputs

    def plan(self, inputs: int, number: int) -> LayerPlan:
        """What the engine is to run, for that many inputs, as layer ``number`` of the model, counted from 0."""
        raise NotImplementedError

    def views(self, engine: Engine, place: int, vector: Array | None = None) -> dict[str, Array]:
        """The weights by name, in the order of `get_weights`: read-only views, by the place of the layer's plan.

        With a vector, a gradient laid out like the engine's parameters, views of it: of what is learned alone.
        """
        return {}

    @property
    def trainable(self) -> bool:
        """True."""
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if not value:
            raise ValueError(
                f"trainable got {value!r} for {self.name!r}; wants True: a layer that is to stay as it is is a "
                "Dense(..., kernel_rate=0, bias_rate=0)"
            )

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """The names and shapes of what `get_weights` returns, for that many inputs."""
        return {}

    def get_weights(self) -> list[Array]:
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
        self.input_size = only_size(shape, "shape")

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

    def plan(self, inputs: int, number: int) -> LayerPlan:
        return LayerPlan(inputs, self.activation.name, self.activation.parameter, False, "activation")


def deserialize(description: Mapping[str, Any]) -> Layer:
    """The layer that `serialize` described."""
    return from_description(description, Layer, "layers")


def unique_names(layers: Sequence[Layer]) -> list[str]:
    """A name for each layer: the given ones, of which no two may be the same, and for the others dense, dense_1, ..."""
    given = [layer.name for layer in layers if layer._named]
    if twice := [name for name, count in Counter(given).items() if count > 1]:
        raise ValueError(f"layers got two of the name {twice[0]!r}; wants names that differ")
    bases = [snake_case(type(layer).__name__) for layer in layers if not layer._named]
    chosen = iter(unique(bases, taken=given))
    return [layer.name if layer._named else next(chosen) for layer in layers]


def only_size(shape: Sequence[int], name: str) -> int:
    """The number in a shape of one, (inputs,)."""
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise TypeError(f"{name} got {shape!r}; wants a tuple of one integer, (inputs,)")
    if len(shape) != 1:
        raise ValueError(f"{name} got {tuple(shape)!r}; wants a tuple of one integer, (inputs,)")
    return positive_integer(shape[0], f"{name}[0]")
