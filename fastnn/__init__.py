"""Dense networks on a CPU, trained and run by compiled kernels, with the names of Keras.

>>> import fastnn
>>> model = fastnn.Sequential([fastnn.layers.Dense(8, activation="tanh"), fastnn.layers.Dense(1)])
>>> model.compile(optimizer="adam", loss="mse")
>>> history = model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0], epochs=10, verbose=0)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import environment as environment  # which it reads now
from .absent import missing

if TYPE_CHECKING:
    from . import (
        activations,
        backend,
        callbacks,
        constraints,
        data,
        datasets,
        distribution,
        ensemble,
        initializers,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        plot,
        regularizers,
        schedules,
        utils,
    )
    from . import c as c
    from . import keras as keras
    from . import learn as learn
    from . import onnx as onnx
    from . import sklearn as sklearn
    from . import torch as torch
    from .callbacks import Callback
    from .ensemble import Ensemble
    from .errors import DivergenceWarning, ModelFileError
    from .initializers import Initializer
    from .layers import Input, Layer
    from .losses import Loss
    from .metrics import Metric
    from .models import Sequential, load_model
    from .optimizers import Optimizer
    from .regularizers import Regularizer
    from .training import gradient_descent

    __version__: str

_MODULES = {"DivergenceWarning": "errors", "ModelFileError": "errors", "Input": "layers", "Sequential": "models"}
_MODULES |= {"Ensemble": "ensemble", "gradient_descent": "training", "load_model": "models"}
_MODULES |= {"Callback": "callbacks", "Initializer": "initializers", "Layer": "layers", "Loss": "losses"}  # as in Keras
_MODULES |= {"Metric": "metrics", "Optimizer": "optimizers", "Regularizer": "regularizers"}

__all__ = [
    "DivergenceWarning",
    "Ensemble",
    "Input",
    "ModelFileError",
    "Sequential",
    "__version__",
    "activations",
    "backend",
]
__all__ += [
    "callbacks",
    "constraints",
    "data",
    "datasets",
    "distribution",
    "ensemble",
    "gradient_descent",
    "initializers",
    "layers",
    "load_model",
]
__all__ += ["losses"]
__all__ += ["metrics", "models", "optimizers", "plot", "regularizers", "schedules", "utils"]
__all__ += ["Callback", "Initializer", "Layer", "Loss", "Metric", "Optimizer", "Regularizer"]

_ON_REQUEST = [
    "c",
    "keras",
    "learn",
    "onnx",
    "sklearn",
    "torch",
]  # packages that `from fastnn import *` leaves out: they may want an extra


def __getattr__(name: str) -> Any:
    """Import what is asked for: `import fastnn` alone is quick, and loads no kernel."""
    if name not in __all__ and name not in _ON_REQUEST:
        raise missing(__name__, name)
    value: Any
    if name == "__version__":
        value = importlib.import_module(".version", __name__).VERSION
    elif name in _MODULES:
        value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    else:
        value = importlib.import_module(f".{name}", __name__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_ON_REQUEST])
