"""Members in the lanes of vectors: each is trained as it would be alone, up to rounding."""

import pickle

import numpy as np
import pytest

import fastnn
from fastnn import Ensemble, Sequential
from fastnn.engine import ACTIVATIONS
from fastnn.ensemble import lanes
from fastnn.layers import Dense, Input

WITHIN = {"float32": 1e-5, "float64": 1e-12}


@pytest.fixture(params=["numba", "cython"])
def compiled_backend(request):
    from backends import require

    require(request.param)
    return request.param


@pytest.fixture
def used(monkeypatch):
    """How many members have been trained in lanes."""
    count, fit = [], lanes.fit

    def counted(*given):
        found = fit(*given)
        count.extend([len(found[0])] if found[0] else [])
        return found

    monkeypatch.setattr(lanes, "fit", counted)
    return count


def ensembles(stack, optimizer, loss, dtype, members=11, backend="auto", **constants):
    """One that is trained in lanes, and one whose members are trained alone."""
    found = []
    for _ in range(2):
        ensemble = Ensemble(Sequential(stack()), members)
        ensemble.compile(optimizer(), loss, dtype=dtype, backend=backend, **constants)
        found.append(ensemble)
    return found


def targets(loss, shape, rng):
    if "hinge" in loss:
        return rng.choice([-1, 1], shape)
    if "sparse" in loss:
        return rng.integers(0, shape[-1], shape[:-1])
    if "crossentropy" in loss or loss in ("poisson", "mean_squared_logarithmic_error"):
        y = rng.uniform(0.1, 1, shape)
        return y / y.sum(axis=-1, keepdims=True) if "categorical" in loss else y
    return rng.normal(0, 1, shape)


def compared(pair, x, y, dtype, epochs=4, **options):
    """After the same fits, one in lanes and the others alone."""
    side_by_side, alone = pair
    history = side_by_side.fit(x, y, epochs=epochs, **options)
    for number, member in enumerate(alone):
        own = [each[number] if each.ndim > 2 else each for each in (x, y)]
        shuffle = options.get("shuffle", "each")
        curve = member.fit(*own, options.get("batch_size"), epochs, shuffle=bool(shuffle), verbose=0).history["loss"]
        np.testing.assert_allclose(history.history["loss"][number], curve, rtol=WITHIN[dtype], atol=WITHIN[dtype])
        assert side_by_side[number].optimizer.iterations == member.optimizer.iterations
        for a, b in zip(side_by_side[number].get_weights(), member.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=WITHIN[dtype] * max(1, np.abs(b).max()))


def data(inputs, outputs, loss="mse", rows=75, members=None):
    rng = np.random.default_rng(0)
    shape = (rows,) if members is None else (members, rows)
    return rng.normal(0, 1, (*shape, inputs)), targets(loss, (*shape, outputs), rng)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
def test_every_activation(name, dtype, used):
    optimizer = lambda: fastnn.optimizers.SGD(1e-4 if name == "exponential" else 0.01)  # noqa: E731
    pair = ensembles(lambda: [Input((3,)), Dense(7, name), Dense(2, name)], optimizer, "mse", dtype)
    x, y = data(3, 2)
    compared(pair, x / 2, y, dtype)
    assert used == [11]


ELEMENTWISE = ["mse", "mae", "huber", "log_cosh", "poisson", "mean_squared_logarithmic_error", "squared_hinge", "hinge"]
OF_CLASSES = ["categorical_crossentropy", "sparse_categorical_crossentropy"]


@pytest.mark.parametrize("loss", [*ELEMENTWISE, *OF_CLASSES, "binary_crossentropy", "binary_focal_crossentropy"])
def test_losses(loss, dtype, used):
    last = "softmax" if loss in OF_CLASSES else "sigmoid" if "crossentropy" in loss else "softplus"
    pair = ensembles(lambda: [Input((3,)), Dense(7, "tanh"), Dense(4, last)], lambda: "adam", loss, dtype)
    compared(pair, *data(3, 4, loss), dtype)
    assert used == [11]


