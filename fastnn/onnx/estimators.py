"""The estimators of `fastnn.sklearn` in operators of ONNX: what predict and predict_proba give."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn.models.chain import chain
from fastnn.sklearn.base import BaseMLP
from fastnn.sklearn.tabular import BaseTabular
from fastnn.typing import Array
from . import network, tables
from .graph import Graph


class Tensor(NamedTuple):
    """Rows that go in or come out: a name, a dtype (``str`` for texts), and the shape of a row."""

    name: str
    dtype: Any
    shape: tuple[int, ...]


def converted(estimator: Any) -> Any:
    """A fitted estimator as an ``onnx.ModelProto``."""
    check(estimator)
    graph = Graph(dtype_of(estimator))
    given = inputs_of(estimator)
    written = write(graph, estimator, [graph.input(*each) for each in given])
    for (name, dtype, shape), source in zip(outputs_of(estimator), written, strict=True):
        graph.output(_free(name, [each.name for each in given]), dtype, shape, source)
    metadata = {"fastnn.estimator": type(estimator).__name__}
    if is_classifier(estimator):
        metadata["fastnn.classes"] = json.dumps(estimator.classes_.tolist())
    if isinstance(estimator, BaseTabular):
        metadata["fastnn.columns"] = json.dumps(described(estimator))
    return graph.model(metadata)


# --- What an estimator is --------------------------------------------------------------------------------------------


def check(estimator: Any) -> None:
    """Refuse what is no estimator of fastnn's, or is not fitted."""
    if not isinstance(estimator, BaseMLP | BaseTabular):
        what = type(estimator).__name__
        raise TypeError(
            f"model got {what}; wants a Sequential, or an estimator of fastnn.sklearn; skl2onnx converts pipelines"
        )
    check_is_fitted(estimator)
    if hasattr(estimator, "_check_there"):  # a linear model, whose weights may have been set
        estimator._check_there("coef", "intercept")


def is_classifier(estimator: Any) -> bool:
    """Whether it predicts labels."""
    return hasattr(estimator, "predict_proba")


def is_multilabel(estimator: Any) -> bool:
    """Whether a row may have several labels."""
    return is_classifier(estimator) and isinstance(estimator, BaseMLP) and estimator._kind().startswith("multilabel")


def dtype_of(estimator: Any) -> str:
    """That of the network's numbers."""
    return "float32" if isinstance(estimator, BaseTabular) else str(estimator._network().engine.dtype.name)


def inputs_of(estimator: Any) -> list[Tensor]:
    """What an estimator takes: a tensor "X", or a tensor for each column of a table."""
    if isinstance(estimator, BaseTabular):
        columns = zip(names_of(estimator), estimator.encoder_.columns, strict=True)
        return [Tensor(name, tables.input_of(column).dtype, (1,)) for name, column in columns]
    return [Tensor("X", np.dtype(dtype_of(estimator)), (len(estimator.coefs_[0]),))]


def outputs_of(estimator: Any) -> list[Tensor]:
    """What it gives: "label" and "probabilities", or "variable"."""
    if isinstance(estimator, BaseTabular):
        dtype, units = np.dtype(np.float64), len(estimator.classes_ if is_classifier(estimator) else estimator._mean)
    else:
        dtype, units = np.dtype(dtype_of(estimator)), int(estimator.coefs_[-1].shape[1])
    if not is_classifier(estimator):
        return [Tensor("variable", dtype, (units,))]
    if is_multilabel(estimator):
        return [Tensor("label", np.dtype(np.int64), (units,)), Tensor("probabilities", dtype, (units,))]
    labels = labels_of(estimator).dtype
    probabilities = Tensor("probabilities", np.dtype(dtype_of(estimator)), (max(units, 2),))
    return [Tensor("label", str if labels.kind == "O" else labels, ()), probabilities]


