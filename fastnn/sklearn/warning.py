"""Warnings that point at the line that called an estimator."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn"]

PASSED = ("fastnn.sklearn.", "sklearn.callback.")
"""Modules whose frames lie between a fit and whoever called it."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of a fit, at the line that called the estimator's method."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(PASSED):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
