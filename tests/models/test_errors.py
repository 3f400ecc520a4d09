"""Bad input gets an error that names the argument, what it got and what it wants, before anything changes."""

import contextlib
import warnings

import naive
import numpy as np
import pytest

import fastnn
from fastnn import activations, callbacks, initializers, losses, metrics, optimizers
from fastnn.layers import Dense, Input

X, Y = naive.random_data("sparse_categorical_crossentropy", 20, 3, 4)
NAN = np.where(np.arange(X.size).reshape(X.shape) == 40, np.nan, X)
INFINITE = np.where(np.arange(X.size).reshape(X.shape) == 40, -np.inf, X)


@contextlib.contextmanager
def refused(kind, *parts):
    """An error whose message has all of the parts."""
    with pytest.raises(kind) as caught:
        yield
    for part in parts:
        assert part in str(caught.value), str(caught.value)


@pytest.fixture
def model(network, backend):
    """A classifier of 3 inputs and 4 classes that has seen an epoch."""
    model = network(
        [3, 5, 4],
        ["tanh", "softmax"],
        seed=0,
        loss="sparse_categorical_crossentropy",
        optimizer=optimizers.Adam(),
        backend=backend,
    )
    model.fit(X, Y, verbose=0)
    return model


@pytest.fixture
def unchanged(model):
    """Raises what is expected, with all parts of the message, and leaves the model as it was."""

    def check(call, kind, *parts):
        before = [w.copy() for w in model.get_weights()]
        history = model.history.history.copy()
        with refused(kind, *parts):
            call(model)
        assert all(map(np.array_equal, before, model.get_weights()))
        assert model.history.history == history

    return check


# --- x, which every method takes

METHODS = {
    "fit": lambda model, x: model.fit(x, Y[: len(x)], verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, Y[: len(x)], verbose=0),
    "predict": lambda model, x: model.predict(x),
    "train_on_batch": lambda model, x: model.train_on_batch(x, Y[: len(x)]),
    "test_on_batch": lambda model, x: model.test_on_batch(x, Y[: len(x)]),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
    "gradients": lambda model, x: model.gradients(x, Y[: len(x)]),
    "forward": lambda model, x: model.forward(x),
    "validation_data": lambda model, x: model.fit(X, Y, validation_data=(x, Y[: len(x)]), verbose=0),
}
BAD_X = {
    "other features": (np.zeros((20, 4)), ValueError, ["x", "(20, 4)", "3"]),
    "flat": (np.zeros(20), ValueError, ["x", "(20,)", "3"]),
    "too many axes": (np.zeros((20, 3, 1)), ValueError, ["x", "(20, 3, 1)"]),
    "a number": (3.0, (ValueError, TypeError), ["x"]),
    "empty": (np.zeros((0, 3)), ValueError, ["x", "(0, 3)"]),
    "nan": (NAN, ValueError, ["x", "NaN"]),
    "infinite": (INFINITE, ValueError, ["x", "inf"]),
    "too large for float32": (np.full((20, 3), 1e300), ValueError, ["x", "float32"]),
    "complex": (X.astype(complex), TypeError, ["x", "complex128"]),
    "objects": (np.full((20, 3), None), TypeError, ["x", "object"]),
    "text": (np.full((20, 3), "a"), TypeError, ["x"]),
    "dates": (np.zeros((20, 3), dtype="datetime64[s]"), TypeError, ["x", "datetime64"]),
    "ragged": ([[1.0, 2.0, 3.0], [1.0, 2.0]], (ValueError, TypeError), ["x"]),
    "nothing": (None, (ValueError, TypeError), ["x"]),
}


@pytest.mark.parametrize("bad", [name for name in BAD_X if name not in ("a number", "nothing")])
@pytest.mark.parametrize("method", METHODS)
def test_bad_x_is_refused_by_every_method(unchanged, method, bad):
    if method.startswith("predict") and bad in ("infinite", "too large for float32"):
        pytest.skip("an infinite value may saturate an activation: see the next test")
    x, kind, parts = BAD_X[bad]
    unchanged(lambda model: METHODS[method](model, x), kind, *parts)


