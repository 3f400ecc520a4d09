"""The loop of fit: compiled runs of many steps, and Python's part between them.

Python has control at the end of an epoch where somebody wants it (a callback, validation, a bar), and about twenty
times a second for Ctrl-C and progress; otherwise a compiled run goes on over the epochs.
"""

from __future__ import annotations

import copy
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import data as checks
from . import optimizers
from .engine import SLICE_SECONDS, Data, Engine, LayerPlan, Training
from .errors import DivergenceWarning

if TYPE_CHECKING:
    from .callbacks import CallbackList
    from .metrics import Metric
    from .optimizers import Optimizer

__all__ = ["gradient_descent", "named", "run"]

Array = npt.NDArray[Any]

Logs = dict[str, float]


def named(values: Array, metrics: Sequence[Metric], prefix: str = "") -> Logs:
    """The loss and the metrics by name, from their means over the rows."""
    logs = {f"{prefix}loss": float(values[0])}
    for metric, value in zip(metrics, values[1:], strict=True):
        logs[prefix + metric.name] = float(np.sqrt(value) if metric.root else value)
    return logs


def run(
    engine: Engine,
    optimizer: Optimizer,
    metrics: Sequence[Metric],
    data: Data,
    validation: Data | None,
    *,
    batch_size: int,
    epochs: range,
    shuffle: bool,
    seed: int,
    callbacks: CallbackList,
    stopping: Callable[[], bool],
    timed: Callable[[float], object] = lambda seconds: None,
) -> bool:
    """Train over the epochs, reporting each to the callbacks; ``stopping`` says whether one has asked to stop.

    ``timed`` gets the seconds that each epoch's steps took, before the callbacks hear of it.

    Returns whether Ctrl-C ended it: after the steps at hand, with the epochs so far reported.
    """
    training = engine.train(data, batch_size, len(epochs), shuffle, seed)
    each_epoch = callbacks.needs_epochs or validation is not None
    reported = 0  # epochs
    seconds = [0.0] * len(epochs)

    def report() -> None:
        """Tell the callbacks of the epochs that have ended."""
        nonlocal reported
        last = training.diverged - 1 if training.diverged else training.step // training.steps_per_epoch
        while reported < last:
            logs = named(training.results[reported] / len(data), metrics)
            if validation is not None:
                logs |= named(engine.evaluate(validation), metrics, "val_")
            reported += 1  # before the call: Ctrl-C may strike in it
            timed(seconds[reported - 1])
            callbacks.on_epoch_end(epochs[reported - 1], logs)
            if each_epoch:
                training.keep_good()  # a callback may have set weights

    try:
        while training.step < training.steps and not stopping():
            epoch = training.step // training.steps_per_epoch
            end = (epoch + 1) * training.steps_per_epoch if each_epoch else training.steps
            if each_epoch:
                callbacks.on_epoch_begin(epochs[epoch])
                engine.set_optimizer(
                    optimizer.row, optimizer.hyper(), *optimizer.options()
                )  # a callback may have changed it
            while training.step < end and not training.diverged:
                _slice(training, end, seconds)
                _progress(training, metrics, callbacks, epochs)
            report()
            if training.diverged:
                training.restore_good()
                _warn(training, optimizer, epochs)
                break
    except KeyboardInterrupt:
        report()
        training.restore_good()
        print(f"\nfit: interrupted after {reported} of {len(epochs)} epochs; the weights are kept", file=sys.stderr)
        return True
    finally:
        optimizer.iterations = engine.iterations
        training.close()
    return False


def _slice(training: Training, end: int, seconds: list[float]) -> None:
    """Steps for about SLICE_SECONDS, and how long one takes; their time is added to that of their epochs."""
    first = training.step
    steps = max(1, int(SLICE_SECONDS / training.seconds_a_step))
    begin = time.perf_counter()
    try:
        training.advance(min(end, first + steps))
    finally:  # Ctrl-C strikes when the steps have been taken
        taken = training.step - first
        if taken:
            a_step = (time.perf_counter() - begin) / taken
            training.seconds_a_step = max(a_step, 1e-9)
            in_epoch = training.steps_per_epoch
            here, there = first // in_epoch, (training.step - 1) // in_epoch
            if here == there:
                seconds[here] += taken * a_step
            else:
                seconds[here] += ((here + 1) * in_epoch - first) * a_step
                seconds[here + 1 : there] = [in_epoch * a_step] * (there - here - 1)
                seconds[there] += (training.step - there * in_epoch) * a_step


