"""The loop of fit."""

from .loop import Run, gradient_descent, named, run

__all__ = ["Run", "gradient_descent", "named", "run"]
