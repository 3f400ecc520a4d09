"""Noise, penalties, clipping, the average of the weights, smoothed labels and weights of rows."""

import copy
import pickle

import naive
import numpy as np
import pytest

import fastnn
from fastnn import layers, losses, optimizers, regularizers
from fastnn.engine import Data
from fastnn.layers import AlphaDropout, Dense, Dropout, GaussianNoise, Input

TOLERANCE = {"float32": 2e-5, "float64": 1e-9}


def built(stack, inputs, weights=None, loss="half_squared_error", optimizer="sgd", seed=0, **options):
    model = fastnn.Sequential([Input((inputs,)), *stack], seed=seed)
    model.compile(optimizer, loss, **options)
    if weights is not None:
        model.set_weights(weights)
    return model


# --- Noise ---

NOISE = {
    "dropout": (lambda: Dropout(0.3), lambda numbers: naive.dropout(0.3, numbers)),
    "alpha_dropout": (lambda: AlphaDropout(0.2), lambda numbers: naive.alpha_dropout(0.2, numbers)),
    "gaussian_noise": (lambda: GaussianNoise(0.5), lambda numbers: naive.gaussian_noise(0.5, numbers)),
}


def noisy_inputs(layer, rows, columns, x, steps=1, **options):
    """What a first layer of noise makes of x in the last of some steps.

    The output is 0 and the targets are -1 on the diagonal, so each unit's kernel gradient is a row of the inputs.
    """
    model = built([layer, Dense(rows, use_bias=False)], columns, optimizer=optimizers.SGD(rows), **options)
    for _ in range(steps):
        model.set_weights([np.zeros((columns, rows))])
        model.train_on_batch(x, -np.eye(rows))
    return -model.get_weights()[0].T


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (9, 37)])
def test_noise_is_a_function_of_seed_update_layer_row_and_column(backend, dtype, kind, rows, columns):
    make, reference = NOISE[kind]
    x = np.random.default_rng(0).normal(size=(rows, columns))
    for steps in (1, 2):
        found = noisy_inputs(make(), rows, columns, x, steps, backend=backend, dtype=dtype)
        expected = reference(naive.uniform(0, steps, 0, rows, columns))(x, None)
        np.testing.assert_allclose(found, expected, rtol=3e-6, atol=3e-6)


def test_noise_of_a_seed_of_its_own(backend):
    x = np.ones((6, 20))
    own, same, other = (noisy_inputs(Dropout(0.5, seed=s), 6, 20, x, backend=backend) for s in (7, 7, 8))
    assert np.array_equal(own, same)
    assert not np.array_equal(own, other)
    assert np.array_equal(own, naive.dropout(0.5, naive.uniform(0, 1, 7, 6, 20))(x, None))


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "softplus"])
def test_gradients_go_through_noise(backend, kind, activation):
    """A step with noise behind each kind of activation, twice, against differences of the reference's loss."""
    rows, sizes = 11, [4, 6, 5, 2]
    make, reference = NOISE[kind]
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(rows, 4)), rng.normal(size=(rows, 2))
    weights = naive.random_weights(sizes)
    stack = [Dense(6, activation), make(), Dense(5), make(), Dropout(0.1), Dense(2)]
    model = built(stack, 4, weights, backend=backend, dtype="float64", optimizer=optimizers.SGD(1.0))
    model.train_on_batch(x, y)
    numbers = [naive.uniform(0, 1, layer, rows, units) for layer, units in ((1, 6), (3, 5), (4, 5))]
    same = [naive.dense(activation), reference(numbers[0]), naive.dense(), reference(numbers[1])]
    same += [naive.dropout(0.1, numbers[2]), naive.dense()]
    gradients = naive.differences(lambda w: naive.loss_of_stack(same, w, "half_squared_error", x, y), weights)
    for new, old, gradient in zip(model.get_weights(), weights, gradients, strict=True):
        np.testing.assert_allclose(new, old - gradient, rtol=1e-6, atol=1e-6)


