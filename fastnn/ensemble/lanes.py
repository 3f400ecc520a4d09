"""Fits of small members in the lanes of vectors, where nothing else is asked for than steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import data
from fastnn.callbacks import History
from fastnn.data import Chunk
from fastnn.engine import Data, MemberTraining, members, processors
from fastnn.models import Sequential, fitting
from fastnn.typing import Array
from fastnn.undisturbed import undisturbed

SECONDS = 0.1
"""About how long a call of the kernels takes, after which Ctrl-C ends training."""


def suit(models: Sequence[Sequential]) -> bool:
    """Whether members, built and compiled, may be trained in lanes, and are sooner."""
    engines = [model._engine for model in models if model._engine is not None and not model._shares]
    known = len(engines) == len(models) and all(model._loss_plan is not None for model in models)
    return known and not models[0]._takes_shapes and members.suit(engines) and members.pay(engines)


def fit(
    models: Sequence[Sequential],
    rows: Sequence[Sequence[Any]],
    batch_size: int,
    epochs: int,
    shuffle: str | bool,
    threads: int | None,
) -> tuple[dict[int, History], bool]:
    """Train members; ``rows`` are x and y for all, or of each.

    Returns
    -------
    dict of int to History
        Without those that diverged: they are as they were, and where they were in their random numbers.
    bool
        Whether Ctrl-C ended training.
    """
    x, y = _arrays(models, rows)  # raises before anything is changed
    begun = [model._rng.bit_generator.state for model in models]
    seeds = [int(model._rng.integers(2**61)) for model in models]
    if shuffle == "same":
        seeds = seeds[:1] * len(seeds)
    engines = [model._engine for model in models if model._engine is not None]
    run = MemberTraining(engines, x, y, batch_size, seeds, bool(shuffle), shuffle == "same" or not shuffle)
    sums: list[Array] = []
    seconds: list[float] = []
    interrupted = False
    ahead = 1

    def some() -> None:
        start = time.perf_counter()
        sums.append(run.train(min(ahead, epochs - run.done), processors() if threads is None else threads))
        seconds.extend([(time.perf_counter() - start) / len(sums[-1])] * len(sums[-1]))

    try:
        while run.done < epochs:
            undisturbed(some)
            ahead = max(1, int(SECONDS / max(seconds[-1], 1e-6)))
    except KeyboardInterrupt:
        interrupted = True
    if not sums:
        raise KeyboardInterrupt
    losses = np.concatenate(sums) * (engines[0].job.loss.score_scale / run.rows)
    sound = np.isfinite(losses).all(axis=0) & run.finite
    undisturbed(lambda: run.give_back(np.flatnonzero(sound).tolist()))
    found: dict[int, History] = {}
    for number, model in enumerate(models):
        if sound[number]:
            found[number] = _history(model, losses[:, number], seconds, run.rows, interrupted)
        else:
            model._rng.bit_generator.state = begun[number]
    return found, interrupted


def _history(model: Sequential, losses: Array, seconds: list[float], rows: int, interrupted: bool) -> History:
    history = History()
    history.model = model
    history.history, history.epoch = {"loss": losses.tolist()}, list(range(len(losses)))
    history.seconds, history.samples, history.interrupted = list(seconds), rows, interrupted
    model.history = history
    return history


def _arrays(models: Sequence[Sequential], rows: Sequence[Sequence[Any]]) -> tuple[Array, Array]:
    """x and y as the kernels take them: numbers of the models' dtype, classes one by one; checked as fit does."""
    found = [_checked(model, each[0], each[1]) for model, each in zip(models, rows, strict=False)]
    if len(found) == 1:
        return found[0]
    return np.stack([x for x, _ in found]), np.stack([y for _, y in found])


def _checked(model: Sequential, x: Any, y: Any) -> tuple[Array, Array]:
    engine = model._engine
    assert engine is not None
    given, _ = fitting.training_data(model, Chunk(x, y, None), None, None, False)
    assert isinstance(given, Data)
    data.check_finite(given.x, "x", model.dtype)
    taken = np.ascontiguousarray(given.x, engine.dtype)
    assert given.y is not None
    if given.labels:
        targets = np.zeros((len(taken), engine.outputs), engine.dtype)
        targets[np.arange(len(taken)), np.asarray(given.y, np.int64).ravel()] = 1
        return taken, targets
    return taken, np.ascontiguousarray(np.asarray(given.y, engine.dtype).reshape(len(taken), engine.outputs))
