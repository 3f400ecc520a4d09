"""What may be done at once with a model, what waits, and what is refused because it would wait for itself."""

from __future__ import annotations

import signal
import threading

import numpy as np
import pytest

import fastnn
from fastnn.engine import Engine
from fastnn.layers import Dense, Input
from fastnn.losses import Custom
from fastnn.optimizers import SGD

X = np.random.default_rng(0).standard_normal((64, 3)).astype("float32")
Y = X[:, :1] * 2


def model_of(optimizer="sgd", loss="mse", **options):
    model = fastnn.Sequential([Input((3,)), Dense(4, activation="tanh"), Dense(1)], seed=0)
    model.compile(optimizer, loss, ["mae"], threads=1, **options)
    return model


ASK = {
    "predict": lambda model: model.predict(X),
    "predict few": lambda model: model.predict(X[:2]),
    "evaluate": lambda model: model.evaluate(X, Y, verbose=0),
    "forward": lambda model: model.forward(X),
    "gradients": lambda model: model.gradients(X, Y),
    "predictor": lambda model: model.predictor()(X[:1]),
}
CHANGE = {
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "fit": lambda model: model.fit(X, Y, verbose=0),
    "set_weights": lambda model: model.set_weights(model.get_weights()),
}
REBUILD = {"compile": lambda model: model.compile("sgd", "mse"), "add": lambda model: model.add(Dense(1))}


def weights_of(model):
    return [array.tobytes() for array in model.get_weights()]


@pytest.mark.parametrize("what", [*ASK, *CHANGE, *REBUILD])
@pytest.mark.parametrize("trained", ["fit", "train_on_batch", "evaluate"])
def test_a_loss_that_asks_its_own_model_is_told_so(what, trained, backend):
    if trained == "evaluate" and what in REBUILD:
        pytest.skip("evaluate goes on with what it began with")
    called = []

    def loss(targets, outputs):
        if called:
            {**ASK, **CHANGE, **REBUILD}[what](model)
        return ((outputs - targets) ** 2).mean(axis=1), 2 * (outputs - targets)

    model = model_of(loss=Custom(loss), backend=backend)
    call = {**ASK, **CHANGE}[trained]
    call(model)
    before = weights_of(model), model.optimizer.iterations
    called.append(True)
    with pytest.raises(RuntimeError, match="from within"):
        call(model)
    assert (weights_of(model), model.optimizer.iterations) == before
    called.clear()
    call(model)  # and nothing is left locked


@pytest.mark.parametrize("what", [*ASK, *CHANGE, *REBUILD])
def test_a_schedule_that_asks_its_own_model_is_told_so(what):
    model = None

    def rate(step):
        if model is not None:
            {**ASK, **CHANGE, **REBUILD}[what](model)
        return 0.01

    found = model_of(SGD(fastnn.schedules.Custom(rate)))
    found.fit(X, Y, verbose=0)
    before = weights_of(found), found.optimizer.iterations
    model = found
    for call in (CHANGE["fit"], CHANGE["train_on_batch"]):
        with pytest.raises(RuntimeError, match="from within"):
            call(found)
    assert (weights_of(found), found.optimizer.iterations) == before


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no such signals on this platform")
@pytest.mark.parametrize("what", [*ASK, *CHANGE, *REBUILD])
def test_the_handler_of_a_signal_that_asks_the_model_that_computes_is_told_so(what, monkeypatch):
    model = model_of()
    before = weights_of(model)
    call = Engine.call

    def signalled(self, *arguments):
        signal.raise_signal(signal.SIGALRM)
        call(self, *arguments)

    previous = signal.signal(signal.SIGALRM, lambda *_: {**ASK, **CHANGE, **REBUILD}[what](model))
    try:
        monkeypatch.setattr(Engine, "call", signalled)
        with pytest.raises(RuntimeError, match="from within"):
            model.fit(X, Y, verbose=0)
    finally:
        signal.signal(signal.SIGALRM, previous)
    monkeypatch.undo()
    assert weights_of(model) == before
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end", "on_progress"])
def test_a_callback_may_ask_and_change_the_model_but_not_make_it_anew(hook):
    model, done = model_of(), []

    def call(*_):
        if done:
            return
        done.append(True)
        for ask in (*ASK.values(), CHANGE["train_on_batch"], CHANGE["set_weights"]):
            ask(model)
        for name, rebuild in REBUILD.items():
            with pytest.raises(RuntimeError, match=f"{name} was called on a model from within its own fit"):
                rebuild(model)

    model.fit(X, Y, epochs=2, verbose=0, callbacks=[fastnn.callbacks.LambdaCallback(**{hook: call})])
    assert done
    model.compile("adam", "mse")


def test_another_thread_may_ask_while_fit_trains_and_is_refused_to_change():
    model, refused, answers = model_of(), [], []

    def other():
        asked = (*ASK.values(), lambda model: model.get_weights(), lambda model: model.count_params())
        answers.extend(ask(model) for ask in asked)
        for name, change in {**CHANGE, **REBUILD}.items():
            with pytest.raises(RuntimeError, match=f"{name} was called on a model that fit trains in another thread"):
                change(model)
            refused.append(name)

    def call(*_):  # fit waits here
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    model.fit(X, Y, verbose=0, callbacks=[fastnn.callbacks.LambdaCallback(on_epoch_end=call)])
    assert (len(answers), refused) == (len(ASK) + 2, [*CHANGE, *REBUILD])


def test_a_predictor_outlives_a_compile_and_its_model():
    model = model_of()
    expected = model.predict(X[:1])
    act = model.predictor()
    model.compile("adam", "mse", dtype="float64")
    model.set_weights([2 * w for w in model.get_weights()])
    del model
    assert np.array_equal(act(X[0]), expected)


def test_threads_that_do_all_at_once_see_whole_weights():
    from together import run  # the tool, for a moment

    counts, wrong = run(seconds=0.5)
    assert wrong == []
    assert counts["predict"] > 0
