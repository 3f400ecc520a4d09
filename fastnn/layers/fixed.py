"""Layers that shift and scale each value by numbers that are fixed: Rescaling, and Normalization by the data's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn.data import as_array, boolean, check_finite
from fastnn.engine import Engine, LayerPlan
from fastnn.typing import Array
from .base import Plain, Shape, row_shape, settings
from .weight import Weight
from .weighted import Weighted

EPSILON = 1e-7
"""The least deviation that Normalization divides by, as in Keras."""


class Rescaling(Plain):
    """output = input * scale + offset, as in Rescaling(1 / 255) for pixels.

    Parameters
    ----------
    scale, offset : float or (inputs,) array-like
    input_shape : tuple of int, optional
        For the first layer of a model.
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.Rescaling(2.0, offset=1.0)], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-1.,  5.]], dtype=float32)
    """

    def __init__(
        self,
        scale: float | ArrayLike,
        offset: float | ArrayLike = 0.0,
        input_shape: Sequence[int] | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name, trainable)
        self.scale, self.offset = _numbers(scale, "scale"), _numbers(offset, "offset")
        self.input_shape = None if input_shape is None else row_shape(input_shape, "input_shape")

    def plan(self, inputs: int, number: int) -> LayerPlan:
        return LayerPlan(inputs, use_bias=False, kind="affine")

    def settle(self, engine: Engine, place: int) -> None:
        engine.parameters.assign(
            place, [np.zeros(1), _tiled(self.scale, engine, place), _tiled(self.offset, engine, place)]
        )


class Normalization(Plain, Weighted):
    """output = (input - mean) / deviation, with the numbers of each column found by `adapt`, or given.

    They stay as they are in training.  Call `adapt` with the training data before you compile the model.

    Parameters
    ----------
    axis : int or None
        -1: a mean and a variance a column (the last dimension of a row); None: one of all values.
    mean, variance : float or array-like, optional
        Known ones; both or none.
    invert : bool
        Go the other way: input * deviation + mean.
    input_shape : tuple of int, optional
        For the first layer of a model.
    name : str, optional
    trainable : bool
        Taken for Keras's sake: nothing is trained.

    Attributes
    ----------
    mean, variance : ndarray, (1, columns), or None
        As in Keras; the variance is the biased one.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> layer = fastnn.layers.Normalization()
    >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.predict(np.array([[0.0, 20.0]]))
    array([[-1.,  0.]], dtype=float32)
    """

    untrained = ("mean", "variance", "count")

    def __init__(
        self,
        axis: int | None = -1,
        mean: float | ArrayLike | None = None,
        variance: float | ArrayLike | None = None,
        invert: bool = False,
        input_shape: Sequence[int] | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name, trainable)
        if axis not in (-1, 1, None):
            raise ValueError(f"axis got {axis!r}; wants -1, a mean a column, or None, one of all")
        if (mean is None) != (variance is None):
            raise ValueError(f"mean got {mean!r} and variance {variance!r}; wants both or none")
        self.axis, self.invert = axis, boolean(invert, "invert")
        self.input_shape = None if input_shape is None else row_shape(input_shape, "input_shape")
        self._given, self._columns = mean is not None, 1
        self._statistics: tuple[Array, Array] | None = None
        if mean is not None and variance is not None:
            self._set(_array(mean, "mean"), _array(variance, "variance"))

    @property
    def mean(self) -> Array | None:
        """What is subtracted, (1, columns)."""
        return self._statistic("mean", 0)

    @property
    def variance(self) -> Array | None:
        """The square of what is divided by, (1, columns)."""
        return self._statistic("variance", 1)

    def _statistic(self, name: str, number: int) -> Array | None:
        return None if self._statistics is None else Weight.of(self, name, self._statistics[number].reshape(1, -1))

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Take mean and variance of some data, (rows, inputs) array-like; what was taken before is forgotten.

        ``batch_size`` and ``steps`` are taken for Keras's sake.
        """
        if self._given:
            raise ValueError(f"adapt got data for {self.name!r}, whose mean and variance were given")
        values = _array(data, "data")
        if not values.size:
            raise ValueError(f"data got the shape {values.shape}; wants some rows")
        columns = 1 if self.axis is None or values.ndim == 1 else values.shape[-1]
        values = values.reshape(-1, columns)
        self._set(values.mean(axis=0), values.var(axis=0))

    def _set(self, mean: Array, variance: Array) -> None:
        """Have these statistics, and the engine too where there is one."""
        mean, variance = np.atleast_1d(mean).ravel(), np.atleast_1d(variance).ravel()
        if mean.shape != variance.shape:
            raise ValueError(f"mean got {mean.shape} values, and variance {variance.shape}; wants as many of each")
        if (variance < 0).any():
            raise ValueError(f"variance got values below 0 for {self.name!r}; wants at least 0")
        self._statistics = mean, variance
        settings["changes"] += 1

    def output_shape(self, shape: Shape | None) -> Shape | None:
        self._columns = 1 if self.axis is None or shape is None else shape[-1]
        return shape

    def plan(self, inputs: int, number: int) -> LayerPlan:
        return LayerPlan(inputs, use_bias=False, kind="affine")

    def settle(self, engine: Engine, place: int) -> None:
        mean, variance = self._statistics or (np.zeros(1), np.ones(1))
        deviation = np.maximum(np.sqrt(variance), EPSILON)
        numbers = (np.zeros(1), deviation, mean) if self.invert else (mean, 1 / deviation, np.zeros(1))
        engine.parameters.assign(place, [_tiled(vector, engine, place) for vector in numbers])

    def attach(self, engine: Engine, place: int, owner: object) -> None:
        """No engine keeps its weights."""

    def put(self, engine: Engine, place: int, weights: Sequence[Array]) -> None:
        if weights:
            self._set(weights[0], weights[1])

    def views(self, engine: Engine, place: int, vector: Array | None = None) -> dict[str, Array]:
        """The layer's own arrays."""
        names = () if vector is not None else self.weight_shapes(0)
        return dict(zip(names, self.get_weights(), strict=False))

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """As in Keras: mean, variance and a count that nobody uses; nothing where they were given."""
        if self._given:
            return {}
        columns = self._columns if self._statistics is None else len(self._statistics[0])
        return {"mean": (columns,), "variance": (columns,), "count": ()}

    def get_weights(self) -> list[Array]:
        if self._given:
            return []
        mean, variance = self._statistics or (np.zeros(self._columns), np.ones(self._columns))
        return [mean.copy(), variance.copy(), np.array(0)]

    def drawn_weights(self, inputs: int, rng: np.random.Generator) -> list[Array]:
        return self.get_weights()

    def checked(self, weights: Sequence[ArrayLike], views: Mapping[str, Array] | None = None) -> list[Array]:
        if len(weights) != 3 * (not self._given):
            raise ValueError(f"weights got {len(weights)} arrays for {self.name!r}; wants {3 * (not self._given)}")
        return [_array(array, "weights") for array in weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        arrays = self.checked(weights)
        if arrays:
            self._set(arrays[0], arrays[1])

    @property
    def weights(self) -> list[Weight]:
        named = zip(self.weight_shapes(0), self.get_weights(), strict=True)
        return [Weight.of(self, name, array) for name, array in named]

    def count_params(self) -> int:
        return sum(array.size for array in self.get_weights())

    def get_config(self) -> dict[str, Any]:
        given = self._statistics if self._given else None
        mean, variance = (None, None) if given is None else (vector.tolist() for vector in given)
        rest = {"axis": self.axis, "invert": self.invert, "input_shape": self.input_shape}
        return rest | {"mean": mean, "variance": variance, "name": self.name, "trainable": self.trainable}


def _numbers(value: float | ArrayLike, name: str) -> float | list[float]:
    """A number, or a list of some, as JSON can hold them."""
    found: float | list[float] = _array(value, name).tolist()
    return found


def _array(value: ArrayLike, name: str) -> Array:
    array = as_array(value, name).astype(np.float64, copy=False)
    check_finite(np.atleast_1d(array), name, "float64")
    return array


def _tiled(values: float | ArrayLike, engine: Engine, place: int) -> Array:
    """A value for each of the layer's units: a number for all, or one for each column, whose rows follow each other."""
    array, units = np.atleast_1d(np.asarray(values, np.float64)).ravel(), engine.plans[place].units
    if units % len(array):
        raise ValueError(f"a layer of fixed numbers got {len(array)} of them for rows of {units} values; wants as many")
    check_finite(array, "the layer's numbers", engine.dtype.name)
    return np.tile(array, units // len(array))
