"""Layers of fixed numbers, Rescaling and Normalization, for which torch.nn has no module: put into the layer behind.

Dense of a x + c is Dense of x with other weights: kernel_ij a_i, and bias_j + sum_i c_i kernel_ij.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.layers import Activation, Dense, Flatten, Layer, Normalization, Rescaling, Reshape
from fastnn.models import Sequential
from fastnn.typing import Array

FIXED = (Rescaling, Normalization)


def folded(model: Sequential) -> dict[Layer, dict[str, Array]]:
    """The weights, "kernel" and "bias", of each Dense layer that has layers of fixed numbers before it; in float64.

    ValueError: something else than a Dense layer with a bias is behind such a layer.
    """
    engine = model._built()
    found: dict[Layer, dict[str, Array]] = {}
    pending: tuple[Layer, Array, Array] | None = None
    for layer, place in zip(model._layers, model._places, strict=True):
        vectors = {name: np.array(view, np.float64) for name, view in engine.parameters.views(place).items()}
        if isinstance(layer, FIXED):
            factor, offset = vectors["factor"], vectors["offset"] - vectors["center"] * vectors["factor"]
            if pending is not None:
                factor, offset = factor * pending[1], factor * pending[2] + offset
            pending = layer, factor, offset
        elif pending is not None and isinstance(layer, Dense) and (layer.use_bias or not pending[2].any()):
            _, factor, offset = pending
            bias = {"bias": vectors["bias"] + offset @ vectors["kernel"]} if layer.use_bias else {}
            found[layer], pending = {"kernel": factor[:, np.newaxis] * vectors["kernel"], **bias}, None
        elif pending is not None and not _passes(layer):
            break
    if pending is not None:
        raise ValueError(f"the layer {pending[0].name!r} got fold=True; wants a Dense layer with a bias behind it")
    return found


def _passes(layer: Any) -> bool:
    """Whether a layer gives on what comes in."""
    linear = isinstance(layer, Activation) and layer.activation.name == "linear"
    return linear or isinstance(layer, (Flatten, Reshape))
