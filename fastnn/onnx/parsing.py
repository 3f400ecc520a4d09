"""A graph of ONNX as it is read: only what leads to its output, of operators that are known, and tried on some rows."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from fastnn.typing import Array


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STEPS = _words(
    """
    BatchNormalization Concat Dropout Flatten Gemm Identity LayerNormalization MatMul Reshape Scaler Softmax Squeeze
    Unsqueeze
    """
)
"""Operators that are looked at one by one."""

FORMULAS = _words(
    """
    Abs Add And Cast Celu Clip ConstantOfShape Div Elu Equal Erf Exp Gelu Greater GreaterOrEqual HardSigmoid HardSwish
    LeakyRelu Less LessOrEqual Log Max Min Mish Mul Neg Not Or PRelu Pow Reciprocal ReduceMax ReduceMean ReduceSum Relu
    Round Selu Shape Shrink Sigmoid Sign Softplus Softsign Sqrt Sub Sum Swish Tanh ThresholdedRelu Where
    """
)
"""Operators that several of together are a layer: an activation, or a normalisation."""

CONSTANTS = frozenset(["Constant", "Transpose"])
"""What may be applied to constants besides the others."""

OF_SHAPES = frozenset(["ConstantOfShape", "Gather", "Slice"])
"""What may be applied to the shape of a value alone, for of others it could make more than the file has bytes."""

FLOATS = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64"}
ROWS, MOST_ROWS = 8, 64  # that are tried
MOST_NODES = 10_000


class RefusedError(Exception):
    """What is wrong with a file, but for its name."""


class Graph(NamedTuple):
    """What leads from the input to the output.

    Attributes
    ----------
    input, output : str
        The names of their values.
    shape : tuple of int
        Of a row of the input.
    dtype : str
        "float32" or "float64".
    nodes : list of NodeProto
        Those between, in order.
    constants : dict of str to Array
        Those that nodes take, by name.
    rows : Array
        Some rows, (rows, *shape).
    values : dict of str to Array
        What comes out of each node for these rows.
    opset : int
    metadata : dict
        The model's own, where fastnn wrote it.
    """

    input: str
    output: str
    shape: tuple[int, ...]
    dtype: str
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]
    rows: Array
    values: dict[str, Array]
    opsets: list[onnx.OperatorSetIdProto]
    metadata: dict[str, Any]

    def maker(self, name: str) -> onnx.NodeProto | None:
        """The node that a value comes out of; None of the input."""
        return next((node for node in self.nodes if name in node.output), None)

    def run(self, nodes: list[onnx.NodeProto], source: str, target: str, x: Array) -> Array:
        """What some of the nodes make of ``x`` in place of the value ``source``, in float64 where they can."""
        taken = {name: self.constants[name] for node in nodes for name in node.input if name in self.constants}
        wide = {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in taken.items()}
        with np.errstate(all="ignore"):
            try:
                return _evaluated(nodes, wide, self.opsets, {source: x}, [target])[target]
            except Exception:  # of several kinds: a node makes numbers of its own, which are float32
                return _evaluated(nodes, taken, self.opsets, {source: x.astype(self.dtype)}, [target])[target]


def parse(data: bytes) -> Graph:
    """The graph of a file's bytes.

    Raises
    ------
    RefusedError
        It holds what no chain of layers does.
    """
    model = onnx.ModelProto()
    model.ParseFromString(data)
    graph = model.graph
    if not graph.node:
        raise RefusedError("is no ONNX file, or has no operators")
    if len(graph.node) > MOST_NODES:
        raise RefusedError(f"holds {len(graph.node)} operators, and may hold {MOST_NODES}")
    constants = {tensor.name: _array(tensor, len(data)) for tensor in graph.initializer}
    output = _output(model)
    nodes, constants = _needed(model, output, constants, len(data))
    given = [each for each in graph.input if each.name not in constants]
    used = {name for node in nodes for name in node.input}
    sources = [each for each in given if each.name in used]
    if len(sources) != 1:
        names = ", ".join(repr(each.name) for each in sources) or "none"
        raise RefusedError(f"takes {names}; wants a chain with one input")
    source = sources[0]
    kind = source.type.tensor_type.elem_type
    if kind not in FLOATS:
        raise RefusedError(f"has an input of another type than float and double: {source.name!r}")
    shape = _row_shape(source, nodes, constants, len(data))
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((_batch(source), *shape)).astype(FLOATS[kind])
    outputs = [name for node in nodes for name in node.output if name]
    with np.errstate(all="ignore"):
        values = _evaluated(nodes, constants, list(model.opset_import), {source.name: rows}, outputs)
    values[source.name] = rows
    nodes, output = _without_copies(nodes, output, values)
    metadata = {each.key: each.value for each in model.metadata_props}
    own = json.loads(metadata.get("fastnn.metadata", "{}"))
    opsets = list(model.opset_import)
    return Graph(source.name, output, shape, FLOATS[kind], nodes, constants, rows, values, opsets, own)


def _without_copies(
    nodes: list[onnx.NodeProto], output: str, values: dict[str, Array]
) -> tuple[list[onnx.NodeProto], str]:
    """The nodes without those that give on what comes in, as numbers of the same or another width."""
    same: dict[str, str] = {}
    kept = []
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)
        before, after = values.get(node.input[0]) if node.input else None, values.get(node.output[0])
        floats = before is not None and after is not None and before.dtype.kind == after.dtype.kind == "f"
        if node.op_type == "Identity" or (node.op_type == "Cast" and floats):
            same[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    return kept, same.get(output, output)


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """An attribute of a node, or what stands for it."""
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


def _array(tensor: onnx.TensorProto, size: int) -> Array:
    """A tensor's numbers; nothing is allocated on the word of its shape."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise RefusedError(f"keeps {tensor.name!r} in another file; wants all in one")
    if math.prod(tensor.dims) > size or any(dim < 0 for dim in tensor.dims):
        raise RefusedError(f"is damaged: {tensor.name!r} would be larger than the file")
    array: Array = numpy_helper.to_array(tensor)
    return array


