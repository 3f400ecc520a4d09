"""Layers: what a model is built of."""

from fastnn.names import publish, serialize

# Errors list the kinds of layers in the order in which they are defined.
# isort: off
from .base import Activation, Input, Layer, deserialize, settings, unique_names
from .noise import AlphaDropout, Dropout, GaussianNoise, Noise
from .weighted import Weighted
from .normalization import BatchNormalization, LayerNormalization, Normalization
from .dense import Dense, Scaling

__all__ = ["Activation", "AlphaDropout", "BatchNormalization", "Dense", "Dropout", "GaussianNoise", "Input", "Layer"]
__all__ += ["LayerNormalization", "Noise", "Normalization", "Scaling", "Weighted", "deserialize", "serialize"]
__all__ += ["unique_names"]

publish(__name__)
