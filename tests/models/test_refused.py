"""Nothing changes when a call is refused: every method that can be, crossed with what refuses it."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, optimizers
from fastnn.engine import Engine
from fastnn.engine.parameters import Parameters
from fastnn.layers import BatchNormalization, Dense, Input

X = np.random.default_rng(0).standard_normal((20, 3)).astype("float32")
Y = X[:, :1] * 2


class Fails(callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise ZeroDivisionError


def unbuilt():
    model = fastnn.Sequential([Dense(4, activation="tanh"), BatchNormalization(), Dense(1)], seed=0)
    model.compile(optimizers.Adam(0.01), "mse", ["mae"], backend="numpy", dtype="float64")
    return model


def awaiting():
    """It knows its width, but is compiled late."""
    return fastnn.Sequential([Input((3,)), Dense(4, activation="tanh"), BatchNormalization(), Dense(1)], seed=0)


def trained():
    model = unbuilt()
    model.fit(X, Y, epochs=2, verbose=0)
    model.set_weights([*model.get_weights()[:-1], np.array([1e300])])
    model.metadata = {"a": 1}
    return model


def state(model):
    """All that a refused call must leave as it was."""
    optimizer, engine = model.optimizer, model._engine
    built = None
    if engine is not None:
        built = [a.tobytes() for a in (engine.parameters.values, engine.parameters.slots, engine.parameters.state)]
    attributes = ("_engine", "optimizer", "loss", "history", "_metrics", "_loss_plan", "_layers", "stop_training")
    return {
        **{name: vars(model)[name] for name in attributes},
        **{name: vars(model)[name] for name in ("dtype", "_backend", "_threads", "_inputs", "metadata", "name")},
        "config": model.get_config(),
        "optimizer's": None if optimizer is None else (optimizer.iterations, optimizer.get_config()),
        "counts": None if engine is None else (engine.iterations, engine.count is optimizer.__dict__["_count"]),
        "parameters": built,
        "views": [layer.kernel.tobytes() if engine is not None else layer._views for layer in model.layers[::2]],
        "random": str(model._rng.bit_generator.state),
    }


BAD = {
    "compile: optimizer": lambda m, path: m.compile("none", "mse"),
    "compile: loss": lambda m, path: m.compile("sgd", "none"),
    "compile: loss for another activation": lambda m, path: m.compile("sgd", "sparse_categorical_crossentropy"),
    "compile: metric": lambda m, path: m.compile("sgd", "mse", ["none"]),
    "compile: backend": lambda m, path: m.compile("sgd", "mse", backend="none"),
    "compile: threads": lambda m, path: m.compile("sgd", "mse", threads=0),
    "compile: dtype": lambda m, path: m.compile("sgd", "mse", dtype="float16"),
    "compile: a weight that float32 cannot hold": lambda m, path: m.compile("sgd", "mse", backend="numpy"),
    "build": lambda m, path: m.build(4),
    "build: nothing": lambda m, path: m.build(0),
    "add: inputs": lambda m, path: m.add(Dense(1, input_shape=(9,))),
    "add: itself": lambda m, path: m.add(m),
    "pop: of a layer": lambda m, path: fastnn.Sequential([m]) and m.pop(),
    "add: no layer": lambda m, path: m.add("Dense"),
    "add: twice": lambda m, path: m.add(m.layers[0]),
    "set_weights: count": lambda m, path: m.set_weights([np.zeros(3)]),
    "set_weights: shape": lambda m, path: m.set_weights([np.zeros(3)] * 8),
    "set_weights: NaN": lambda m, path: m.set_weights([*m.get_weights()[:-1], np.array([np.nan])]),
    "set_weights: variance": lambda m, path: m.set_weights([-1 - np.abs(w) for w in m.get_weights()]),
    "load_weights": lambda m, path: m.load_weights(path / "none"),
    "save": lambda m, path: m.save(path / "none" / "file", {"b": 2}),
    "save: metadata": lambda m, path: m.save(path / "file", {"b": object()}),
    "fit: rows": lambda m, path: m.fit(X, Y[:3]),
    "fit: width": lambda m, path: m.fit(X[:, :2], Y, verbose=0),
    "fit: NaN": lambda m, path: m.fit(np.full_like(X, np.nan), Y, verbose=0),
    "fit: target": lambda m, path: m.fit(X, np.full(20, np.inf), verbose=0),
    "fit: batch_size": lambda m, path: m.fit(X, Y, batch_size=0),
    "fit: epochs": lambda m, path: m.fit(X, Y, epochs=-1),
    "fit: verbose": lambda m, path: m.fit(X, Y, verbose=3),
    "fit: callbacks": lambda m, path: m.fit(X, Y, verbose=0, callbacks=["none"]),
    "fit: a callback fails": lambda m, path: m.fit(X, Y, verbose=0, callbacks=[Fails()]),
    "fit: validation": lambda m, path: m.fit(X, Y, verbose=0, validation_data=(X, Y[:3])),
    "fit: split": lambda m, path: m.fit(X, Y, verbose=0, validation_split=1.0),
    "fit: weights": lambda m, path: m.fit(X, Y, verbose=0, sample_weight=[np.nan] * 20),
    "fit: classes": lambda m, path: m.fit(X, Y, verbose=0, class_weight=3),
    "fit: a folder that cannot be": lambda m, path: m.fit(X, Y, verbose=0, callbacks=[backup_in_a_file(path)]),
    "train_on_batch": lambda m, path: m.train_on_batch(X, Y[:3]),
    "train_on_batch: NaN": lambda m, path: m.train_on_batch(X, np.full(20, np.nan)),
    "evaluate": lambda m, path: m.evaluate(X, Y[:3], verbose=0),
    "predict": lambda m, path: m.predict(X[:, :2].astype(str)),
    "predictor": lambda m, path: m.predictor(0),
    "gradients": lambda m, path: m.gradients(X, Y[:3]),
    "forward": lambda m, path: m.forward(np.full_like(X, np.nan)),
}
FITS_UNBUILT = ["build", "fit: width", "compile: a weight that float32 cannot hold"]  # nothing is wrong with it
BUILDS = ["set_weights: NaN", "set_weights: variance", "save", "save: metadata"]  # get_weights and save do, rightly


def backup_in_a_file(path):
    (path / "file").write_text("")
    return callbacks.BackupAndRestore(path / "file" / "folder")


@pytest.mark.parametrize("bad", BAD)
def test_a_refused_call_leaves_a_trained_model_as_it_was(bad, tmp_path):
    model = trained()
    before = state(model)
    with pytest.raises((ValueError, TypeError, RuntimeError, OSError, ZeroDivisionError)):
        BAD[bad](model, tmp_path)
    assert state(model) == before


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad not in (*FITS_UNBUILT, *BUILDS)])
def test_a_refused_call_leaves_a_model_that_is_not_built_as_it_was(bad, tmp_path):
    model = unbuilt()
    before = state(model)
    with pytest.raises((ValueError, TypeError, RuntimeError, OSError, ZeroDivisionError)):
        BAD[bad](model, tmp_path)
    assert state(model) == before
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("make", [unbuilt, awaiting, trained])
@pytest.mark.parametrize("where", ["engine", "assign"])
def test_without_memory_nothing_changes(make, where, monkeypatch):
    def fail(*_):
        raise MemoryError

    model = make()
    before = state(model)
    if where == "engine":
        monkeypatch.setattr(Engine, "__init__", fail)
    else:
        monkeypatch.setattr(Parameters, "assign", fail)
    calls = [lambda: model.fit(X, Y, verbose=0), lambda: model.predict(X), lambda: model.build(3)]
    if make is not unbuilt:
        calls = [lambda: model.compile("sgd", "mse", dtype="float64")]
    for call in calls:
        with pytest.raises(MemoryError):
            call()
        assert state(model) == before
    monkeypatch.undo()
    model.compile("sgd", "mse", dtype="float64")
    model.predict(X)


def test_an_initializer_that_fails_leaves_the_random_numbers_alone():
    class Fail(fastnn.initializers.Initializer):
        def __call__(self, shape, rng):
            rng.random(3)
            raise ZeroDivisionError

    model = fastnn.Sequential([Input((3,)), Dense(4), Dense(1, kernel_initializer=Fail())], seed=0)
    before = state(model)
    with pytest.raises(ZeroDivisionError):
        model.compile("sgd", "mse")
    assert state(model) == before


def test_a_schedule_that_fails_in_the_first_step_leaves_the_model_as_it_was():
    failing = []

    def schedule(step):
        if failing:
            raise ZeroDivisionError
        return 0.01

    model = trained()
    model.compile(optimizers.SGD(fastnn.schedules.Custom(schedule)), "mse", dtype="float64")
    before = state(model)
    for call in (model.fit, model.train_on_batch):
        failing.append(True)
        with pytest.raises(ZeroDivisionError):
            call(X, Y)
        failing.clear()
        assert state(model) == before


def test_layers_of_a_model_that_could_not_be_made_are_free():
    first, second = Dense(2, name="same"), Dense(2, name="same")
    with pytest.raises(ValueError, match="two of the name"):
        fastnn.Sequential([first, second])
    fastnn.Sequential([first])
