"""What can go wrong in a way of its own; everything else is a ValueError, a TypeError or an OSError."""

from __future__ import annotations

import sys
import warnings

__all__ = ["DivergenceWarning", "ModelFileError", "warn"]


class DivergenceWarning(UserWarning):
    """Training diverged and was stopped; the weights are those of the last good epoch."""


class ModelFileError(ValueError):
    """A file is not a model of fastnn, is damaged, or was written by a newer fastnn."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called fastnn, however deep inside of it this is called."""
    inside = ("fastnn.", "sklearn.callback.")  # the latter lies between an estimator's fit and who called it
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(inside):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