def _progress(training: Training, metrics: Sequence[Metric], callbacks: CallbackList, epochs: range) -> None:
    if not callbacks.needs_progress or training.diverged:
        return
    epoch = (training.step - 1) // training.steps_per_epoch
    step = training.step - epoch * training.steps_per_epoch
    rows = min(step * training.batch_size, len(training.data))
    logs = named(training.results[epoch] / rows, metrics)
    callbacks.on_progress(epochs[epoch], step, training.steps_per_epoch, logs)


def _warn(training: Training, optimizer: Optimizer, epochs: range) -> None:
    epoch = epochs[training.diverged - 1]
    loss = training.results[training.diverged - 1, 0] / len(training.data)
    kept = f"those of epoch {epoch}" if training.diverged > 1 else "those before fit"
    rate = getattr(optimizer, "learning_rate", None)
    warnings.warn(
        f"training diverged in epoch {epoch + 1} (loss {loss:.4g}): the weights are again {kept}; "
        f"try a smaller learning_rate (it is {rate}), inputs scaled to about -1 ... 1, or another loss",
        DivergenceWarning,
        stacklevel=4,
    )


def gradient_descent(
    gradient: Callable[[Array], npt.ArrayLike],
    x0: npt.ArrayLike,
    learning_rate: float,
    steps: int,
    optimizer: str | Optimizer = "sgd",
) -> Array:
    """Descend a function from a point by its gradient, with the compiled update that training uses.

    x(t + 1) = x(t) - learning_rate * gradient(x(t)) for "sgd".

    Parameters
    ----------
    gradient : callable
        Takes a point (n,), float64, and returns the gradient there (n,).
    x0 : (n,) array-like, or a number
    learning_rate : float
    steps : int
    optimizer : str or Optimizer
        Its learning_rate is set to the one given here, on a copy.

    Returns
    -------
    (steps + 1, n) array of float64
        The path, x0 first.

    Raises
    ------
    ValueError
        x0 is not finite or not a point; the gradient is of another shape.
    """
    if not callable(gradient):
        raise TypeError(f"gradient got {gradient!r}; wants a function of a point")
    start = np.atleast_1d(checks.as_array(x0, "x0"))
    if start.ndim != 1 or start.size == 0:
        raise ValueError(f"x0 got shape {start.shape}; wants one point, (n,)")
    checks.check_finite(start, "x0")
    steps = checks.positive_integer(steps, "steps", least=0)
    chosen = copy.copy(optimizers.get(optimizer))
    if chosen.full_batch:
        raise ValueError("optimizer got LBFGS, which needs values too; wants one that follows the gradient alone")
    chosen.learning_rate = learning_rate
    n = len(start)
    engine = Engine(n, [LayerPlan(1, "linear", use_bias=False)], "float64", "auto", 1)
    engine.set_optimizer(chosen.row, chosen.hyper(), *chosen.options())
    engine.assign(0, [start[:, np.newaxis]])
    point = engine.kernel(0)[:, 0]
    along = np.zeros(engine.parameter_count)
    path = np.empty((steps + 1, n))
    path[0] = start
    for step in range(steps):
        slope = np.asarray(gradient(path[step].copy()), float)
        if slope.shape not in ((n,), ()) or slope.size != n:
            raise ValueError(f"gradient got a value of shape {slope.shape}; wants {(n,)}, as x0 has")
        if not np.isfinite(slope).all():
            raise ValueError(f"gradient got a value of {slope} at {path[step]}, step {step}; wants finite numbers")
        engine.matrix(0, along)[:, 0] = slope
        engine.update(along)
        path[step + 1] = point
    return path
