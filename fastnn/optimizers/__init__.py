"""Optimizers: how weights follow from gradients.

In the equations w is a weight, g the gradient of the loss by it, and r the learning rate.
"""

from __future__ import annotations

from fastnn import schedules
from fastnn.names import publish, resolve
from .adam import Adam, Adamax, AdamW, KerasAdam, Nadam
from .base import Optimizer
from .rules import LBFGS, SGD, Adadelta, Adagrad, Lion, RMSprop, Rprop

__all__ = ["LBFGS", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "Optimizer", "RMSprop", "Rprop"]
__all__ += ["SGD", "KerasAdam", "get", "schedules"]

_CLASSES: list[type[Optimizer]] = [SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, KerasAdam, Nadam, Adamax, Lion]
_CLASSES += [Rprop, LBFGS]
_NAMES = {found.__name__.lower(): found for found in _CLASSES}


def get(identifier: object, argument: str = "optimizer") -> Optimizer:
    """Make an optimizer of a name, a class or a configuration; an optimizer is returned as it is."""
    return resolve(identifier, Optimizer, _NAMES, argument)


publish(__name__)
