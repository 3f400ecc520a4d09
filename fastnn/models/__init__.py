"""Models: layers, compiled into an engine, trained, and kept in files."""

from .loading import load_model
from .sequential import Sequential

__all__ = ["Sequential", "load_model"]

Sequential.__module__ = __name__  # what pickle and skops write: a name that stays
