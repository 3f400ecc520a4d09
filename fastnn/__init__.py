"""Dense networks on a CPU, trained and run by compiled kernels, with the names of Keras.

>>> import fastnn
>>> model = fastnn.Sequential([fastnn.layers.Dense(8, activation="tanh"), fastnn.layers.Dense(1)])
>>> model.compile(optimizer="adam", loss="mse")
>>> history = model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0], epochs=10, verbose=0)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        activations,
        callbacks,
        data,
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
    from .errors import DivergenceWarning, ModelFileError
    from .layers import Input
    from .models import Sequential, load_model
    from .training import gradient_descent

    __version__: str

__all__ = ["DivergenceWarning", "Input", "ModelFileError", "Sequential", "__version__", "activations", "callbacks"]
__all__ += ["data", "gradient_descent", "initializers", "layers", "load_model", "losses", "metrics", "models"]
__all__ += ["optimizers", "plot", "regularizers", "schedules", "utils"]

_MODULES = {"DivergenceWarning": "errors", "ModelFileError": "errors", "Input": "layers", "Sequential": "models"}
_MODULES |= {"gradient_descent": "training", "load_model": "models"}


def __getattr__(name: str) -> Any:
    """Import what is asked for: `import fastnn` alone is quick, and loads no kernel."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
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
    return sorted({*globals(), *__all__})