@pytest.mark.parametrize("bad", ["infinite", "too large for float32"])
@pytest.mark.parametrize("rows", [20, 20_000])
def test_predict_refuses_what_makes_its_output_infinite(rows, bad):
    x, kind, parts = BAD_X[bad]
    model = fastnn.Sequential([Dense(2)], seed=0)
    with refused(kind, *parts):
        model.predict(np.resize(x, (rows, 3)))


@pytest.mark.parametrize("bad", ["a number", "nothing"])
def test_x_that_is_no_array_is_refused(unchanged, bad):
    x, kind, parts = BAD_X[bad]
    unchanged(lambda model: model.predict(x), kind, *parts)
    unchanged(lambda model: model.fit(x, Y, verbose=0), kind, *parts)


# --- y

BAD_Y = {
    "other length": (Y[:19], ValueError, ["y", "19", "20"]),
    "two columns": (np.zeros((20, 2), dtype=int), ValueError, ["y", "(20, 2)"]),
    "one-hot": (np.eye(4)[Y], ValueError, ["y", "(20, 4)"]),
    "class too high": (np.where(np.arange(20) == 7, 4, Y), ValueError, ["y", "4"]),
    "class below zero": (np.where(np.arange(20) == 7, -1, Y), ValueError, ["y", "-1"]),
    "half a class": (Y + 0.5, ValueError, ["y", ".5"]),
    "nan": (np.where(np.arange(20) == 7, np.nan, Y), ValueError, ["y"]),
    "complex": (Y.astype(complex), TypeError, ["y", "complex128"]),
    "text": (Y.astype(str), TypeError, ["y"]),
    "empty": (np.zeros(0, dtype=int), ValueError, ["y"]),
    "nothing": (None, (ValueError, TypeError), ["y"]),
}


@pytest.mark.parametrize("bad", BAD_Y)
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "gradients"])
def test_bad_labels_are_refused(unchanged, method, bad):
    y, kind, parts = BAD_Y[bad]
    options = {"verbose": 0} if method in ("fit", "evaluate") else {}
    unchanged(lambda model: getattr(model, method)(X, y, **options), kind, *parts)


@pytest.mark.parametrize("bad", ["class too high", "other length", "nan"])
def test_bad_validation_labels_are_refused_before_training(unchanged, bad):
    y, kind, parts = BAD_Y[bad]
    unchanged(lambda model: model.fit(X, Y, validation_data=(X, y), verbose=0), kind, *parts)


@pytest.mark.parametrize(
    ("loss", "output", "y", "parts"),
    [
        ("mse", "linear", np.zeros((20, 3)), ["y", "(20, 3)", "4"]),
        ("mse", "linear", np.zeros(20), ["y", "(20,)", "4"]),
        ("mse", "linear", np.full((20, 4), np.nan), ["y", "NaN"]),
        ("mae", "linear", np.full((20, 4), np.inf), ["y", "inf"]),
        ("categorical_crossentropy", "softmax", Y, ["y", "(20,)", "sparse_categorical_crossentropy"]),
        ("binary_crossentropy", "sigmoid", np.full((20, 4), 2.0), ["y", "2"]),
        ("binary_crossentropy", "sigmoid", np.full((20, 4), -0.5), ["y", "-0.5"]),
    ],
)
def test_bad_targets_of_other_losses_are_refused(network, backend, loss, output, y, parts):
    model = network([3, 4], [output], loss=loss, backend=backend, seed=0)
    before = [w.copy() for w in model.get_weights()]
    with refused(ValueError, *parts):
        model.fit(X, y, verbose=0)
    assert all(map(np.array_equal, before, model.get_weights()))


# --- the other arguments

