"""Activations that Keras has as layers: ReLU, LeakyReLU, PReLU, ELU and Softmax."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fastnn import activations, constraints, initializers, regularizers
from fastnn.data import real_number
from fastnn.engine import Engine, LayerPlan
from fastnn.typing import Array
from .base import Activation, Plain
from .weighted import Weighted


class ReLU(Plain):
    """f(x) = x above the threshold, but at most max_value; negative_slope (x - threshold) below.

    Parameters
    ----------
    max_value : float, optional
    negative_slope : float
    threshold : float
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.ReLU(max_value=1.0)], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-0.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name, trainable)
        self.max_value = None if max_value is None else real_number(max_value, "max_value", least=0)
        self.negative_slope = real_number(negative_slope, "negative_slope", least=0)
        self.threshold = real_number(threshold, "threshold", least=0)

    def plan(self, inputs: int, number: int) -> LayerPlan:
        """One of the plain activations, which may be that of the layer before, where it is such a one."""
        limit = math.inf if self.max_value is None else self.max_value
        if self.threshold == 0 and limit == math.inf:
            name = "leaky_relu" if self.negative_slope else "relu"
            return LayerPlan(inputs, name, self.negative_slope, False, "activation")
        if (self.threshold, self.negative_slope, limit) == (0, 0, 6):
            return LayerPlan(inputs, "relu6", 0.0, False, "activation")
        constants = {"threshold": self.threshold, "scale": self.negative_slope, "limit": limit}
        return LayerPlan(inputs, use_bias=False, kind="rectifier", constants=constants)


class LeakyReLU(Activation):
    """f(x) = x where x > 0, else negative_slope x.

    Parameters
    ----------
    negative_slope : float
        0.3, as Keras's layer has it; the activation "leaky_relu" has 0.2.
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.
    alpha : float, optional
        An older name of negative_slope.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.LeakyReLU(0.1)], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-0.1,  2. ]], dtype=float32)
    """

    def __init__(
        self, negative_slope: float = 0.3, name: str | None = None, trainable: bool = True, alpha: float | None = None
    ) -> None:
        self.negative_slope = real_number(negative_slope if alpha is None else alpha, "negative_slope", least=0)
        super().__init__(activations.LeakyReLU(self.negative_slope), name, trainable)

    @classmethod
    def _arguments(cls) -> list[str]:
        return ["negative_slope", "name", "trainable"]


class ELU(Activation):
    """f(x) = x where x > 0, else alpha (exp(x) - 1).

    Parameters
    ----------
    alpha : float
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.ELU()], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-0.63212055,  2.        ]], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, name: str | None = None, trainable: bool = True) -> None:
        self.alpha = real_number(alpha, "alpha")
        super().__init__(activations.ELU(self.alpha), name, trainable)


class Softmax(Activation):
    """exp(x_i) / sum_j exp(x_j), over each row; for the end of a model.

    Parameters
    ----------
    axis : int
        -1; taken for Keras's sake.
    name : str, optional
    trainable : bool
        Taken for Keras's sake: there is nothing to train.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.Softmax()], seed=0)
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[0.04742587, 0.95257413]], dtype=float32)
    """

    def __init__(self, axis: int = -1, name: str | None = None, trainable: bool = True) -> None:
        if axis not in (-1, 1):
            raise ValueError(f"axis got {axis!r}; wants -1, the units of a row")
        self.axis = axis
        super().__init__("softmax", name, trainable)


class PReLU(Weighted):
    """f(x) = x where x > 0, else alpha x, with a learned alpha for each unit.  He et al., 2015.

    Parameters
    ----------
    alpha_initializer : str or initializers.Initializer
    alpha_regularizer : str or regularizers.Regularizer, optional
    alpha_constraint : str or constraints.Constraint, optional
        What it is brought to after each update.
    shared_axes : sequence, optional
        Taken for Keras's sake: None, for rows have one axis.
    name : str, optional
    trainable : bool
        Whether training changes alpha; an attribute too, which may be set.

    Attributes
    ----------
    alpha : ndarray, (units,)
        A view of the model's weights, there once the model is built.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> layer = fastnn.layers.PReLU(alpha_initializer=fastnn.initializers.Constant(0.25))
    >>> model = fastnn.Sequential([fastnn.Input((2,)), layer])
    >>> model.predict(np.array([[-1.0, 2.0]]))
    array([[-0.25,  2.  ]], dtype=float32)
    """

    def __init__(
        self,
        alpha_initializer: str | initializers.Initializer = "zeros",
        alpha_regularizer: str | regularizers.Regularizer | None = None,
        alpha_constraint: str | constraints.Constraint | None = None,
        shared_axes: Sequence[int] | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name, trainable)
        if shared_axes is not None:
            raise ValueError(f"shared_axes got {shared_axes!r}; wants None: an alpha a unit")
        self.shared_axes = shared_axes
        self.alpha_initializer = initializers.get(alpha_initializer, "alpha_initializer")
        self.alpha_regularizer = regularizers.get(alpha_regularizer, "alpha_regularizer")
        self.alpha_constraint = constraints.get(alpha_constraint, "alpha_constraint")

    _base_name = "p_re_lu"  # Keras's spelling

    @property
    def alpha(self) -> Array:
        """The slopes below zero, (units,): a view."""
        return self._built()["alpha"]

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        return {"alpha": (inputs,)}

    def views(self, engine: Engine, place: int, vector: Array | None = None) -> dict[str, Array]:
        return dict(zip(["alpha"], super().views(engine, place, vector).values(), strict=False))

    def plan(self, inputs: int, number: int) -> LayerPlan:
        constants = {"limit": math.inf} | self.constraints(kernel=self.alpha_constraint)
        if self.alpha_regularizer is not None:
            penalty = self.alpha_regularizer
            constants |= {"penalized": 1, "kernel_l1": penalty.l1, "kernel_l2": penalty.l2}
        return LayerPlan(inputs, use_bias=False, kind="rectifier", constants=constants, use_gamma=True)