def labels_of(estimator: Any) -> Array:
    """The classes as a tensor holds them: int64, float64, booleans, or texts (of dtype object)."""
    classes = np.asarray(estimator.classes_)
    if classes.dtype.kind in "iu" and (classes.astype(np.int64) == classes).all():
        return classes.astype(np.int64)
    if classes.dtype.kind == "f":
        return classes.astype(np.float64)
    if classes.dtype.kind == "b":
        return classes
    if classes.dtype.kind == "U" or (classes.dtype.kind == "O" and all(isinstance(each, str) for each in classes)):
        return np.array([str(each) for each in classes], object)
    raise ValueError(f"classes_ got {classes.dtype}; wants labels that are numbers, booleans or texts")


def names_of(estimator: BaseTabular) -> list[str]:
    """The names of a table's columns: "x0", "x1", ... where they have none."""
    count = len(estimator.encoder_.columns)
    names: list[str] = list(map(str, getattr(estimator, "feature_names_in_", [""] * count)))
    for place, name in enumerate(names):
        names[place] = name or _free(f"x{place}", names)
    return names


def described(estimator: BaseTabular) -> list[dict[str, Any]]:
    """What is said of each input: its name, what it holds, what stands for a missing value, and what fit saw."""
    found = []
    for name, column in zip(names_of(estimator), estimator.encoder_.columns, strict=True):
        given = tables.input_of(column)
        found.append(column.describe() | {"name": name, "holds": given.holds, "missing": given.missing})
    return found


def _free(name: str, taken: list[str]) -> str:
    """The name, with lines behind it where another has it."""
    while name in taken:
        name += "_"
    return name


# --- What it computes ------------------------------------------------------------------------------------------------


def write(graph: Graph, estimator: Any, x: list[str], labels: Array | None = None) -> list[str]:
    """Add what it computes of `inputs_of`: the names of `outputs_of`.  ``labels``: others than `labels_of`."""
    if isinstance(estimator, BaseTabular):
        output = _mean(graph, estimator, tables.encode(graph, estimator.encoder_, x))
    else:
        output = network.write(graph, x[0], chain(estimator._network().model))
        if estimator.out_activation_ == "exp":
            output = graph.add("Exp", output)
    if not is_classifier(estimator):
        return [output]
    return _classified(graph, estimator, output, labels_of(estimator) if labels is None else labels)


def _mean(graph: Graph, estimator: BaseTabular, x: str) -> str:
    """The mean of the networks of an ensemble: (batch, outputs) of float64."""
    total = ""
    for model in estimator.models_:
        output = graph.cast(network.write(graph, x, chain(model)), np.float64)
        total = graph.add("Add", total, output) if total else output
    mean = graph.add("Div", total, graph.constant(len(estimator.models_), "members", np.float64))
    if is_classifier(estimator):
        return str(mean)
    scaled = graph.add("Mul", mean, graph.constant(estimator._deviation, "deviation", np.float64))
    return str(graph.add("Add", scaled, graph.constant(estimator._mean, "mean", np.float64)))


def _classified(graph: Graph, estimator: Any, output: str, labels: Array) -> list[str]:
    """Labels and probabilities of what the networks put out."""
    if is_multilabel(estimator):
        return [graph.cast(graph.add("Greater", output, graph.constant(0.5)), np.int64), output]
    if isinstance(estimator, BaseTabular):
        total = graph.add("ReduceSum", output, graph.constant([1], "axes", np.int64), keepdims=1)
        index = graph.add("ArgMax", output, axis=1, keepdims=0)
        probabilities = graph.cast(graph.add("Div", output, total), graph.dtype)
    elif estimator.coefs_[-1].shape[1] > 1:
        index, probabilities = graph.add("ArgMax", output, axis=1, keepdims=0), output
    else:
        over = graph.add("Greater", output, graph.constant(0.5))
        if len(estimator.classes_) == 1:
            over = graph.add("And", over, graph.constant(False, "never", np.bool_))
        index = graph.add("Squeeze", graph.cast(over, np.int64), graph.constant([1], "axes", np.int64))
        probabilities = graph.add("Concat", graph.add("Sub", graph.constant(1.0), output), output, axis=1)
    return [graph.add("Gather", graph.constant(labels, "classes", labels.dtype), index), probabilities]