BAD_FIT = [
    ({"batch_size": 0}, ValueError, ["batch_size", "0"]),
    ({"batch_size": -3}, ValueError, ["batch_size", "-3"]),
    ({"batch_size": 2.5}, (TypeError, ValueError), ["batch_size", "2.5"]),
    ({"batch_size": "many"}, (TypeError, ValueError), ["batch_size", "many"]),
    ({"epochs": -1}, ValueError, ["epochs", "-1"]),
    ({"epochs": 1.5}, (TypeError, ValueError), ["epochs", "1.5"]),
    ({"initial_epoch": -1}, ValueError, ["initial_epoch", "-1"]),
    ({"validation_split": 1.0}, ValueError, ["validation_split", "1.0"]),
    ({"validation_split": -0.1}, ValueError, ["validation_split", "-0.1"]),
    ({"validation_split": 0.01}, ValueError, ["validation_split", "0.01"]),
    ({"validation_data": X}, (TypeError, ValueError), ["validation_data"]),
    ({"verbose": "loud"}, ValueError, ["verbose", "loud"]),
    ({"callbacks": [3]}, TypeError, ["callbacks", "3"]),
    ({"sample_weight": np.ones(19)}, ValueError, ["sample_weight", "19", "20"]),
    ({"sample_weight": np.ones((20, 2))}, ValueError, ["sample_weight", "(20, 2)"]),
    ({"sample_weight": np.full(20, np.nan)}, ValueError, ["sample_weight", "NaN"]),
    ({"sample_weight": np.full(20, np.inf)}, ValueError, ["sample_weight", "inf"]),
    ({"class_weight": {0: 1.0, 1: 1.0, 2: 1.0, 3: np.nan}}, ValueError, ["class_weight", "nan"]),
    ({"class_weight": [1.0, 1.0, 1.0, 1.0]}, TypeError, ["class_weight", "list"]),
]


@pytest.mark.parametrize(("argument", "kind", "parts"), BAD_FIT, ids=lambda value: None)
def test_bad_arguments_of_fit_are_refused(unchanged, argument, kind, parts):
    unchanged(lambda model: model.fit(X, Y, **{"verbose": 0, **argument}), kind, *parts)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5])
def test_bad_batch_sizes_of_evaluate_and_predict_are_refused(unchanged, batch_size):
    kinds = (TypeError, ValueError)
    unchanged(lambda model: model.predict(X, batch_size=batch_size), kinds, "batch_size", str(batch_size))
    unchanged(
        lambda model: model.evaluate(X, Y, batch_size=batch_size, verbose=0), kinds, "batch_size", str(batch_size)
    )


@pytest.mark.parametrize(
    ("weights", "parts"),
    [
        (lambda w: w[:-1], ["weights", "3", "4"]),
        (lambda w: [w[0].T, *w[1:]], ["(5, 3)", "(3, 5)"]),
        (lambda w: [*w[:3], np.full(4, np.nan)], ["weights", "NaN"]),
        (lambda w: [*w[:3], np.zeros(5)], ["(5,)", "(4,)"]),
    ],
)
def test_bad_weights_are_refused_whole(unchanged, weights, parts):
    changed = [w + 1 for w in naive.random_weights([3, 5, 4])]
    unchanged(lambda model: model.set_weights(weights(changed)), ValueError, *parts)


# --- names

MISSPELT = [
    (lambda: activations.get("rleu"), ["rleu", "relu"]),
    (lambda: Dense(3, activation="sigmod"), ["activation", "sigmod", "sigmoid"]),
    (lambda: losses.get("binary_crossentrpy"), ["binary_crossentrpy", "binary_crossentropy"]),
    (lambda: optimizers.get("adamm"), ["adamm", "adam"]),
    (lambda: initializers.get("glorot_unifrom"), ["glorot_unifrom", "glorot_uniform"]),
    (lambda: metrics.get("acuracy"), ["acuracy", "accuracy"]),
    (lambda: Dense(3, kernel_initializer="he_norml"), ["kernel_initializer", "he_norml", "he_normal"]),
]


