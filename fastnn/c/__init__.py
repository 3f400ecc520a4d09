"""Models as C99: a network as two files that any C compiler takes, for microcontrollers and whatever has no Python."""

from fastnn.names import publish
from .writing import Report, export

__all__ = ["Report", "export"]

publish(__name__)
