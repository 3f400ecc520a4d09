"""The loop of fit, its rules and reports, and the ways in which its steps are taken."""

from .descent import gradient_descent
from .loop import Loop, run
from .reports import Reporter, named
from .rules import Rule
from .stream import StreamTraining

__all__ = ["Loop", "Reporter", "Rule", "StreamTraining", "gradient_descent", "named", "run"]
