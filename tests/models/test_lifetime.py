"""A model dies when its last name does, whatever was done with it: memory does not wait for the cyclic collector."""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import fastnn
from fastnn import callbacks
from fastnn.layers import BatchNormalization, Dense, Dropout, Input
from fastnn.losses import Custom

X = np.random.default_rng(0).standard_normal((40, 3)).astype("float32")
Y = X[:, :1] * 2


@pytest.fixture
def uncollected():
    """No cyclic collector while the test runs."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def model_of(backend="auto", **options):
    layers = [Dense(4, activation="tanh"), BatchNormalization(), Dropout(0.1), Dense(1)]
    model = fastnn.Sequential([Input((3,)), *layers], seed=0)
    model.compile("adam", "mse", ["mae"], backend=backend, **options)
    return model


def batches():
    for start in range(0, 40, 10):
        yield X[start : start + 10], Y[start : start + 10]


def interrupted(model):
    def interrupt(*_):
        raise KeyboardInterrupt

    model.fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=interrupt)])


def broken(model):
    def fail(*_):
        raise ZeroDivisionError

    for hook in ("on_train_begin", "on_epoch_end"):
        with contextlib.suppress(ZeroDivisionError):
            model.fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(**{hook: fail})])


def refused(model):
    calls = [
        lambda: model.fit(X, Y[:3]),
        lambda: model.compile("none"),
        lambda: model.set_weights([1]),
        lambda: model.predict(X[:, :2]),
        lambda: model.predictor()(None),
        lambda: model.add(model),
    ]
    for call in calls:
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            call()


def diverged(model):
    model.optimizer.learning_rate = 1e30
    with pytest.warns(fastnn.DivergenceWarning):
        model.fit(X, Y, epochs=5, verbose=0)
    with contextlib.suppress(FloatingPointError):
        model.train_on_batch(X, Y)


def own_loss(model):
    def loss(targets, outputs):
        return ((outputs - targets) ** 2).mean(axis=1), 2 * (outputs - targets)

    model.compile("sgd", Custom(loss))
    model.fit(X, Y, verbose=0)
    model.train_on_batch(X, Y)


def failing_loss(model):
    def loss(targets, outputs):
        raise ZeroDivisionError

    model.compile("sgd", Custom(loss))
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ZeroDivisionError):
            call(X, Y)


def lbfgs(model):
    pytest.importorskip("scipy")
    model.compile("lbfgs", "mse", dtype="float64")
    model.fit(X, Y, epochs=3, verbose=0)


DONE = {
    "nothing": lambda model: None,
    "fit": lambda model: model.fit(X, Y, verbose=0),
    "fit with a bar": lambda model: model.fit(X, Y, verbose=1),
    "validation": lambda model: model.fit(X, Y, epochs=2, validation_split=0.2, verbose=0),
    "stream": lambda model: model.fit(batches(), verbose=0),
    "stream predicted": lambda model: model.predict(x for x, _ in batches()),
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "predict": lambda model: (model.predict(X), model.predict(X[:2]), model(X)),
    "predictor": lambda model: model.predictor()(X[0]),
    "evaluate": lambda model: model.evaluate(X, Y, verbose=0),
    "forward and gradients": lambda model: (model.forward(X), model.gradients(X, Y)),
    "copies": lambda model: (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))),
    "copied history": lambda model: copy.deepcopy(model.fit(X, Y, verbose=0)),
    "summary": lambda model: model.summary(),
    "compiled twice": lambda model: (model.fit(X, Y, verbose=0), model.compile("sgd", "mse")),
    "interrupted": interrupted,
    "broken": broken,
    "refused": refused,
    "diverged": diverged,
    "a loss of one's own": own_loss,
    "a loss that fails": failing_loss,
    "L-BFGS": lbfgs,
}


def dies(model):
    """References to a model and its engine, to be called once it has no name any more."""
    return weakref.ref(model), weakref.ref(model._engine)


@pytest.mark.parametrize("done", DONE)
def test_a_model_dies_with_its_last_name(uncollected, done):
    model = model_of()
    found = dies(model)
    DONE[done](model)
    found += dies(model)
    del model
    assert [reference() for reference in found] == [None] * 4


def test_a_model_dies_after_files_and_callbacks(uncollected, tmp_path):
    pytest.importorskip("safetensors")
    model = model_of()
    found = dies(model)
    model.save(tmp_path / "model.fastnn")
    found += dies(fastnn.load_model(tmp_path / "model.fastnn"))
    model.save_weights(tmp_path / "weights.safetensors")
    model.load_weights(tmp_path / "weights.safetensors")
    given = [
        callbacks.EarlyStopping("loss", restore_best_weights=True),
        callbacks.ModelCheckpoint(tmp_path / "{epoch}.fastnn", save_freq=1),
        callbacks.BackupAndRestore(tmp_path / "backup"),
        callbacks.ReduceLROnPlateau("loss"),
        callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    model.fit(X, Y, epochs=3, verbose=0, callbacks=given)
    del model, given
    assert [reference() for reference in found] == [None] * 4


@pytest.mark.parametrize("threads", [1, 2])
def test_a_model_on_threads_dies_and_its_memory_with_it(uncollected, backend, threads):
    model = model_of(backend, threads=threads)
    weights = weakref.ref(model._engine.parameters.values)
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    model.predict(X)
    model.train_on_batch(X, Y)
    del model
    assert weights() is None


def test_a_history_has_its_model_as_long_as_somebody_else_has():
    model = model_of()
    history = model.fit(X, Y, verbose=0)
    assert history.model is model
    assert model.history is history
    assert pickle.loads(pickle.dumps(history)).history == history.history
    del model
    assert history.model is None


def test_a_predictor_keeps_what_it_uses(uncollected):
    model = model_of()
    act, expected, engine = model.predictor(), model.predict(X[:1]), weakref.ref(model._engine)
    del model
    assert np.array_equal(act(X[0]), expected)
    del act
    assert engine() is None


@pytest.mark.filterwarnings("ignore:.*[Ii]terations")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", ["MLPRegressor", "MLPClassifier"])
def test_an_estimator_dies_with_its_last_name(uncollected, name, solver):
    estimators = pytest.importorskip("fastnn.sklearn")
    estimator = getattr(estimators, name)(hidden_layer_sizes=(4,), solver=solver, max_iter=3, random_state=0, tol=1e30)
    estimator.fit(X, (Y[:, 0] > 0).astype(int))
    estimator.predict(X)
    found = weakref.ref(estimator), weakref.ref(estimator._network().engine)
    copied = pickle.loads(pickle.dumps(copy.deepcopy(estimator)))
    copied.predict(X)
    found += (weakref.ref(copied), weakref.ref(copied._network().engine))
    del estimator, copied
    assert [reference() for reference in found] == [None] * 4


def test_epochs_without_end_take_no_room():
    """The arrays for what each epoch yields grow with the epochs that there have been."""
    model = model_of()

    def stop(epoch, logs):
        model.stop_training = epoch == 2

    history = model.fit(X, Y, epochs=10**12, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=stop)])
    assert history.epoch == [0, 1, 2]
    history = model.fit(
        lambda: batches(), epochs=10**12, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=stop)]
    )
    assert history.epoch == [0, 1, 2]


def test_epochs_beyond_the_first_block_are_all_there():
    histories = []
    for parts in ([3000], [1, 999, 2000]):
        model, losses = fastnn.Sequential([Input((3,)), Dense(1)], seed=0), []
        model.compile("adam", "mse", backend="numpy")
        for epochs in parts:
            losses += model.fit(X[:4], Y[:4], epochs=epochs, shuffle=False, verbose=0).history["loss"]
        histories.append(losses)
    assert len(histories[0]) == 3000
    assert histories[0] == histories[1]
