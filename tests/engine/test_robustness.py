"""What must hold when users, signals and threads do the unexpected."""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import threading

import numpy as np
import pytest

import fastnn
from fastnn.engine import Engine, Training
from fastnn.layers import Activation, Dense, Input
from fastnn.optimizers import SGD, Adam


def small(backend="auto", loss="mse", optimizer="sgd", metrics=None, outputs=1, activation=None, **options):
    model = fastnn.Sequential([Input((3,)), Dense(5, activation="tanh"), Dense(outputs, activation=activation)], seed=0)
    model.compile(optimizer, loss, metrics, backend=backend, **options)
    return model


def data(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 3)).astype("float32")
    return x, x[:, :1] * 2


def test_labels_changed_after_they_were_checked_write_nowhere(backend):
    if backend == "numpy":
        pytest.skip("NumPy checks every index itself")
    model = small(backend, "sparse_categorical_crossentropy", outputs=3, activation="softmax")
    x, _ = data()
    y = np.zeros(len(x), np.int64)

    class Relabel(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            y[:] = 10**9 if epoch else -1

    model.fit(x, y, epochs=3, verbose=0, callbacks=[Relabel()])
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_ctrl_c_in_the_slice_that_diverges_brings_the_weights_back(backend, monkeypatch):
    model = small(backend, optimizer=SGD(1e30))
    x, y = data()
    before = model.get_weights()
    call = Engine.call

    def interrupted(self, *arguments):
        call(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "call", interrupted)
    history = model.fit(x, y, epochs=4, verbose=0)
    assert history.interrupted
    assert history.history.get("loss", []) == []
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_ctrl_c_within_an_epoch_keeps_the_steps_that_were_taken(backend, monkeypatch):
    model = small(backend, optimizer=Adam(0.01))
    x, y = data(400)
    before = model.get_weights()
    advance = Training.advance

    def interrupted(self, last):
        advance(self, 3)
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "advance", interrupted)
    assert model.fit(x, y, batch_size=10, verbose=0).interrupted
    assert model.optimizer.iterations == 3
    assert not np.array_equal(before[0], model.get_weights()[0])


@pytest.mark.parametrize(("activation", "loss"), [("sigmoid", "binary_crossentropy"), (None, "mse")])
def test_a_linear_activation_behind_the_last_layer_changes_nothing(backend, activation, loss):
    x, y = data()
    y = (y > 0).astype("float32")
    values = []
    for behind in ([], [Activation("linear")]):
        model = fastnn.Sequential([Input((3,)), Dense(1, activation=activation), *behind], seed=0)
        model.compile("sgd", loss, backend=backend)
        values.append([model.evaluate(x, y, verbose=0), model.gradients(x, y)[0]["kernel"].tolist()])
    assert values[0] == values[1]


def test_evaluation_over_many_slices_does_not_depend_on_threads():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20_000, 300)).astype("float32")
    y = rng.standard_normal((20_000, 1)).astype("float32")
    values = []
    for threads in (1, 2, 3, 5, 7):
        model = fastnn.Sequential([Input((300,)), Dense(128, activation="relu"), Dense(1)], seed=0)
        model.compile("sgd", "mse", ["mae"], threads=threads)
        values.append(model.evaluate(x, y, verbose=0))
    assert all(value == values[0] for value in values)


def test_batches_of_many_sizes_do_not_pile_up_memory(backend):
    model = small(backend)
    for rows in range(1, 200, 7):
        x, y = data(rows)
        model.train_on_batch(x, y)
        model.gradients(x, y)
        model.evaluate(x, y, verbose=0)
    engine = model._engine
    held = sum(buffer.nbytes for buffer in engine.buffers.values())
    assert held < 8 * 2**20
    assert len(engine.prepared) <= 10


def test_batches_of_many_sizes_give_what_each_gives_alone(backend):
    """Workspaces are laid out anew for each size; what pads them must be clean each time."""
    x, y = data(300)
    one = small(backend)
    for rows in (7, 256, 16, 300, 1, 33):
        fresh = small(backend)
        for a, b in zip(one.gradients(x[:rows], y[:rows]), fresh.gradients(x[:rows], y[:rows]), strict=True):
            assert all(np.array_equal(a[k], b[k]) for k in a)
        assert np.array_equal(one.predict(x[:rows]), fresh.predict(x[:rows]))
        assert one.evaluate(x[:rows], y[:rows], verbose=0) == fresh.evaluate(x[:rows], y[:rows], verbose=0)


