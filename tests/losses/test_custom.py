"""Losses and activations of the user's own."""

import copy
import math
import pickle

import naive
import numba
import numpy as np
import pytest

import fastnn
from fastnn import activations, losses, optimizers, schedules
from fastnn.layers import Activation, Dense, Input

ACCURACY = {"float32": 1e-4, "float64": 1e-9}


@numba.njit
def square(y, target):
    return (y - target) ** 2


def slope_of_square(y, target):
    return 2 * (y - target)


def squares(targets, outputs):
    """The same loss, of whole batches."""
    return np.mean((outputs - targets) ** 2, axis=1), 2 * (outputs - targets) / outputs.shape[1]


def swish(x):
    return x / (1 + math.exp(-x))


@numba.njit
def slope_of_swish(x):
    p = 1 / (1 + math.exp(-x))
    return p * (1 + x * (1 - p))


SCALAR = losses.Custom(square, slope_of_square)
BATCH = losses.Custom(squares)
SWISH = activations.Custom(swish, slope_of_swish)
KINDS = pytest.mark.parametrize("loss", [SCALAR, BATCH], ids=["scalar", "batch"])


@KINDS
@pytest.mark.parametrize("output", ["linear", "sigmoid", "softmax"])
def test_own_loss_is_what_it_computes(network, flat_gradients, assert_close, backend, dtype, loss, output):
    sizes, names = [3, 4, 5], ["tanh", output]
    weights = naive.random_weights(sizes)
    x, y = naive.random_data("mse", 300, 3, 5)
    weight = np.linspace(0.5, 2, 300)
    model = network(sizes, names, weights, loss=loss, metrics=["mae"], backend=backend, dtype=dtype)
    value, metric = model.evaluate(x, y, sample_weight=weight, verbose=0)
    assert value == pytest.approx(naive.loss_of_batch(weights, names, "mse", x, y, weight), rel=ACCURACY[dtype])
    assert metric == pytest.approx(naive.METRICS["mae"](y, naive.forward(weights, names, x)[-1]), rel=ACCURACY[dtype])
    assert_close(flat_gradients(model, x, y), naive.backward(weights, names, "mse", x, y), ACCURACY[dtype])


@KINDS
@pytest.mark.parametrize("outputs", [1, 2, 17])
def test_training_with_it_is_training_with_the_built_in(network, assert_close, backend, loss, outputs):
    sizes, names = [3, 4, outputs], ["tanh", "linear"]
    weights = naive.random_weights(sizes)
    x, y = naive.random_data("mse", 300, 3, outputs)
    results = []
    for one in ("mse", loss):
        model = network(sizes, names, weights, loss=one, optimizer="adam", backend=backend, dtype="float64")
        history = model.fit(x, y, batch_size=128, epochs=5, shuffle=True, verbose=0).history["loss"]
        model.train_on_batch(x[:7], y[:7])
        results.append([*model.get_weights(), np.array(history)])
    assert_close(*results, 1e-11)


def test_scalar_loss_gives_the_same_bits_on_any_number_of_threads(network, extension):
    x, y = naive.random_data("mse", 2000, 3, 2)
    results = []
    for threads in (1, 2, 3):
        model = network(
            [3, 40, 2], ["relu", "linear"], loss=SCALAR, optimizer="adam", backend="cython", threads=threads
        )
        model.fit(x, y, batch_size=500, epochs=3, verbose=0)
        results.append(model.get_weights())
    for kept, *others in zip(*results, strict=True):
        for other in others:
            np.testing.assert_array_equal(other, kept)


def test_batch_loss_sees_whole_batches_in_training(network, backend):
    seen = []

    def loss(targets, outputs):
        seen.append(len(targets))
        return squares(targets, outputs)

    x, y = naive.random_data("mse", 1000, 3, 2)
    model = network([3, 4, 2], ["tanh", "linear"], loss=loss, backend=backend, threads=3)
    model.fit(x, y, batch_size=400, epochs=2, verbose=0)
    assert seen == [400, 400, 200] * 2
    model.predict(x)
    assert len(seen) == 6


