"""Methods of callbacks: when each is called, and with what; the order and the numbers are Keras's."""

import numpy as np
import pytest

import fastnn
from fastnn import callbacks
from fastnn.layers import Dense, Input

X = np.arange(20).reshape(10, 2) / 10
Y = X[:, 0]
HOOKS = [hook for hook in dir(callbacks.Callback) if hook.startswith("on_") and hook != "on_progress"]


def model(**options):
    made = fastnn.Sequential([Input((2,)), Dense(1)])
    made.compile(**{"optimizer": fastnn.optimizers.SGD(0.1), "loss": "mse", "metrics": ["mae"], **options})
    made.set_weights([[[0.3], [0.2]], [0.1]])
    return made


def recorder(seen, *hooks):
    """A callback that writes down what it is called with."""

    def record(hook):
        def method(self, *given):
            *place, logs = given
            scores = [np.shape(v) if k == "outputs" else pytest.approx(v, abs=1e-5) for k, v in logs.items()]
            seen.append((hook.removeprefix("on_"), *place, *scores))

        return method

    return type("Recorder", (callbacks.Callback,), {hook: record(hook) for hook in hooks})()


FIT = [
    ("train_begin",),
    ("epoch_begin", 0),
    ("train_batch_begin", 0),
    ("train_batch_end", 0, 0.0134, 0.1),
    ("train_batch_begin", 1),
    ("train_batch_end", 1, 0.09569, 0.25382),
    ("train_batch_begin", 2),
    ("train_batch_end", 2, 0.09151, 0.25746),
    ("epoch_end", 0, 0.09151, 0.25746),
    ("epoch_begin", 1),
    ("train_batch_begin", 0),
    ("train_batch_end", 0, 0.06483, 0.2537),
    ("train_batch_begin", 1),
    ("train_batch_end", 1, 0.03658, 0.1701),
    ("train_batch_begin", 2),
    ("train_batch_end", 2, 0.03043, 0.15093),
    ("test_begin",),
    ("test_batch_begin", 0),
    ("test_batch_end", 0, 0.04255, 0.20543),
    ("test_batch_begin", 1),
    ("test_batch_end", 1, 0.03433, 0.18242),
    ("test_end", 0.03433, 0.18242),
    ("epoch_end", 1, 0.03043, 0.15093, 0.03433, 0.18242),
    ("train_end", 0.03043, 0.15093, 0.03433, 0.18242),
]
EVALUATE = [
    ("test_begin",),
    ("test_batch_begin", 0),
    ("test_batch_end", 0, 0.03827, 0.19392),
    ("test_batch_begin", 1),
    ("test_batch_end", 1, 0.02465, 0.14789),
    ("test_batch_begin", 2),
    ("test_batch_end", 2, 0.01996, 0.12488),
    ("test_end", 0.01996, 0.12488),
]
PREDICT = [
    ("predict_begin",),
    ("predict_batch_begin", 0),
    ("predict_batch_end", 0, (4, 1)),
    ("predict_batch_begin", 1),
    ("predict_batch_end", 1, (4, 1)),
    ("predict_batch_begin", 2),
    ("predict_batch_end", 2, (2, 1)),
    ("predict_end",),
]


def batches(x, *rest):
    """The rows as a stream of batches."""
    return lambda: iter([tuple(part[at : at + 4] for part in (x, *rest)) for at in range(0, len(x), 4)])


@pytest.mark.parametrize("streamed", [False, True])
def test_every_method_is_called_as_keras_calls_it(backend, streamed):
    seen, trained = [], model(backend=backend)
    watch = recorder(seen, *(hook for hook in HOOKS if hook not in ("on_batch_begin", "on_batch_end")))
    rows = {"x": batches(X, Y)} if streamed else {"x": X, "y": Y, "batch_size": 4}
    held = {"validation_data": (X[:5], Y[:5]), "validation_batch_size": 3, "validation_freq": 2}
    history = trained.fit(**rows, epochs=2, callbacks=[watch], shuffle=False, verbose=0, **held).history
    assert seen == FIT
    assert {name: len(values) for name, values in history.items()} == {"loss": 2, "mae": 2, "val_loss": 1, "val_mae": 1}
    seen.clear()
    trained.evaluate(**rows, callbacks=[watch], verbose=0)
    assert seen == EVALUATE
    seen.clear()
    given = batches(X) if streamed else X
    output = trained.predict(given, **({} if streamed else {"batch_size": 4}), callbacks=[watch])
    assert seen == PREDICT
    np.testing.assert_allclose(output, trained.predict(X), rtol=1e-6)


