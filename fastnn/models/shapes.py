"""Rows of more than one dimension, as of images: in and out of a model, whose kernels see rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.data import Chunk
from fastnn.typing import Array

if TYPE_CHECKING:
    from .structure import Structure


def flat(model: Structure, x: Any, name: str = "x") -> Any:
    """x as (rows, inputs) values, where it has more dimensions and the model takes such."""
    return x if not model._takes_shapes else _flat(x, model._row_shape, name)


def flattener(model: Structure) -> Callable[[Chunk], Chunk] | None:
    """What makes rows of numbers of images, without a reference to the model; None where it takes and gives none."""
    takes, shape = model._takes_shapes, model._row_shape
    end = model._shapes[-1] if model._gives_shapes else None
    if not takes and end is None:
        return None

    def flattened(chunk: Chunk) -> Chunk:
        x = _flat(chunk.x, shape, chunk.named("x")) if takes else chunk.x
        return chunk._replace(
            x=x, y=chunk.y if end is None or chunk.y is None else _flat(chunk.y, end, chunk.named("y"))
        )

    return flattened


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
