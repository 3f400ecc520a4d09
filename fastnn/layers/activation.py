"""Activation: an activation as a layer of its own."""

from typing import Any

from fastnn import activations
from fastnn.engine import LayerPlan

from .base import Layer


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

    def plan(self, inputs: int, number: int) -> LayerPlan:
        return LayerPlan(inputs, self.activation.name, self.activation.parameter, False, "activation")

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"activation": activations.serialize(self.activation)}
