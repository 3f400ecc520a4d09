"""Fits of small members in the lanes of vectors, where nothing else is asked for than steps."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import data
from fastnn.callbacks import History
from fastnn.data import Chunk
from fastnn.engine import Data, MemberTraining, processors
from fastnn.engine import members as engine_members
from fastnn.models import Sequential, fitting
from fastnn.typing import Array
from fastnn.undisturbed import undisturbed
from .members import Members

SECONDS = 0.1
"""About how long a call of the kernels takes, after which Ctrl-C ends training."""


def fit(
    members: Members,
    rows: Sequence[Sequence[Any]],
    batch_size: int,
    epochs: int,
    shuffle: str | bool,
    threads: int | None,
    bootstrap: bool,
) -> tuple[dict[int, History], bool]:
    """Train members where they suit, and are sooner so; ``rows`` are x and y for all, or of each.

    Returns
    -------
    dict of int to History
        Without those that diverged: they are as they were, and where they were in their random numbers.
    bool
        Whether Ctrl-C ended training.
    """
    engines = members.built(np.shape(rows[0][0])[-1])
    models = [*([members.pattern] if members.resting else []), *members.made.values()]
    known = not any(model._shares or model._takes_shapes or model._loss_plan is None for model in models)
    if not (epochs and known and engine_members.suit(engines, members.plans)):
        return {}, False
    engine = engines[0]
    if not engine_members.pay(engine, len(members)):
        return {}, False
    x, y = _arrays(models[0], rows)  # raises before anything is changed
    generators = [members.generator(number) for number in range(len(members))]
    begun = [generator.bit_generator.state for generator in generators]
    common = int(copy.deepcopy(generators[0]).integers(2**61))
    if bootstrap:
        x, y = _drawn(x, y, generators)
    seeds = [int(generator.integers(2**61)) for generator in generators]
    if shuffle == "same":
        seeds = [common] * len(seeds)
    states = members.states(engine)
    together = shuffle == "same" or not shuffle
    run = MemberTraining(engine, states, x, y, batch_size, seeds, bool(shuffle), together)
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
    losses = np.concatenate(sums) * (engine.job.loss.score_scale / run.rows)
    left = run.states()
    sound = np.isfinite(losses).all(axis=0) & np.isfinite(left.values).all(axis=1)
    chosen = np.flatnonzero(sound)
    for number in np.flatnonzero(~sound):
        generators[number].bit_generator.state = begun[number]
    undisturbed(lambda: members.take(chosen.tolist(), left.of(chosen)))
    found = {number: _history(losses[:, number], seconds, run.rows, interrupted) for number in chosen.tolist()}
    members.note(found)
    return found, interrupted


def _drawn(x: Array, y: Array, generators: Sequence[np.random.Generator]) -> tuple[Array, Array]:
    """Rows for each member, drawn with replacement."""
    rows = x.shape[-2]
    drawn = np.stack([generator.integers(0, rows, rows) for generator in generators])
    each = np.arange(len(generators))[:, np.newaxis]
    return tuple(array[drawn] if array.ndim == 2 else array[each, drawn] for array in (x, y))  # type: ignore[return-value]


def _history(losses: Array, seconds: list[float], rows: int, interrupted: bool) -> History:
    history = History()
    history.history, history.epoch = {"loss": losses.tolist()}, list(range(len(losses)))
    history.seconds, history.samples, history.interrupted = list(seconds), rows, interrupted
    return history


def _arrays(model: Sequential, rows: Sequence[Sequence[Any]]) -> tuple[Array, Array]:
    """x and y as the kernels take them: numbers of the models' dtype, classes one by one; checked as fit does."""
    found = [_checked(model, each[0], each[1]) for each in rows]
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