@pytest.mark.parametrize(("call", "parts"), MISSPELT)
def test_unknown_names_are_answered_with_the_close_one(call, parts):
    with refused(ValueError, *parts):
        call()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"optimizer": "sdg"}, ["optimizer", "sdg", "sgd"]),
        ({"loss": "msee"}, ["loss", "msee", "mse"]),
        ({"loss": "something else"}, ["loss", "something else", "mean_squared_error"]),
        ({"loss": "mse", "metrics": ["acc uracy"]}, ["metrics", "acc uracy", "accuracy"]),
        ({"loss": "mse", "backend": "nmba"}, ["backend", "nmba", "numba"]),
        ({"loss": "mse", "dtype": "float23"}, ["dtype", "float23", "float32"]),
        ({"loss": "mse", "dtype": "float16"}, ["dtype", "float16", "float32", "float64"]),
        ({"loss": "mse", "threads": 0}, ["threads", "0"]),
        ({"loss": "mse", "threads": -2}, ["threads", "-2"]),
    ],
)
def test_bad_arguments_of_compile_are_refused_and_the_old_ones_stay(unchanged, options, parts):
    unchanged(lambda model: model.compile(**options), ValueError, *parts)


@pytest.mark.parametrize(
    ("optimizer", "argument", "value"),
    [
        (optimizers.SGD, "learning_rate", -0.1),
        (optimizers.SGD, "learning_rate", float("nan")),
        (optimizers.SGD, "learning_rate", float("inf")),
        (optimizers.SGD, "learning_rate", "fast"),
        (optimizers.SGD, "momentum", 1.5),
        (optimizers.SGD, "momentum", -0.5),
        (optimizers.Adam, "learning_rate", -1),
        (optimizers.Adam, "beta_1", 1.0),
        (optimizers.Adam, "beta_2", -0.1),
        (optimizers.Adam, "epsilon", -1e-7),
    ],
)
def test_bad_hyper_parameters_are_refused(optimizer, argument, value):
    with refused((ValueError, TypeError), argument, str(value)):
        optimizer(**{argument: value})


@pytest.mark.parametrize("units", [0, -1, 2.5, "three", None, True])
def test_units_must_be_a_whole_number_of_at_least_one(units):
    with pytest.raises((ValueError, TypeError), match="units"):
        Dense(units)


@pytest.mark.parametrize("shape", [(0,), (-1,), (2, 0), (2.5,), (), None, "three"])
def test_input_must_have_axes_of_at_least_one(shape):
    with pytest.raises((ValueError, TypeError), match="shape"):
        Input(shape=shape)


def test_models_that_cannot_be_are_refused():
    with pytest.raises(TypeError, match="layer"):
        fastnn.Sequential([3])
    with pytest.raises((ValueError, RuntimeError), match="layer"):
        fastnn.Sequential().build(3)


def test_softmax_is_for_the_last_layer():
    with refused(ValueError, "softmax", "last"):
        fastnn.Sequential([Input(shape=(3,)), Dense(3, activation="softmax"), Dense(1)]).compile(loss="mse")


def test_model_must_be_compiled_with_a_loss_before_it_is_trained():
    model = fastnn.Sequential([Input(shape=(3,)), Dense(1)])
    with pytest.raises((RuntimeError, ValueError), match="compile"):
        model.fit(X, np.zeros(20))
    model.compile()
    with pytest.raises((RuntimeError, ValueError), match="loss"):
        model.fit(X, np.zeros(20))


def test_weights_asked_for_too_early_are_refused():
    with pytest.raises((RuntimeError, ValueError), match="input"):
        fastnn.Sequential([Dense(3)]).set_weights([np.zeros((2, 3)), np.zeros(3)])


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x0", [np.nan]),
        ("x0", []),
        ("x0", [1j]),
        ("x0", ["a"]),
        ("learning_rate", -1.0),
        ("learning_rate", np.nan),
        ("steps", -1),
        ("steps", 1.5),
        ("optimizer", "sdg"),
        ("gradient", 3),
        ("gradient", lambda x: np.zeros(2)),
    ],
)
def test_bad_arguments_of_gradient_descent_are_refused(argument, value):
    arguments = {"gradient": lambda x: x, "x0": [1.0], "learning_rate": 0.1, "steps": 3}
    with pytest.raises((ValueError, TypeError), match=argument):
        fastnn.gradient_descent(**{**arguments, argument: value})


# --- divergence