def test_two_threads_on_one_model_leave_it_whole(backend):
    model = small(backend, optimizer=Adam(1e-3))
    x, y = data(500)
    errors = []

    def work(kind):
        try:
            for _ in range(20):
                if kind == "predict":
                    model.predict(x)
                    continue
                with contextlib.suppress(RuntimeError):  # one at a time
                    if kind == "fit":
                        model.fit(x, y, batch_size=16, verbose=0)
                    else:
                        model.train_on_batch(x[:8], y[:8])
        except Exception as error:  # pragma: no cover
            errors.append(error)

    threads = [threading.Thread(target=work, args=(kind,)) for kind in ("fit", "step", "predict", "fit")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_while_a_thread_trains_is_not_locked():
    model = small()
    x, y = data()
    held, over = threading.Event(), threading.Event()

    def hold():  # as in the middle of a fit
        model._turns.running = "fit"
        with model._turns.lock, model._engine.busy:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:  # pragma: no cover
        model.fit(x, y, verbose=0)
        os._exit(0)
    over.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_slot_that_overflows_is_divergence(backend):
    model = fastnn.Sequential([Input((1,)), Dense(1, use_bias=False)], seed=0)
    model.compile(Adam(0.1), "mse", backend=backend)
    x = np.ones((8, 1), "float32")
    x[3] = 1e15
    with pytest.warns(fastnn.DivergenceWarning):
        model.fit(x, np.zeros(8), epochs=3, batch_size=8, verbose=0)


def test_divergence_after_a_callback_set_weights_brings_those_back(backend):
    model = small(backend, optimizer=SGD(1e-3))
    x, y = data()
    set_weights = [np.full_like(w, 0.25) for w in model.get_weights()]

    class Change(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            model.set_weights(set_weights)
            model.optimizer.learning_rate = 1e30

    with pytest.warns(fastnn.DivergenceWarning):
        model.fit(x, y, epochs=3, verbose=0, callbacks=[Change()])
    assert all(np.array_equal(a, b) for a, b in zip(set_weights, model.get_weights(), strict=True))


def test_pickles_and_copies_keep_metrics_state_and_random_numbers():
    model = fastnn.Sequential([Dense(4, activation="relu"), Dense(1)], seed=0)
    model.compile(Adam(0.01), "mse", ["mae"])
    x, y = data()
    twins = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    histories = [m.fit(x, y, epochs=2, verbose=0).history for m in (model, *twins)]
    assert histories[0] == histories[1] == histories[2]
    assert "mae" in histories[0]
    again = pickle.loads(pickle.dumps(model))
    assert again.fit(x, y, epochs=2, verbose=0).history == model.fit(x, y, epochs=2, verbose=0).history


def test_a_step_after_buffers_grew_writes_into_its_own(backend):
    model = fastnn.Sequential([Input((300,)), Dense(300)], seed=0)
    model.compile("sgd", "mse", backend=backend)
    x = np.ones((512, 300), "float32")
    model.fit(x[:4], x[:4], batch_size=4, verbose=0)
    model.train_on_batch(x[:4], x[:4])
    model.fit(x, x, batch_size=512, verbose=0)
    assert np.isfinite(model.train_on_batch(x[:4], x[:4]))


def test_predictor_gives_what_predict_gives(backend):
    model = small(backend)
    x, _ = data()
    one, many = model.predictor(), model.predictor(rows=len(x))
    assert np.array_equal(one(x[3]), model.predict(x[3:4]))
    assert np.array_equal(many(x.tolist()), model.predict(x))
    model.set_weights([w * 2 for w in model.get_weights()])
    assert np.array_equal(one(x[3]), model.predict(x[3:4]))
    with pytest.raises(ValueError, match="shape"):
        one(x)


SHAPES = [
    (1, 0.5, ValueError, r"x got shape \(\); wants \(1, 3\) or \(3,\)"),
    (1, [1.0], ValueError, r"x got shape \(1,\); wants \(1, 3\) or \(3,\)"),
    (1, None, TypeError, r"x got None; wants \(1, 3\) or \(3,\) real numbers"),
    (1, ["a", "b", "c"], TypeError, r"x got \['a', 'b', 'c'\]; wants \(1, 3\)"),
    (1, np.ones((3, 1)), ValueError, r"x got shape \(3, 1\); wants"),
    (1, np.ones((2, 3)), ValueError, r"x got shape \(2, 3\); wants"),
    (1, [[1, 2], [3]], ValueError, "x got rows that differ in length; wants"),
    (1, np.ones(3, complex), TypeError, "real numbers"),
    (5, [1, 2, 3], ValueError, r"x got shape \(3,\); wants \(5, 3\)$"),
    (5, np.ones((5, 1)), ValueError, r"x got shape \(5, 1\); wants \(5, 3\)$"),
    (5, np.ones((1, 3)), ValueError, r"x got shape \(1, 3\); wants \(5, 3\)$"),
    (5, np.ones(15), ValueError, r"x got shape \(15,\); wants \(5, 3\)$"),
    (5, 1, ValueError, r"x got shape \(\); wants \(5, 3\)$"),
    (3000, np.ones((2999, 3), "float32"), ValueError, r"x got shape \(2999, 3\); wants \(3000, 3\)$"),
]


@pytest.mark.parametrize(("rows", "x", "error", "message"), SHAPES)
def test_a_predictor_says_which_shape_it_wants(rows, x, error, message):
    act = small("numpy").predictor(rows)
    with pytest.raises(error, match=message):
        act(x)


@pytest.mark.parametrize("kind", [np.float64, np.int8, np.bool_, np.float16, list, np.asfortranarray])
def test_a_predictor_takes_any_real_numbers_of_its_shape(kind, backend):
    model, x = small(backend), np.array([[1, 0, 1], [0, 0, 1]])
    given = x.tolist() if kind is list else np.asfortranarray(x) if kind is np.asfortranarray else x.astype(kind)
    assert np.array_equal(model.predictor(2)(given), model.predict(x))
    assert np.array_equal(model.predictor()(given[0]), model.predict(x[:1]))


def test_huge_values_predict_without_a_warning(backend):
    assert np.isfinite(small(backend).predict(np.full((1, 3), 3e38, "float32"))).all()


def test_steps_of_a_batch_are_those_of_fit(backend):
    x, y = data(32)
    a, b = small(backend, optimizer=SGD(0.1, momentum=0.9)), small(backend, optimizer=SGD(0.1, momentum=0.9))
    a.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    for start in range(0, 32, 8):
        b.train_on_batch(x[start : start + 8], y[start : start + 8])
    assert all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights(), strict=True))