OPTIMIZERS = {
    "sgd": lambda: fastnn.optimizers.SGD(0.01),
    "momentum": lambda: fastnn.optimizers.SGD(0.01, 0.9),
    "nesterov": lambda: fastnn.optimizers.SGD(0.01, 0.9, nesterov=True),
    "decay": lambda: fastnn.optimizers.AdamW(0.01, weight_decay=0.1),
    "schedule": lambda: fastnn.optimizers.Adam(fastnn.schedules.ExponentialDecay(0.01, 3, 0.9)),
    "rmsprop": lambda: fastnn.optimizers.RMSprop(0.001, momentum=0.5, centered=True),
    **{
        name: (lambda name=name: fastnn.optimizers.get(name))
        for name in ("adam", "adagrad", "adadelta", "adamax", "nadam", "lion", "rprop")
    },
}


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_optimizers_go_on(name, compiled_backend, used):
    """Twice, so that slots and counts are taken over; the second time alone."""
    stack = lambda: [Input((3,)), Dense(6, "tanh"), Dense(1)]  # noqa: E731
    pair = ensembles(stack, OPTIMIZERS[name], "mse", "float64", backend=compiled_backend)
    x, y = data(3, 1)
    compared(pair, x, y, "float64", epochs=2)
    compared(pair, x, y, "float64", epochs=2)
    assert used == [11, 11]


def test_constants_a_member(used):
    rate = fastnn.schedules.ExponentialDecay(0.1, 3, 0.5)
    constants = {"learning_rate": [0.001, 0.01, rate, 0.1] * 3, "momentum": np.linspace(0.1, 0.9, 12)}
    stack = lambda: [Input((3,)), Dense(6, "tanh"), Dense(1)]  # noqa: E731
    pair = ensembles(stack, lambda: fastnn.optimizers.SGD(0.1, 0.5), "mse", "float64", 12, **constants)
    compared(pair, *data(3, 1), "float64")
    assert used == [12]


@pytest.mark.parametrize("shuffle", ["each", False])
def test_rows_of_each(shuffle, dtype, used):
    pair = ensembles(lambda: [Input((3,)), Dense(6, "relu"), Dense(2)], lambda: "adam", "mse", dtype, 9)
    compared(pair, *data(3, 2, members=9), dtype, shuffle=shuffle, batch_size=16)
    assert used == [9]


def test_the_same_order(used):
    stack = lambda: [Input((3,)), Dense(6, "relu"), Dense(2)]  # noqa: E731
    ensemble, _ = ensembles(stack, lambda: "adam", "mse", "float64", 9)
    x, y = data(3, 2)
    for member in ensemble:
        member.build()
    ensemble.copy(0, 8)
    ensemble.fit(x, y, shuffle="same")
    np.testing.assert_array_equal(ensemble[0].predict(x), ensemble[8].predict(x))
    ensemble.fit(x, y)
    assert (ensemble[0].predict(x) != ensemble[8].predict(x)).any()
    assert used == [9, 9]


FEW = {
    "one layer": lambda: [Dense(1)],
    "no bias before": lambda: [Dense(5, "tanh", use_bias=False), Dense(1)],
    "no bias": lambda: [Dense(1, use_bias=False)],
}


@pytest.mark.parametrize("name", list(FEW))
def test_few_layers_and_no_bias(name, dtype, used):
    pair = ensembles(lambda: [Input((3,)), *FEW[name]()], lambda: "sgd", "mse", dtype)
    compared(pair, *data(3, 1, rows=7), dtype, batch_size=100)
    assert used == [11]


