"""Rows of more than one dimension, as of images: in and out of a model, whose kernels see rows of numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.typing import Array

if TYPE_CHECKING:
    from .structure import Structure


def flat(model: Structure, x: Any, name: str = "x") -> Any:
    """x as (rows, inputs) values, where it has more dimensions and the model takes such."""
    return x if not model._takes_shapes else _flat(x, model._row_shape, name)


def flat_targets(model: Structure, y: Any) -> Any:
    """y as (rows, outputs) values, where the model's outputs have more dimensions."""
    shape = model._shapes[-1] if model._gives_shapes else None
    return y if shape is None or y is None else _flat(y, shape, "y")


def shaped(model: Structure, output: Array) -> Array:
    """What predict returns, in the shape of the model's outputs."""
    shape = model._shapes[-1] if model._gives_shapes else None
    return output if shape is None else output.reshape(len(output), *shape)


def _flat(values: Any, wanted: tuple[int, ...] | None, name: str) -> Any:
    if isinstance(values, (list, tuple)):
        values = np.asarray(values)
    shape = getattr(values, "shape", None)
    if shape is None or len(shape) <= 2 or not hasattr(values, "reshape"):
        return values
    if wanted is not None and _trimmed(shape[1:]) != _trimmed(wanted):
        raise ValueError(f"{name} got rows of the shape {tuple(shape[1:])}; wants {wanted}")
    return values.reshape(shape[0], math.prod(shape[1:]))


def _trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without sizes of 1 at the end: (28, 28, 1) is (28, 28) too, as in Keras."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return tuple(shape)
