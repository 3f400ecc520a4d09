"""Converters of `fastnn.sklearn` for skl2onnx, by which a Pipeline with one of its estimators becomes an ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
    guess_proto_type,
    guess_tensor_type,
)
from skl2onnx.common.utils_classifier import get_label_classes

from fastnn import sklearn
from fastnn.models.chain import chain
from fastnn.sklearn.tabular import BaseTabular
from fastnn.typing import Array
from . import estimators, network
from .estimators import Tensor
from .graph import OPSET, Graph

OPTIONS = {"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [True, False]}
VERSIONS = {"LabelEncoder": 2}
"""Of the operators of ONNX-ML, of which skl2onnx takes the newest, and then refuses it."""
TYPES = {"float32": FloatTensorType, "float64": DoubleTensorType, "int64": Int64TensorType}


def register() -> None:
    """Let skl2onnx know the estimators."""
    for kind in (getattr(sklearn, name) for name in sklearn.__all__):
        if not isinstance(kind, type):
            continue
        options = dict(OPTIONS) if hasattr(kind, "predict_proba") else {}
        if hasattr(kind, "decision_function"):
            options["raw_scores"] = [True, False]
        update_registered_converter(kind, f"Fastnn{kind.__name__}", _set_types, _convert, options=options or None)


class Within(Graph):
    """Adds nodes to what skl2onnx is about to write."""

    def __init__(self, dtype: str, scope: Any, container: Any) -> None:
        super().__init__(dtype)
        self.scope, self.container = scope, container
        self.newest = container.target_opset_any_domain("")
        self._names: dict[tuple[Any, ...], str] = {}

    def add(self, operator: str, *inputs: str, outputs: int = 1, since: int = OPSET, **attributes: Any) -> Any:
        names = [self.scope.get_unique_variable_name(operator.lower()) for _ in range(outputs)]
        self.write(operator, inputs, names, **attributes)
        return names[0] if outputs == 1 else names

    def add_ml(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        return self.add(
            operator, *inputs, outputs=outputs, domain="ai.onnx.ml", op_version=VERSIONS[operator], **attributes
        )

    def constant(self, value: Any, name: str = "constant", dtype: Any = None) -> str:
        array = np.asarray(value, self.dtype if dtype is None else dtype)
        texts = array.dtype.kind in "OU"
        content = [text.encode() for text in array.ravel()] if texts else array.ravel()
        key = array.dtype.str, array.shape, tuple(content) if texts else array.tobytes()
        if key not in self._names:
            self._names[key] = self.scope.get_unique_variable_name(name)
            kind = TensorProto.STRING if texts else helper.np_dtype_to_tensor_dtype(array.dtype)
            self.container.add_initializer(self._names[key], kind, list(array.shape), content)
        return self._names[key]

    def write(self, operator: str, inputs: Sequence[str], names: Sequence[str], **attributes: Any) -> None:
        """A node whose outputs have these names."""
        domain, name = attributes.pop("domain", ""), self.scope.get_unique_operator_name(operator)
        self.container.add_node(operator, list(inputs), list(names), op_domain=domain, name=name, **attributes)


# --- What skl2onnx calls ---------------------------------------------------------------------------------------------


def _set_types(operator: Any) -> None:
    """Set types and shapes of the outputs: numbers as the input has them, but for those of tables."""
    estimator = operator.raw_operator
    estimators.check(estimator)
    given, rows = operator.inputs[0].type, operator.inputs[0].get_first_dimension()
    for variable, output in zip(operator.outputs, estimators.outputs_of(estimator), strict=True):
        if output.name == "label":
            texts = not estimators.is_multilabel(estimator) and _labels(operator).dtype.kind == "O"
            kind = StringTensorType if texts else Int64TensorType
        elif isinstance(estimator, BaseTabular):
            kind = TYPES[output.dtype.name]
        else:
            kind = type(guess_tensor_type(given))
        variable.set_type(kind([rows, *output.shape]))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of an estimator."""
    estimator = operator.raw_operator
    graph = Within(estimators.dtype_of(estimator), scope, container)
    columns = estimators.inputs_of(estimator)
    table = isinstance(estimator, BaseTabular)
    x = _columns(graph, operator.inputs, columns) if table else [_matrix(graph, operator.inputs)]
    if not estimators.is_classifier(estimator):
        found = estimators.write(graph, estimator, x)
    else:
        found = estimators.write(
            graph, estimator, x, None if estimators.is_multilabel(estimator) else _labels(operator)
        )
        if (container.get_options(estimator, {"raw_scores": False}, fail=False) or {}).get("raw_scores"):
            found[1] = _logits(graph, estimator, x[0])
    for name, variable in zip(found, operator.outputs, strict=True):
        if isinstance(variable.type, StringTensorType):
            graph.write("Identity", [name], [variable.full_name])
        else:
            graph.write("Cast", [name], [variable.full_name], to=guess_proto_type(variable.type))


def _labels(operator: Any) -> Array:
    """The labels as skl2onnx has them: texts, or integers, for booleans and floats too."""
    estimator = operator.raw_operator
    options = operator.scope_inst.get_options(estimator, {"nocl": False}, fail=False) or {}
    classes = (
        get_label_classes(operator.scope_inst, estimator) if options.get("nocl") else estimators.labels_of(estimator)
    )
    return np.asarray(classes if classes.dtype.kind == "O" else classes.astype(np.int64))


def _matrix(graph: Within, variables: list[Any]) -> str:
    """All inputs side by side, of the network's dtype."""
    cast = [graph.cast(variable.full_name, graph.dtype) for variable in variables]
    return cast[0] if len(cast) == 1 else str(graph.add("Concat", *cast, axis=1))


def _columns(graph: Within, variables: list[Any], columns: list[Tensor]) -> list[str]:
    """The columns of a table, each (batch, 1), from inputs that are a column each, or have several.

    ValueError: there are others than fit saw, or of another type.
    """
    by_name = {variable.raw_name: variable for variable in variables}
    if len(by_name) == len(columns) and all(column.name in by_name for column in columns):
        variables = [by_name[column.name] for column in columns]
    there = [(each, place) for each in variables for place in range(each.type.shape[1] or 1)]
    if len(there) != len(columns):
        raise ValueError(f"initial_types got {len(there)} columns; wants {len(columns)}, as fit saw them")
    found = []
    for (variable, place), column in zip(there, columns, strict=True):
        x = variable.full_name
        texts = isinstance(variable.type, StringTensorType)
        if texts != (column.dtype is str):
            kind = "StringTensorType" if column.dtype is str else TYPES[np.dtype(column.dtype).name].__name__
            raise ValueError(f"initial_types got a {type(variable.type).__name__} for {column.name!r}; wants a {kind}")
        if (variable.type.shape[1] or 1) > 1:
            x = graph.add("Gather", x, graph.constant([place], "column", np.int64), axis=1)
        found.append(x if texts else graph.cast(x, column.dtype))
    return found


def _logits(graph: Within, estimator: Any, x: str) -> str:
    """What stands before the last activation: as skl2onnx has it, two columns for two classes."""
    whole = chain(estimator._network().model)
    logits = network.write(graph, x, whole._replace(operations=whole.operations[:-1]))
    if estimator.coefs_[-1].shape[1] > 1:
        return logits
    return str(graph.add("Concat", graph.add("Neg", logits), logits, axis=1))
