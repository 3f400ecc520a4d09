"""fit, evaluate and predict do what the reference does, and what Keras's do."""

import os
import subprocess
import sys

import naive
import numpy as np
import pytest

import fastnn
from fastnn import callbacks, initializers, optimizers
from fastnn.kernels import machine
from fastnn.kernels.render.instruction_sets import INSTRUCTION_SETS
from fastnn.layers import Dense, Input

OPTIMIZERS = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.05, "momentum": 0.9},
    "nesterov": {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    "adam": {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
}
ACCURACY = {"float32": 1e-3, "float64": 1e-9}
CLASSIFIER = [3, 5, 4], ["tanh", "softmax"]


def optimizer_pair(name):
    """fastnn's optimizer and naive's."""
    kind = "Adam" if name == "adam" else "SGD"
    return getattr(optimizers, kind)(**OPTIMIZERS[name]), getattr(naive, kind)(**OPTIMIZERS[name])


@pytest.fixture
def classifier(network):
    """A small classifier and 23 rows for it."""
    loss = "sparse_categorical_crossentropy"
    x, y = naive.random_data(loss, 23, 3, 4)

    def build(**options):
        weights = naive.random_weights(CLASSIFIER[0])
        return network(*CLASSIFIER, **{"weights": weights, "loss": loss, "dtype": "float64", **options})

    return build, x, y


# --- fit against the reference


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_optimizer_trains_as_the_reference(network, assert_close, backend, dtype, optimizer):
    sizes, activations, loss = [3, 17, 5, 2], ["tanh", "relu", "linear"], "mse"
    x, y = naive.random_data(loss, 50, 3, 2)
    start = naive.random_weights(sizes)
    ours, reference = optimizer_pair(optimizer)
    model = network(sizes, activations, start, optimizer=ours, loss=loss, backend=backend, dtype=dtype)
    history = model.fit(x, y, batch_size=16, epochs=4, shuffle=False, verbose=0).history
    weights, losses = naive.train(start, activations, loss, reference, x, y, batch_size=16, epochs=4)
    assert_close(model.get_weights(), weights, ACCURACY[dtype])
    assert history["loss"] == pytest.approx(losses, rel=ACCURACY[dtype])


@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("width", [1, 3, 17, 33, 50, 257])
def test_any_width_and_batch_trains_as_the_reference(network, assert_close, backend, dtype, width, batch_size):
    """40 rows: 7 and 32 leave a short batch at the end."""
    sizes, activations = [width, width, 3], ["tanh", "softmax"]
    loss = "categorical_crossentropy"
    x, y = naive.random_data(loss, 40, width, 3)
    start = naive.random_weights(sizes)
    rate = 0.2 / (20 + width)
    ours, reference = optimizers.SGD(rate, momentum=0.9), naive.SGD(rate, momentum=0.9)
    model = network(sizes, activations, start, optimizer=ours, loss=loss, backend=backend, dtype=dtype)
    history = model.fit(x, y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history
    weights, losses = naive.train(start, activations, loss, reference, x, y, batch_size, epochs=2)
    assert_close(model.get_weights(), weights, ACCURACY[dtype])
    assert history["loss"] == pytest.approx(losses, rel=ACCURACY[dtype])
    assert_close([model.predict(x)], [naive.forward(weights, activations, x)[-1]], ACCURACY[dtype])


@pytest.mark.parametrize(
    ("sizes", "batch_size", "rows"),
    [
        ([3, 9, 2], 1500, 4000),
        ([30, 64, 64, 2], 512, 700),
        ([300, 120, 10], 128, 300),
        ([64, 520, 3], 64, 300),
        ([1100, 600, 130], 64, 100),
        ([1100, 20, 3], 7, 30),
    ],
)
def test_larger_work_trains_as_the_reference(network, assert_close, backend, dtype, sizes, batch_size, rows):
    activations = ["relu"] * (len(sizes) - 2) + ["softmax"]
    loss = "sparse_categorical_crossentropy"
    x, y = naive.random_data(loss, rows, sizes[0], sizes[-1])
    start = naive.random_weights(sizes)
    rate = 1 / (20 + sizes[0])
    ours, reference = optimizers.SGD(rate, momentum=0.9), naive.SGD(rate, momentum=0.9)
    model = network(sizes, activations, start, optimizer=ours, loss=loss, backend=backend, dtype=dtype)
    model.fit(x, y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0)
    weights, _ = naive.train(start, activations, loss, reference, x, y, batch_size, epochs=2)
    assert_close(model.get_weights(), weights, ACCURACY[dtype])


def test_layers_without_bias_train_as_the_reference(backend, dtype, assert_close):
    model = fastnn.Sequential([Input(shape=(3,)), Dense(4, "tanh", use_bias=False), Dense(2, use_bias=False)])
    model.compile(loss="mse", optimizer="sgd", backend=backend, dtype=dtype)
    first, _, second, _ = naive.random_weights([3, 4, 2])
    model.set_weights([first, second])
    x, y = naive.random_data("mse", 7, 3, 2)
    gradients = naive.backward([first, np.zeros(4), second, np.zeros(2)], ["tanh", "linear"], "mse", x, y)
    model.train_on_batch(x, y)
    expected = [first - 0.01 * gradients[0], second - 0.01 * gradients[2]]
    assert_close(model.get_weights(), expected, ACCURACY[dtype])
    assert model.count_params() == 3 * 4 + 4 * 2


@pytest.mark.parametrize("kind", ["sample_weight", "class_weight", "some classes"])
def test_weights_of_samples_and_classes_scale_the_loss_of_rows(classifier, assert_close, backend, dtype, kind):
    """The weighted losses are summed and divided by the rows of the batch, as Keras does."""
    build, x, y = classifier
    if kind == "sample_weight":
        weight = np.random.default_rng(2).uniform(0, 2, size=len(x))
        argument = weight
    else:
        argument = {0: 1.0, 1: 0.0, 2: 2.0, 3: 0.5} if kind == "class_weight" else {1: 0.0, 3: 0.5}
        weight = np.array([argument.get(label, 1.0) for label in y])  # as Keras takes those that are missing
        kind = "class_weight"
    ours, reference = optimizer_pair("sgd")
    model = build(optimizer=ours, backend=backend, dtype=dtype)
    history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, **{kind: argument}).history
    weights, losses = naive.train(
        naive.random_weights(CLASSIFIER[0]),
        CLASSIFIER[1],
        "sparse_categorical_crossentropy",
        reference,
        x,
        y,
        batch_size=8,
        epochs=2,
        sample_weight=weight,
    )
    assert_close(model.get_weights(), weights, ACCURACY[dtype])
    assert history["loss"] == pytest.approx(losses, rel=ACCURACY[dtype])


def test_backends_agree_after_an_epoch_of_digits(network, assert_close, dtype):
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    trained = {}
    for name in ("numba", "cython", "numpy"):
        try:
            model = network(
                [64, 128, 10],
                ["relu", "softmax"],
                seed=3,
                optimizer=optimizers.SGD(0.1, momentum=0.9),
                loss="sparse_categorical_crossentropy",
                backend=name,
                dtype=dtype,
            )
        except ImportError:
            continue
        model.fit(digits.data / 16, digits.target, epochs=1, verbose=0)
        trained[name] = model.get_weights()
    if len(trained) < 2:
        pytest.skip("one backend alone")
    for weights in trained.values():
        assert_close(weights, trained["numpy"], {"float32": 1e-4, "float64": 1e-10}[dtype])


PREDICT = """
import numpy, fastnn
from fastnn.layers import Dense, Input
model = fastnn.Sequential([Input(shape=(19,)), Dense(70, "gelu"), Dense(5, "softmax")], seed=0)
model.compile("adam", "sparse_categorical_crossentropy", backend="cython")
x = numpy.random.default_rng(0).normal(size=(99, 19))
model.fit(x, numpy.arange(99) % 5, epochs=3, verbose=0)
print(*model.predict(x).ravel())
"""


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
def test_every_instruction_set_gives_about_the_same(isa):
    """The extension has a build for each; Numba renders the same source."""
    if isa not in machine.supported():
        pytest.skip(f"this processor has no {isa}")
    results = []
    for chosen in (isa, machine.supported()[0]):
        environment = {**os.environ, machine.VARIABLE: chosen}
        run = subprocess.run([sys.executable, "-c", PREDICT], capture_output=True, text=True, env=environment)
        assert run.returncode == 0, run.stderr
        results.append(np.array(run.stdout.split(), dtype=float))
    assert results[0].shape == (99 * 5,)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4)


