"""Learning rates that change with the step: Keras's schedules, and PyTorch's one-cycle policy.

Steps are an optimizer's updates, counted from 0.  A schedule maps an array of them to as many rates, a table of which
goes to the compiled run ahead of its steps.  Also `fastnn.optimizers.schedules`.
"""

from .cosine import (
    Constant,
    CosineDecay,
    CosineDecayRestarts,
    CosineLog,
    Custom,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    WarmUp,
    get,
)

__all__ = [
    "Constant",
    "CosineDecay",
    "CosineDecayRestarts",
    "CosineLog",
    "Custom",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "WarmUp",
    "get",
]
