"""Layers: what a model is built of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import activations, initializers, regularizers
from fastnn.data import positive_integer, real_number
from fastnn.names import Configurable, serialize, snake_case, unique
from fastnn.names import deserialize as from_description

__all__ = [
    "Activation",
    "AlphaDropout",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "GaussianNoise",
    "Input",
    "Layer",
    "LayerNormalization",
    "Noise",
    "Normalization",
    "Scaling",
    "Weighted",
    "deserialize",
    "serialize",
    "unique_names",
]

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


class Noise(Layer):
    """Base of the layers that change what passes at random, in training only.

    What is random follows from the seed of fit, the number of the update, the layer, the row of the batch and the
    column alone: it is the same for any number of threads and on every backend, and is not kept in memory.

    Parameters
    ----------
    seed : int, optional
        Default: the layer's place in the model.  Layers of the same seed draw the same numbers.
    name : str, optional
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self.seed = None if seed is None else positive_integer(seed, "seed", least=0)


class Dropout(Noise):
    """Makes a part of the values 0, and scales the others by 1 / (1 - rate).

    Parameters
    ----------
    rate : float
        How many; from 0 to below 1.
    seed : int, optional
    name : str, optional
    """

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(seed, name)
        self.rate = real_number(rate, "rate", least=0, below=1)


class AlphaDropout(Noise):
    """Dropout for selu: puts values at its lower end, and keeps mean 0 and variance 1 (Klambauer et al., 2017).

    Parameters
    ----------
    rate : float
        How many; from 0 to below 1.
    seed : int, optional
    name : str, optional
    """

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(seed, name)
        self.rate = real_number(rate, "rate", least=0, below=1)


