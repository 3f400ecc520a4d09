"""What the engine is told of one layer: its kind, its units, its activation and the constants of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from fastnn.kernels.formulas import ACTIVATIONS
from .functions import Function


class LayerPlan(NamedTuple):
    """One layer, of a kind in records.LAYER_KINDS, and its activation.

    Noise acts in place on the output of the layer before it, which therefore must not need that output on the way back.
    """

    units: int
    activation: str = "linear"
    parameter: float | Function = 0.0  # the activation's constant, or the function of one that is "custom"
    use_bias: bool = True  # of a normalisation: beta
    kind: str = "dense"
    constants: Mapping[str, float] = MappingProxyType({})  # fields of the layer's record
    use_gamma: bool = False

    @property
    def dense(self) -> bool:
        return self.kind == "dense"

    @property
    def noise(self) -> bool:
        return self.kind in ("dropout", "gaussian_noise")

    def suits(self, before: LayerPlan) -> bool:
        """Whether this noise may act in place on the output of that layer, whose slope must not follow from the output.

        Dropout may act on a relu's, though that one's does: what is dropped becomes 0, what is scaled keeps its sign.
        """
        if before.activation == "relu":
            return self.kind == "dropout" and self.constants["dropped"] == 0
        return before.activation in ("linear", "custom") or ACTIVATIONS[before.activation].keeps_slope

    @property
    def scales(self) -> bool:
        """Whether it may have a gamma and a beta: a normalisation, a scaling, or a rectifier."""
        return self.kind in ("batch_normalization", "layer_normalization", "scaling", "rectifier")

    @property
    def trained(self) -> bool:
        """Whether it has parameters."""
        return self.dense or (self.scales and (self.use_bias or self.use_gamma))