def test_digits_are_learned(network, backend):
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    x, y = digits.data / 16, digits.target
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[360:], order[:360]
    model = network(
        [64, 64, 10],
        ["relu", "softmax"],
        loss="sparse_categorical_crossentropy",
        optimizer=optimizers.Adam(0.003),
        metrics=["accuracy"],
        backend=backend,
    )
    history = model.fit(x[train], y[train], epochs=20, verbose=0, validation_data=(x[test], y[test])).history
    assert history["val_accuracy"][-1] >= 0.96
    assert history["accuracy"][-1] == pytest.approx(1, abs=0.01)


# --- order of rows


def one_hot_rows(network, backend, **fit):
    """Weights after an epoch in which row i moves weight i alone, by 0.2 each time that it is visited."""
    rows = 40
    weights = [np.zeros((rows, 1)), np.zeros(1)]
    model = fastnn.Sequential([Input(shape=(rows,)), Dense(1, use_bias=False)], seed=1)
    model.compile(loss="mse", optimizer=optimizers.SGD(0.1), backend=backend, dtype="float64")
    model.set_weights(weights[:1])
    model.fit(np.eye(rows), np.ones(rows), verbose=0, **fit)
    return model.get_weights()[0].ravel()


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_sample_weights_follow_their_rows_when_shuffled(backend, kind):
    """Row i alone moves weight i, by its sample weight; float16 is converted on the way."""
    rows = 40
    weight = np.linspace(0, 2, rows)
    model = fastnn.Sequential([Input(shape=(rows,)), Dense(1, use_bias=False)], seed=1)
    model.compile(loss="mse", optimizer=optimizers.SGD(0.1), backend=backend, dtype="float64")
    model.set_weights([np.zeros((rows, 1))])
    y = np.arange(rows) + 1.0
    model.fit(np.eye(rows, dtype=kind), y, batch_size=8, sample_weight=weight, verbose=0)
    assert model.get_weights()[0].ravel() == pytest.approx(0.2 / 8 * weight * y, rel=1e-12)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 17, 64, 65, 1000, 4097])
