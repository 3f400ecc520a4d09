"""What a model computes at prediction: a chain of operations with their numbers, for those who write it elsewhere.

Dropout and other noise is gone, activations that are layers belong to what is before them or stand alone, and what is
fixed or normalised is numbers.  Rows are rows of numbers: shapes count at the two ends alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastnn.engine import Engine
from fastnn.typing import Array

if TYPE_CHECKING:
    from .sequential import Sequential


class Product(NamedTuple):
    """x @ kernel + bias; the kernel is (inputs, units), the bias (units,) or None."""

    kernel: Array
    bias: Array | None


class Elementwise(NamedTuple):
    """An activation by its name in the table of `fastnn.activations`, with its constant; not softmax."""

    name: str
    parameter: float


class Softmax(NamedTuple):
    """exp(x_i) / sum_j exp(x_j) over each row."""


class Affine(NamedTuple):
    """(x - center) * factor + offset, each (units,); center and offset may be None, for 0."""

    center: Array | None
    factor: Array
    offset: Array | None


class BatchNorm(NamedTuple):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, each (units,); gamma and beta may be None, for 1 and 0."""

    mean: Array
    variance: Array
    gamma: Array | None
    beta: Array | None
    epsilon: float


class LayerNorm(NamedTuple):
    """(x - mean(x)) / sqrt(variance(x) + epsilon) * gamma + beta, by mean and variance of each row."""

    gamma: Array | None
    beta: Array | None
    epsilon: float


class Rectifier(NamedTuple):
    """min(x, limit) where x > threshold, else slope * (x - threshold); a slope for all, or one a unit (units,)."""

    slope: float | Array
    threshold: float
    limit: float


Operation = Product | Elementwise | Softmax | Affine | BatchNorm | LayerNorm | Rectifier


class Chain(NamedTuple):
    """The operations, one after the other, and the shapes of a row at both ends.

    Arrays are copies, of the model's dtype, "float32" or "float64".
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: str
    operations: list[Operation]


def chain(model: Sequential) -> Chain:
    """What a model computes at prediction.

    Raises
    ------
    ValueError
        The model is not built, or has an activation that is a function of the user's own.
    FloatingPointError
        A weight is NaN or infinite.
    """
    model._built()
    model = model._as_it_is()  # which another thread does not compile
    engine = model._engine
    assert engine is not None
    for layer in model._layers:
        if getattr(getattr(layer, "activation", None), "name", "") == "custom":
            raise ValueError(
                f"the layer {layer.name!r} got an activation of your own, which is Python; wants one of "
                "fastnn.activations, of which other formats know how to compute it"
            )
    with engine.still:
        if not engine.parameters.finite:
            raise FloatingPointError("a weight is NaN or infinite; wants a model that is finite")
        operations = [found for place in range(len(engine.plans)) for found in _operations(engine, place)]
    shapes = [shape for shape in (model._shapes[0], model._shapes[-1]) if shape is not None]
    return Chain(shapes[0], shapes[-1], engine.dtype.name, operations)


def _operations(engine: Engine, place: int) -> list[Operation]:
    """What the engine computes at a place: what its kind does, and then its activation."""
    plan = engine.plans[place]
    views = {name: np.array(view) for name, view in engine.parameters.views(place).items()}
    gamma, beta = views.get("gamma"), views.get("beta")
    found: list[Operation] = []
    if plan.dense:
        found.append(Product(views["kernel"], views.get("bias")))
    elif plan.kind == "batch_normalization":
        epsilon = plan.constants["epsilon"]
        found.append(BatchNorm(views["moving_mean"], views["moving_variance"], gamma, beta, epsilon))
    elif plan.kind == "layer_normalization":
        found.append(LayerNorm(gamma, beta, plan.constants["epsilon"]))
    elif plan.kind == "scaling":
        assert gamma is not None
        found.append(Affine(None, gamma, None))
    elif plan.kind == "affine":
        found.append(Affine(views["center"], views["factor"], views["offset"]))
    elif plan.kind == "rectifier":
        slope = plan.constants["scale"] if gamma is None else gamma
        found.append(Rectifier(slope, plan.constants.get("threshold", 0.0), plan.constants["limit"]))
    if plan.activation == "softmax":
        found.append(Softmax())
    elif plan.activation != "linear":
        assert isinstance(plan.parameter, (int, float))
        found.append(Elementwise(plan.activation, float(plan.parameter)))
    return found
