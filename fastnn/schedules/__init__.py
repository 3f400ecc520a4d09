"""Learning rates that change with the step: Keras's schedules, and PyTorch's one-cycle policy.

Steps are an optimizer's updates, counted from 0.  A schedule maps an array of steps to an array of rates, and the
compiled run is given a table of rates ahead of its steps.  Also `fastnn.optimizers.schedules`.
"""

from fastnn.names import publish
from .base import Constant, Custom, LearningRateSchedule, WarmUp, get
from .cosine import CosineDecay, CosineDecayRestarts, CosineLog, OneCycle
from .decay import ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay

__all__ = ["Constant", "CosineDecay", "CosineDecayRestarts", "CosineLog", "Custom", "ExponentialDecay"]
__all__ += ["InverseTimeDecay", "LearningRateSchedule", "OneCycle", "PiecewiseConstantDecay", "PolynomialDecay"]
__all__ += ["WarmUp", "get"]

publish(__name__)