def test_shuffled_epoch_has_the_loss_of_all_rows(network, backend, rows):
    """At a rate of nearly nothing: a row left out, or visited twice, would change the mean."""
    x, y = naive.random_data("mse", rows, 2, 1, seed=rows)
    model = network([2, 1], ["linear"], seed=rows, optimizer=optimizers.SGD(1e-30), backend=backend, dtype="float64")
    loss = model.fit(x, y, batch_size=7, epochs=3, verbose=0).history["loss"]
    assert loss == pytest.approx(3 * [model.evaluate(x, y, verbose=0)], rel=1e-12)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [1, 8, 40])
def test_an_epoch_visits_each_row_once(network, backend, shuffle, batch_size):
    weights = one_hot_rows(network, backend, batch_size=batch_size, shuffle=shuffle)
    assert weights == pytest.approx(np.full(40, 0.2 / batch_size), rel=1e-12)


def test_shuffling_changes_the_order_from_epoch_to_epoch_and_the_seed_decides_it(classifier, backend):
    build, x, y = classifier

    def trained(epochs, shuffle, seed):
        model = build(backend=backend, seed=seed, optimizer=optimizers.SGD(0.1))
        model.fit(x, y, batch_size=4, epochs=epochs, shuffle=shuffle, verbose=0)
        return model.get_weights()[0]

    assert np.array_equal(trained(2, True, seed=1), trained(2, True, seed=1))
    assert not np.array_equal(trained(2, True, seed=1), trained(2, True, seed=2))
    assert not np.array_equal(trained(1, True, seed=1), trained(1, False, seed=1))
    assert np.array_equal(trained(2, False, seed=1), trained(2, False, seed=2))