@pytest.mark.parametrize("place", ["hidden", "last", "layer"])
def test_own_activation_is_what_it_computes(network, flat_gradients, assert_close, backend, dtype, place):
    weights = naive.random_weights([3, 5, 2])
    names = {"hidden": ["silu", "linear"], "last": ["tanh", "silu"], "layer": ["silu", "silu"]}[place]
    x, y = naive.random_data("mse", 300, 3, 2)
    if place == "layer":
        model = fastnn.Sequential([Input((3,)), Dense(5), Activation(SWISH), Dense(2), Activation(SWISH)])
        model.compile(loss="mse", backend=backend, dtype=dtype)
        model.set_weights(weights)
        gradients = [g for layer in model.gradients(x, y) for g in layer.values()]
    else:
        own = [SWISH if name == "silu" else name for name in names]
        model = network([3, 5, 2], own, weights, backend=backend, dtype=dtype)
        gradients = flat_gradients(model, x, y)
    assert_close([model.predict(x)], naive.forward(weights, names, x)[-1:], ACCURACY[dtype])
    assert_close(gradients, naive.backward(weights, names, "mse", x, y), ACCURACY[dtype])
    assert_close([model.predictor()(x[0])], [model.predict(x[:1])], 1e-7)
    model.train_on_batch(x[:5], y[:5])
    assert np.isfinite(model.fit(x, y, batch_size=256, epochs=2, verbose=0).history["loss"]).all()


def test_padding_stays_clean_behind_an_own_activation(network, flat_gradients, assert_close, backend):
    """f(0) = 1 and f'(0) = 3: nothing of that may reach the gradients from columns that are not there."""
    own = activations.Custom(lambda x: 1 + 3 * x, lambda x: 3.0)
    weights = naive.random_weights([3, 5, 17, 2])
    x, y = naive.random_data("mse", 9, 3, 2)
    model = network([3, 5, 17, 2], [own, own, "linear"], weights, backend=backend, dtype="float64")
    affine = weights[0] * 3, weights[1] * 3 + 1, weights[2] * 3, weights[3] * 3 + 1, *weights[4:]
    plain = network([3, 5, 17, 2], ["linear"] * 3, affine, backend=backend, dtype="float64")
    scaled = flat_gradients(plain, x, y)
    assert_close(flat_gradients(model, x, y), [g * 3 for g in scaled[:4]] + scaled[4:], 1e-11)


class OwnError(Exception):
    pass


@pytest.mark.parametrize("error", [OwnError, KeyboardInterrupt])
def test_what_a_batch_loss_raises_ends_the_run_after_the_last_whole_step(network, backend, error):
    calls = []

    def loss(targets, outputs):
        calls.append(1)
        if len(calls) == 4:
            raise error
        return squares(targets, outputs)

    x, y = naive.random_data("mse", 80, 3, 2)
    options = {"optimizer": "adam", "backend": backend, "dtype": "float64", "seed": 1}
    model = network([3, 4, 2], ["tanh", "linear"], loss=loss, **options)
    expected = network([3, 4, 2], ["tanh", "linear"], model.get_weights(), loss=BATCH, **options)
    if error is KeyboardInterrupt:
        assert model.fit(x, y, batch_size=8, shuffle=False, verbose=0).interrupted
    else:
        with pytest.raises(OwnError):
            model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    expected.fit(x[:24], y[:24], batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.optimizer.iterations == 3
    for call in (lambda: model.evaluate(x, y, verbose=0), lambda: model.train_on_batch(x, y)):
        calls[:] = [1] * 3
        with pytest.raises(error):
            call()
    assert np.isfinite(model.train_on_batch(x, y))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("threads", [1, 3])
def test_what_compiled_code_raises_ends_the_run(network, backend, threads, capsys):
    @numba.njit
    def fails(y, target):
        if target > 90:
            raise ValueError
        return y - target

    x, y = naive.random_data("mse", 512, 3, 2)
    loss = losses.Custom(fails, fails)
    model = network([3, 40, 2], ["tanh", "linear"], loss=loss, backend=backend, threads=threads)
    y[300] = 100
    before = model.get_weights()
    with pytest.raises(RuntimeError, match="a function of your own raised an error"):
        model.fit(x, y, batch_size=512, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(RuntimeError, match="a function of your own raised an error"):
        model.evaluate(x, y, verbose=0)
    model.fit(x[:256], y[:256], batch_size=256, verbose=0)


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (lambda t, y: np.zeros(len(y)), TypeError, "loss got ndarray from .*; wants \\(values, gradient\\)"),
        (lambda t, y: (np.zeros(3), y), ValueError, "loss got values of shape \\(3,\\) from .*; wants \\(8,\\)"),
        (lambda t, y: (np.zeros(8), y[0]), ValueError, "loss got gradient of shape \\(2,\\) from .*; wants \\(8, 2\\)"),
    ],
)
def test_what_a_batch_loss_returns_is_checked(network, backend, result, error, message):
    model = network([3, 2], ["linear"], loss=result, backend=backend)
    with pytest.raises(error, match=message):
        model.fit(np.zeros((8, 3)), np.zeros((8, 2)), verbose=0)


