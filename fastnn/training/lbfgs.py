"""fit with the optimizer LBFGS: SciPy's L-BFGS-B over the compiled loss and gradient of the whole data."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.data import Feed, evaluate
from fastnn.engine import Data, Engine
from fastnn.errors import DivergenceWarning
from fastnn.extras import require
from fastnn.optimizers import LBFGS, Optimizer

from .loop import named

if TYPE_CHECKING:
    from fastnn.callbacks import CallbackList
    from fastnn.metrics import Metric

__all__ = ["run"]

Array = npt.NDArray[Any]


def run(
    engine: Engine,
    optimizer: Optimizer,
    metrics: Sequence[Metric],
    data: Data | Feed,
    validation: Data | Feed | None,
    *,
    epochs: range,
    callbacks: CallbackList,
    stopping: Callable[[], bool],
    timed: Callable[[list[float], int], object] = lambda seconds, rows: None,
    **_: Any,
) -> bool:
    """Minimise the loss over all rows, an iteration an epoch; ``stopping`` says whether a callback has asked to stop.

    Returns whether Ctrl-C ended it: with the weights of the last iteration.
    """
    assert isinstance(optimizer, LBFGS)
    assert isinstance(data, Data)
    minimize = require("scipy.optimize", "scipy").minimize
    start = engine.parameters.astype(np.float64)
    if not len(epochs):
        return False
    best, reported, begin = start, 0, time.perf_counter()

    def put(point: Array) -> None:
        engine.parameters[:] = point
        engine.changes += 1
        engine.refresh_all()

    def value_and_gradient(point: Array) -> tuple[float, Array]:
        put(point)
        gradient, loss = engine.gradient(data)
        return loss, gradient.astype(np.float64)

    def report(intermediate_result: Any) -> None:
        nonlocal best, reported, begin
        timed([time.perf_counter() - begin], len(data))
        best = np.array(intermediate_result.x)
        put(best)
        values = engine.evaluate(data) if metrics else np.array([intermediate_result.fun])
        logs = named(values, metrics)
        if validation is not None:
            logs |= named(evaluate(engine, validation), metrics, "val_")
        reported += 1
        optimizer.iterations = engine.iterations = engine.iterations + 1
        callbacks.on_epoch_end(epochs[reported - 1], logs)
        if stopping():
            raise StopIteration
        if reported < len(epochs):
            callbacks.on_epoch_begin(epochs[reported])
        begin = time.perf_counter()

    options = {
        "maxiter": len(epochs),
        "maxfun": sys.maxsize >> 33,
        "maxcor": optimizer.history_size,
        "gtol": optimizer.tolerance_grad,
        "ftol": optimizer.tolerance_change,
        "maxls": optimizer.max_line_search,
    }
    callbacks.on_epoch_begin(epochs[0])
    try:
        result = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", callback=report, options=options)
    except KeyboardInterrupt:
        print(f"\nfit: interrupted after {reported} of {len(epochs)} epochs; the weights are kept", file=sys.stderr)
        return True
    finally:
        put(best)
    if not (np.isfinite(result.fun) and np.isfinite(best).all()):
        put(start)
        warnings.warn(
            f"L-BFGS met a loss of {result.fun:.4g}: the weights are again those before fit; "
            "try inputs scaled to about -1 ... 1, or another loss",
            DivergenceWarning,
            stacklevel=3,
        )
    return False