# --- fit as a whole


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_goes_on_where_the_last_fit_ended(classifier, assert_close, backend, optimizer):
    build, x, y = classifier
    options = {"batch_size": 8, "shuffle": False, "verbose": 0}
    once, twice, batches = (build(backend=backend, optimizer=optimizer_pair(optimizer)[0]) for _ in range(3))
    once.fit(x, y, epochs=4, **options)
    twice.fit(x, y, epochs=1, **options)
    twice.fit(x, y, epochs=4, initial_epoch=1, **options)
    for start in 4 * [*range(0, len(x), 8)]:
        batches.train_on_batch(x[start : start + 8], y[start : start + 8])
    assert_close(twice.get_weights(), once.get_weights(), 1e-12)
    assert_close(batches.get_weights(), once.get_weights(), 1e-12)


def test_history_has_an_entry_an_epoch_for_the_loss_and_each_metric(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend, metrics=["accuracy"])
    result = model.fit(x, y, epochs=5, initial_epoch=2, validation_data=(x, y), verbose=0)
    assert result.epoch == [2, 3, 4]
    assert set(result.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(values) == 3 for values in result.history.values())
    assert model.history is result


def test_validation_scores_are_those_of_evaluate_after_the_epoch(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend, metrics=["accuracy"])
    history = model.fit(x[:15], y[:15], validation_data=(x[15:], y[15:]), verbose=0).history
    loss, accuracy = model.evaluate(x[15:], y[15:], verbose=0)
    assert history["val_loss"][0] == pytest.approx(loss, rel=1e-12)
    assert history["val_accuracy"][0] == pytest.approx(accuracy, rel=1e-12)


def test_validation_split_keeps_the_last_rows_out_of_training(classifier, assert_close, backend):
    build, x, y = classifier
    split, given = build(backend=backend), build(backend=backend)
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    first = split.fit(x[:20], y[:20], validation_split=0.25, **options).history
    second = given.fit(x[:15], y[:15], validation_data=(x[15:20], y[15:20]), **options).history
    assert first == second
    assert_close(split.get_weights(), given.get_weights(), 1e-15)


def test_training_metrics_are_the_mean_over_the_epoch_as_it_went(classifier, backend):
    """With a rate of nearly nothing the mean over the epoch is the metric of the start."""
    build, x, y = classifier
    model = build(backend=backend, metrics=["accuracy"], optimizer=optimizers.SGD(1e-30))
    loss, accuracy = model.evaluate(x, y, verbose=0)
    history = model.fit(x, y, batch_size=7, verbose=0).history
    assert history["accuracy"][0] == pytest.approx(accuracy, rel=1e-12)
    assert history["loss"][0] == pytest.approx(loss, rel=1e-12)


def test_callbacks_see_each_epoch_and_can_stop_training(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend)
    seen = []

    class Stop(callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append("begin")

        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, logs["loss"]))
            self.model.stop_training = epoch == 2

        def on_train_end(self, logs=None):
            seen.append("end")

    history = model.fit(x, y, epochs=10, callbacks=[Stop()], verbose=0).history
    assert seen == ["begin", *enumerate(history["loss"]), "end"]
    assert len(history["loss"]) == 3


