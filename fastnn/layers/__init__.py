"""Layers: what a model is built of."""

from fastnn.names import serialize

# Errors list the kinds of layers in the order in which they are defined.
# isort: off
from .base import Layer, deserialize, unique_names
from .input import Input
from .activation import Activation
from .noise import AlphaDropout, Dropout, GaussianNoise, Noise
from .weighted import Weighted
from .normalization import BatchNormalization, LayerNormalization, Normalization
from .scaling import Scaling
from .dense import Dense

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
