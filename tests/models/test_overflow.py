"""Numbers that overflow, anywhere in what training changes, are divergence; and whatever save writes, load reads."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastnn
from fastnn import optimizers
from fastnn.layers import BatchNormalization, Dense, Input

HUGE = np.array([[1e20, 0, 0], [-1e20, 1, 0], [1, 2, 1e-40], [3, 0, 0]] * 4, "float32")
SMALL = np.array([[1, 0, 0], [-1, 1, 0], [1, 2, 0], [3, 0, 0]] * 4, "float32")


def normalised(backend="auto", optimizer="sgd", **options):
    """The outputs are near 0 whatever comes in, and so are loss and gradients: the statistics alone overflow."""
    layers = [BatchNormalization(), Dense(1, kernel_initializer="zeros")]
    model = fastnn.Sequential([Input((3,)), *layers], seed=0)
    model.compile(optimizer, "mse", backend=backend, **options)
    return model


def all_of(model):
    document, arrays = model._contents()
    return document["compiled"]["iterations"], {name: array.tobytes() for name, array in arrays.items()}


def batches(x):
    for start in range(0, len(x), 4):
        yield x[start : start + 4], np.zeros(4)


WAYS = {
    "arrays": lambda model, x: model.fit(x, np.zeros(len(x)), batch_size=4, verbose=0),
    "epochs": lambda model, x: model.fit(x, np.zeros(len(x)), batch_size=4, epochs=3, verbose=0),
    "stream": lambda model, x: model.fit(batches(x), verbose=0),
    "stopped within": lambda model, x: model.fit(x, np.zeros(len(x)), batch_size=4, verbose=0, callbacks=[Stop()]),
}


class Stop(fastnn.callbacks.Callback):
    every_n_steps = 2

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True


@pytest.mark.parametrize("way", WAYS)
def test_moving_statistics_that_overflow_are_divergence(backend, way, tmp_path):
    model = normalised(backend)
    model.fit(SMALL, np.zeros(16), batch_size=4, verbose=0)
    before = all_of(model)
    with pytest.warns(fastnn.DivergenceWarning, match="the weights are again those"):
        WAYS[way](model, HUGE)
    assert all_of(model) == before
    model.save(tmp_path / "model.fastnn")
    assert all_of(fastnn.load_model(tmp_path / "model.fastnn", backend=backend)) == before


def test_a_step_whose_statistics_overflow_is_refused(backend):
    model = normalised(backend)
    model.train_on_batch(SMALL, np.zeros(16))
    before = all_of(model)
    with pytest.raises(FloatingPointError):
        model.train_on_batch(HUGE, np.zeros(16))
    assert all_of(model) == before


def test_the_good_epochs_before_are_kept(backend):
    model = normalised(backend)
    twin = normalised(backend)
    twin.fit(SMALL, np.zeros(16), batch_size=4, epochs=2, shuffle=False, verbose=0)

    class Grow(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                x[:] = HUGE

    x = SMALL.copy()
    with pytest.warns(fastnn.DivergenceWarning, match="those of epoch 2"):
        model.fit(x, np.zeros(16), batch_size=4, epochs=4, shuffle=False, verbose=0, callbacks=[Grow()])
    assert all_of(model) == all_of(twin)


SLOTS = [
    optimizers.Adam(1e-3),
    optimizers.Adam(1e-3, amsgrad=True),
    optimizers.RMSprop(1e-3),
    optimizers.Adagrad(1e-3),
    optimizers.Nadam(1e-3),
]


@pytest.mark.parametrize("optimizer", SLOTS, ids=repr)
def test_a_slot_that_overflows_while_the_weights_do_not_is_divergence(backend, optimizer):
    model = fastnn.Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")], seed=0)
    model.compile(optimizer, "mse", backend=backend)
    before = all_of(model)
    x = np.full((8, 1), 1e15, "float32")
    with pytest.warns(fastnn.DivergenceWarning):
        model.fit(x, np.zeros(8), batch_size=8, verbose=0)
    with pytest.raises(FloatingPointError):
        model.train_on_batch(x, np.zeros(8))
    assert all_of(model) == before


def test_checkpoints_within_an_epoch_that_diverges_can_be_read(backend, tmp_path):
    model = normalised(backend)
    checkpoint = fastnn.callbacks.ModelCheckpoint(tmp_path / "{batch}.fastnn", save_freq=1)
    x = np.concatenate([SMALL[:8], HUGE[:8]])
    with pytest.warns(fastnn.DivergenceWarning):
        model.fit(x, np.zeros(16), batch_size=4, shuffle=False, verbose=0, callbacks=[checkpoint])
    saved = sorted(path.name for path in tmp_path.iterdir())
    assert saved == ["1.fastnn", "2.fastnn"]
    for name in saved:
        fastnn.load_model(tmp_path / name, backend=backend)


# Odd values, each of which can be set, and so must be saved and loaded.
TINY, LARGE = 5e-324, np.finfo("float64").max
ODD = {
    "tiny rate": {"optimizer": optimizers.SGD(TINY)},
    "large rate": {"optimizer": optimizers.SGD(LARGE)},
    "no rate": {"optimizer": optimizers.Adam(0.0, epsilon=TINY, beta_1=0.0, beta_2=0.0)},
    "clipped": {"optimizer": optimizers.SGD(clipnorm=TINY)},
    "scheduled": {"optimizer": optimizers.SGD(fastnn.schedules.ExponentialDecay(LARGE, 10**15, 0.5))},
    "averaged": {"optimizer": optimizers.Adam(use_ema=True, ema_momentum=1.0)},
    "counted": {"iterations": 2**53},
    "large weights": {"weights": [np.full((3, 1), 3.4e38), np.full(1, -3.4e38)]},
    "tiny weights": {"weights": [np.full((3, 1), 1e-45), np.full(1, -0.0)]},
    "tiny float64": {"dtype": "float64", "weights": [np.full((3, 1), TINY), np.full(1, -LARGE)]},
    "metadata": {"metadata": {"": None, "\u2028\x00é": [1e308, -0.0, 2**63, True, {"a": []}]}},
    "named": {"name": "é\n\x00 /../"},
}


@pytest.mark.parametrize("case", ODD)
def test_whatever_save_writes_load_reads(case, tmp_path):
    odd = ODD[case]
    model = fastnn.Sequential([Input((3,)), Dense(1)], seed=0, name=odd.get("name", "sequential"))
    model.compile(odd.get("optimizer", "sgd"), "mse", dtype=odd.get("dtype", "float32"), backend="numpy")
    model.optimizer.iterations = odd.get("iterations", 0)
    if "weights" in odd:
        model.set_weights(odd["weights"])
    model.save(tmp_path / "model.fastnn", odd.get("metadata"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = fastnn.load_model(tmp_path / "model.fastnn", backend="numpy")
    assert all_of(loaded) == all_of(model)
    assert loaded.metadata == model.metadata
    assert loaded.optimizer.get_config() == model.optimizer.get_config()


@pytest.mark.parametrize("save", ["save", "save_weights"])
def test_what_no_file_holds_is_not_written(save, tmp_path):
    model = normalised("numpy")
    model._engine.parameters.state[0] = np.inf
    with pytest.raises(FloatingPointError, match="wants a model that is finite"):
        getattr(model, save)(tmp_path / "model", **({"metadata": {"a": 1}} if save == "save" else {}))
    assert not list(tmp_path.iterdir())
    assert model.metadata == {}
