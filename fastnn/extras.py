"""Packages that an extra brings: imported when they are needed, and named when they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from .version import DISTRIBUTION


def require(module: str, extra: str) -> Any:
    """Import ``module``; where it is missing, say which extra of fastnn brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # it is there, but something that it needs is not
        raise ModuleNotFoundError(
            f"this needs {package}, which is not installed: pip install '{DISTRIBUTION}[{extra}]'", name=error.name
        ) from None
