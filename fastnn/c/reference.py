"""What stages compute, in NumPy and float64: what the written code is measured by, and what int8 is calibrated with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.engine import Expression, value_of
from fastnn.models.chain import Affine, Elementwise, LayerNorm, Operation, Product, Rectifier, Softmax
from fastnn.typing import Array
from .stages import Stage

_erfc = np.vectorize(math.erfc, otypes=[float])


def predicted(stages: list[Stage], x: Array) -> Array:
    """What a network computes of rows x (rows, inputs): (rows, units)."""
    for stage in stages:
        if stage.product is not None:
            x = multiplied(stage.product, x)
        x = after(stage.rest, x)
    return x


def multiplied(product: Product, x: Array) -> Array:
    """x @ kernel + bias."""
    return np.asarray(x @ product.kernel + product.bias)


def after(operations: list[Operation], x: Array) -> Array:
    """What the operations behind a product make of its rows."""
    with np.errstate(all="ignore"):  # an overflow is what the model has too
        for operation in operations:
            x = _computed(operation, x)
    return x


def _computed(operation: Operation, x: Array) -> Array:
    match operation:
        case Elementwise(name, parameter):
            return np.asarray(evaluated(value_of(name, parameter), x))
        case Softmax():
            e = np.exp(x - x.max(axis=1, keepdims=True))
            return np.asarray(e / e.sum(axis=1, keepdims=True))
        case Affine(center, factor, offset):
            assert center is not None
            assert offset is not None
            return (x - center) * factor + offset
        case LayerNorm(gamma, beta, epsilon):
            y = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
            y = y if gamma is None else y * gamma
            return np.asarray(y if beta is None else y + beta)
        case Rectifier(slope, threshold, limit):
            return np.where(x > threshold, np.minimum(x, limit), slope * (x - threshold))
    raise AssertionError(operation)


def evaluated(found: Expression | float, x: Array) -> Any:
    """An expression's value where its symbol is x."""
    if not isinstance(found, Expression):
        return found
    if not found.operands:
        return x
    operands = [evaluated(each, x) for each in found.operands]
    if found.word == "normal_tail":
        return _erfc(operands[0] * math.sqrt(0.5))
    return getattr(np, found.word)(*operands)
