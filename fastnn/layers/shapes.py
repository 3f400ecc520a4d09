"""Layers that give on what comes in, with rows of another shape: Flatten and Reshape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.engine import LayerPlan
from .base import Plain, Shape, row_shape
from .weight import Values


class _Shaping(Plain):
    """Base of the two: the kernels see rows of numbers, whatever their shape is called."""

    def plan(self, inputs: int, number: int) -> LayerPlan:
        return LayerPlan(inputs, use_bias=False, kind="activation")

    def __call__(self, x: Any, training: bool | None = None) -> Values:
        """x, (rows, ...) array-like, with rows of the other shape; what is float64 as float32, as in Keras."""
        values = np.atleast_1d(self._values(x))
        kept = values.astype("float32") if values.dtype == np.float64 else values
        return kept.reshape(len(kept), *(self.output_shape(kept.shape[1:]) or ())).view(Values)


class Flatten(_Shaping):
    """Flattens rows of any shape: (28, 28) becomes (784,).

    Parameters
    ----------
    input_shape : tuple of int, optional
        For the first layer of a model, which may leave it out: fit then takes what x has.
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2, 2)), fastnn.layers.Flatten()])
    >>> model.predict(np.array([[[1.0, 2.0], [3.0, 4.0]]]))
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    def __init__(
        self, input_shape: Sequence[int] | None = None, name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__(name, trainable)
        self.input_shape = None if input_shape is None else row_shape(input_shape, "input_shape")

    def output_shape(self, shape: Shape | None) -> Shape | None:
        return None if shape is None else (math.prod(shape),)


class Reshape(_Shaping):
    """Gives rows another shape with the same number of values.

    Parameters
    ----------
    target_shape : tuple of int
        Of a row; one of its sizes may be -1, for what is left.
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((4,)), fastnn.layers.Reshape((2, 2))])
    >>> model.predict(np.array([[1.0, 2.0, 3.0, 4.0]]))
    array([[[1., 2.],
            [3., 4.]]], dtype=float32)
    """

    def __init__(self, target_shape: Sequence[int], name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        if isinstance(target_shape, str) or not isinstance(target_shape, Sequence) or not target_shape:
            raise TypeError(f"target_shape got {target_shape!r}; wants a tuple of integers")
        left = [place for place, size in enumerate(target_shape) if size == -1]
        if len(left) > 1:
            raise ValueError(f"target_shape got {tuple(target_shape)}; wants at most one -1")
        sizes = row_shape([1 if size == -1 else size for size in target_shape], "target_shape")
        self.target_shape = tuple(-1 if place in left else size for place, size in enumerate(sizes))

    def output_shape(self, shape: Shape | None) -> Shape | None:
        known = math.prod(size for size in self.target_shape if size != -1)
        if shape is None:
            return self.target_shape if -1 not in self.target_shape else None
        values = math.prod(shape)
        if values % known if -1 in self.target_shape else values != known:
            raise ValueError(f"target_shape got {self.target_shape} for rows of {values} values: {shape}")
        return tuple(values // known if size == -1 else size for size in self.target_shape)