def test_looking_at_the_model_from_a_callback_does_not_disturb_its_training(classifier, backend):
    build, x, y = classifier

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.predict(x), self.model.gradients(x[:5], y[:5]), self.model.forward(x[:3])
            self.model.evaluate(x, y, verbose=0), self.model.set_weights(self.model.get_weights())

    alone, watched = (build(backend=backend, optimizer=optimizers.Adam(), seed=1) for _ in range(2))
    first = alone.fit(x, y, batch_size=8, epochs=4, verbose=0).history
    second = watched.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[Look()]).history
    assert first == second
    assert all(map(np.array_equal, alone.get_weights(), watched.get_weights()))


def test_callback_may_change_the_learning_rate(classifier, assert_close, backend):
    build, x, y = classifier

    class Halve(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate /= 2

    model, by_hand = (build(backend=backend, optimizer=optimizers.SGD(0.1)) for _ in range(2))
    model.fit(x, y, epochs=3, shuffle=False, verbose=0, callbacks=[Halve()])
    for _ in range(3):
        by_hand.fit(x, y, shuffle=False, verbose=0)
        by_hand.optimizer.learning_rate /= 2
    assert_close(model.get_weights(), by_hand.get_weights(), 1e-14)


def test_fit_trains_no_further_for_zero_epochs(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend)
    before = [w.copy() for w in model.get_weights()]
    assert model.fit(x, y, epochs=3, initial_epoch=3, verbose=0).epoch == []
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize("verbose", [1, 2])
def test_fit_tells_of_its_epochs_when_asked(classifier, backend, capsys, verbose):
    build, x, y = classifier
    build(backend=backend).fit(x, y, epochs=3, verbose=verbose)
    out, err = capsys.readouterr()
    assert "3/3" in out + err
    assert "loss" in out + err
    build(backend=backend).fit(x, y, epochs=3, verbose=0)
    assert capsys.readouterr() == ("", "")


# --- evaluate, predict, forward


def test_evaluate_gives_the_reference_metrics(network, backend, dtype):
    for metric, loss, output in (
        ("mse", "mae", "linear"),
        ("mae", "mse", "linear"),
        ("root_mean_squared_error", "mse", "linear"),
        ("accuracy", "binary_crossentropy", "sigmoid"),
        ("binary_accuracy", "mse", "sigmoid"),
        ("accuracy", "categorical_crossentropy", "softmax"),
        ("categorical_accuracy", "mse", "softmax"),
        ("accuracy", "sparse_categorical_crossentropy", "softmax"),
        ("sparse_categorical_accuracy", "sparse_categorical_crossentropy", "softmax"),
    ):
        kind = "categorical_crossentropy" if metric == "categorical_accuracy" else loss
        kind = "binary_crossentropy" if metric == "binary_accuracy" else kind
        x, y = naive.random_data(kind, 23, 3, 4)
        weights = naive.random_weights([3, 4])
        model = network([3, 4], [output], weights, loss=loss, metrics=[metric], backend=backend, dtype=dtype)
        name = metric
        if metric == "accuracy":
            name = "sparse_categorical_accuracy" if "sparse" in loss else "categorical_accuracy"
        expected = naive.METRICS[name](y, naive.forward(weights, [output], x)[-1])
        result = model.evaluate(x, y, batch_size=7, verbose=0, return_dict=True)
        assert list(result) == ["loss", metric]
        assert result[metric] == pytest.approx(expected, rel=1e-5)
        assert model.evaluate(x, y, batch_size=7, verbose=0) == list(result.values())


def test_ties_go_to_the_first_class_and_a_half_to_no(network, backend, dtype):
    """As in Keras: argmax takes the first, and binary accuracy wants more than 0.5."""
    x, y = np.ones((10, 2)), np.array([0] * 3 + [1] * 5 + [2] * 2)
    options = {"backend": backend, "dtype": dtype, "metrics": ["accuracy"]}
    zeros = [np.zeros((2, 3)), np.zeros(3)]
    model = network([2, 3], ["softmax"], zeros, loss="sparse_categorical_crossentropy", **options)
    assert model.evaluate(x, y, verbose=0)[1] == pytest.approx(0.3)
    model = network([2, 1], ["sigmoid"], [np.zeros((2, 1)), np.zeros(1)], loss="binary_crossentropy", **options)
    assert model.evaluate(x, y > 0, verbose=0)[1] == pytest.approx(0.3)


def test_sample_weights_scale_the_evaluated_loss(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend)
    weight = np.random.default_rng(3).uniform(0, 2, size=len(x))
    loss = "sparse_categorical_crossentropy"
    expected = naive.loss_of_batch(model.get_weights(), CLASSIFIER[1], loss, x, y, weight)
    assert model.evaluate(x, y, sample_weight=weight, verbose=0) == pytest.approx(expected, rel=1e-12)


def test_many_rows_are_evaluated_and_predicted_as_the_reference(network, assert_close, backend, dtype):
    sizes, activations, loss = [5, 33, 3], ["silu", "softmax"], "sparse_categorical_crossentropy"
    weights = naive.random_weights(sizes)
    x, y = naive.random_data(loss, 30_011, 5, 3)
    model = network(sizes, activations, weights, loss=loss, backend=backend, dtype=dtype)
    assert_close([model.predict(x)], [naive.forward(weights, activations, x)[-1]], 1e-5)
    expected = naive.loss_of_batch(weights, activations, loss, x, y)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)
    gradients = [layer["kernel"] for layer in model.gradients(x, y)]
    assert_close(gradients, naive.backward(weights, activations, loss, x, y)[::2], ACCURACY[dtype])


