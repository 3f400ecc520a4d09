"""Scaling: a factor for each unit."""

from fastnn import initializers
from fastnn.data import real_number
from fastnn.engine import Engine, LayerPlan
from fastnn.typing import Array

from .weighted import Weighted


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
    def gamma(self) -> Array:
        """The factors, (units,): a view."""
        return self._built()["gamma"]

    def weight_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        return {"gamma": (inputs,)}

    def plan(self, inputs: int, number: int) -> LayerPlan:
        rate = {"kernel_rate": self.gamma_rate}
        return LayerPlan(inputs, use_bias=False, kind="scaling", constants=rate, use_gamma=True)

    def views(self, engine: Engine, place: int, vector: Array | None = None) -> dict[str, Array]:
        gamma = engine.gamma(place, vector)
        assert gamma is not None
        return {"gamma": gamma}
