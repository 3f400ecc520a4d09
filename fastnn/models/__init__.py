"""Models: layers, compiled into an engine, trained, and kept in files."""

from fastnn.names import publish
from .cloning import clone_model, model_from_json
from .loading import load_model
from .sequential import Sequential

__all__ = ["Sequential", "clone_model", "load_model", "model_from_json"]

publish(__name__)