def test_functions_that_numba_cannot_compile_are_refused_at_once():
    with pytest.raises(TypeError, match="value got <lambda>, which Numba cannot compile for 2 numbers"):
        losses.Custom(lambda y, t: object(), slope_of_square)
    with pytest.raises(TypeError, match="gradient got <lambda>, which returns"):
        losses.Custom(square, lambda y, t: (y, t))
    with pytest.raises(TypeError, match="slope got 3; wants a function of 1 number"):
        activations.Custom(swish, 3)
    with pytest.raises(TypeError, match="value got 'mse'; wants a function"):
        losses.Custom("mse")


def own_rate(step):
    return 0.01 / (1 + step)


@pytest.fixture
def model(network):
    own = network([3, 5, 2], [SWISH, "linear"], loss=SCALAR, optimizer=optimizers.Adam(own_rate), backend="numpy")
    x, y = naive.random_data("mse", 20, 3, 2)
    own.fit(x, y, verbose=0)
    return own


def test_a_file_holds_names_and_loading_asks_for_the_functions(tmp_path, model):
    path = tmp_path / "model"
    model.save(path)
    with pytest.raises(fastnn.ModelFileError, match=r"custom_objects=\{'swish': \.\.\.\}"):
        fastnn.load_model(path, backend="numpy")
    with pytest.raises(fastnn.ModelFileError, match="loss got 'square'"):
        fastnn.load_model(path, backend="numpy", custom_objects={"swish": SWISH, "own_rate": own_rate})
    with pytest.raises(TypeError, match="custom_objects got"):
        fastnn.load_model(path, backend="numpy", custom_objects=[SWISH])
    objects = {"swish": (swish, slope_of_swish), "square": SCALAR, "own_rate": own_rate}
    again = fastnn.load_model(path, backend="numpy", custom_objects=objects)
    x, y = naive.random_data("mse", 20, 3, 2)
    for one in (again, model):
        one.train_on_batch(x, y)
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_models_with_own_functions_are_copied_and_pickled(model):
    x, y = naive.random_data("mse", 20, 3, 2)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
        assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
        assert again.optimizer.learning_rate == model.optimizer.learning_rate


def test_names_are_the_functions_or_given():
    assert losses.get(squares).name == "squares"
    assert losses.Custom(lambda y, t: y - t, lambda y, t: 1.0, name="difference").name == "difference"
    assert SWISH.function_name == "swish"
    assert schedules.Custom(own_rate).get_config() == {"name": "own_rate"}
    assert pickle.loads(pickle.dumps(SCALAR)).name == "square"
    with pytest.raises(TypeError, match="name got 3"):
        losses.Custom(squares, name=3)


def test_a_crossentropy_does_not_take_an_own_activation_for_its_own(network):
    with pytest.raises(ValueError, match="wants 'softmax'"):
        network([3, 2], [SWISH], loss="categorical_crossentropy", backend="numpy")
