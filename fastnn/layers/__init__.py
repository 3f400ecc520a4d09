"""Layers: what a model is built of."""

from .base import (
    Activation,
    AlphaDropout,
    BatchNormalization,
    Dense,
    Dropout,
    GaussianNoise,
    Input,
    Layer,
    LayerNormalization,
    Noise,
    Normalization,
    Scaling,
    Weighted,
    deserialize,
    serialize,
    unique_names,
)

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