# around 8 rows of a tile, 256 of the largest block, and the ends of some blocks
ROWS = (1, 7, 8, 9, 255, 256, 257, 511, 512, 513, 1000)


def test_predictions_do_not_depend_on_the_rows_beside_them(network, backend, dtype):
    sizes = [9, 33, 3]
    model = network(sizes, ["gelu", "softmax"], naive.random_weights(sizes), backend=backend, dtype=dtype)
    x = naive.random_data("mse", max(ROWS), 9, 3)[0]
    expected = model.predict(x)
    assert expected.shape == (max(ROWS), 3)
    assert expected.dtype == dtype
    for rows in ROWS:
        np.testing.assert_allclose(model.predict(x[:rows]), expected[:rows], rtol=1e-5)
        np.testing.assert_allclose(model.predict(x[-rows:]), expected[-rows:], rtol=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(x[:5]), expected[:5], rtol=1e-5)


def test_forward_gives_each_layers_activations_and_the_last_are_the_predictions(network, assert_close, backend, dtype):
    sizes, activations = [4, 17, 6, 2], ["relu", "mish", "sigmoid"]
    weights = naive.random_weights(sizes)
    model = network(sizes, activations, weights, backend=backend, dtype=dtype)
    x = naive.random_data("mse", 11, 4, 2)[0]
    assert_close(model.forward(x), naive.forward(weights, activations, x), 1e-4)
    assert np.array_equal(model.forward(x)[-1], model.predict(x))


def test_train_and_test_on_batch_give_the_loss_before_the_step(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend, metrics=["accuracy"])
    before = model.test_on_batch(x, y)
    assert model.evaluate(x, y, batch_size=len(x), verbose=0) == pytest.approx(before, rel=1e-12)
    assert model.train_on_batch(x, y) == pytest.approx(before, rel=1e-12)
    assert model.test_on_batch(x, y)[0] < before[0]


def test_looking_inside_changes_nothing(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend)
    before = [w.copy() for w in model.get_weights()]
    model.gradients(x, y), model.forward(x), model.predict(x), model.evaluate(x, y, verbose=0)
    model.test_on_batch(x, y), model.summary(), model.get_config()
    assert all(map(np.array_equal, before, model.get_weights()))


# --- weights


def test_layers_weights_are_views_that_training_moves(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend)
    kernel, bias = model.layers[0].kernel, model.layers[0].bias
    before = kernel.copy(), bias.copy()
    model.fit(x, y, verbose=0)
    assert not np.array_equal(kernel, before[0])
    assert not np.array_equal(bias, before[1])
    assert np.array_equal(kernel, model.get_weights()[0])


