"""The layers that a graph of ONNX consists of, found from its output back to its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx

from fastnn import layers
from fastnn.layers import Layer
from fastnn.typing import Array
from .formulas import Affine, decimal, recognized
from .parsing import FORMULAS, Graph, RefusedError, attribute

MOST_CUTS = 40  # of places where a formula may begin, which are tried


class Found(NamedTuple):
    """A layer, with its weights in the order of its get_weights, and the value that goes into it."""

    layer: Layer
    weights: list[Array]
    source: str


def layers_of(graph: Graph) -> tuple[list[Layer], list[Array]]:
    """The layers, Input first, and their weights.

    Raises
    ------
    RefusedError
        Something in it is no layer of fastnn's: the operator is named.
    """
    found: list[Found] = []
    at = graph.output
    while at != graph.input:
        node = graph.maker(at)
        if node is None:
            raise RefusedError(f"is no chain: nothing gives {at!r}")
        if node.op_type in FORMULAS:
            found.append(_formula(graph, at))
        elif node.op_type in STEPS:
            step = STEPS[node.op_type](graph, node)
            if step.source == at:
                raise RefusedError(f"is no chain: {at!r} leads to itself")
            found.append(step)
        else:
            raise RefusedError(f"holds the operator {node.op_type} where no layer has it")
        at = found[-1].source
    merged = _merged(found[::-1])
    stack: list[Layer] = [layers.Input(graph.shape), *(each.layer for each in merged)]
    if len(stack) == 1:
        raise RefusedError("has no layers")
    return stack, [weight for each in merged for weight in each.weights]


def _merged(found: list[Found]) -> list[Found]:
    """Without what does nothing; a product has what is added to it as its bias, and the activation behind it."""
    kept: list[Found] = []
    for each in found:
        layer, last = each.layer, kept[-1] if kept else None
        product = None if last is None or not isinstance(last.layer, layers.Dense) else last.layer
        if product is not None and product.activation.name != "linear":
            product = None
        if isinstance(layer, Affine):
            shifts = bool((layer.scale == 1).all())
            if shifts and not layer.offset.any():
                continue
            if product is not None and last is not None and shifts:
                kernel, *bias = last.weights
                added = np.broadcast_to(layer.offset + sum(bias), kernel.shape[1:])
                kept[-1] = _dense(kernel, added, last.source)
                continue
            each = each._replace(layer=layers.Rescaling(_plain(layer.scale), _plain(layer.offset)))
        elif product is not None and last is not None and isinstance(layer, layers.Activation):
            dense = layers.Dense(product.units, layer.activation, use_bias=product.use_bias)
            kept[-1] = last._replace(layer=dense)
            continue
        kept.append(each)
    return kept


def _plain(numbers: Array) -> Any:
    return numbers.item() if numbers.size == 1 else numbers.ravel().tolist()


def _dense(kernel: Array, bias: Array | None, source: str) -> Found:
    """A Dense layer."""
    weights = [kernel] if bias is None else [kernel, bias]
    return Found(layers.Dense(kernel.shape[1], use_bias=bias is not None), weights, source)


# --- Operators that are layers ---


def _one(graph: Graph, node: onnx.NodeProto) -> str:
    """The value that goes into a node: its first input, of which the others are constants."""
    first, *others = [name for name in node.input if name]
    if first in graph.constants or any(name not in graph.constants for name in others):
        raise RefusedError(f"holds the operator {node.op_type} of two values that are computed, and is no chain")
    return str(first)


def _constants(graph: Graph, node: onnx.NodeProto) -> list[Array]:
    return [graph.constants[name] for name in list(node.input)[1:] if name]


def _gemm(graph: Graph, node: onnx.NodeProto) -> Found:
    source, (kernel, *bias) = _one(graph, node), _constants(graph, node)
    if attribute(node, "transA", 0) or kernel.ndim != 2:
        raise RefusedError("holds the operator Gemm with transA; wants rows")
    kernel = (kernel.T if attribute(node, "transB", 0) else kernel) * attribute(node, "alpha", 1.0)
    added = np.broadcast_to(bias[0] * attribute(node, "beta", 1.0), (1, kernel.shape[1])).ravel() if bias else None
    return _dense(kernel, added, source)


def _matmul(graph: Graph, node: onnx.NodeProto) -> Found:
    source, (kernel,) = _one(graph, node), _constants(graph, node)
    if kernel.ndim != 2 or graph.values[source].ndim != 2:
        raise RefusedError("holds the operator MatMul of more than two dimensions; wants rows of numbers")
    return _dense(kernel, None, source)


def _batch_normalization(graph: Graph, node: onnx.NodeProto) -> Found:
    if attribute(node, "training_mode", 0):
        raise RefusedError("holds the operator BatchNormalization in training; wants one for inference")
    gamma, beta, mean, variance = _constants(graph, node)
    said = float(attribute(node, "epsilon", 1e-5))
    epsilon = decimal(said)
    variance = np.maximum(variance + (said - epsilon), 0).astype(variance.dtype)  # the sum of both is what counts
    return Found(layers.BatchNormalization(epsilon=epsilon), [gamma, beta, mean, variance], _one(graph, node))


def _layer_normalization(graph: Graph, node: onnx.NodeProto) -> Found:
    source, (gamma, *beta) = _one(graph, node), _constants(graph, node)
    if attribute(node, "axis", -1) not in (-1, graph.values[source].ndim - 1) or graph.values[source].ndim != 2:
        raise RefusedError("holds the operator LayerNormalization over another axis than the last of rows")
    layer = layers.LayerNormalization(epsilon=decimal(attribute(node, "epsilon", 1e-5)), center=bool(beta))
    return Found(layer, [gamma, *beta], source)


def _softmax(graph: Graph, node: onnx.NodeProto) -> Found:
    source = _one(graph, node)
    if graph.values[source].ndim != 2 or attribute(node, "axis", -1) not in (-1, 1):
        raise RefusedError("holds the operator Softmax over another axis than the last of rows")
    return Found(layers.Softmax(), [], source)


def _scaler(graph: Graph, node: onnx.NodeProto) -> Found:
    scale = np.asarray(attribute(node, "scale", [1.0]), np.float64)
    offset = np.asarray(attribute(node, "offset", [0.0]), np.float64)
    return Found(Affine(scale, -offset * scale), [], _one(graph, node))


def _dropout(graph: Graph, node: onnx.NodeProto) -> Found:
    ratio = [float(array) for array in _constants(graph, node)[:1]] or [float(attribute(node, "ratio", 0.5))]
    return Found(layers.Dropout(ratio[0]), [], _one(graph, node))


def _same(graph: Graph, node: onnx.NodeProto) -> Found:
    """What gives on what comes in, with rows of another shape or type, or of the same."""
    source = str(node.input[0])
    if source in graph.constants:
        raise RefusedError(f"holds the operator {node.op_type} of constants alone")
    before, after = graph.values[source], graph.values[node.output[0]]
    if not np.array_equal(before.ravel(), after.ravel().astype(before.dtype)):
        raise RefusedError(f"holds the operator {node.op_type}, by which values are lost")
    if before.shape == after.shape or after.ndim < 2:
        return Found(Affine(np.ones(1), np.zeros(1)), [], source)
    if len(before) != len(after):
        raise RefusedError(f"holds the operator {node.op_type} of the shape {after.shape}, which mixes rows")
    return Found(layers.Flatten() if after.ndim == 2 else layers.Reshape(after.shape[1:]), [], source)


def _complement(graph: Graph, node: onnx.NodeProto) -> Found:
    """The probabilities of two classes, 1 - p and p, of one sigmoid unit: a softmax over 0 and what goes into it."""
    p, both = str(node.input[-1]), graph.values[node.output[0]]
    maker = graph.maker(p)
    if len(node.input) == 2 and maker is not None and both.shape[1:] == (2,):
        source, one = str(maker.input[0]), graph.values[p].ravel()
        known = np.allclose(both[:, 1], one) and np.allclose(both[:, 0], 1 - one)
        if known and maker.op_type == "Sigmoid":
            return Found(layers.Dense(2, "softmax", use_bias=False), [np.array([[0.0, 1.0]])], source)
    raise RefusedError("holds the operator Concat, which is in no chain but at the end of a classifier of two classes")


STEPS: dict[str, Callable[[Graph, onnx.NodeProto], Found]] = {
    "BatchNormalization": _batch_normalization,
    "Concat": _complement,
    "Dropout": _dropout,
    "Flatten": _same,
    "Gemm": _gemm,
    "Identity": _same,
    "LayerNormalization": _layer_normalization,
    "MatMul": _matmul,
    "Reshape": _same,
    "Scaler": _scaler,
    "Softmax": _softmax,
    "Squeeze": _same,
    "Unsqueeze": _same,
}


# --- Formulas of several operators ---


def _formula(graph: Graph, target: str) -> Found:
    """The layer that some operators together are: as many of them as make one."""
    cuts = _cuts(graph, target)
    for source, nodes in reversed(cuts):
        before, after = graph.values[source], graph.values[target]
        if before.shape != after.shape or before.ndim != 2:
            continue

        def function(x: Array, nodes: list[Any] = nodes, source: str = source) -> Array:
            return graph.run(nodes, source, target, x)

        constants = [graph.constants[name] for node in nodes for name in node.input if name in graph.constants]
        layer, weights = recognized(function, before.shape[1], nodes, constants)
        if layer is not None:
            return Found(layer, weights, source)
    nodes = cuts[-1][1] if cuts else [node for node in graph.nodes if target in node.output]
    operators = ", ".join(sorted({node.op_type for node in nodes}))
    raise RefusedError(f"computes something with the operators {operators} that is no layer of fastnn's")


def _cuts(graph: Graph, target: str) -> list[tuple[str, list[onnx.NodeProto]]]:
    """Values above the target through which all that leads to it goes, the nearest first, and the nodes between."""
    order = {name: place for place, node in enumerate(graph.nodes) for name in node.output}
    frontier = {target}
    between: list[onnx.NodeProto] = []
    found: list[tuple[str, list[onnx.NodeProto]]] = []
    while len(found) < MOST_CUTS:
        last = max(frontier, key=lambda name: order.get(name, -1))
        node = graph.nodes[order[last]] if last in order else None
        if node is None or node.op_type not in FORMULAS:
            break
        frontier.remove(last)
        frontier |= {name for name in node.input if name and name not in graph.constants}
        between.insert(0, node)
        if len(frontier) == 1:
            found.append((next(iter(frontier)), list(between)))
    return found
