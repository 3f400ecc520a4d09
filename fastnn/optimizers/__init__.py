"""Optimizers: how weights follow from gradients.

In the equations w is a weight, g the gradient of the loss by it, and r the learning rate.
"""

from fastnn import schedules

from .base import (
    LBFGS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    Rprop,
    get,
)

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "Rprop",
    "get",
    "schedules",
]