def test_views_of_the_weights_cannot_be_written(classifier, backend):
    """The kernels keep a transposed copy in step, which only set_weights can do."""
    build, _, _ = classifier
    layer = build(backend=backend).layers[0]
    for view in (layer.kernel, layer.bias):
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0


def test_get_weights_gives_copies_that_set_weights_takes_back(classifier, backend):
    build, x, y = classifier
    model = build(backend=backend)
    kept = model.get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    assert not np.array_equal(kept[0], model.get_weights()[0])
    model.set_weights(kept)
    assert all(map(np.array_equal, kept, model.get_weights()))


def test_seed_decides_the_first_weights(network):
    def first(seed):
        return network([3, 4, 2], ["tanh", "linear"], seed=seed).get_weights()

    assert all(map(np.array_equal, first(1), first(1)))
    assert not np.array_equal(first(1)[0], first(2)[0])
    assert not np.array_equal(first(None)[0], first(None)[0])


def test_set_random_seed_decides_the_weights_of_models_without_a_seed(network):
    drawn = []
    for seed in (7, 7, 8):
        fastnn.utils.set_random_seed(seed)
        drawn.append([network([3, 4], ["tanh"], seed=None).get_weights()[0] for _ in range(2)])
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0][0], drawn[0][1])


# inputs 300, units 100: (standard deviation, largest possible size)
SPREADS = {
    "glorot_uniform": (np.sqrt(2 / 400), np.sqrt(6 / 400)),
    "glorot_normal": (np.sqrt(2 / 400), np.inf),
    "he_uniform": (np.sqrt(2 / 300), np.sqrt(6 / 300)),
    "he_normal": (np.sqrt(2 / 300), np.inf),
    "lecun_uniform": (np.sqrt(1 / 300), np.sqrt(3 / 300)),
    "lecun_normal": (np.sqrt(1 / 300), np.inf),
    "random_uniform": (0.05 / np.sqrt(3), 0.05),
    "random_normal": (0.05, np.inf),
}


@pytest.mark.parametrize("initializer", SPREADS)
def test_initializers_draw_with_the_spread_they_are_named_for(initializer):
    deviation, limit = SPREADS[initializer]
    model = fastnn.Sequential([Input(shape=(300,)), Dense(100, kernel_initializer=initializer)], seed=0)
    model.compile(loss="mse")
    kernel, bias = model.get_weights()
    assert np.std(kernel) == pytest.approx(deviation, rel=0.02)
    assert abs(np.mean(kernel)) < deviation / 40
    assert np.max(np.abs(kernel)) <= limit
    assert np.all(bias == 0)


def test_constant_initializers_fill():
    for initializer, value in (("zeros", 0), ("ones", 1), (initializers.Constant(0.5), 0.5)):
        layer = Dense(4, kernel_initializer=initializer, bias_initializer=initializer)
        model = fastnn.Sequential([Input(shape=(3,)), layer])
        model.compile(loss="mse")
        assert all(np.all(w == value) for w in model.get_weights())


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_compiling_begins_with_a_fresh_optimizer(classifier, assert_close, backend, optimizer):
    """Its slots and its step count begin at nothing, whatever the object has trained before."""
    build, x, y = classifier
    used = optimizer_pair(optimizer)[0]
    fresh = build(backend=backend, optimizer=optimizer_pair(optimizer)[0])
    model = build(backend=backend, optimizer=used)
    start = model.get_weights()
    model.fit(x, y, epochs=3, verbose=0)
    model.set_weights(start)
    model.compile(used, model.loss, backend=backend, dtype="float64")
    another = build(backend=backend, optimizer=used)
    for each in (fresh, model, another):
        each.fit(x, y, shuffle=False, verbose=0)
    assert_close(model.get_weights(), fresh.get_weights(), 1e-12)
    assert_close(another.get_weights(), fresh.get_weights(), 1e-12)


