"""Gradients of the parts of a batch: their sum is a tree, whoever computes its branches."""

import numpy as np
import pytest
from backends import require, why_missing

import fastnn
from fastnn import layers, optimizers
from fastnn.engine import Data
from fastnn.engine.parts import PartSteps, part_starts

ROWS, BATCH, PARTS = 230, 64, 8
COMPILED = [backend for backend in ("numba", "cython") if not why_missing(backend)]
STACKS = {
    "plain": lambda: [layers.Dense(70, "relu"), layers.Dense(20, "tanh")],
    "noisy": lambda: [layers.Dense(40, "relu"), layers.Dropout(0.4), layers.GaussianNoise(0.2)],
    "normalised": lambda: [layers.Dense(30), layers.BatchNormalization(), layers.Activation("relu")],
    "of rows": lambda: [layers.Dense(30, "relu"), layers.LayerNormalization()],
    "penalised": lambda: [layers.Dense(30, "relu", kernel_regularizer="l2", bias_regularizer="l1")],
    "transposed": lambda: [layers.Dense(3, "tanh"), layers.Dense(300, "relu")],
}


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 21))
    return x, rng.integers(0, 3, ROWS), rng.uniform(0.5, 2, ROWS)


def trained(stack, backend, threads, ranks, dtype, steps=5):
    """Parameters, and sums of scores, after steps that so many ranks have shared, one after the other in a process."""
    x, y, weight = data()
    rows = Data(x.astype(dtype), y, True, weight)
    held = []
    for _ in range(ranks):
        model = fastnn.Sequential([fastnn.Input((21,)), *STACKS[stack](), layers.Dense(3, "softmax")], seed=0)
        optimizer = optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.2)
        model.compile(
            optimizer, "sparse_categorical_crossentropy", ["accuracy"], backend=backend, threads=threads, dtype=dtype
        )
        model.build()
        model.optimizer.configure(model._engine)
        largest = max(np.diff(part_starts(BATCH, PARTS)))
        held.append((model, PartSteps(model._engine, PARTS // ranks, largest)))
    total, each = np.zeros(2), -(-ROWS // BATCH)
    for step in range(steps):
        count = min(BATCH, ROWS - step % each * BATCH)
        starts = part_starts(count, PARTS)
        for rank, (model, own) in enumerate(held):
            engine = model._engine
            engine.schedule(1)
            first = rank * own.parts
            own.attach(rows, BATCH, each, engine.blank.order, threads)
            own.differentiate(step, starts[first : first + own.parts + 1], count)
        message = tree([own.message.copy() for _, own in held])
        total = total + tree([scores for _, own in held for scores in own.scores.copy()])
        for model, own in held:
            own.message[:] = message
            penalty = own.update(0)
            model._engine.parameters.came_along()
        total = total + [penalty * count, 0]
    vectors = [np.concatenate([m._engine.parameters.values, m._engine.parameters.state]) for m, _ in held]
    assert all(vector.tobytes() == vectors[0].tobytes() for vector in vectors)
    return held[0][0], vectors[0], total


def tree(branches):
    while len(branches) > 1:
        branches = [a + b for a, b in zip(branches[::2], branches[1::2], strict=True)]
    return branches[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stack", STACKS)
def test_bits_do_not_follow_from_ranks_threads_or_backends(stack, dtype):
    _, vector, total = trained(stack, COMPILED[0], 1, 1, dtype)
    for backend in COMPILED:
        for ranks, threads in ((1, 2), (2, 1), (4, 2), (8, 1)):
            _, other, scores = trained(stack, backend, threads, ranks, dtype)
            assert other.tobytes() == vector.tobytes(), (backend, ranks, threads)
            assert scores.tobytes() == total.tobytes(), (backend, ranks, threads)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("backend", ["numba", "cython"])
def test_parts_are_those_of_the_numpy_twin(stack, backend):
    require(backend)
    _, vector, total = trained(stack, backend, 1, 2, "float64")
    _, twin, scores = trained(stack, "numpy", 1, 4, "float64")
    np.testing.assert_allclose(vector, twin, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(total, scores, rtol=1e-9)


@pytest.mark.parametrize("stack", [name for name in STACKS if name != "normalised"])
def test_their_steps_are_those_of_a_fit(stack):
    _, vector, total = trained(stack, COMPILED[0], 1, 2, "float64")
    x, y, weight = data()
    other = fastnn.Sequential([fastnn.Input((21,)), *STACKS[stack](), layers.Dense(3, "softmax")], seed=0)
    optimizer = optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.2)
    other.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"], backend=COMPILED[0], dtype="float64")
    other.build()
    other.optimizer.configure(other._engine)
    run = other._engine.train(Data(x, y, True, weight), BATCH, 2, False, 0)
    run.advance(5)
    np.testing.assert_allclose(
        vector[: other._engine.parameter_count], other._engine.parameters.values, rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(total, run.results.sum(axis=0), rtol=1e-9)


@pytest.mark.parametrize("rows", [1, 5, 8, 30, 64, 1003])
def test_parts_cover_a_batch_in_blocks(rows):
    starts = part_starts(rows, 8)
    assert starts[0] == 0
    assert starts[-1] == rows
    assert starts == sorted(starts)
    assert all(start % 8 == 0 for start in starts[:-1] if start < rows)
