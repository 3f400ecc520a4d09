"""Models: layers, compiled into an engine, trained, and kept in files."""

from .sequential import Sequential, load_model

__all__ = ["Sequential", "load_model"]

Sequential.__module__ = __name__  # what pickle and skops write: a name that stays
