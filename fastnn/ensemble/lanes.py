"""Fits and predictions of small members in the lanes of vectors."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fastnn import data
from fastnn.callbacks import EarlyStopping, History
from fastnn.data import Chunk
from fastnn.engine import Data, Engine, MemberTraining, processors
from fastnn.engine import members as engine_members
from fastnn.models import Sequential, fitting
from fastnn.typing import Array
from fastnn.undisturbed import undisturbed
from .course import Course
from .members import Members

SECONDS = 0.1
"""About how long a call of the kernels takes, after which Ctrl-C ends training."""

ROWS = 64
"""Rows that are predicted at a time."""


class Asked(NamedTuple):
    """What a fit is to be like; see `Ensemble.fit`.

    Attributes
    ----------
    validation : (x, y), optional
        For all members.
    stopping : list of EarlyStopping
        Those of each member; or none at all.
    """

    batch_size: int
    epochs: int
    shuffle: str | bool
    threads: int | None
    bootstrap: bool = False
    validation: Any = None
    stopping: Sequence[EarlyStopping] = ()


def known(callbacks: Any, options: Mapping[str, Any]) -> bool:
    """Whether a fit in lanes knows what is asked for: EarlyStopping, and rows to validate with."""
    stops = not callbacks or (
        isinstance(callbacks, Sequence)
        and len(callbacks) == 1
        and type(callbacks[0]) is EarlyStopping
        and not callbacks[0].verbose
    )
    held = options.get("validation_data")
    return (
        stops and options.keys() <= {"validation_data"} and (held is None or (type(held) is tuple and len(held) == 2))
    )


def engine_for(members: Members, width: int) -> Engine | None:
    """An engine of one of the members, where these suit, and are sooner so."""
    engines = members.built(width)
    plain = not any(model._shares or model._takes_shapes or model._loss_plan is None for model in members.models)
    if not (plain and engine_members.suit(engines, members.plans)):
        return None
    return engines[0] if engine_members.pay(engines[0], len(members)) else None


def fit(members: Members, rows: Sequence[Sequence[Any]], asked: Asked) -> tuple[dict[int, History], bool]:
    """Train members where they suit, and are sooner so; ``rows`` are x and y for all, or of each.

    Returns
    -------
    dict of int to History
        Without those that diverged: they are as they were, and where they were in their random numbers.
    bool
        Whether Ctrl-C ended training.
    """
    engine = engine_for(members, np.shape(rows[0][0])[-1])
    if engine is None or (asked.validation is not None and members.penalized):
        return {}, False
    model = members.models[0]
    x, y = _arrays(model, rows)  # raises before anything is changed
    validation = None
    if asked.validation is not None:
        validation = _checked(model, asked.validation[0], asked.validation[1], "validation_data")
    generators = [members.generator(number) for number in range(len(members))]
    begun = [generator.bit_generator.state for generator in generators]
    common = int(copy.deepcopy(generators[0]).integers(2**61))
    if asked.bootstrap:
        x, y = _drawn(x, y, generators)
    seeds = [int(generator.integers(2**61)) for generator in generators]
    if asked.shuffle == "same":
        seeds = [common] * len(seeds)
    together = asked.shuffle == "same" or not asked.shuffle
    states = members.states(engine)
    run = MemberTraining(engine, states, x, y, asked.batch_size, seeds, bool(asked.shuffle), together)
    course = Course(run, states, validation, asked.stopping, engine.job.loss.score_scale)
    try:
        interrupted = _train(course, asked)
    except BaseException:  # nothing has been changed but these
        for generator, state in zip(generators, begun, strict=True):
            generator.bit_generator.state = state
        raise
    found: dict[int, History] = {}

    def settle() -> None:
        course.end()
        sound = course.sound()
        for number in np.flatnonzero(~sound):
            generators[number].bit_generator.state = begun[number]
        chosen = np.flatnonzero(sound)
        members.take(chosen.tolist(), course.states.of(chosen))
        found.update({number: course.history(number, interrupted) for number in chosen.tolist()})
        members.note(found)

    undisturbed(settle)
    return found, interrupted


def _train(course: Course, asked: Asked) -> bool:
    """Take the epochs; returns whether Ctrl-C came, between two calls of the kernels."""
    threads, ahead = processors() if asked.threads is None else asked.threads, 1
    try:
        while course.run.done < asked.epochs and course.going.any():
            epochs = 1 if course.watched else min(ahead, asked.epochs - course.run.done)
            undisturbed(partial(course.advance, epochs, threads))
            ahead = max(1, int(SECONDS / max(course.seconds[-1], 1e-6)))
    except KeyboardInterrupt:
        if not course.seconds:
            raise
        return True
    return False


def predict(members: Members, x: Array, threads: int | None) -> Array | None:
    """What every member gives for rows (rows, inputs), or of each; None where they do not suit."""
    if members.pattern.loss is None or x.ndim < 2 or not x.size or (engine := engine_for(members, x.shape[-1])) is None:
        return None
    members.pattern.predict(x.reshape(-1, x.shape[-1])[:1])  # raises what a single model would
    data.check_finite(x, "x", members.pattern.dtype)
    given = np.ascontiguousarray(x, engine.dtype)
    states = members.states(engine)
    nothing = np.zeros((x.shape[-2], engine.outputs), engine.dtype)
    run = MemberTraining(engine, states, given, nothing, ROWS, [0] * len(members), False, True)
    found = run.outputs(given, processors() if threads is None else threads)
    if engine.plans[-1].activation == "softmax":
        found = np.exp(found - found.max(axis=-1, keepdims=True))
        found /= found.sum(axis=-1, keepdims=True)
    return found


def _drawn(x: Array, y: Array, generators: Sequence[np.random.Generator]) -> tuple[Array, Array]:
    """Rows for each member, drawn with replacement."""
    rows = x.shape[-2]
    drawn = np.stack([generator.integers(0, rows, rows) for generator in generators])
    each = np.arange(len(generators))[:, np.newaxis]
    return tuple(array[drawn] if array.ndim == 2 else array[each, drawn] for array in (x, y))  # type: ignore[return-value]


def _arrays(model: Sequential, rows: Sequence[Sequence[Any]]) -> tuple[Array, Array]:
    """x and y as the kernels take them: numbers of the models' dtype, classes one by one; checked as fit does."""
    found = [_checked(model, each[0], each[1]) for each in rows]
    if len(found) == 1:
        return found[0]
    return np.stack([x for x, _ in found]), np.stack([y for _, y in found])


def _checked(model: Sequential, x: Any, y: Any, origin: str = "") -> tuple[Array, Array]:
    engine = model._engine
    assert engine is not None
    given, _ = fitting.training_data(model, Chunk(x, y, None, origin), None, None, False)
    assert isinstance(given, Data)
    data.check_finite(given.x, origin or "x", model.dtype)
    taken = np.ascontiguousarray(given.x, engine.dtype)
    assert given.y is not None
    if given.labels:
        targets = np.zeros((len(taken), engine.outputs), engine.dtype)
        targets[np.arange(len(taken)), np.asarray(given.y, np.int64).ravel()] = 1
        return taken, targets
    return taken, np.ascontiguousarray(np.asarray(given.y, engine.dtype).reshape(len(taken), engine.outputs))
