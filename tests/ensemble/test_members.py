"""Members that nobody has asked for rest: they are what they would be as models all along."""

import copy

import numpy as np
import pytest

import fastnn
from fastnn import Ensemble, Sequential
from fastnn.layers import BatchNormalization, Dense, Dropout, Input

STACKS = {
    "plain": [Input((3,)), Dense(6, "tanh"), Dense(1)],
    "width of x": [Dense(6, "tanh", use_bias=False), Dense(1)],
    "one layer": [Dense(1)],
    "not in lanes": [Dense(6), BatchNormalization(), Dropout(0.2), Dense(1)],
}


def ensemble(stack, awake, **constants):
    found = Ensemble(Sequential(copy.deepcopy(STACKS[stack])), 9, seed=4)
    if awake:
        list(found)
    found.compile("adagrad", "mse", dtype="float64", **constants)
    return found


def table(rows=40):
    rng = np.random.default_rng(1)
    return rng.normal(0, 1, (rows, 3)), rng.normal(0, 1, (rows, 1))


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        assert one.optimizer.iterations == other.optimizer.iterations
        assert one.optimizer.get_config() == other.optimizer.get_config()
        assert one._rng.bit_generator.state == other._rng.bit_generator.state
        for mine, its in zip(
            one._engine.parameters.slot_matrices().values(),
            other._engine.parameters.slot_matrices().values(),
            strict=True,
        ):
            np.testing.assert_array_equal(mine, its)
        for mine, its in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, its)


CONSTANTS = {
    "none": {},
    "rates": {"learning_rate": np.geomspace(0.001, 0.1, 9), "initial_accumulator_value": np.linspace(0.1, 0.9, 9)},
    "of layers": {"l2": 0.01},
    "of layers, each": {"l2": np.linspace(0, 0.1, 9)},
    "schedule": {"learning_rate": fastnn.schedules.ExponentialDecay(0.1, 10, 0.5)},
}


@pytest.mark.parametrize("constants", CONSTANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_they_are_what_models_are(stack, constants):
    pair = [ensemble(stack, awake, **CONSTANTS[constants]) for awake in (False, True)]
    x, y = table()
    for each in pair:
        each.fit(x, y, epochs=3)
    assert_same(*pair)


def test_some_are_asked_for_between_fits():
    rest, awake = ensemble("plain", False), ensemble("plain", True)
    x, y = table()
    rest[3].get_weights()
    for _ in range(2):
        for each in (rest, awake):
            each.fit(x, y, epochs=2)
        assert rest[5].history.history == awake[5].history.history
        assert rest[5].history.model is rest[5]
    assert len(rest._members.resting) == 7
    assert_same(rest[2:4], awake[2:4])
    assert_same(rest, awake)


def test_one_that_has_more_steps_than_the_others():
    """Adam's corrections depend on the count."""
    pair = [ensemble("plain", awake) for awake in (False, True)]
    x, y = table()
    for each in pair:
        each.fit(x, y, epochs=1)
        each[1].fit(x, y, epochs=1, verbose=0)
        each.fit(x, y, epochs=1)
    assert [member.optimizer.iterations for member in pair[0]] == [4, 6, *[4] * 7]
    assert_same(*pair)


def test_compiled_again_they_keep_their_weights():
    pair = [ensemble("plain", awake) for awake in (False, True)]
    x, y = table()
    for each in pair:
        each.fit(x, y)
        each.compile("sgd", "mse", dtype="float64", learning_rate=np.linspace(0.01, 0.1, 9))
        each.fit(x, y)
    assert_same(*pair)


def test_a_member_that_diverges_is_left_behind():
    pair = [ensemble("plain", awake) for awake in (False, True)]
    x, y = table()
    for each in pair:
        each.compile("sgd", "mse", dtype="float64", learning_rate=[*[0.01] * 4, 1e300, *[0.01] * 4])
        with pytest.warns(fastnn.DivergenceWarning):
            each.fit(x, y)
    assert len(pair[0]._members.resting) == 8
    assert_same(*pair)


def test_copies_are_apart():
    first = ensemble("plain", False)
    x, y = table()
    first.fit(x, y)
    second = copy.deepcopy(first)
    second.fit(x, y)
    assert first[0].optimizer.iterations == 2
    assert second[0].optimizer.iterations == 4
