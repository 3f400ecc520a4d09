"""Other formats of models, by the endings of files: who writes and who reads one is imported when it is asked for.

These packages stand above the models, and are found here by name.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

WRITERS = {".fastnn": "fastnn.models.saving", ".onnx": "fastnn.onnx", ".c": "fastnn.c", ".keras": "fastnn.keras"}
"""Packages whose ``export(model, path, **options)`` writes a model, by the ending."""

READERS = {".onnx": "fastnn.onnx", ".keras": "fastnn.keras"}
"""Packages whose ``load(path, backend=, threads=)`` makes a model of a file, by the ending."""

WEIGHTS = {".h5": "fastnn.keras", ".pt": "fastnn.torch", ".pth": "fastnn.torch"}
"""Packages whose ``save_weights(model, path)`` and ``load_weights(model, path)`` do so, by the ending."""


def ending(path: str | os.PathLike[str]) -> str:
    """The ending of a file's name, in small letters: ".onnx"."""
    return os.path.splitext(os.fspath(path))[1].lower()


def named(path: str | os.PathLike[str], known: Mapping[str, str]) -> Any:
    """The module that the ending of a path stands for.

    Raises
    ------
    ValueError
        No format has this ending; those that there are are named.
    """
    if (found := ending(path)) not in known:
        raise ValueError(f"path got {os.fspath(path)!r}; wants a name that ends in {', '.join(known)}")
    return module(known[found])


def module(name: str) -> Any:
    """One of the packages above."""
    return importlib.import_module(name)
