"""Initializers: the weights that training starts from.

An initializer is called with a shape and a NumPy generator, and returns float64 values.  One with a seed of its own
returns the same values whenever it is called.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .absent import missing
from .data import positive_integer, real_number
from .names import Configurable, lookup, publish, resolve, snake_case

__all__ = ["Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Initializer", "LecunNormal"]
__all__ += ["LecunUniform", "Ones", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros"]
__all__ += ["get"]

Values = NDArray[np.float64]

TRUNCATED_DEVIATION = 0.87962566103423978  # standard deviation of a standard normal distribution cut off at -2 and 2


class Initializer(Configurable):
    """Base of all initializers: derive from it, and define ``__call__(shape, rng)``."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        """Make values of a shape, (inputs, units) for a kernel, (units,) for a bias: an ndarray of float64.

        ``rng`` is the source of random values, unless the initializer has a seed.
        """
        raise NotImplementedError(f"{type(self).__name__} has no __call__(shape, rng)")


class Constant(Initializer):
    """The same value everywhere.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.Constant(0.5))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0]
    array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """

    def __init__(self, value: float = 0.0) -> None:
        self.value = real_number(value, "value")

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        return np.full(shape, self.value)


class Zeros(Initializer):
    """0 everywhere.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.Zeros())
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0]
    array([[0., 0.],
           [0., 0.]], dtype=float32)
    """

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        return np.zeros(shape)


class Ones(Initializer):
    """1 everywhere.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.Ones())
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0]
    array([[1., 1.],
           [1., 1.]], dtype=float32)
    """

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        return np.ones(shape)


class _Random(Initializer):
    """Base of the initializers that draw random values; one with a seed has a generator of its own."""

    seed: int | None

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        return self._draw(shape, rng if self.seed is None else np.random.default_rng(self.seed))

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        raise NotImplementedError


class RandomNormal(_Random):
    """Normally distributed, of a mean and a standard deviation.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.RandomNormal(stddev=0.01, seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.001, -0.001],
           [ 0.006,  0.001]], dtype=float32)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = real_number(mean, "mean")
        self.stddev = real_number(stddev, "stddev", least=0)
        self.seed = _seed(seed)

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        return rng.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """As `RandomNormal`, but values more than two standard deviations from the mean are drawn again.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.TruncatedNormal(stddev=0.01, seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.001, -0.001],
           [ 0.006,  0.001]], dtype=float32)
    """

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        return self.mean + self.stddev * _truncated(shape, rng)