def test_names_and_objects_of_an_optimizer_mean_the_same(classifier, assert_close, backend):
    build, x, y = classifier
    for name, defaults in (("sgd", optimizers.SGD()), ("adam", optimizers.Adam())):
        one, two = build(backend=backend, optimizer=name), build(backend=backend, optimizer=defaults)
        one.fit(x, y, epochs=2, shuffle=False, verbose=0)
        two.fit(x, y, epochs=2, shuffle=False, verbose=0)
        assert_close(one.get_weights(), two.get_weights(), 1e-15)


@pytest.mark.parametrize(
    ("optimizer", "reference"),
    [
        (optimizers.SGD(0.1, momentum=0.5), naive.SGD(0.1, momentum=0.5)),
        (optimizers.SGD(0.1, momentum=0.5, nesterov=True), naive.SGD(0.1, momentum=0.5, nesterov=True)),
        (optimizers.Adam(0.1), naive.Adam(0.1)),
    ],
)
def test_gradient_descent_takes_the_steps_of_the_optimizer(optimizer, reference):
    def gradient(x):
        return np.array([2 * x[0], 20 * x[1] + x[0]])

    path = fastnn.gradient_descent(gradient, [1.0, -1.0], learning_rate=0.1, steps=30, optimizer=optimizer)
    at = [np.array([1.0, -1.0])]
    expected = [at[0].copy()]
    for _ in range(30):
        reference.update(at, [gradient(at[0])])
        expected.append(at[0].copy())
    np.testing.assert_allclose(path, expected, rtol=1e-9, atol=1e-12)


# --- building a model


def test_model_is_built_by_its_first_data_when_no_input_is_given(backend):
    model = fastnn.Sequential(seed=0)
    model.add(Dense(4, activation="relu"))
    model.add(Dense(2))
    model.compile(loss="mse", backend=backend)
    model.fit(np.zeros((5, 3)), np.zeros((5, 2)), verbose=0)
    assert [w.shape for w in model.get_weights()] == [(3, 4), (4,), (4, 2), (2,)]
    assert model.count_params() == 3 * 4 + 4 + 4 * 2 + 2


@pytest.mark.parametrize("first", [{"input_shape": (3,)}, {"input_dim": 3}])
def test_first_dense_may_say_its_input(first):
    model = fastnn.Sequential([Dense(4, **first), Dense(2)])
    model.compile(loss="mse")
    assert model.get_weights()[0].shape == (3, 4)


def test_build_gives_weights_before_any_data():
    model = fastnn.Sequential([Dense(4), Dense(2)])
    model.build(3)
    assert model.count_params() == 3 * 4 + 4 + 4 * 2 + 2


def test_summary_names_each_layer_and_counts_its_parameters(network, capsys):
    model = network([30, 64, 64, 2], ["relu", "relu", "softmax"])
    model.summary()
    text = capsys.readouterr().out.replace(",", "")
    for part in (*(layer.name for layer in model.layers), "1984", "4160", "130", "6274"):
        assert part in text


@pytest.mark.parametrize("rows", [1000, 1100])
def test_a_tall_panel_beside_a_deep_batch(network, backend, rows):
    """Packed inputs of a panel's rows fit their place, whatever the height of the matrix and the depth of the batch."""
    sizes = [1047, 260, 2]
    x, y = naive.random_data("mse", rows, sizes[0], sizes[-1])
    found = []
    for kind in (backend, "numpy"):
        model = network(sizes, ["tanh", "linear"], naive.random_weights(sizes), loss="mse", backend=kind, threads=1)
        found.append([gradient["kernel"] for gradient in model.gradients(x, y)])
        model.fit(x, y, batch_size=rows, epochs=2, shuffle=False, verbose=0)
        found[-1] += model.get_weights()
    for a, e in zip(*found, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-3, atol=1e-5 * np.abs(e).max())
