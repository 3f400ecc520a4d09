"""Layers that normalise: over the batch, or over the units of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from fastnn import constraints, initializers
from fastnn.data import boolean, real_number
from fastnn.engine import LayerPlan
from fastnn.typing import Array
from .weighted import Weighted

MOVING = ("moving_mean", "moving_variance")


class Normalizing(Weighted):
    """Base of the layers that shift and scale: output = (input - mean) / sqrt(variance + epsilon) * gamma + beta."""

    _kind: str

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: str | initializers.Initializer = "zeros",
        gamma_initializer: str | initializers.Initializer = "ones",
        beta_constraint: str | constraints.Constraint | None = None,
        gamma_constraint: str | constraints.Constraint | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name, trainable)
        if axis not in (-1, 1):
            raise ValueError(f"axis got {axis!r}; wants -1, the units: rows are the other axis")
        self.axis = axis
        self.epsilon = real_number(epsilon, "epsilon", above=0)
        self.center, self.scale = boolean(center, "center"), boolean(scale, "scale")
        self.beta_initializer = initializers.get(beta_initializer, "beta_initializer")
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")
        self.beta_constraint = constraints.get(beta_constraint, "beta_constraint")
        self.gamma_constraint = constraints.get(gamma_constraint, "gamma_constraint")

    @property
    def gamma(self) -> Array | None:
        """The factors, (units,): a view; None where there are none."""
        return self._view("gamma")

    @property
    def beta(self) -> Array | None:
        """What is added, (units,): a view; None where nothing is."""
        return self._view("beta")

    def plan(self, inputs: int, number: int) -> LayerPlan:
        constants = self._constants()
        return LayerPlan(inputs, use_bias=self.center, kind=self._kind, constants=constants, use_gamma=self.scale)

    def _constants(self) -> dict[str, float]:
        """Fields of the layer's record."""
        held = self.constraints(
            kernel=self.gamma_constraint if self.scale else None, bias=self.beta_constraint if self.center else None
        )
        return {"epsilon": self.epsilon} | held

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Those of gamma and beta, where there are such."""
        return {name: (inputs,) for name, there in (("gamma", self.scale), ("beta", self.center)) if there}


class BatchNormalization(Normalizing):
    """Normalises each unit: over the batch in training, and by moving statistics of the batches otherwise.

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
    beta_constraint, gamma_constraint : str or constraints.Constraint, optional
        What they are brought to after each update.
    moving_mean_initializer, moving_variance_initializer : str or initializers.Initializer
    name : str, optional
    trainable : bool
        Whether training changes the weights; an attribute too, which may be set.

    Attributes
    ----------
    gamma, beta : ndarray, (units,), or None
    moving_mean, moving_variance : ndarray, (units,)
        Views of the model's weights, there once the model is built.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.BatchNormalization()], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-0.9995003,  1.9990005]], dtype=float32)
    """

    _kind = "batch_normalization"
    untrained = MOVING

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
        beta_constraint: str | constraints.Constraint | None = None,
        gamma_constraint: str | constraints.Constraint | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        drawn, held = (beta_initializer, gamma_initializer), (beta_constraint, gamma_constraint)
        super().__init__(axis, epsilon, center, scale, *drawn, *held, name, trainable)
        self.momentum = real_number(momentum, "momentum", least=0, most=1)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer, "moving_mean_initializer")
        self.moving_variance_initializer = initializers.get(moving_variance_initializer, "moving_variance_initializer")

    @property
    def moving_mean(self) -> Array:
        """(units,): a view."""
        return self._built()["moving_mean"]

    @property
    def moving_variance(self) -> Array:
        """(units,): a view."""
        return self._built()["moving_variance"]

    def _constants(self) -> dict[str, float]:
        return super()._constants() | {"momentum": self.momentum}

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Those of gamma and beta, where there are such, and of the moving statistics."""
        return super().weight_shapes(inputs) | dict.fromkeys(MOVING, (inputs,))

    def checked(self, weights: Sequence[ArrayLike], views: Mapping[str, Array] | None = None) -> list[Array]:
        """New weights as arrays, if they are of the right number and shapes, and finite; no variance is below 0."""
        arrays = super().checked(weights, views)
        if (arrays[-1] < 0).any():
            raise ValueError(f"weights got a moving_variance below 0 for {self.name!r}; wants at least 0")
        return arrays


class LayerNormalization(Normalizing):
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
    beta_constraint, gamma_constraint : str or constraints.Constraint, optional
        What they are brought to after each update.
    name : str, optional
    trainable : bool
        Whether training changes the weights; an attribute too, which may be set.

    Attributes
    ----------
    gamma, beta : ndarray, (units,), or None
        Views of the model's weights, there once the model is built.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.LayerNormalization()], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-0.99977785,  0.99977785]], dtype=float32)
    """

    _kind = "layer_normalization"