class RandomUniform(_Random):
    """Uniformly distributed from minval to maxval.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.RandomUniform(-0.1, 0.1, seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.027, -0.046],
           [-0.092, -0.097]], dtype=float32)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval = real_number(minval, "minval")
        self.maxval = real_number(maxval, "maxval", least=self.minval)
        self.seed = _seed(seed)

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        return rng.uniform(self.minval, self.maxval, shape)


class VarianceScaling(_Random):
    """Mean 0 and variance scale / n, so that values neither grow nor fade from layer to layer.

    Parameters
    ----------
    scale : float
        Above 0.
    mode : {"fan_in", "fan_out", "fan_avg"}
        What n is: the number of the layer's inputs, of its outputs, or the mean of both.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        The uniform one is limited by plus and minus sqrt(3 scale / n).  The truncated one is a normal one that is cut
        off at two of its standard deviations, and wider to have the variance still.
    seed : int, optional

    Examples
    --------
    >>> import fastnn
    >>> initializer = fastnn.initializers.VarianceScaling(scale=2.0, mode="fan_out", seed=0)
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=initializer)
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.143, -0.15 ],
           [ 0.728,  0.119]], dtype=float32)
    """

    MODES = ("fan_in", "fan_out", "fan_avg")
    DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None
    ) -> None:
        self.scale = real_number(scale, "scale", above=0)
        self.mode = lookup(mode, self.MODES, "mode")
        self.distribution = lookup(distribution, self.DISTRIBUTIONS, "distribution")
        self.seed = _seed(seed)

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        fan_in, fan_out = shape[0], shape[-1]
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = math.sqrt(self.scale / count)
        if self.distribution == "uniform":
            limit = math.sqrt(3) * deviation
            return rng.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return rng.normal(0, deviation, shape)
        return deviation / TRUNCATED_DEVIATION * _truncated(shape, rng)


class _Scaled(VarianceScaling):
    """A `VarianceScaling` with a name of its own."""

    options: tuple[float, str, str]  # scale, mode and distribution

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.options, seed=seed)


class GlorotUniform(_Scaled):
    """Uniform within plus and minus sqrt(6 / (inputs + outputs)); Glorot and Bengio, 2010.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.GlorotUniform(seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.335, -0.564],
           [-1.124, -1.184]], dtype=float32)
    """

    options = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal, of variance 2 / (inputs + outputs); Glorot and Bengio, 2010.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.GlorotNormal(seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.101, -0.106],
           [ 0.515,  0.084]], dtype=float32)
    """

    options = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform within plus and minus sqrt(6 / inputs), for relu; He et al., 2015.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.HeUniform(seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.474, -0.797],
           [-1.59 , -1.675]], dtype=float32)
    """

    options = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal, of variance 2 / inputs, for relu; He et al., 2015.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.HeNormal(seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.143, -0.15 ],
           [ 0.728,  0.119]], dtype=float32)
    """

    options = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform within plus and minus sqrt(3 / inputs), for selu; LeCun et al., 1998.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.LecunUniform(seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.335, -0.564],
           [-1.124, -1.184]], dtype=float32)
    """

    options = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal, of variance 1 / inputs, for selu; LeCun et al., 1998.

    Examples
    --------
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, kernel_initializer=fastnn.initializers.LecunNormal(seed=0))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.get_weights()[0].round(3)
    array([[ 0.101, -0.106],
           [ 0.515,  0.084]], dtype=float32)
    """

    options = (1.0, "fan_in", "truncated_normal")


class Orthogonal(_Random):
    """A matrix whose columns, or rows where they are fewer, have norm 1 and are orthogonal; Saxe et al., 2014.

    Parameters
    ----------
    gain : float
        What it is multiplied by.
    seed : int, optional
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = real_number(gain, "gain")
        self.seed = _seed(seed)

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        rows, columns = _matrix(shape, self)
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))  # which makes it uniform
        return self.gain * (q.T if rows < columns else q)


class Identity(Initializer):
    """1 on the diagonal and 0 elsewhere, times a gain: a layer gives on what comes in.

    Parameters
    ----------
    gain : float
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = real_number(gain, "gain")

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
        return self.gain * np.eye(*_matrix(shape, self))


_CLASSES: list[type[Initializer]] = [GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal]
_CLASSES += [Zeros, Ones, Constant, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, Orthogonal, Identity]
_NAMES: dict[str, type[Initializer]] = {snake_case(found.__name__): found for found in _CLASSES}
_NAMES |= {"normal": RandomNormal, "uniform": RandomUniform, "zero": Zeros, "one": Ones}  # Keras's other names
_NAMES |= {"orthogonal_initializer": Orthogonal, "identity_initializer": Identity}
OrthogonalInitializer, IdentityInitializer = Orthogonal, Identity


def get(identifier: object, argument: str = "initializer") -> Initializer:
    """Make an initializer of a name, a class or a configuration; an initializer is returned as it is."""
    return resolve(identifier, Initializer, _NAMES, argument)


def __getattr__(name: str) -> type[Initializer]:
    """Find a class by Keras's other name for it: initializers.he_normal()."""
    if name in _NAMES:
        return _NAMES[name]
    raise missing(__name__, name)


def _truncated(shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    """Draw standard normal values; those beyond -2 or 2 are drawn again."""
    values = rng.standard_normal(shape)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = rng.standard_normal(np.count_nonzero(beyond))
    return values


def _matrix(shape: tuple[int, ...], initializer: Initializer) -> tuple[int, int]:
    """The shape of a kernel, which these are for."""
    if len(shape) != 2:
        raise ValueError(
            f"{type(initializer).__name__} got the shape {shape}; wants (inputs, units): it is for kernels"
        )
    return shape[0], shape[1]


def _seed(seed: Any) -> int | None:
    """Check a seed: None, or an integer of at least 0."""
    return None if seed is None else positive_integer(seed, "seed", least=0)


publish(__name__)