def test_noise_has_the_moments_it_should():
    """One large batch of each, five standard errors."""
    rows, columns = 64, 2000
    count = rows * columns
    x = np.random.default_rng(3).normal(size=(rows, columns))
    dropped = noisy_inputs(Dropout(0.2), rows, columns, np.ones((rows, columns)), backend="numpy")
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1.25)}
    kept = (dropped > 0).astype(float)
    assert abs(kept.mean() - 0.8) < 5 * 0.4 / count**0.5
    for shifted in (np.roll(kept, 1, 0), np.roll(kept, 1, 1), np.roll(np.roll(kept, 1, 0), -1, 1)):
        assert abs(np.corrcoef(kept.ravel(), shifted.ravel())[0, 1]) < 5 / count**0.5
    again = noisy_inputs(Dropout(0.2), rows, columns, np.ones((rows, columns)), steps=2, backend="numpy") > 0
    assert abs(np.corrcoef(kept.ravel(), again.ravel())[0, 1]) < 5 / count**0.5
    alpha = noisy_inputs(AlphaDropout(0.3), rows, columns, x, backend="numpy")
    assert abs(alpha.mean()) < 0.02
    assert abs(alpha.var() - 1) < 0.03
    normal = noisy_inputs(GaussianNoise(1.0), rows, columns, np.zeros((rows, columns)), backend="numpy")
    assert abs(normal.mean()) < 5 / count**0.5
    assert abs(normal.var() - 1) < 5 * (2 / count) ** 0.5
    assert abs((normal**4).mean() - 3) < 5 * (96 / count) ** 0.5


def test_noise_is_for_training_only(backend, dtype):
    weights = naive.random_weights([6, 8, 3])
    x, y = naive.random_data("mse", 40, 6, 3)
    plain = built([Dense(8, "tanh"), Dense(3)], 6, weights, backend=backend, dtype=dtype)
    stack = [GaussianNoise(1), Dense(8, "tanh"), Dropout(0.5), Dense(3), AlphaDropout(0.5)]
    noisy = built(stack, 6, weights, backend=backend, dtype=dtype)
    assert np.array_equal(noisy.predict(x), plain.predict(x))
    assert noisy.evaluate(x, y, verbose=0) == plain.evaluate(x, y, verbose=0)
    assert np.array_equal(noisy.gradients(x, y)[1]["kernel"], plain.gradients(x, y)[0]["kernel"])
    forward = noisy.forward(x)
    assert len(forward) == 5
    assert np.array_equal(forward[4], plain.forward(x)[1])
    assert noisy.predictor(3)(x[:3]).tobytes() == plain.predictor(3)(x[:3]).tobytes()


def test_a_rate_of_0_changes_nothing(backend):
    weights = naive.random_weights([6, 8, 3])
    x, y = naive.random_data("mse", 40, 6, 3)
    models = []
    for stack in ([Dense(8, "relu"), Dense(3)], [Dropout(0), Dense(8, "relu"), Dropout(0.0), Dense(3)]):
        models.append(built(stack, 6, weights, backend=backend))
        models[-1].fit(x, y, epochs=2, verbose=0)
    assert all(map(np.array_equal, *(model.get_weights() for model in models)))


# inputs, hidden units, outputs, batch, rows: chunks on copies of the weights, chunks, and rows and panels
WORK = [(30, 64, 3, 512, 1200), (64, 300, 5, 1024, 2048), (200, 256, 10, 100, 250), (3, 8, 1, 32, 70)]


def regularised(work, dtype, backend, threads, optimizer=None, epochs=2):
    inputs, units, outputs, batch_size, rows = work
    l2 = regularizers.L2(1e-3)
    stack = [GaussianNoise(0.1), Dense(units, "relu", kernel_regularizer=l2), Dropout(0.2)]
    stack += [Dense(units, "tanh", bias_regularizer="l1"), AlphaDropout(0.1), Dense(outputs, kernel_regularizer="l1")]
    optimizer = optimizer or optimizers.Adam(clipnorm=0.1, use_ema=True, ema_overwrite_frequency=3)
    x, y = naive.random_data("mse", rows, inputs, outputs)
    model = built(stack, inputs, None, "mse", optimizer, dtype=dtype, backend=backend, threads=threads)
    history = model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0).history
    return [*model.get_weights(), np.array(history["loss"]), np.array(model.evaluate(x, y, verbose=0))]


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_all_of_it_is_the_same_bits_for_any_number_of_threads(extension, work, clip):
    def result(threads):
        optimizer = optimizers.SGD(0.01, 0.9, use_ema=True, ema_overwrite_frequency=3, **{clip: 0.05})
        return [array.tobytes() for array in regularised(work, "float32", "cython", threads, optimizer)]

    one = result(1)
    for threads in (2, 3, 7):
        assert result(threads) == one


