"""What all layers have in common, the two that have nothing of their own to learn or to draw, and names in a model."""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike

from fastnn import activations
from fastnn.data import as_array, boolean, positive_integer
from fastnn.engine import Data, Engine, LayerPlan
from fastnn.names import Configurable, snake_case, unique
from fastnn.names import deserialize as from_description
from fastnn.typing import Array
from .weight import Values

if TYPE_CHECKING:
    from .weight import Weight

Shape = tuple[int, ...]


class Named(Protocol):
    """What has a name in a model: a layer, or a model that is one."""

    name: str
    _named: bool

    @property
    def _base_name(self) -> str: ...


settings = {"plan": 0, "changes": 0}
"""How often what models heed has been set, of whichever layer: who has seen the numbers need not look."""


class Layer(Configurable):
    """Base of all layers.

    Attributes
    ----------
    name : str
        Given, or the model's choice: dense, dense_1.
    trainable : bool
        Whether training changes the layer's weights.  It may be set at any time, and counts from the next call of the
        model on.  What is not trained costs no gradient and no update, has no penalty, and is no part of the norm of
        the gradient; a BatchNormalization goes by its moving statistics then, and leaves them as they are.
    input_shape : tuple of int or None
        That of the rows that the layer asks for; None takes whatever comes.
    """

    input_shape: Shape | None = None
    untrained: ClassVar[tuple[str, ...]] = ()  # weights that no training changes, but a step may
    _taken = False  # by a model
    _shared = False  # by several models
    _trainable = True
    engine: Engine | None = None  # that has the layer's weights
    _owner: weakref.ref[Any] | None = None  # to the model whose engine that is
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

    def __init__(self, name: str | None = None, trainable: bool = True) -> None:
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"name got {name!r}; wants a string")
        self.name = self._base_name if name is None else name
        self._named = name is not None
        if not boolean(trainable, "trainable"):
            self.trainable = False

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

    @property
    def owner(self) -> Any:
        """The model whose engine has the layer's weights, if it lives."""
        return None if self._owner is None else self._owner()

    @property
    def input_size(self) -> int | None:
        """The number of values in a row that the layer asks for."""
        return None if self.input_shape is None else math.prod(self.input_shape)

    @property
    def _base_name(self) -> str:
        """What a layer of this kind is called where nobody says, before it is numbered."""
        return snake_case(type(self).__name__)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """The shape of a row that goes out, where rows of that shape come in; None where that is not known."""
        return shape

    def flat(self, shape: Shape | None) -> None:
        """Refuse rows that have more than one dimension."""
        if shape is not None and len(shape) != 1:
            raise ValueError(
                f"the layer {self.name!r} got rows of the shape {shape}; wants (inputs,): put a Flatten() before it"
            )

    def attach(self, engine: Engine, place: int, owner: object) -> None:
        """Let the layer's weights be those of a model's engine, at the place of its plan."""

    def settle(self, engine: Engine, place: int) -> None:
        """Write to an engine that runs the layer what the layer itself keeps: fixed numbers."""

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
        """Whether training changes the layer's weights."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = boolean(value, "trainable")
        settings["changes"] += 1

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

    @property
    def weights(self) -> list[Weight]:
        """The weights, in the order of get_weights: views that cannot be written."""
        return []

    @property
    def trainable_weights(self) -> list[Weight]:
        """Those that training changes."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """Those that it does not."""
        return [weight for weight in self.weights if not weight.trainable]

    @property
    def output(self) -> Any:
        """There is none: an AttributeError says what to do instead."""
        raise AttributeError(
            "a layer has no symbolic input and output: model.forward(x) gives every layer's values, and "
            "fastnn.Sequential(model.layers[:-1]) is a model up to a layer, of the same weights"
        )

    input = output

    def count_params(self) -> int:
        """How many numbers the layer learns."""
        return 0

    def __call__(self, x: Any, training: bool | None = None) -> Values:
        """Refuse to be called: only layers that have nothing to learn and nothing to draw compute by themselves."""
        raise TypeError(
            f"the layer {self.name!r} got called; wants Sequential([Input((n,)), {type(self).__name__}(...)]), a model "
            "whose predict and forward give values. There is no functional API"
        )


class Plain(Layer):
    """Base of the layers that have nothing to learn and nothing to draw: called with an array, they compute."""

    def __call__(self, x: Any, training: bool | None = None) -> Values:
        """What becomes of x, (rows, ...) array-like: an array in float32, as in Keras.

        ``training`` is taken for Keras's sake.
        """
        values = self._values(x).astype("float32", copy=False)
        width = math.prod(values.shape[values.ndim > 1 :])
        if self.plan(width, 0).activation == "softmax":
            width = values.shape[-1]
        if not values.size:
            return values.view(Values)
        engine = Engine(width, [self.plan(width, 0)], "float32", "numpy", 1)
        self.settle(engine, 0)
        rows = np.ascontiguousarray(values.reshape(-1, width))
        return engine.activations(Data(rows))[0].reshape(values.shape).view(Values)

    def _values(self, x: Any) -> Array:
        """What the layer is called with, as an array."""
        return super().__call__(x) if isinstance(x, Layer) else as_array(x, "x")


class Input(Layer):
    """The shape of the rows that a model takes; if used, the first layer of the model.

    Parameters
    ----------
    shape : tuple of int
        (inputs,); or more, as (28, 28), for a model that begins with Flatten or the like.
    batch_size : int, optional
        Taken for Keras's sake, as the next: fit and the others have rows of any number and real dtype.
    dtype : str, optional
    batch_shape : tuple, optional
        (None, inputs), in place of shape.
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.layers.Input((3,)), fastnn.layers.Dense(2)])
    >>> model.count_params()
    8
    """

    def __init__(
        self,
        shape: Sequence[int] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if shape is None and batch_shape is not None:
            shape = [size for size in batch_shape[1:] if size is not None]
        self.input_shape = row_shape(shape, "shape")

    @property
    def shape(self) -> Shape:
        """(inputs,), or more."""
        assert self.input_shape is not None
        return self.input_shape

    @classmethod
    def _arguments(cls) -> list[str]:
        return ["shape", "name"]

    def __repr__(self) -> str:
        return f"Input({self.shape}{f', name={self.name!r}' if self._named else ''})"


InputLayer = Input


class Activation(Plain):
    """An activation as a layer of its own.

    Parameters
    ----------
    activation : str or activations.Activation
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.Activation("relu")], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[0., 2.]], dtype=float32)
    """

    def __init__(
        self, activation: str | activations.Activation, name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__(name, trainable)
        self.activation = activations.get(activation)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        if self.activation.name == "softmax":
            self.flat(shape)
        return shape

    def plan(self, inputs: int, number: int) -> LayerPlan:
        return LayerPlan(inputs, self.activation.name, self.activation.parameter, False, "activation")


def deserialize(description: Mapping[str, Any]) -> Layer:
    """The layer that `serialize` described."""
    return from_description(description, Layer, "layers")


def unique_names(layers: Sequence[Named]) -> list[str]:
    """A name for each layer: the given ones, of which no two may be the same, and for the others dense, dense_1, ..."""
    given = [layer.name for layer in layers if layer._named]
    if twice := [name for name, count in Counter(given).items() if count > 1]:
        raise ValueError(f"layers got two of the name {twice[0]!r}; wants names that differ")
    chosen = iter(unique([layer._base_name for layer in layers if not layer._named], taken=given))
    return [layer.name if layer._named else next(chosen) for layer in layers]


def row_shape(shape: object, name: str) -> Shape:
    """The shape of a row of the data, (inputs,) or more."""
    if isinstance(shape, str) or not isinstance(shape, Sequence) or not shape:
        raise TypeError(f"{name} got {shape!r}; wants a tuple of integers, (inputs,)")
    return tuple(positive_integer(size, f"{name}[{place}]") for place, size in enumerate(shape))