@pytest.mark.parametrize("activation", ["relu", "linear", "leaky_relu", "elu", "softplus", "gelu", "mish"])
def test_diverging_training_warns_stops_and_keeps_the_last_good_epoch(network, backend, dtype, activation):
    x, y = naive.random_data("mse", 64, 3, 1)

    def diverging():
        return network(
            [3, 8, 1],
            [activation, "linear"],
            naive.random_weights([3, 8, 1]),
            optimizer=optimizers.SGD(3.0),
            backend=backend,
            dtype=dtype,
        )

    model = diverging()
    with pytest.warns(fastnn.DivergenceWarning, match="learning_rate"):
        history = model.fit(x, y, batch_size=64, epochs=5000, shuffle=False, verbose=0).history
    good = int(np.sum(np.isfinite(history["loss"])))
    assert 1 <= good < 5000
    assert len(history["loss"]) <= good + 1
    again = diverging()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fastnn.DivergenceWarning)
        again.fit(x, y, batch_size=64, epochs=good, shuffle=False, verbose=0)
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())
    assert all(map(np.array_equal, model.get_weights(), again.get_weights()))


def test_divergence_within_the_first_epoch_keeps_the_first_weights(network, backend):
    x, y = naive.random_data("mse", 6400, 3, 1)
    start = naive.random_weights([3, 1])
    model = network([3, 1], ["linear"], start, optimizer=optimizers.SGD(100.0), backend=backend, dtype="float64")
    with pytest.warns(fastnn.DivergenceWarning):
        model.fit(x, y, batch_size=2, epochs=3, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), start))


def test_model_can_train_on_after_divergence(network, backend):
    x, y = naive.random_data("mse", 64, 3, 1)
    start = naive.random_weights([3, 1])
    model = network([3, 1], ["linear"], start, optimizer=optimizers.SGD(100.0, momentum=0.9), backend=backend)
    with pytest.warns(fastnn.DivergenceWarning):
        model.fit(x, y, batch_size=1, epochs=3, verbose=0)
    model.compile(loss="mse", optimizer=optimizers.SGD(0.01), backend=backend)
    history = model.fit(x, y, epochs=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


def test_step_that_diverges_on_a_batch_is_an_error_and_changes_nothing(network, backend, dtype):
    x, y = naive.random_data("mse", 8, 3, 1)
    start = naive.random_weights([3, 1])
    rate = {"float32": 3e38, "float64": 1e308}[dtype]
    optimizer = optimizers.SGD(rate, momentum=0.9)
    model = network([3, 1], ["linear"], start, optimizer=optimizer, backend=backend, dtype=dtype)
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match="learning_rate"):
        model.train_on_batch(100 * x, 100 * y)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_divergence_forgets_the_bad_steps_of_the_optimizer_too(network, assert_close, backend):
    """Adam counts its steps: training on from the last good epoch is as if the others had never been."""
    x, y = naive.random_data("mse", 64, 3, 1)
    models = []
    for rate in (1e307, 0.01):
        adam = optimizers.Adam(0.01)
        model = network([3, 1], ["linear"], seed=0, optimizer=adam, backend=backend, dtype="float64")
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        adam.learning_rate = rate
        if rate > 1:
            with pytest.warns(fastnn.DivergenceWarning):
                model.fit(x, y, batch_size=8, epochs=9, shuffle=False, verbose=0)
        adam.learning_rate = 0.01
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        models.append(model)
    assert_close(models[0].get_weights(), models[1].get_weights(), 1e-12)