def test_threads_give_the_same_bits():
    x, y = data(3, 2)
    found = []
    for threads in (1, 2, 3):
        ensemble = Ensemble(Sequential([Input((3,)), Dense(6, "gelu"), Dense(2)]), 40)
        ensemble.compile("adam", "mse", threads=threads)
        ensemble.fit(x, y, epochs=3)
        found.append(ensemble.predict(x))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_member_that_diverges_says_so_and_leaves_the_others_alone(used):
    stack = lambda: [Input((3,)), Dense(6, "relu"), Dense(1)]  # noqa: E731
    rates = [0.01] * 8 + [1e30]
    pair = ensembles(stack, lambda: "sgd", "mse", "float32", 9, learning_rate=rates)
    x, y = data(3, 1)
    with pytest.warns(fastnn.DivergenceWarning):
        history = pair[0].fit(x, y, epochs=3)
    assert used == [8]
    assert np.isfinite(history.history["loss"][:8]).all()
    with pytest.warns(fastnn.DivergenceWarning):
        pair[1][8].fit(x, y, epochs=3, verbose=0)
    for a, b in zip(pair[0][8].get_weights(), pair[1][8].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["l2", "l1"])
def test_penalties(name, dtype, compiled_backend, used):
    stack = lambda: [Input((3,)), Dense(6, "tanh", bias_regularizer="l2"), Dense(4, use_bias=False), Dense(1)]  # noqa: E731
    strengths = {name: np.linspace(0, 0.1, 11)}
    pair = ensembles(stack, lambda: "sgd", "mse", dtype, backend=compiled_backend, **strengths)
    compared(pair, *data(3, 1), dtype)
    assert used == [11]


def test_bootstrap(dtype, used):
    pair = ensembles(lambda: [Input((3,)), Dense(6, "tanh"), Dense(1)], lambda: "adam", "mse", dtype)
    x, y = data(3, 1)
    for shuffle in ("each", "same", False):
        history = pair[0].fit(x, y, epochs=2, shuffle=shuffle, bootstrap=True)
        alone = pair[1].fit(x, y, epochs=2, shuffle=shuffle, bootstrap=True, verbose=0)
        np.testing.assert_allclose(history.history["loss"], alone.history["loss"], rtol=WITHIN[dtype])
        for one, other in zip(*pair, strict=True):
            for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=WITHIN[dtype] * max(1, np.abs(b).max()))
    assert used == [11] * 3


STOPPING = {
    "none": None,
    "best weights": {"patience": 1, "restore_best_weights": True},
    "of training": {"monitor": "loss", "min_delta": 0.01},
    "from later on": {"patience": 2, "start_from_epoch": 3, "baseline": 0.5},
}


@pytest.mark.parametrize("name", STOPPING)
def test_validation_and_members_that_stop(name, dtype, used):
    """Some stop early, some late: those that are left go on as they would have alone."""
    rates = np.geomspace(1e-4, 0.5, 40)
    pair = ensembles(
        lambda: [Input((3,)), Dense(6, "tanh"), Dense(1)], lambda: "adam", "mse", dtype, 40, learning_rate=rates
    )
    x, y = data(3, 1)
    callbacks = None if STOPPING[name] is None else [fastnn.callbacks.EarlyStopping(**STOPPING[name])]
    asked = {"epochs": 12, "callbacks": callbacks, "validation_data": data(3, 1, rows=21)}
    history = pair[0].fit(x, y, **asked)
    alone = pair[1].fit(x, y, **asked, verbose=0)
    assert used == [40]
    counts = {len(member.epoch) for member in history.members}
    assert (counts == {12}) == (callbacks is None)
    for curve in ("loss", "val_loss"):
        np.testing.assert_allclose(history.history[curve], alone.history[curve], rtol=20 * WITHIN[dtype])
    for one, other in zip(*pair, strict=True):
        assert one.optimizer.iterations == other.optimizer.iterations
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=20 * WITHIN[dtype] * max(1, np.abs(b).max()))


PREDICTED = {
    "numbers": ([Input((3,)), Dense(6, "tanh"), Dense(2)], "mse"),
    "probabilities": ([Dense(6, "relu"), Dense(3, "sigmoid")], "binary_crossentropy"),
    "classes": ([Input((3,)), Dense(6, "gelu"), Dense(4, "softmax")], "categorical_crossentropy"),
    "logits": ([Dense(4)], fastnn.losses.CategoricalCrossentropy(from_logits=True)),
}


