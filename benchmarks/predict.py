"""Predicting with every case's network: fastnn beside PyTorch and ONNX Runtime.

Each library, at all processors and at one, has a process of its own; they take turns, see timing.py. Every network ends
in its softmax. The peers get what is best for them: PyTorch a tensor and inference_mode, ONNX Runtime the better of
`run` and of buffers that were bound beforehand.
"""

from __future__ import annotations

import os
import sys
from datetime import date
from functools import partial
from typing import Any

import numpy as np

from . import machine, report
from .cases import CASES, Case, chosen
from .internals import processors
from .peers import installed, is_ours, stack
from .timing import ROOT, Question, in_turn, workers

KEPT = ROOT / "benchmarks" / "predict.json"
ROWS = 10_000

Weights = list[tuple[Any, Any]]


def prepared(case: Case) -> tuple[Any, Weights]:
    """ROWS rows of inputs, and each layer's kernel (inputs, units) and bias (units,)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((max(ROWS, case.batch), case.sizes[0]), case.dtype)
    weights = [
        ((rng.standard_normal((a, b)) / np.sqrt(a)).astype(case.dtype), rng.standard_normal(b).astype(case.dtype) / 10)
        for a, b in case.shapes
    ]
    return x, weights


class Fastnn:
    def __init__(self, case: Case, backend: str) -> None:
        x, weights = prepared(case)
        self.model = stack(case)
        self.model.compile(loss="mse", backend=backend, dtype=case.dtype)
        self.model.set_weights([array for layer in weights for array in layer])
        self.x, self.x_batch, self.x_one = x[:ROWS], x[: case.batch].copy(), x[:1].copy()
        self.predictor = self.model.predictor()

    def batch(self) -> Any:
        return self.model.predict(self.x_batch, verbose=0)

    def many(self) -> Any:
        return self.model.predict(self.x, verbose=0)

    def one(self) -> Any:
        return self.model.predict(self.x_one, verbose=0)

    def one_prepared(self) -> Any:
        return self.predictor(self.x_one)


class Torch:
    def __init__(self, case: Case) -> None:
        import torch

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        x, weights = prepared(case)
        nonlinear = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[case.activation]
        layers: list[Any] = []
        for w, b in weights:
            linear = torch.nn.Linear(*w.shape, dtype=getattr(torch, case.dtype))
            linear.weight.data, linear.bias.data = torch.from_numpy(w.T.copy()), torch.from_numpy(b)
            layers += [linear, nonlinear()]
        layers[-1:] = [torch.nn.Softmax(dim=1)] if case.classes else []
        self.torch, self.model = torch, torch.nn.Sequential(*layers).eval()
        self.x, self.x_batch, self.x_one = (torch.from_numpy(x[:rows].copy()) for rows in (ROWS, case.batch, 1))

    def _run(self, x: Any) -> Any:
        with self.torch.inference_mode():
            return self.model(x)

    def batch(self) -> Any:
        return self._run(self.x_batch)

    def many(self) -> Any:
        return self._run(self.x)

    def one(self) -> Any:
        return self._run(self.x_one)


class OnnxRuntime:
    def __init__(self, case: Case, bound: bool) -> None:
        import onnxruntime

        x, weights = prepared(case)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        self.session = onnxruntime.InferenceSession(
            onnx_model(case, weights), options, providers=["CPUExecutionProvider"]
        )
        for name, rows in (("batch", case.batch), ("many", ROWS), ("one", 1)):
            part = x[:rows].copy()
            setattr(self, name, self._bound(part, case.sizes[-1]) if bound else partial(self._run, {"x": part}))

    def _run(self, feed: dict[str, Any]) -> Any:
        return self.session.run(None, feed)

    def _bound(self, x: Any, units: int) -> Any:
        """A call without arguments, into an array that is there already."""
        from onnxruntime import OrtValue

        binding = self.session.io_binding()
        binding.bind_ortvalue_input("x", OrtValue.ortvalue_from_numpy(x))
        binding.bind_ortvalue_output("y", OrtValue.ortvalue_from_numpy(np.zeros((len(x), units), x.dtype)))
        return partial(self.session.run_with_iobinding, binding)


def onnx_model(case: Case, weights: Weights) -> bytes:
    """The network as an ONNX file's content."""
    from onnx import TensorProto, helper, numpy_helper

    kind = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[case.dtype]
    nodes, arrays, name = [], [], "x"
    for index, (w, b) in enumerate(weights):
        arrays += [numpy_helper.from_array(w, f"w{index}"), numpy_helper.from_array(b, f"b{index}")]
        last = index == len(weights) - 1
        product = "y" if last and not case.classes else f"z{index}"
        nodes.append(helper.make_node("Gemm", [name, f"w{index}", f"b{index}"], [product]))
        name = product
        if not last:
            name = f"a{index}"
            nodes.append(helper.make_node({"relu": "Relu", "tanh": "Tanh"}[case.activation], [product], [name]))
        elif case.classes:
            nodes.append(helper.make_node("Softmax", [product], ["y"], axis=1))
    x = helper.make_tensor_value_info("x", kind, ["rows", case.sizes[0]])
    y = helper.make_tensor_value_info("y", kind, ["rows", case.sizes[-1]])
    graph = helper.make_graph(nodes, "network", [x], [y], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


PEERS = {
    "fastnn numba": partial(Fastnn, backend="numba"),
    "fastnn cython": partial(Fastnn, backend="cython"),
    "PyTorch": Torch,
    "ONNX Runtime": partial(OnnxRuntime, bound=False),
    "ONNX Runtime bound": partial(OnnxRuntime, bound=True),
}
NEEDS = {
    "fastnn numba": ["numba"],
    "fastnn cython": [],
    "PyTorch": ["torch"],
    "ONNX Runtime": ["onnxruntime", "onnx"],
    "ONNX Runtime bound": ["onnxruntime", "onnx"],
}
"""The packages without which a peer is left out."""

WORKS = {"batch": "a batch", "many": f"{ROWS:,} rows", "one": "one row"}


def questions(work: str, peers: list[str]) -> list[Question]:
    """One row goes through `predict` and through a predictor too."""
    asked = [Question(peer, peer, work) for peer in peers]
    if work == "one":
        asked += [Question(f"{peer} predictor", peer, "one_prepared") for peer in peers if is_ours(peer)]
    return asked


def measured(
    cases: list[Case], peers: tuple[str, ...], works: tuple[str, ...], rounds: int, seconds: float
) -> report.Results:
    """Of each work its rows, as a results file has them."""
    found: dict[str, Any] = {work: [] for work in works}
    makers = installed(peers, PEERS, NEEDS)
    with workers(makers, [1, processors()]) as started:
        for case in cases:
            print(case.name, file=sys.stderr)
            for work in works:
                least, middle, missing = in_turn(started, (case,), questions(work, list(makers)), rounds, seconds)
                for column, reason in missing.items():
                    print(f"{case.name}, {WORKS[work]}, {column}: {reason}", file=sys.stderr)
                rows = {"batch": case.batch, "many": ROWS, "one": 1}[work]
                flops = sum(2 * rows * a * b for a, b in case.shapes)
                found[work].append({**report.row(case.name, flops, least), "medians": middle})
    facts = machine.facts((*machine.PACKAGES, "onnxruntime"))
    return {"machine": facts, "measured": str(date.today()), "rounds": rounds, **found}


def predict(
    cases: str = "*",
    peers: tuple[str, ...] = tuple(PEERS),
    works: tuple[str, ...] = tuple(WORKS),
    rounds: int = 3,
    seconds: float = 0.04,
    short: bool = False,
) -> None:
    """Predicting a batch of the case's size, 10,000 rows, and one row a call, beside PyTorch and ONNX Runtime.

    A figure is the median over the rounds of the best block, at the better number of threads.  A whole run is kept as
    predict.json.
    """
    if unknown := set(works) - set(WORKS):
        raise SystemExit(f"--works got {', '.join(sorted(unknown))}; wants some of {', '.join(WORKS)}")
    found = measured(chosen(cases), peers, works, *((1, 0.02) if short else (rounds, seconds)))
    for work in works:
        what = "microseconds a call, least (median of the blocks), at the better number of threads"
        print(f"Predicting {WORKS[work]}: {what}")
        print("", report.comparison(found[work]), "", sep="\n")
    if not short and chosen(cases) == CASES and peers == tuple(PEERS) and works == tuple(WORKS):
        report.save(found, KEPT)