def test_interrupt_ends_training_and_keeps_the_weights(network, backend, capsys):
    class Interrupting(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    x, y = naive.random_data("mse", 64, 3, 1)
    model = network([3, 1], ["linear"], seed=0, backend=backend)
    result = model.fit(x, y, epochs=10, callbacks=[Interrupting()], verbose=0)
    assert result.interrupted
    assert result.epoch == [0, 1, 2]
    assert "interrupted" in capsys.readouterr().err
    assert model.evaluate(x, y, verbose=0) < result.history["loss"][0]


def test_errors_in_callbacks_reach_the_caller_and_the_model_trains_on(network, backend):
    class Faulty(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyError("mine")

    x, y = naive.random_data("mse", 64, 3, 1)
    model = network([3, 1], ["linear"], backend=backend)
    with pytest.raises(KeyError, match="mine"):
        model.fit(x, y, callbacks=[Faulty()], verbose=0)
    assert len(model.fit(x, y, epochs=2, verbose=0).history["loss"]) == 2


WIDE = [200, 48, 3]  # whose first layer reads its inputs where they lie
WORK = [(WIDE, 16), ([5, 9, 3], 16), ([30, 24, 3], 128), ([70, 9, 3], 7)]  # sizes, batch: 128 rows are chunks


@pytest.mark.parametrize("row", [0, 37, 299])
@pytest.mark.parametrize(("sizes", "batch_size"), WORK)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("shuffle", "kind"), [(True, "float32"), (False, "float32"), (False, "float64"), (True, "f2")])
def test_a_nan_that_a_step_finds_undoes_the_steps_before(
    network, backend, dtype, sizes, batch_size, row, threads, shuffle, kind
):
    x, y = naive.random_data("mse", 300, sizes[0], sizes[-1])
    x = x.astype(kind)
    broken = x.copy()
    broken[row, row % 5] = np.nan
    broken[row, -1] = np.inf
    models = []
    for tries in (0, 2):
        model = network(sizes, ["relu", "linear"], optimizer="adam", backend=backend, dtype=dtype, threads=threads)
        model.fit(x, y, batch_size=batch_size, verbose=0)
        history = model.history
        for _ in range(tries):
            with pytest.raises(ValueError, match=rf"^x has (NaN|inf) in row {row}, .*wants finite values$"):
                model.fit(broken, y, batch_size=batch_size, epochs=2, shuffle=shuffle, verbose=0)
            assert model.history is history
        iterations = model.optimizer.iterations
        model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0)
        models.append((iterations, [w.tobytes() for w in model.get_weights()]))
    assert models[0] == models[1]


def test_a_nan_is_what_is_told_of_where_training_diverged_before_it(network, backend):
    x, y = naive.random_data("mse", 64, WIDE[0], WIDE[-1])
    model = network(WIDE, ["relu", "linear"], optimizer=fastnn.optimizers.SGD(1e30), backend=backend)
    before = model.get_weights()
    x[-1, -1] = np.nan
    with pytest.raises(ValueError, match=r"^x has NaN in row 63"):
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_nan_is_found_before_a_function_of_the_users_own_sees_it(network, backend):
    def strict(target, y):
        if not np.isfinite(y).all():
            raise FloatingPointError("a NaN")
        return 0.5 * ((y - target) ** 2).sum(axis=1), y - target

    x, y = naive.random_data("mse", 64, WIDE[0], WIDE[-1])
    model = network(WIDE, ["relu", "linear"], loss=losses.Custom(strict), backend=backend)
    model.fit(x, y, batch_size=16, verbose=0)
    before = [w.tobytes() for w in model.get_weights()]
    x[-1, -1] = np.nan
    with refused(ValueError, "x has NaN in row 63"):
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    assert [w.tobytes() for w in model.get_weights()] == before


def test_what_is_converted_is_looked_at_before(network, backend):
    x, y = naive.random_data("mse", 64, WIDE[0], WIDE[-1])
    model = network(WIDE, ["relu", "linear"], backend=backend)
    model.fit(x, y, verbose=0)
    x[-1, -1] = 1e300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with refused(ValueError, "x has 1e+300 in row 63", "too large for float32"):
            model.fit(x.astype(">f8"), y, verbose=0)


@pytest.mark.parametrize("kind", ["int8", "int16", "int64"])
def test_a_negative_class_number_is_refused_whatever_its_width(network, kind):
    model = network([3, 4, 300], ["relu", "softmax"], loss="sparse_categorical_crossentropy")
    with refused(ValueError, "y has -1 in row 1", "wants class numbers from 0 to 299"):
        model.fit(X[:2], np.array([0, -1], kind), verbose=0)
