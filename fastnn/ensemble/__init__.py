"""Many networks of one structure at once: for an error bar, a search, a population, one network a sensor or a cell."""

from fastnn.names import publish
from .ensemble import Ensemble
from .history import EnsembleHistory

__all__ = ["Ensemble", "EnsembleHistory"]

publish(__name__)
