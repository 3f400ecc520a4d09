"""A graph of ONNX as it is written: nodes, constants, and the least version of the operators that it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fastnn.version import VERSION

OPSET, IR_VERSION = 17, 8
"""What every reader of the last years takes; operators that are younger raise both, see `IR_OF_OPSET`."""
IR_OF_OPSET = {17: 8, 18: 8, 20: 9}
ML_OPSET = 3
"""Of the operators of ONNX-ML, for estimators."""


class Graph:
    """Collects nodes, each of which is named after its operator, and writes a model.

    Attributes
    ----------
    dtype : np.dtype
        That of the network's numbers.
    opset : int
        The version of the operators that the graph needs.
    newest : int
        The version that they may have.
    """

    newest = max(IR_OF_OPSET)

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.opset, self.uses_ml = OPSET, False
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[bytes, onnx.TensorProto] = {}
        self._counts: Counter[str] = Counter()
        self._taken: set[str] = set()
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    @property
    def double(self) -> bool:
        """Whether the numbers are float64, of which ONNX Runtime lacks some operators."""
        return self.dtype == np.float64

    def input(self, name: str, dtype: Any, shape: tuple[int, ...]) -> str:
        """An input of the graph, rows of a shape: (batch, *shape); to be named before any node or constant."""
        self._taken.add(name)
        self._inputs.append(_value(name, dtype, shape))
        return name

    def output(self, name: str, dtype: Any, shape: tuple[int, ...], source: str) -> None:
        """An output of the graph, which is what ``source`` names."""
        for node in self._nodes:
            if source in node.output:
                self._rename(source, name)
                break
        else:
            self._nodes.append(helper.make_node("Identity", [source], [name], name=name))
        self._outputs.append(_value(name, dtype, shape))

    def add(self, operator: str, *inputs: str, outputs: int = 1, since: int = OPSET, **attributes: Any) -> Any:
        """A node; the name of what comes out of it, or a list of several."""
        self.opset = max(self.opset, since)
        names = [self._named(operator.lower()) for _ in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    def add_ml(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node of ONNX-ML, which is for estimators."""
        self.uses_ml = True
        return self.add(operator, *inputs, outputs=outputs, domain="ai.onnx.ml", **attributes)

    def cast(self, x: str, dtype: Any) -> str:
        """A node that converts x."""
        return str(self.add("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype))))

    def constant(self, value: Any, name: str = "constant", dtype: Any = None) -> str:
        """Numbers, of the network's dtype unless another is given, or texts; equal ones are kept once."""
        array = np.asarray(value, self.dtype if dtype is None else dtype)
        tensor = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape))
        content = tensor.SerializeToString()
        if content not in self._constants:
            tensor.name = self._named(name)
            self._constants[content] = tensor
        return str(self._constants[content].name)

    def model(self, metadata: Mapping[str, str], description: str = "") -> onnx.ModelProto:
        """The model, checked."""
        opsets = [helper.make_opsetid("", self.opset)]
        if self.uses_ml:
            opsets.append(helper.make_opsetid("ai.onnx.ml", ML_OPSET))
        graph = helper.make_graph(
            self._nodes, "fastnn", self._inputs, self._outputs, initializer=list(self._constants.values())
        )
        made = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=IR_OF_OPSET[self.opset],
            producer_name="fastnn",
            producer_version=VERSION,
            doc_string=description,
        )
        helper.set_model_props(made, dict(metadata))
        onnx.checker.check_model(made, full_check=True)
        return made

    def _named(self, stem: str) -> str:
        """A name that nothing else has."""
        name = stem
        while name in self._taken:
            self._counts[stem] += 1
            name = f"{stem}_{self._counts[stem]}"
        self._taken.add(name)
        return name

    def _rename(self, old: str, new: str) -> None:
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [new if name == old else name for name in names]


def _value(name: str, dtype: Any, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    kind = onnx.TensorProto.STRING if dtype is str else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, ["batch", *shape])
