"""What a value of an elementary function or of an activation costs, beside NumPy's exp, tanh, log ..., in one run."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from fastnn import Sequential
from fastnn.layers import Activation, Input
from .internals import ACTIVATIONS, address, aligned, compiled, lanes
from .report import line, titles
from .timing import by_turns

COUNT = 4096
"""Values: two arrays of them fit the nearest cache, in float64 too."""
ROWS, UNITS = 8, COUNT // 8
BAR = 1.5
DTYPES = ("float32", "float64")

FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "normal_tail")
HELPERS = ("exp_polynomial", "log_of_parts", "log_at_the_edges", "expm1", "erfc_of_parts")
LIKE = {"sigmoid": "exp", "tanh": "tanh", "elu": "expm1", "selu": "expm1", "softmax": "exp"}
"""The function of NumPy's that is most of an activation."""

Works = dict[tuple[str, str, str], Callable[[], Any]]
"""By what it is, its dtype, and whose it is."""


def values(name: str, dtype: str) -> Any:
    """COUNT values as a network has them."""
    x = aligned(COUNT, dtype)
    x[:] = np.random.default_rng(0).normal(size=COUNT) * 2
    return np.abs(x, out=x) if name in ("log", "log1p") else x


def numpy_work(name: str, dtype: str) -> Callable[[], Any] | None:
    function = getattr(np, name, None)
    if function is None and find_spec("scipy"):
        from scipy import special

        function = getattr(special, {"normal_tail": "erfc"}.get(name, name))  # the same work
    if function is None:
        return None
    x = values(name, dtype)
    out = np.empty_like(x)
    return lambda: function(x, out=out)


def kernel_work(name: str, dtype: str) -> Callable[[], Any]:
    entry = f"""
def entry(count, source, target):
    for at in range(0, count, {lanes(dtype)}):
        store(target, at, {name}(load(source, at)))
    return 0
"""
    run, arrays = compiled(entry, name, *HELPERS, dtype=dtype), (values(name, dtype), aligned(COUNT, dtype))
    source, target = map(address, arrays)
    return lambda arrays=arrays: run(COUNT, source, target)  # it keeps the arrays alive


def layer_work(name: str, dtype: str, backend: str) -> Callable[[], Any] | None:
    model = Sequential([Input((UNITS,)), Activation(name)])
    try:
        model.compile(loss="mse", backend=backend, dtype=dtype)
    except ImportError:
        return None
    predictor, x = model.predictor(ROWS), values(name, dtype).reshape(ROWS, UNITS)
    return lambda: predictor(x)


def works() -> Works:
    found: dict[tuple[str, str, str], Callable[[], Any] | None] = {}
    for dtype in DTYPES:
        for name in FUNCTIONS:
            found[name, dtype, "NumPy"] = numpy_work(name, dtype)
            found[name, dtype, "numba"] = kernel_work(name, dtype)
        for name in ACTIVATIONS:
            for backend in ("numba", "cython"):
                found[f"layer: {name}", dtype, backend] = layer_work(name, dtype, backend)
    return {key: work for key, work in found.items() if work}


def elementary(rounds: int = 5, seconds: float = 0.05, short: bool = False) -> None:
    """What a value of an elementary function or of an activation costs, beside NumPy's exp, tanh, log ..., in one run.

    Functions are the kernels' own, in a loop over one array. Activations are layers of one, through a predictor, less
    what the linear one costs there. All arrays are in the nearest caches. Nanoseconds a value are the least over some
    rounds, in which everything takes its turn; beside fastnn's stands how many times as long it takes as NumPy.
    """
    turns = by_turns(works(), *((2, 0.01) if short else (rounds, seconds)))
    found = {key: min(turn.min for turn in stats) / COUNT * 1e9 for key, stats in turns.items()}

    columns = [f"{dtype} {who}" for dtype in DTYPES for who in ("NumPy", "numba", "cython")]
    lines = titles(["nanoseconds a value", *columns])
    over = []
    for name in (*FUNCTIONS, *(f"layer: {name}" for name in ACTIVATIONS if name != "linear")):
        cells = [name]
        for dtype in DTYPES:
            layer = name.removeprefix("layer: ")
            like = LIKE.get(layer) if layer != name else name
            beside = found.get((like, dtype, "NumPy")) if like else None
            cells.append(f"{beside:.2f}" + (f" ({like})" if like != name else "") if beside else "-")
            for backend in ("numba", "cython"):
                time = found.get((name, dtype, backend))
                if time is None:
                    cells.append("-")
                    continue
                if layer != name:
                    time = max(0.0, time - found["layer: linear", dtype, backend])
                ratio = time / beside if beside else None
                cells.append(f"{time:.2f}" + (f" (x {ratio:.2f})" if ratio is not None else ""))
                if ratio is not None and ratio > BAR:
                    over.append(f"{name} {dtype} {backend} ({ratio:.2f})")
        lines.append(line(cells))
    print("\n".join(lines))
    print(f"\nmore than {BAR} times NumPy's: {', '.join(over) or 'none'}")
