"""Layers that change what passes at random, in training: dropout and Gaussian noise."""

from __future__ import annotations

import math

from fastnn.data import positive_integer, real_number
from fastnn.engine import SELU_ALPHA, SELU_SCALE, LayerPlan
from .base import Layer


class Noise(Layer):
    """Base of the layers that change values at random, in training only.

    What is random follows from the seed of fit, the number of the update, the layer, the row of the batch and the
    column alone: it is the same for any number of threads and on every backend, and is not kept in memory.

    Parameters
    ----------
    seed : int, optional
        Default: the layer's place in the model.  Layers of the same seed draw the same numbers.
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.
    """

    _kind = "dropout"

    def __init__(self, seed: int | None = None, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        self.seed = None if seed is None else positive_integer(seed, "seed", least=0)

    def plan(self, inputs: int, number: int) -> LayerPlan:
        """Noise in place, by the seed or, where there is none, by the layer's number."""
        seed = number if self.seed is None else self.seed
        return LayerPlan(inputs, use_bias=False, kind=self._kind, constants={"seed": seed, **self._constants()})

    def _constants(self) -> dict[str, float]:
        """Fields of the layer's record that say what the noise does."""
        raise NotImplementedError


class _Dropping(Noise):
    """Base of the two kinds of dropout."""

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(seed, name, trainable)
        self.rate = real_number(rate, "rate", least=0, below=1)


class Dropout(_Dropping):
    """Sets a random part of the values to 0 in training, and scales the others by 1 / (1 - rate).

    Parameters
    ----------
    rate : float
        How many; from 0 to below 1.
    seed : int, optional
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.Dropout(0.5)], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-1.,  2.]], dtype=float32)
    """

    def _constants(self) -> dict[str, float]:
        return {"threshold": _threshold(self.rate), "scale": 1 / (1 - self.rate), "shift": 0.0, "dropped": 0.0}


class AlphaDropout(_Dropping):
    """Dropout for selu: sets values to selu's lower limit, and keeps mean 0 and variance 1 (Klambauer et al., 2017).

    Parameters
    ----------
    rate : float
        How many; from 0 to below 1.
    seed : int, optional
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.AlphaDropout(0.1)], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-1.,  2.]], dtype=float32)
    """

    def _constants(self) -> dict[str, float]:
        """Values are dropped to selu's lower end; scale and shift restore mean 0 and variance 1 then."""
        low = -SELU_ALPHA * SELU_SCALE
        scale = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
        shift = -scale * low * self.rate
        return {"threshold": _threshold(self.rate), "scale": scale, "shift": shift, "dropped": scale * low + shift}


class GaussianNoise(Noise):
    """Adds normally distributed numbers of mean 0.

    Parameters
    ----------
    stddev : float
        Their standard deviation; at least 0.
    seed : int, optional
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.GaussianNoise(0.1)], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-1.,  2.]], dtype=float32)
    """

    _kind = "gaussian_noise"

    def __init__(self, stddev: float, seed: int | None = None, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(seed, name, trainable)
        self.stddev = real_number(stddev, "stddev", least=0)

    def _constants(self) -> dict[str, float]:
        return {"deviation": self.stddev}


def _threshold(rate: float) -> float:
    """Below it are as many of the multiples of 2**-23 as below the rate; float32 has it exactly."""
    return math.ceil(rate * 2**23) / 2**23