class GaussianNoise(Noise):
    """Adds normally distributed numbers of mean 0.

    Parameters
    ----------
    stddev : float
        Their standard deviation; at least 0.
    seed : int, optional
    name : str, optional
    """

    def __init__(self, stddev: float, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(seed, name)
        self.stddev = real_number(stddev, "stddev", least=0)


class Weighted(Layer):
    """Base of the layers that have weights.  A model that holds one puts views and a setter in place."""

    _views: dict[str, Weights] | None = None
    _assign: Callable[[Sequence[ArrayLike]], None] | None = None

    def _view(self, name: str) -> Weights | None:
        return self._held().get(name)

    def _held(self) -> dict[str, Weights]:
        if self._views is None:
            raise self._not_built()
        return self._views

    def _initial(self, inputs: int, rng: np.random.Generator) -> list[Weights]:
        """What the weights begin as, in their order."""
        raise NotImplementedError

    def get_weights(self) -> list[Weights]:
        """Copies of the layer's weights, in order."""
        return [view.copy() for view in self._held().values()]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace the layer's weights, in the order of get_weights; all or none."""
        if self._assign is None:
            raise self._not_built()
        self._assign(weights)

    def count_params(self) -> int:
        """How many numbers the layer learns."""
        return sum(view.size for view in self._held().values())

    def _not_built(self) -> RuntimeError:
        return RuntimeError(
            f"the layer {self.name!r} has no weights before its model is built: "
            "call model.build(inputs) or model.fit, or begin the model with Input"
        )


class Normalization(Weighted):
    """Base of the layers that shift and scale: output = (input - mean) / sqrt(variance + epsilon) * gamma + beta."""

    def __init__(
        self,
        axis: int,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: str | initializers.Initializer,
        gamma_initializer: str | initializers.Initializer,
        name: str | None,
    ) -> None:
        super().__init__(name)
        if axis not in (-1, 1):
            raise ValueError(f"axis got {axis!r}; wants -1, the units: rows are the other axis")
        for value, argument in ((center, "center"), (scale, "scale")):
            if not isinstance(value, bool):
                raise TypeError(f"{argument} got {value!r}; wants True or False")
        self.axis = axis
        self.epsilon = real_number(epsilon, "epsilon", above=0)
        self.center, self.scale = center, scale
        self.beta_initializer = initializers.get(beta_initializer, "beta_initializer")
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")

    @property
    def gamma(self) -> Weights | None:
        """The factors, (units,): a view; None where there are none."""
        return self._view("gamma")

    @property
    def beta(self) -> Weights | None:
        """What is added, (units,): a view; None where nothing is."""
        return self._view("beta")

    def _initial(self, inputs: int, rng: np.random.Generator) -> list[Weights]:
        gamma = [self.gamma_initializer((inputs,), rng)] if self.scale else []
        return gamma + ([self.beta_initializer((inputs,), rng)] if self.center else [])

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Those of gamma and beta, where there are such."""
        return {name: (inputs,) for name, there in (("gamma", self.scale), ("beta", self.center)) if there}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        config = super().get_config()
        return config | {name: serialize(config[name]) for name in config if name.endswith("_initializer")}


class BatchNormalization(Normalization):
    """Normalises each unit over the batch, in training; by moving statistics of the batches otherwise.

    moving <- momentum moving + (1 - momentum) batch, for mean and variance; the variance is the biased one, as in
    Keras (PyTorch's moving one is not, and its momentum is 1 - momentum).  Ioffe and Szegedy, 2015.

    Parameters
    ----------
    axis : int
        -1; taken for Keras's sake.
    momentum : float
        From 0 to 1.
    epsilon : float
        Above 0.
    center, scale : bool
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer : str or initializers.Initializer
    moving_mean_initializer, moving_variance_initializer : str or initializers.Initializer
    name : str, optional

    Attributes
    ----------
    gamma, beta : ndarray, (units,), or None
    moving_mean, moving_variance : ndarray, (units,)
        Views of the model's weights, there once the model is built.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: str | initializers.Initializer = "zeros",
        gamma_initializer: str | initializers.Initializer = "ones",
        moving_mean_initializer: str | initializers.Initializer = "zeros",
        moving_variance_initializer: str | initializers.Initializer = "ones",
        name: str | None = None,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, name)
        self.momentum = real_number(momentum, "momentum", least=0, most=1)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer, "moving_mean_initializer")
        self.moving_variance_initializer = initializers.get(moving_variance_initializer, "moving_variance_initializer")

    @property
    def moving_mean(self) -> Weights:
        """(units,): a view."""
        return self._held()["moving_mean"]

    @property
    def moving_variance(self) -> Weights:
        """(units,): a view."""
        return self._held()["moving_variance"]

    def _initial(self, inputs: int, rng: np.random.Generator) -> list[Weights]:
        moving = self.moving_mean_initializer, self.moving_variance_initializer
        return super()._initial(inputs, rng) + [initializer((inputs,), rng) for initializer in moving]

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Those of gamma and beta, where there are such, and of the moving statistics."""
        return super().weight_shapes(inputs) | {"moving_mean": (inputs,), "moving_variance": (inputs,)}


class LayerNormalization(Normalization):
    """Normalises each row over its units.  Ba, Kiros and Hinton, 2016.

    Parameters
    ----------
    axis : int
        -1; taken for Keras's sake.
    epsilon : float
        Above 0.
    center, scale : bool
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer : str or initializers.Initializer
    name : str, optional

    Attributes
    ----------
    gamma, beta : ndarray, (units,), or None
        Views of the model's weights, there once the model is built.
    """

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: str | initializers.Initializer = "zeros",
        gamma_initializer: str | initializers.Initializer = "ones",
        name: str | None = None,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, name)


class Scaling(Weighted):
    """Multiplies each unit by a weight of its own: output = input * gamma.

    As a first layer it learns how much each input counts.

    Parameters
    ----------
    gamma_initializer : str or initializers.Initializer
    gamma_rate : float
        The optimizer's steps of gamma are multiplied by it; at least 0.
    name : str, optional

    Attributes
    ----------
    gamma : ndarray, (units,)
        A view of the model's weights, there once the model is built.
    """

    def __init__(
        self,
        gamma_initializer: str | initializers.Initializer = "ones",
        gamma_rate: float = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")
        self.gamma_rate = real_number(gamma_rate, "gamma_rate", least=0)

    @property
    def gamma(self) -> Weights:
        """The factors, (units,): a view."""
        return self._held()["gamma"]

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """That of gamma."""
        return {"gamma": (inputs,)}

    def _initial(self, inputs: int, rng: np.random.Generator) -> list[Weights]:
        return [self.gamma_initializer((inputs,), rng)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        own = {"gamma_initializer": serialize(self.gamma_initializer), "gamma_rate": self.gamma_rate}
        return super().get_config() | own


class Dense(Weighted):
    """Every unit sees every input: output = activation(input @ kernel + bias).

    Parameters
    ----------
    units : int
        How many outputs the layer has.
    activation : str or activations.Activation, optional
        Default: linear.
    use_bias : bool
    kernel_initializer, bias_initializer : str or initializers.Initializer
    kernel_regularizer, bias_regularizer : str or regularizers.Regularizer, optional
        Penalties on the weights.
    kernel_rate, bias_rate : float
        What the optimizer's steps of the kernel, and of the bias, are multiplied by, weight decay with them; at least
        0, and 0 leaves them as they are.
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
        kernel_regularizer: str | regularizers.Regularizer | None = None,
        bias_regularizer: str | regularizers.Regularizer | None = None,
        kernel_rate: float = 1.0,
        bias_rate: float = 1.0,
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
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.kernel_rate = real_number(kernel_rate, "kernel_rate", least=0)
        self.bias_rate = real_number(bias_rate, "bias_rate", least=0)
        if input_shape is not None:
            self.input_size = _only(input_shape, "input_shape")
        if input_dim is not None:
            dim = positive_integer(input_dim, "input_dim")
            if self.input_size not in (None, dim):
                raise ValueError(f"input_dim got {dim}, but input_shape says {self.input_size}")
            self.input_size = dim

    @property
    def kernel(self) -> Weights:
        """The weights, (inputs, units): a view."""
        return self._held()["kernel"]

    @property
    def bias(self) -> Weights | None:
        """The bias, (units,): a view; None where there is none."""
        return self._view("bias")

    def _initial(self, inputs: int, rng: np.random.Generator) -> list[Weights]:
        kernel = self.kernel_initializer((inputs, self.units), rng)
        return [kernel] + ([self.bias_initializer((self.units,), rng)] if self.use_bias else [])

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """The kernel's, and the bias's where there is one."""
        return {"kernel": (inputs, self.units), **({"bias": (self.units,)} if self.use_bias else {})}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        return {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_rate": self.kernel_rate,
            "bias_rate": self.bias_rate,
            "name": self.name,
            "input_dim": self.input_size,
        }


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