def test_threads_on_every_backend(backend, dtype):
    one = regularised(WORK[0], dtype, backend, 1)
    assert [a.tobytes() for a in regularised(WORK[0], dtype, backend, 3)] == [a.tobytes() for a in one]


@pytest.mark.parametrize("work", WORK)
def test_backends_agree(extension, work):
    compiled, plain = (regularised(work, "float64", backend, 2, epochs=1) for backend in ("cython", "numpy"))
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_masks_go_on_where_a_run_stopped(backend):
    """Steps in one go, and in two with the second half in a run of its own from the same seed and step."""
    x, y = naive.random_data("mse", 100, 6, 3)

    def model():
        stack = [Dense(40, "relu"), Dropout(0.3), Dense(3)]
        return built(stack, 6, naive.random_weights([6, 40, 3]), optimizer="adam", backend=backend)

    whole, parted = model(), model()
    run = whole._engine.train(Data(x, y), 16, 4, True, 5)
    run.advance(run.steps)
    first = parted._engine.train(Data(x, y), 16, 4, True, 5)
    first.advance(9)
    second = parted._engine.train(Data(x, y), 16, 4, True, 5)
    second.step = 9
    second.advance(second.steps)
    assert all(map(np.array_equal, whole.get_weights(), parted.get_weights()))


def test_fit_draws_new_noise_and_a_seed_fixes_it(backend):
    x, y = naive.random_data("mse", 60, 6, 3)

    def fitted(times, seed):
        model = built([Dense(20, "relu"), Dropout(0.5), Dense(3)], 6, seed=seed, backend=backend)
        return [model.fit(x, y, epochs=1, verbose=0, shuffle=False).history["loss"] for _ in range(times)]

    assert fitted(2, 0) == fitted(2, 0)
    frozen = [
        built([Dropout(0.5), Dense(3)], 6, seed=0, optimizer=optimizers.SGD(0.0), backend=backend).fit(
            x, y, epochs=2, verbose=0
        )
    ]
    assert frozen[0].history["loss"][0] != frozen[0].history["loss"][1]


# --- Penalties ---


