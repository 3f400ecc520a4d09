"""Registers the converters of `.pipelines` in skl2onnx: at once where that is imported, else as soon as it is.

skl2onnx takes seconds to import, with all of scikit-learn, which most who export a network need not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

CONVERTS = "skl2onnx"


def register() -> None:
    """Register the converters, now or once skl2onnx has been imported."""
    if CONVERTS in sys.modules:
        _registered()
    elif not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _registered() -> None:
    from . import pipelines

    pipelines.register()


class _Finder(MetaPathFinder):
    """Finds skl2onnx as the others do, until it has been imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != CONVERTS:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = None if spec.loader is None else _Loader(spec.loader, self)
                return spec
        return None


class _Loader(Loader):
    """Loads a module as another does, and registers the converters then."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self._loader, self._finder = loader, finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        _registered()