@pytest.mark.parametrize("rows", [1, 64, 150])
@pytest.mark.parametrize("name", PREDICTED)
def test_predictions(name, rows, dtype, compiled_backend):
    stack, loss = PREDICTED[name]
    ensemble = Ensemble(Sequential(stack), 11)
    ensemble.compile("sgd", loss, dtype=dtype, backend=compiled_backend)
    for shape in ((rows, 3), (11, rows, 3)):
        x = np.random.default_rng(0).normal(size=shape)
        found = ensemble.predict(x)
        assert len(ensemble._members.resting) == 11
        copies = pickle.loads(pickle.dumps(ensemble))
        own = x if x.ndim == 3 else [x] * 11
        for one, member, given in zip(found, copies, own, strict=True):
            np.testing.assert_allclose(one, member.predict(given), rtol=0, atol=WITHIN[dtype])
    bad = x.copy()
    bad[3, 0, 1] = np.nan
    with pytest.raises(ValueError, match="x"):
        ensemble.predict(bad)
    with pytest.raises(ValueError, match="has 3 inputs"):
        ensemble.predict(x[..., :2])


ALONE = {
    "dropout": {"stack": [Dense(6), fastnn.layers.Dropout(0.1), Dense(1)]},
    "normalisation": {"stack": [Dense(6), fastnn.layers.BatchNormalization(), Dense(1)]},
    "constraint": {"stack": [Dense(6, kernel_constraint="non_neg"), Dense(1)]},
    "frozen": {"stack": [Dense(6, trainable=False), Dense(1)]},
    "rates": {"stack": [Dense(6, kernel_rate=0.5), Dense(1)]},
    "clipped": {"optimizer": lambda: fastnn.optimizers.SGD(0.01, clipnorm=1.0)},
    "average": {"optimizer": lambda: fastnn.optimizers.SGD(0.01, use_ema=True)},
    "accumulated": {"optimizer": lambda: fastnn.optimizers.SGD(0.01, gradient_accumulation_steps=2)},
    "metrics": {"metrics": ["mae"]},
    "cosine": {"loss": "cosine_similarity"},
    "few members": {"members": 2},
    "large": {"stack": [Dense(500), Dense(50), Dense(1)]},
    "numpy": {"backend": "numpy"},
}


@pytest.mark.parametrize("name", list(ALONE))
def test_what_is_trained_alone(name, used):
    """To the bit as alone."""
    settings = {"stack": [Dense(6), Dense(1)], "optimizer": lambda: "sgd", "loss": "mse", "members": 9} | ALONE[name]
    ensemble = Ensemble(Sequential([Input((3,)), *settings["stack"]]), settings["members"])
    options = {key: settings[key] for key in ("metrics", "backend") if key in settings}
    ensemble.compile(settings["optimizer"](), settings["loss"], **options)
    history = ensemble.fit(*data(3, 1), epochs=2)
    assert used == []
    assert history.history["loss"].shape == (settings["members"], 2)


def test_a_fit_that_is_refused_changes_nothing(used):
    pair = ensembles(lambda: [Input((3,)), Dense(6, "tanh"), Dense(1)], lambda: "adam", "mse", "float64")
    x, y = data(3, 1)
    for broken, message in ((x * np.nan, "NaN"), (x[:, :2], "columns|inputs|wants 3")):
        with pytest.raises(ValueError, match=message):
            pair[0].fit(broken, y)
    compared(pair, x, y, "float64")
    assert used == [11]


def test_ctrl_c_ends_training_between_calls(monkeypatch, used):
    from fastnn.ensemble import lanes as module

    ensemble = Ensemble(Sequential([Input((3,)), Dense(6), Dense(1)]), 9)
    ensemble.compile("sgd", "mse")
    calls, undisturbed = [], module.undisturbed

    def pressed(work):
        found = undisturbed(work)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(module, "undisturbed", pressed)
    monkeypatch.setattr(module, "SECONDS", 0.0)
    history = ensemble.fit(*data(3, 1), epochs=50)
    assert history.interrupted
    assert history.history["loss"].shape == (9, 2)
    assert ensemble[0].optimizer.iterations == 2 * 3
