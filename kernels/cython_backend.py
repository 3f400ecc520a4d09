"""The kernels through the Cython extension: the build for this processor's instruction set."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from .machine import instruction_set


def load(dtype: str) -> Callable[[int, int, int], int]:
    """The kernels' entry for "float32" or "float64".  Raises ImportError where the extension was not built."""
    module = importlib.import_module(f"._cython_{instruction_set()[0]}", __package__)
    run: Callable[[int, int, int], int] = getattr(module, dtype)
    return run
