"""A row of 30-64-64-2 in generated C, beside emlearn's code, m2cgen's and ONNX Runtime's call, by turns in one process.

The C is compiled by ``cc -std=c99 -O3 -march=native`` into a library whose loop over ROWS rows is timed, so that no
call from Python counts; of ONNX Runtime a call is all there is.  emlearn has scikit-learn's binary classifier, whose
one logistic output is less work than two of softmax.
"""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from .timing import by_turns

ROWS = 1000
SIZES = (30, 64, 64, 2)
FLAGS = ("-std=c99", "-O3", "-march=native")

EMLEARN = """
#include "em.h"
void rows(const float *x, float *y, size_t count)
{
    for (size_t k = 0; k < count; k++)
        eml_net_predict_proba(&em, x + k * 30, 30, y + k * 2, 2);
}
"""


def network(activation: str) -> Any:
    from fastnn import Sequential
    from fastnn.layers import Dense, Input

    hidden = [Dense(units, activation) for units in SIZES[1:-1]]
    model = Sequential([Input((SIZES[0],)), *hidden, Dense(SIZES[-1], "softmax")], seed=0)
    model.compile(loss="sparse_categorical_crossentropy")
    model.build()
    return model


def perceptron(activation: str) -> Any:
    """scikit-learn's network of the same hidden layers."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    x = rows(200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPClassifier(SIZES[1:-1], activation, max_iter=2, random_state=0).fit(x, x[:, 0] > 0)


def rows(count: int) -> Any:
    return np.random.default_rng(0).standard_normal((count, SIZES[0]), "float32")


def compiled(source: Path, *options: str) -> Any:
    library = source.with_suffix(".so")
    subprocess.run(["cc", *FLAGS, *options, "-shared", "-fPIC", source, "-o", library, "-lm"], check=True)
    return ctypes.CDLL(str(library))


def call(function: Any) -> Callable[[], Any]:
    """A call of a function of C for ROWS rows."""
    x, y = rows(ROWS), np.empty((ROWS, SIZES[-1]), np.float32)
    given = ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), ctypes.c_size_t(ROWS)
    return lambda: (function(*given), x, y)


def ours(folder: Path, activation: str, dtype: str) -> Callable[[], Any]:
    options: Mapping[str, Any] = {"calibration": rows(300)} if dtype == "int8" else {}
    network(activation).export(folder / f"{dtype}.c", dtype=dtype, **options)
    return call(getattr(compiled(folder / f"{dtype}.c"), f"{dtype}_predict_rows"))


def emlearn(folder: Path, activation: str) -> Callable[[], Any]:
    import emlearn

    (folder / "em.c").write_text(EMLEARN)
    with contextlib.chdir(folder):  # it leaves a folder of its own
        emlearn.convert(perceptron(activation), method="inline").save(name="em", file="em.h")
    return call(compiled(folder / "em.c", f"-I{emlearn.includedir}").rows)


def m2cgen(folder: Path, activation: str) -> Callable[[], Any]:
    import m2cgen

    (folder / "m2.c").write_text(m2cgen.export_to_c(perceptron(activation)))
    return call(compiled(folder / "m2.c").score)


def onnx_runtime(folder: Path, activation: str) -> Callable[[], Any]:
    import onnxruntime

    network(activation).export(folder / "net.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "net.onnx", options, providers=["CPUExecutionProvider"])
    x = rows(1)
    return lambda: [session.run(None, {"input": x}) for _ in range(ROWS)]


def c(short: bool = False) -> None:
    """A row of 30-64-64-2 in generated C, float and int8, beside emlearn, m2cgen and ONNX Runtime."""
    peers = {"emlearn": emlearn, "m2cgen": m2cgen, "onnxruntime": onnx_runtime}
    for activation in ("relu", "tanh"):
        print(f"30-64-64-2, {activation}: microseconds a row, least (median of the rounds' least)")
        with tempfile.TemporaryDirectory() as name:
            made = {f"fastnn {dtype}": ours(Path(name), activation, dtype) for dtype in ("float32", "int8")}
            for peer, make in peers.items():
                try:
                    if find_spec(peer) is not None:
                        made[peer] = make(Path(name), activation)
                except NotImplementedError as error:
                    print(f"  {peer:16} {error}")
            found = by_turns(made, *((1, 0.02) if short else (7, 0.2)))
        for column, turns in found.items():
            each = [turn.min / ROWS * 1e6 for turn in turns]
            print(f"  {column:16} {min(each):8.3f} ({median(each):.3f})")
