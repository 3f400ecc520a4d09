"""What train_on_batch does: one step of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from fastnn import quick
from fastnn.data import Chunk
from fastnn.engine import Data, Engine

from . import datasets

if TYPE_CHECKING:
    from .sequential import Sequential

__all__ = ["step"]

Array = npt.NDArray[Any]


def step(model: Sequential, x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Array:
    """One step over all rows of x; the means of the loss before it and of the metrics.

    Raises
    ------
    FloatingPointError
        It made the loss or a weight NaN or infinite; all is as before.
    """
    assert model.optimizer is not None
    if model.optimizer.full_batch:
        raise RuntimeError("train_on_batch takes a single step, which LBFGS cannot; wants fit, or another optimizer")
    batch = _plain_batch(model, x, y) if sample_weight is None and class_weight is None else None
    batch = batch or datasets.in_memory(model, Chunk(x, y, sample_weight), class_weight)
    engine = model._built(batch.width)
    optimizer = model._set_optimizer(engine)
    values = _step(engine, batch, optimizer.row)
    optimizer.__dict__["iterations"] = engine.iterations  # it counts right: no need of a check
    if values is None:
        raise FloatingPointError(
            "train_on_batch: the step made the loss or a weight NaN or infinite; the weights are as before. "
            "Try a smaller learning_rate, or scaled inputs"
        )
    return values


def _plain_batch(model: Sequential, x: Any, y: Any) -> Data | None:
    """x and y as they are, where a glance shows that nothing is wrong with them."""
    engine, plan = model._engine, model._loss_plan
    if engine is None or plan is None or plan.labels or plan.domain or plan.outputs_a_target > 1:
        return None
    if not (quick.fits(x, engine.inputs, engine.dtype) and quick.fits(y, engine.outputs, engine.dtype)):
        return None
    return Data(x, y) if len(x) == len(y) and quick.finite(x) and quick.finite(y) else None


def _step(engine: Engine, batch: Data, optimizer: str) -> Array | None:
    """The means of the loss before the step and of the metrics; None if it diverged."""
    rows = len(batch)
    key = ("step", rows, optimizer)
    prepared = engine.prepared.get(key)
    if prepared is None and quick.Step.suits(engine, rows):
        if len(engine.prepared) > 8:  # every batch another size: keep no more
            engine.prepared.clear()
        prepared = engine.prepared[key] = quick.Step(engine, rows, batch.labels)
    if prepared is not None:
        values: Array | None = prepared(batch)
        return values
    run = engine.train(batch, rows, 1, False, 0)
    run.advance(1)
    if run.diverged:
        run.restore_good()
        return None
    means: Array = run.results[0] / rows
    return means
