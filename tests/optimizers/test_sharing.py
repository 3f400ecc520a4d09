"""An optimizer is one model's: counts, learning rate and state, whoever else is given the same object."""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, optimizers, schedules
from fastnn.layers import Dense, Input

X = np.random.default_rng(0).standard_normal((32, 3)).astype("float32")
Y = X[:, :1] * 2
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: optimizers.Adam(0.01),
    "scheduled": lambda: optimizers.Adam(schedules.ExponentialDecay(0.1, 3, 0.5)),
    "averaged": lambda: optimizers.RMSprop(0.01, use_ema=True),
}


def model_of(optimizer, seed=0):
    model = fastnn.Sequential([Input((3,)), Dense(4, activation="tanh"), Dense(1)], seed=seed)
    model.compile(optimizer, "mse", backend="numpy")
    return model


def train(model, steps=5):
    for _ in range(steps):
        model.train_on_batch(X, Y)
    return model


def state(model):
    document, arrays = model._contents()
    return document["compiled"], {name: array.tobytes() for name, array in arrays.items()}


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_two_models_with_one_optimizer_train_as_with_two(make):
    shared = OPTIMIZERS[make]()
    first, second = model_of(shared), model_of(shared, seed=1)
    assert first.optimizer is shared
    assert second.optimizer is not shared
    for _ in range(3):
        train(first, 1)
        train(second, 2)
    assert (first.optimizer.iterations, second.optimizer.iterations) == (3, 6)
    assert state(first) == state(train(model_of(OPTIMIZERS[make]()), 3))
    assert state(second) == state(train(model_of(OPTIMIZERS[make](), seed=1), 6))


def test_setting_the_rate_of_the_first_models_optimizer_leaves_the_second_alone():
    shared = optimizers.SGD(0.1)
    first, second = model_of(shared), model_of(shared)
    shared.learning_rate = 0.0
    before = first.get_weights()
    train(first), train(second)
    assert all(np.array_equal(a, b) for a, b in zip(before, first.get_weights(), strict=True))
    assert second.optimizer.learning_rate == 0.1
    second.optimizer.learning_rate = 0.0
    before = second.get_weights()
    train(second)
    assert all(np.array_equal(a, b) for a, b in zip(before, second.get_weights(), strict=True))


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_an_optimizer_is_free_again_once_its_model_has_another_or_is_gone(make):
    shared = OPTIMIZERS[make]()
    first = train(model_of(shared))
    first.compile("sgd", "mse", backend="numpy")
    second = model_of(shared)
    assert second.optimizer is shared
    assert (shared.iterations, first.optimizer.iterations) == (0, 0)
    del second
    assert model_of(shared).optimizer is shared


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_compiling_twice_with_one_object_begins_anew(make):
    shared = OPTIMIZERS[make]()
    model = model_of(shared)
    start = model.get_weights()
    train(model)
    expected = state(model)
    model.compile(shared, "mse", backend="numpy")
    assert (model.optimizer is shared, shared.iterations) == (True, 0)
    model.set_weights(start)
    train(model)
    got = state(model)
    assert got == expected


def reloaded(model, path):
    model.save(path)
    return fastnn.load_model(path, backend="numpy")


COPIES = {
    "saved": reloaded,
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "copy": lambda model, path: copy.copy(model),
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_copy_goes_on_as_the_model_does_and_for_itself(make, how, tmp_path):
    model = train(model_of(OPTIMIZERS[make]()))
    if make != "scheduled":
        model.optimizer.learning_rate = 0.003  # set later
    twin = COPIES[how](model, tmp_path / "model.fastnn")
    before = state(model)
    assert state(twin) == before
    train(twin)
    assert state(model) == before
    assert twin.optimizer.iterations == 10
    train(model)
    assert state(model) == state(twin)
    other = model_of(twin.optimizer)  # which is the twin's
    assert other.optimizer is not twin.optimizer
    assert (other.optimizer.iterations, twin.optimizer.iterations) == (0, 10)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))])
def test_a_copy_of_an_optimizer_counts_for_itself(how):
    model = train(model_of(optimizers.Adam(0.01)))
    copied = how(model.optimizer)
    train(model)
    assert (model.optimizer.iterations, copied.iterations) == (10, 5)
    assert copied.get_config() == model.optimizer.get_config()


def test_iterations_that_are_set_are_heeded():
    model = model_of(OPTIMIZERS["scheduled"]())
    model.optimizer.iterations = 30
    assert model.optimizer.learning_rate == pytest.approx(0.1 * 0.5**10)
    model.train_on_batch(X, Y)
    assert model.optimizer.iterations == 31
    with pytest.raises(ValueError, match="iterations"):
        model.optimizer.iterations = -1
    assert model.optimizer.iterations == 31


def test_iterations_are_right_at_all_times():
    model, seen = model_of("adam"), []
    hooks = {"on_progress": lambda *_: seen.append(model.optimizer.iterations)}
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=[callbacks.LambdaCallback(**hooks)])
    assert seen[-1] == model.optimizer.iterations == 4


class Die(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            self.model.optimizer.learning_rate = 0.005
        if epoch == 3:
            raise ZeroDivisionError


def resumed(tmp_path, first, second):
    """A run that dies and goes on in another model, whose optimizer may be set otherwise; that model."""
    with pytest.raises(ZeroDivisionError):
        model_of(first).fit(
            X, Y, epochs=5, verbose=0, callbacks=[Die(), callbacks.BackupAndRestore(tmp_path / "backup")]
        )
    model = model_of(second, seed=7)
    model.fit(X, Y, epochs=5, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "backup")])
    return model


def test_a_backup_brings_back_counts_and_the_rate_and_no_settings(tmp_path):
    model = resumed(tmp_path, optimizers.Adam(0.01, clipnorm=1.0, epsilon=1e-5), optimizers.Adam(0.5, beta_1=0.8))
    assert model.optimizer.iterations == 5
    config = model.optimizer.get_config()
    assert (config["learning_rate"], config["clipnorm"], config["epsilon"], config["beta_1"]) == (
        0.005,
        None,
        1e-7,
        0.8,
    )
    assert not os.path.exists(tmp_path / "backup")


def test_a_backup_of_another_state_is_refused_before_anything_changes(tmp_path):
    with pytest.raises(ValueError, match="optimizer's state"):
        resumed(tmp_path, optimizers.Adam(0.01), optimizers.Adam(0.01, use_ema=True))
    with pytest.raises(ValueError, match="optimizer's state"):
        resumed(tmp_path / "other", optimizers.Adam(0.01, use_ema=True), optimizers.Adam(0.01))
