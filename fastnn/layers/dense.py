"""Layers that multiply what comes in by weights: Dense, where every unit sees every input, and Scaling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn import activations, constraints, initializers, regularizers
from fastnn.data import boolean, positive_integer, real_number
from fastnn.engine import LayerPlan
from fastnn.typing import Array
from .base import Shape, row_shape
from .weighted import Weighted


class Scaling(Weighted):
    """Multiplies each unit by a weight of its own: output = input * gamma.

    As a first layer it learns how much each input counts.

    Parameters
    ----------
    gamma_initializer : str or initializers.Initializer
    gamma_rate : float
        The optimizer's steps of gamma are multiplied by it; at least 0.
    gamma_constraint : str or constraints.Constraint, optional
        What it is brought to after each update.
    name : str, optional
    trainable : bool
        Whether training changes the weights; an attribute too, which may be set.

    Attributes
    ----------
    gamma : ndarray, (units,)
        A view of the model's weights, there once the model is built.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.Scaling()], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-1.,  2.]], dtype=float32)
    """

    def __init__(
        self,
        gamma_initializer: str | initializers.Initializer = "ones",
        gamma_rate: float = 1.0,
        gamma_constraint: str | constraints.Constraint | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name, trainable)
        self.gamma_constraint = constraints.get(gamma_constraint, "gamma_constraint")
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")
        self.gamma_rate = real_number(gamma_rate, "gamma_rate", least=0)

    @property
    def gamma(self) -> Array:
        """The factors, (units,): a view."""
        return self._built()["gamma"]

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        return {"gamma": (inputs,)}

    def plan(self, inputs: int, number: int) -> LayerPlan:
        constants = {"kernel_rate": self.gamma_rate} | self.constraints(kernel=self.gamma_constraint)
        return LayerPlan(inputs, use_bias=False, kind="scaling", constants=constants, use_gamma=True)


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
    kernel_constraint, bias_constraint : str or constraints.Constraint, optional
        What they are brought to after each update.
    kernel_rate, bias_rate : float
        What the optimizer's steps of the kernel, and of the bias, are multiplied by, weight decay with them; at least
        0, and 0 leaves them as they are.
    name : str, optional
    trainable : bool
        Whether training changes the weights; an attribute too, which may be set.
    input_shape : tuple of int, optional
        (inputs,), for the first layer of a model; or `input_dim`.
    input_dim : int, optional

    Attributes
    ----------
    kernel : ndarray, (inputs, units)
    bias : ndarray, (units,), or None
        Views of the model's weights, there once the model is built.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> layer = fastnn.layers.Dense(2, activation="relu", kernel_initializer="ones")
    >>> model = fastnn.Sequential([fastnn.Input((3,)), layer])
    >>> model.predict(np.array([[1.0, 2.0, 3.0]]))
    array([[6., 6.]], dtype=float32)
    >>> [weight.shape for weight in model.get_weights()]
    [(3, 2), (2,)]
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
        kernel_constraint: str | constraints.Constraint | None = None,
        bias_constraint: str | constraints.Constraint | None = None,
        kernel_rate: float = 1.0,
        bias_rate: float = 1.0,
        name: str | None = None,
        trainable: bool = True,
        input_shape: Sequence[int] | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__(name, trainable)
        self.units = positive_integer(units, "units")
        self.activation = activations.get(activation)
        self.use_bias = boolean(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.kernel_constraint = constraints.get(kernel_constraint, "kernel_constraint")
        self.bias_constraint = constraints.get(bias_constraint, "bias_constraint")
        self.kernel_rate = real_number(kernel_rate, "kernel_rate", least=0)
        self.bias_rate = real_number(bias_rate, "bias_rate", least=0)
        if input_shape is not None:
            self.input_shape = row_shape(input_shape, "input_shape")
        if input_dim is not None:
            dim = positive_integer(input_dim, "input_dim")
            if self.input_shape not in (None, (dim,)):
                raise ValueError(f"input_dim got {dim}, but input_shape says {self.input_size}")
            self.input_shape = (dim,)

    @property
    def kernel(self) -> Array:
        """The weights, (inputs, units): a view."""
        return self._built()["kernel"]

    @property
    def bias(self) -> Array | None:
        """The bias, (units,): a view; None where there is none."""
        return self._view("bias")

    def output_shape(self, shape: Shape | None) -> Shape:
        self.flat(shape)
        return (self.units,)

    def plan(self, inputs: int, number: int) -> LayerPlan:
        """A matrix and an activation, with the rates and penalties of the weights."""
        constants = {"kernel_rate": self.kernel_rate, "bias_rate": self.bias_rate}
        for part, regularizer in (("kernel", self.kernel_regularizer), ("bias", self.bias_regularizer)):
            if regularizer is not None:
                constants |= {"penalized": 1, f"{part}_l1": regularizer.l1, f"{part}_l2": regularizer.l2}
        constants |= self.constraints(kernel=self.kernel_constraint, bias=self.bias_constraint)
        activation = self.activation
        return LayerPlan(self.units, activation.name, activation.parameter, self.use_bias, constants=constants)

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        return {"kernel": (inputs, self.units), **({"bias": (self.units,)} if self.use_bias else {})}

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"input_dim": self.input_size}

    @classmethod
    def _arguments(cls) -> list[str]:
        return [name for name in super()._arguments() if name not in ("input_shape", "input_dim")]