@pytest.mark.parametrize("sizes", [[5, 7, 2], [5, 20, 6]])  # the last layer turned, and not
@pytest.mark.parametrize("batch_size", [8, 512])
def test_penalties_on_weights(backend, sizes, batch_size):
    rows = 600 if batch_size == 512 else 20
    x, y = naive.random_data("mse", rows, sizes[0], sizes[-1])
    weights = naive.random_weights(sizes)
    l1, l2 = regularizers.L1L2(0.02, 0.03), regularizers.L2(0.05)
    stack = [
        Dense(sizes[1], "tanh", kernel_regularizer=l1),
        Dense(sizes[2], kernel_regularizer=l2, bias_regularizer="l1"),
    ]
    model = built(stack, sizes[0], weights, "mse", optimizers.SGD(0.1), backend=backend, dtype="float64")

    def penalty(w):
        first = 0.02 * np.abs(w[0]).sum() + 0.03 * (w[0] ** 2).sum()
        return first + 0.05 * (w[2] ** 2).sum() + 0.01 * np.abs(w[3]).sum()

    def gradient(w, *batch):
        d = naive.backward(w, ["tanh", "linear"], "mse", *batch)
        d[0] += 0.02 * np.sign(w[0]) + 0.06 * w[0]
        d[2] += 0.1 * w[2]
        d[3] += 0.01 * np.sign(w[3])
        return d

    flat = [g for layer in model.gradients(x, y) for g in layer.values()]
    for a, b in zip(flat, gradient(weights, x, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)
    loss = naive.loss_of_batch(weights, ["tanh", "linear"], "mse", x, y) + penalty(weights)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(loss, rel=1e-9)
    history = model.fit(x, y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history["loss"]
    w, expected = [a.copy() for a in weights], []
    for _ in range(2):
        total = 0.0
        for start in range(0, rows, batch_size):
            batch = x[start : start + batch_size], y[start : start + batch_size]
            loss = naive.loss_of_batch(w, ["tanh", "linear"], "mse", *batch)
            total += (loss + penalty(w)) * len(batch[0])
            for a, g in zip(w, gradient(w, *batch), strict=True):
                a -= 0.1 * g
        expected.append(total / rows)
    np.testing.assert_allclose(history, expected, rtol=1e-9)
    for a, b in zip(model.get_weights(), w, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def test_the_slope_of_abs_is_0_at_0(backend):
    stack = [Dense(3, kernel_initializer="zeros", kernel_regularizer=regularizers.L1(1.0))]
    model = built(stack, 2, backend=backend)
    assert not model.gradients(np.zeros((4, 2)), np.zeros((4, 3)))[0]["kernel"].any()


# --- Clipping and the average ---


def clipped(gradients, how, limit):
    """Keras's clip_by_value, clip_by_norm of each variable, and global norm."""
    norms = [np.sqrt((g**2).sum()) for g in gradients]
    if how == "clipvalue":
        return [np.clip(g, -limit, limit) for g in gradients]
    if how == "global_clipnorm":
        norms = [np.sqrt(sum(n**2 for n in norms))] * len(norms)
    return [g * limit / max(n, limit) for g, n in zip(gradients, norms, strict=True)]


@pytest.mark.parametrize("how", ["clipvalue", "clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("sizes", [[5, 7, 2], [30, 64, 5]])
@pytest.mark.parametrize("limit", [0.05, 1e3])
def test_clipping(backend, how, sizes, limit):
    rows, batch_size = 1100, 550 if sizes[0] == 30 else 22
    x, y = naive.random_data("mse", rows, sizes[0], sizes[-1])
    weights = naive.random_weights(sizes)
    stack = [Dense(sizes[1], "tanh"), Dense(sizes[2])]
    optimizer = optimizers.SGD(0.5, **{how: limit})
    model = built(stack, sizes[0], weights, "mse", optimizer, backend=backend, dtype="float64")
    model.fit(x, y, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    w = [a.copy() for a in weights]
    for start in range(0, rows, batch_size):
        rows_of = slice(start, start + batch_size)
        gradients = naive.backward(w, ["tanh", "linear"], "mse", x[rows_of], y[rows_of])
        for a, g in zip(w, clipped(gradients, how, limit), strict=True):
            a -= 0.5 * g
    for a, b in zip(model.get_weights(), w, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("frequency", [None, 3])
@pytest.mark.parametrize("sizes", [[5, 7, 2], [30, 64, 5]])
def test_average_of_the_weights(backend, sizes, frequency):
    rows, batch_size = 1100, 100 if sizes[0] == 5 else 275
    x, y = naive.random_data("mse", rows, sizes[0], sizes[-1])
    weights = naive.random_weights(sizes)
    stack = [Dense(sizes[1], "tanh"), Dense(sizes[2])]
    optimizer = optimizers.SGD(0.5, 0.9, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=frequency)
    model = built(stack, sizes[0], weights, "mse", optimizer, backend=backend, dtype="float64")
    loss = model.fit(x, y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history["loss"]
    w, reference, expected = [a.copy() for a in weights], naive.SGD(0.5, 0.9), []
    average, step = None, 0
    for _ in range(2):
        total = 0.0
        for start in range(0, rows, batch_size):
            batch = x[start : start + batch_size], y[start : start + batch_size]
            total += naive.loss_of_batch(w, ["tanh", "linear"], "mse", *batch) * len(batch[0])
            reference.update(w, naive.backward(w, ["tanh", "linear"], "mse", *batch))
            average = (
                [a.copy() for a in w]
                if average is None
                else [0.8 * m + 0.2 * a for m, a in zip(average, w, strict=False)]
            )
            step += 1
            if frequency and step % frequency == 0:
                w = [a.copy() for a in average]
        expected.append(total / rows)
    np.testing.assert_allclose(loss, expected, rtol=1e-9)
    for a, b in zip(model.get_weights(), average, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def test_the_average_is_kept_in_the_file_and_by_single_steps(backend, tmp_path):
    x, y = naive.random_data("mse", 40, 6, 3)
    optimizer = optimizers.Adam(use_ema=True, ema_overwrite_frequency=4, clipvalue=0.1)
    stack = [Dense(8, "relu", kernel_regularizer="l2"), Dropout(0.2), Dense(3)]
    model = built(stack, 6, None, "mse", optimizer, backend=backend)
    for _ in range(5):
        model.train_on_batch(x, y)
    model.save(tmp_path / "model.fastnn")
    loaded = fastnn.load_model(tmp_path / "model.fastnn", backend=backend)
    assert loaded.optimizer.get_config() == optimizer.get_config()
    for each in (model, loaded, pickle.loads(pickle.dumps(model))):
        for _ in range(4):
            each.train_on_batch(x, y)
    assert all(map(np.array_equal, model.get_weights(), loaded.get_weights()))


def test_an_average_that_begins_late_begins_at_the_weights(backend):
    x, y = naive.random_data("mse", 32, 6, 3)
    model = built([Dense(3)], 6, None, "mse", optimizers.SGD(0.1), backend=backend)
    model.fit(x, y, epochs=3, verbose=0)
    before = model.get_weights()
    model.optimizer.use_ema = True
    model.optimizer.learning_rate = 0.0
    model.fit(x, y, epochs=1, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))


# --- Targets and weights of rows ---


@pytest.mark.parametrize("kind", ["binary", "binary outputs", "categorical", "sparse", "sparse from logits"])
def test_label_smoothing(backend, kind):
    outputs, smoothing = 5, 0.2
    name = f"{kind.split()[0]}_crossentropy" if "sparse" not in kind else "sparse_categorical_crossentropy"
    x, y = naive.random_data(name, 30, 4, outputs)
    weights = naive.random_weights([4, outputs])
    given = {"from_logits": "logits" in kind, "label_smoothing": smoothing}
    last = {"binary": "sigmoid", "binary outputs": "tanh", "sparse from logits": "linear"}.get(kind, "softmax")
    loss = {
        "binary": losses.BinaryCrossentropy,
        "categorical": losses.CategoricalCrossentropy,
        "sparse": losses.SparseCategoricalCrossentropy,
    }[kind.split()[0]](**given)
    model = built([Dense(outputs, last)], 4, weights, loss, metrics=["accuracy"], backend=backend, dtype="float64")
    rows = np.eye(outputs)[y] if "sparse" in kind else y
    smooth = rows * (1 - smoothing) + (smoothing / 2 if "binary" in kind else smoothing / outputs)
    base = "binary_crossentropy" if "binary" in kind else "categorical_crossentropy"
    activation = "softmax" if last == "linear" else last
    value, _ = model.evaluate(x, y, verbose=0)
    assert value == pytest.approx(naive.loss_of_batch(weights, [activation], base, x, smooth), rel=1e-9)
    expected = naive.backward(weights, [activation], base, x, smooth)
    found = model.gradients(x, y)[0]
    np.testing.assert_allclose(found["kernel"], expected[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found["bias"], expected[1], rtol=1e-8, atol=1e-10)
    copied = losses.get({"class_name": type(loss).__name__, "config": loss.get_config()})
    assert copied.label_smoothing == smoothing


def test_a_weight_counts_as_often_as_a_row(backend):
    """The sum of the gradients and of the losses is the one with rows repeated; the mean is over rows, as in Keras."""
    x, y = naive.random_data("mse", 20, 4, 3)
    weight = np.random.default_rng(0).integers(0, 4, 20)
    model = built([Dense(6, "tanh"), Dense(3)], 4, None, "mse", backend=backend, dtype="float64")
    often = np.repeat(x, weight, axis=0), np.repeat(y, weight, axis=0)
    for a, b in zip(model.gradients(x, y, sample_weight=weight), model.gradients(*often), strict=True):
        np.testing.assert_allclose(a["kernel"] * 20, b["kernel"] * weight.sum(), rtol=1e-9, atol=1e-12)
    weighted = model.evaluate(x, y, sample_weight=weight, verbose=0) * 20
    assert weighted == pytest.approx(model.evaluate(*often, verbose=0) * weight.sum(), rel=1e-9)
    by_class = built([Dense(3, "softmax")], 4, None, "sparse_categorical_crossentropy", backend=backend)
    labels = np.arange(20) % 3
    weights = {0: 2.0, 1: 0.0, 2: 1.0}
    one = by_class.train_on_batch(x, labels, class_weight=weights)
    other = np.array([weights[label] for label in labels])
    again = built([Dense(3, "softmax")], 4, None, "sparse_categorical_crossentropy", backend=backend)
    assert one == again.train_on_batch(x, labels, sample_weight=other)
    score = again.evaluate(x, labels, class_weight=weights, verbose=0)
    assert score == again.evaluate(x, labels, sample_weight=other, verbose=0)
    balanced = {label: 20 / (3 * np.sum(labels == label)) for label in range(3)}
    expected = again.evaluate(x, labels, class_weight=balanced, verbose=0)
    assert again.evaluate(x, labels, class_weight="balanced", verbose=0) == expected


# --- Errors and descriptions ---


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dropout(1.0), "rate got 1.0; wants"),
        (lambda: Dropout(-0.1), "rate got -0.1"),
        (lambda: AlphaDropout("0.5"), "rate got '0.5'"),
        (lambda: GaussianNoise(-1), "stddev got -1"),
        (lambda: Dropout(0.5, seed=-1), "seed got -1"),
        (lambda: Dense(3, kernel_regularizer="l3"), "kernel_regularizer got 'l3'; wants one of 'l1', 'l2', 'l1_l2'"),
        (lambda: regularizers.L2(-1), "l2 got -1"),
        (lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), "clipvalue and clipnorm got a value each"),
        (lambda: optimizers.Adam(global_clipnorm=0), "global_clipnorm got 0"),
        (lambda: optimizers.Adam(use_ema=1), "use_ema got 1; wants True or False"),
        (lambda: optimizers.Adam(use_ema=True, ema_momentum=1.5), "ema_momentum got 1.5"),
        (lambda: optimizers.Adam(ema_overwrite_frequency=0), "ema_overwrite_frequency got 0"),
        (lambda: optimizers.Adam(clip_norm=0), "Adam got 'clip_norm'; wants some of learning_rate"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=2), "label_smoothing got 2"),
    ],
)
def test_errors_name_the_argument(make, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "layer",
    [
        Dropout(0.25, seed=3, name="drop"),
        AlphaDropout(0.1),
        GaussianNoise(0.2),
        Dense(4, kernel_regularizer=regularizers.L1L2(0.1, 0.2), bias_regularizer="l2"),
    ],
)
def test_layers_are_described_in_full(layer):
    described = layers.serialize(layer)
    again = layers.deserialize(described)
    assert type(again) is type(layer)
    assert layers.serialize(again) == described
    assert layers.serialize(copy.copy(layer)) == described


def test_names_of_regularizers():
    assert regularizers.get("l1").l1 == 0.01
    assert regularizers.get("l2").l2 == 0.01
    both = regularizers.get("l1_l2")
    assert (both.l1, both.l2) == (0.01, 0.01)
    assert regularizers.get(None) is None
    assert repr(optimizers.SGD(0.1, clipnorm=2)) == "SGD(learning_rate=0.1, momentum=0.0, nesterov=False, clipnorm=2.0)"


def test_hidden_softmax_with_noise_behind_is_refused():
    with pytest.raises(ValueError, match="softmax"):
        built([Dense(3, "softmax"), Dropout(0.1), Dense(3)], 4, backend="numpy")
