"""Layers: what a model is built of."""

from fastnn.names import publish, serialize

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

publish(__name__, "serialize")
