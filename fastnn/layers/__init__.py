"""Layers: what a model is built of."""

from fastnn.names import publish, serialize

# Errors list the kinds of layers in the order in which they are defined.
# isort: off
from .base import Activation, Input, InputLayer, Layer, Shape, deserialize, settings, unique_names
from .noise import AlphaDropout, Dropout, GaussianNoise, Noise
from .weighted import Weighted
from .normalization import BatchNormalization, LayerNormalization, Normalizing
from .dense import Dense, Scaling
from .shapes import Flatten, Reshape
from .fixed import Normalization, Rescaling
from .rectifiers import ELU, LeakyReLU, PReLU, ReLU, Softmax
from .weight import Values, Weight

__all__ = ["Activation", "AlphaDropout", "BatchNormalization", "Dense", "Dropout", "GaussianNoise", "Input", "Layer"]
__all__ += ["ELU", "Flatten", "InputLayer", "LayerNormalization", "LeakyReLU", "Noise", "Normalization", "Normalizing"]
__all__ += ["PReLU", "ReLU", "Rescaling", "Reshape", "Scaling", "Shape", "Softmax", "Values", "Weight", "Weighted"]
__all__ += ["deserialize", "serialize", "settings", "unique_names"]

publish(__name__)
