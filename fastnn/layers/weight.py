"""A layer's weight, as an array that also answers to what Keras's variables are asked."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn.typing import Array

if TYPE_CHECKING:
    from .base import Layer


class Values(np.ndarray):
    """An array that has the method of Keras's tensors; what is computed of it is a plain array."""

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else np.asarray(array)

    def __reduce__(self) -> Any:
        return self.numpy().__reduce__()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.numpy()

    def numpy(self) -> Array:
        """A copy, as a plain array."""
        return np.array(self)


class Weight(Values):
    """A view of a weight that cannot be written but through `assign`; what is computed of it is a plain array.

    Attributes
    ----------
    name : str
        "kernel".
    path : str
        "dense/kernel".
    trainable : bool
        Whether training changes it, as far as its layer says.
    """

    _owner: tuple[weakref.ref[Layer], str] | None = None

    @classmethod
    def of(cls, layer: Layer, name: str, view: Array) -> Weight:
        """A layer's weight of this name."""
        weight = view.view(cls)
        weight.flags.writeable = False
        weight._owner = weakref.ref(layer), name
        return weight

    def _place(self) -> tuple[Layer, str]:
        layer = None if self._owner is None else self._owner[0]()
        if layer is None or self._owner is None:
            raise RuntimeError("this array is no layer's weight (any more)")
        return layer, self._owner[1]

    @property
    def name(self) -> str:
        return self._place()[1]

    @property
    def path(self) -> str:
        layer, name = self._place()
        return f"{layer.name}/{name}"

    @property
    def trainable(self) -> bool:
        layer, name = self._place()
        return layer.trainable and name not in layer.untrained

    def assign(self, value: ArrayLike) -> None:
        """Set the weight, to values of its shape."""
        layer, name = self._place()
        weights: list[ArrayLike] = list(layer.get_weights())
        weights[list(layer.weight_shapes(0)).index(name)] = value
        layer.set_weights(weights)
