"""A network in operators of ONNX: what `fastnn.models.chain` says that it computes."""

from __future__ import annotations

import math

import numpy as np

from fastnn.models.chain import Affine, BatchNorm, Chain, Elementwise, LayerNorm, Operation, Product, Rectifier, Softmax
from fastnn.typing import Array
from .activations import activate
from .graph import Graph


def write(graph: Graph, x: str, chain: Chain) -> str:
    """Add a network's operators to rows (batch, *input_shape); the name of what comes out, (batch, *output_shape)."""
    width = math.prod(chain.input_shape)
    if len(chain.input_shape) > 1:
        x = graph.add("Flatten", x, axis=1)
    for operation in chain.operations:
        x = _write(graph, x, operation, width)
        if isinstance(operation, Product):
            width = operation.kernel.shape[1]
    if len(chain.output_shape) > 1:
        x = graph.add("Reshape", x, graph.constant([-1, *chain.output_shape], "shape", np.int64))
    return x


def _write(graph: Graph, x: str, operation: Operation, width: int) -> str:
    """Add what one operation takes, for rows of ``width`` values."""
    match operation:
        case Product(kernel, bias):
            given = [] if bias is None else [graph.constant(bias, "bias")]
            return str(graph.add("Gemm", x, graph.constant(kernel.T, "kernel"), *given, transB=1))
        case Elementwise(name, parameter):
            return activate(graph, x, name, parameter)
        case Softmax():
            return str(graph.add("Softmax", x, axis=-1))
        case Affine(center, factor, offset):
            for operator, numbers in (("Sub", center), ("Mul", factor), ("Add", offset)):
                if numbers is not None and (operator == "Mul" or numbers.any()):
                    x = graph.add(operator, x, graph.constant(numbers, operator.lower()))
            return x
        case BatchNorm(mean, variance, gamma, beta, epsilon):
            kept = float(np.float32(epsilon))  # all that an attribute has room for
            scaled = [_or(gamma, 1, width), _or(beta, 0, width), mean, variance + (epsilon - kept)]
            names = ("gamma", "beta", "mean", "variance")
            constants = [graph.constant(numbers, name) for numbers, name in zip(scaled, names, strict=True)]
            return str(graph.add("BatchNormalization", x, *constants, epsilon=kept))
        case LayerNorm(gamma, beta, epsilon):
            scale, shift = graph.constant(_or(gamma, 1, width), "gamma"), graph.constant(_or(beta, 0, width), "beta")
            if graph.double:
                return str(graph.add("Add", graph.add("Mul", _normalized(graph, x, epsilon), scale), shift))
            return str(graph.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon))
        case Rectifier():
            return _rectified(graph, x, operation)


def _rectified(graph: Graph, x: str, found: Rectifier) -> str:
    """min(x, limit) above the threshold, else slope (x - threshold); PRelu where that is all of it."""
    slope = graph.constant(found.slope, "slope")
    if found.threshold == 0 and math.isinf(found.limit) and not graph.double:
        return str(graph.add("PRelu", x, slope))
    threshold = graph.constant(found.threshold)
    above = x if math.isinf(found.limit) else graph.add("Min", x, graph.constant(found.limit))
    below = graph.add("Mul", slope, graph.add("Sub", x, threshold))
    return str(graph.add("Where", graph.add("Greater", x, threshold), above, below))


def _normalized(graph: Graph, x: str, epsilon: float) -> str:
    """Each row less its mean, divided by its deviation, with an epsilon that is not rounded to float32."""
    centered = graph.add("Sub", x, graph.add("ReduceMean", x, axes=[-1], keepdims=1))
    variance = graph.add("ReduceMean", graph.add("Mul", centered, centered), axes=[-1], keepdims=1)
    return str(graph.add("Div", centered, graph.add("Sqrt", graph.add("Add", variance, graph.constant(epsilon)))))


def _or(numbers: Array | None, value: float, width: int) -> Array:
    return np.full(width, value) if numbers is None else numbers