def _output(model: onnx.ModelProto) -> str:
    """The name of the value that is the network's: that of probabilities, where there are several."""
    found = list(model.graph.output)
    maps = {name: node.input[0] for node in model.graph.node if node.op_type == "ZipMap" for name in node.output}
    wanted = [each.name for each in found if each.name in maps or each.type.tensor_type.elem_type in FLOATS]
    if len(wanted) > 1:
        wanted = [name for name in wanted if "prob" in name] or wanted
    if len(wanted) != 1:
        names = ", ".join(repr(each.name) for each in found)
        raise RefusedError(f"gives {names}; wants one output of numbers, or one of probabilities")
    return str(maps.get(wanted[0], wanted[0]))


def _needed(
    model: onnx.ModelProto, output: str, constants: dict[str, Array], size: int
) -> tuple[list[onnx.NodeProto], dict[str, Array]]:
    """The nodes that lead to the output, in order, and the constants, with those that are computed of others."""
    makers = {name: node for node in model.graph.node for name in node.output if name}
    wanted, names = [output], set()
    while wanted:
        name = wanted.pop()
        if name in names or name not in makers:
            continue
        names.add(name)
        wanted += makers[name].input
    nodes: list[onnx.NodeProto] = []
    constants = dict(constants)
    for node in model.graph.node:
        if not names.intersection(node.output):
            continue
        known = node.op_type in STEPS | FORMULAS | CONSTANTS | OF_SHAPES and node.domain in (
            "",
            "ai.onnx",
            "ai.onnx.ml",
        )
        if not known or any(each.type in (5, 10) for each in node.attribute):  # graphs
            raise RefusedError(
                f"holds the operator {node.op_type}, which is in no chain of layers that fastnn has: Gemm, MatMul, "
                "Add, activations, normalisations, Softmax"
            )
        if node.op_type in OF_SHAPES and not _is_of_a_shape(node, makers):
            raise RefusedError(f"holds the operator {node.op_type} of more than a shape, which no layer here computes")
        if node.op_type == "Constant":
            constants[node.output[0]] = _constant(node, size)
        elif node.input and all(name in constants for name in node.input if name):
            _check_small(node, constants, size)
            given = {name: constants[name] for name in node.input if name}
            constants |= _evaluated([node], given, list(model.opset_import), {}, list(node.output[:1]))
        elif node.op_type == "Transpose":
            raise RefusedError("holds the operator Transpose of more than constants, which no layer here computes")
        else:
            _check_vectors(node, constants)
            nodes.append(node)
    return nodes, constants