@pytest.mark.parametrize("hook", HOOKS)
def test_each_is_called_where_it_is_the_only_one(hook):
    seen, trained = [], model()
    watch = recorder(seen, hook)
    plain = model().fit(X, Y, batch_size=4, epochs=2, validation_data=(X, Y), shuffle=False, verbose=0).history
    options = {"batch_size": 4, "callbacks": [watch], "verbose": 0}
    history = trained.fit(X, Y, epochs=2, validation_data=(X, Y), shuffle=False, **options).history
    assert all(history[name] == pytest.approx(plain[name], rel=1e-6) for name in plain)
    trained.predict(X, **options)
    name = hook.removeprefix("on_").replace("batch_begin", "train_batch_begin").replace("batch_end", "train_batch_end")
    often = {"train_begin": 1, "train_end": 1, "predict_begin": 1, "predict_end": 1}
    often |= {"epoch_begin": 2, "epoch_end": 2, "test_begin": 2, "test_end": 2}
    often |= dict.fromkeys(["predict_batch_begin", "predict_batch_end"], 3)
    assert len(seen) == often.get(hook.removeprefix("on_"), 6), name


def test_a_callback_for_batches_sets_the_rate_of_the_step_it_is_called_before():
    class Falling(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.1 / (1 + batch)

    trained, by_hand = model(), model()
    trained.fit(X, Y, batch_size=4, shuffle=False, callbacks=Falling(), verbose=0)
    for number in range(3):
        by_hand.optimizer.learning_rate = 0.1 / (1 + number)
        by_hand.train_on_batch(X[4 * number : 4 * number + 4], Y[4 * number : 4 * number + 4])
    np.testing.assert_array_equal(trained.get_weights()[0], by_hand.get_weights()[0])


def test_every_n_steps_holds_for_beginnings_too():
    seen, watch = [], None
    watch = recorder(seen, "on_train_batch_begin", "on_train_batch_end")
    watch.every_n_steps = 2
    model(metrics=None).fit(X, Y, batch_size=2, callbacks=[watch], verbose=0)
    assert [(name, batch) for name, batch, *_ in seen] == [
        ("train_batch_begin", 0),
        ("train_batch_end", 1),
        ("train_batch_begin", 2),
        ("train_batch_end", 3),
        ("train_batch_begin", 4),
    ]


@pytest.mark.parametrize(("flag", "count"), [("stop_evaluating", 4), ("stop_predicting", 4)])
def test_evaluating_and_predicting_may_be_stopped(flag, count):
    class Stop(callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = True

        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = True

    trained = model(metrics=None)
    if flag == "stop_predicting":
        assert len(trained.predict(X, batch_size=4, callbacks=[Stop()])) == count
    else:
        loss = trained.evaluate(X, Y, batch_size=4, callbacks=[Stop()], verbose=0)
        assert loss == pytest.approx(trained.evaluate(X[:count], Y[:count], verbose=0))


@pytest.mark.parametrize("freq", [2, [1, 4], range(2, 9, 2)])
def test_epochs_without_validation_leave_it_out_of_the_logs(freq):
    keys = []
    watch = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: keys.append("val_loss" in logs))
    model().fit(X, Y, epochs=4, validation_split=0.2, validation_freq=freq, callbacks=[watch], verbose=0)
    assert keys == [epoch % 2 == 0 if freq != [1, 4] else epoch in (1, 4) for epoch in (1, 2, 3, 4)]


@pytest.mark.parametrize("freq", [0, -1, 1.5, "2", [0]])
def test_other_frequencies_are_refused(freq):
    with pytest.raises((TypeError, ValueError), match="validation_freq got"):
        model().fit(X, Y, validation_split=0.2, validation_freq=freq, verbose=0)


@pytest.mark.parametrize("name", ["on_epoch_ends", "on_train_batch_ended", "on_test_ends"])
def test_a_method_that_is_spelled_almost_as_one_is_refused(name):
    wrong = type("Wrong", (callbacks.Callback,), {name: print, "on_success_of_mine": print})()
    with pytest.raises(TypeError, match=f"Wrong with {name}, which nothing calls"):
        model().fit(X, Y, callbacks=[wrong], verbose=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_estimator_calls_methods_for_batches_and_refuses_backups(tmp_path):
    sklearn = pytest.importorskip("fastnn.sklearn")
    seen = []
    watch = callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(-batch),
        on_train_batch_end=lambda batch, logs: seen.append(batch),
    )
    options = {"max_iter": 2, "batch_size": 4, "random_state": 0, "n_iter_no_change": 9, "tol": 0.0}
    watched, plain = (
        sklearn.MLPRegressor(hidden_layer_sizes=(3,), callbacks=chain, **options) for chain in ([watch], None)
    )
    watched.fit(X, Y)
    plain.fit(X, Y)
    assert seen == [0, 0, -1, 1, -2, 2] * 2
    np.testing.assert_array_equal(watched.coefs_[0], plain.coefs_[0])
    with pytest.raises(ValueError, match="callbacks got a BackupAndRestore"):
        plain.set_params(callbacks=[callbacks.BackupAndRestore(tmp_path)]).fit(X, Y)
