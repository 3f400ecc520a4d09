"""Models: layers, compiled into an engine, trained, and kept in files."""

from fastnn.names import publish
from .loading import load_model
from .sequential import Sequential

__all__ = ["Sequential", "load_model"]

publish(__name__)
