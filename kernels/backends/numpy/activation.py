"""Activations of whole batches, and the way back through them."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ... import formulas
from ...formulas.activations import LINEAR, SOFTMAX
from ...formulas.arrays import Array
from ...records import CUSTOM
from .memory import address_of, call_custom

ACTIVATIONS = list(formulas.ACTIVATIONS.values())
signature = cache(inspect.signature)


def activate(layer: Any, z: Array) -> Array:
    """A layer's activation of z (rows, units)."""
    if layer.activation == CUSTOM:
        return custom_activation(layer, z)[0]
    if layer.activation == SOFTMAX:
        return softmax(z)
    value = ACTIVATIONS[layer.activation].value
    assert value
    return applied(value, x=z, parameter=layer.parameter)


def through_activation(layer: Any, z: Array, y: Array, delta: Array) -> Array:
    """The gradient by z, from that by the activation's output y = activate(layer, z)."""
    if layer.activation == CUSTOM:
        return delta * custom_activation(layer, z)[1]
    if layer.activation == SOFTMAX:
        return y * (delta - (delta * y).sum(axis=1, keepdims=True))
    if layer.activation == LINEAR:
        return delta
    slope = ACTIVATIONS[layer.activation].slope
    assert slope
    return delta * np.asarray(applied(slope, x=z, y=y, parameter=layer.parameter), z.dtype)


def custom_activation(layer: Any, z: Array) -> tuple[Array, Array]:
    """The values and slopes of an activation of the user's own."""
    z = np.ascontiguousarray(z)
    value, slope = np.empty_like(z), np.empty_like(z)
    rows, columns = z.shape
    source, target = (address_of(z), columns), (address_of(value), columns)
    call_custom(layer.function, rows, columns, *source, *target, 0, 1, address_of(slope))
    return value, slope


def log_softmax(z: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def softmax(z: Array) -> Array:
    raised = np.exp(z - z.max(axis=1, keepdims=True))
    raised /= raised.sum(axis=1, keepdims=True)
    return raised


def applied(formula: Callable[..., Any], **values: Any) -> Any:
    """A formula of those of the values that it names."""
    return formula(*(values[name] for name in signature(formula).parameters))