def _is_of_a_shape(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> bool:
    """Whether what goes into a node is the shape of a value, or some of it."""
    for _ in range(len(makers)):
        before = makers.get(node.input[0]) if node.input else None
        if before is None or before.op_type == "Shape":
            return before is not None
        if before.op_type not in ("Gather", "Slice", "Cast"):
            return False
        node = before
    return False


def _constant(node: onnx.NodeProto, size: int) -> Array:
    for each in node.attribute:
        if each.name == "value":
            return _array(each.t, size)
        if each.name in ("value_float", "value_int", "value_floats", "value_ints"):
            value = helper.get_attribute_value(each)
            return np.asarray(value, np.float32 if "float" in each.name else np.int64)
    raise RefusedError("holds a Constant that is no numbers")


def _check_small(node: onnx.NodeProto, constants: dict[str, Array], size: int) -> None:
    """Refuse what makes more of constants than the file has bytes."""
    shapes = [constants[name].shape for name in node.input if name]
    wide = math.prod(np.broadcast_shapes(*shapes)) if node.op_type in FORMULAS else max(map(math.prod, shapes))
    if wide > size or node.op_type in ("Gemm", "MatMul", "Concat"):
        raise RefusedError(f"holds the operator {node.op_type} of constants alone; wants it of the input")


def _check_vectors(node: onnx.NodeProto, constants: dict[str, Array]) -> None:
    """Refuse constants in a formula that are more than a number, or a number a unit: they would make more of rows."""
    for name in node.input if node.op_type in FORMULAS and not node.op_type.startswith("Reduce") else ():
        if name in constants and constants[name].size not in (1, *constants[name].shape[-1:]):
            raise RefusedError(f"holds the operator {node.op_type} with a matrix; wants a number a unit")


def _row_shape(
    source: onnx.ValueInfoProto, nodes: list[onnx.NodeProto], constants: dict[str, Array], size: int
) -> tuple[int, ...]:
    """The shape of a row of the input: as it is said, or as many as the first kernel takes."""
    dims = [dim.dim_value for dim in source.type.tensor_type.shape.dim][1:]
    if len(dims) == 1 and dims[0] <= 0:
        for node in nodes:
            kernels = [constants[name] for name in node.input if name in constants and constants[name].ndim == 2]
            if node.op_type in ("Gemm", "MatMul") and kernels:
                dims = [kernels[0].shape[1 if attribute(node, "transB", 0) else 0]]
                break
    if not dims or min(dims) <= 0 or math.prod(dims) > size:
        raise RefusedError(f"has an input {source.name!r} of rows of the shape {tuple(dims)}; wants (batch, inputs)")
    return tuple(dims)


def _batch(source: onnx.ValueInfoProto) -> int:
    """How many rows are tried: as many as a file of one number of them takes, as far as that is a few."""
    said = source.type.tensor_type.shape.dim[0].dim_value
    return said if 0 < said <= MOST_ROWS else ROWS


def _evaluated(
    nodes: list[onnx.NodeProto],
    constants: dict[str, Array],
    opsets: list[onnx.OperatorSetIdProto],
    given: dict[str, Array],
    outputs: list[str],
) -> dict[str, Array]:
    """What comes out of nodes, by name, computed by onnx's own reference."""
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "some",
        [helper.make_empty_tensor_value_info(name) for name in given],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        initializer=[numpy_helper.from_array(array, name) for name, array in constants.items() if name in used],
    )
    evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))
    return dict(zip(outputs, evaluator.run(None, given), strict=True))
