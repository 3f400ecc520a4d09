"""Networks of any shape and any options that hypothesis comes upon do as the reference does."""

import naive
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastnn
from fastnn import optimizers

WIDTHS = st.one_of(st.integers(1, 20), st.sampled_from([31, 32, 33, 47, 48, 49, 64, 65, 130]))
HIDDEN = st.sampled_from([name for name in naive.ACTIVATIONS if name != "softmax"])
LOSSES = {
    "mse": ["linear", "tanh", "softmax"],
    "half_squared_error": ["linear", "sigmoid"],
    "mae": ["linear"],
    "huber": ["linear", "softplus"],
    "binary_crossentropy": ["sigmoid", "softmax"],
    "categorical_crossentropy": ["softmax"],
    "sparse_categorical_crossentropy": ["softmax"],
}
# a network is built and trained in about a millisecond; the first one may compile
quick = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def networks(draw):
    """(sizes, activations, loss)"""
    loss = draw(st.sampled_from(list(LOSSES)))
    sizes = draw(st.lists(WIDTHS, min_size=2, max_size=5))
    output = draw(st.sampled_from(LOSSES[loss]))
    if output == "softmax":
        sizes[-1] = max(sizes[-1], 2)
    return sizes, [*(draw(HIDDEN) for _ in sizes[2:]), output], loss


OPTIMIZERS = st.one_of(
    st.builds(dict, kind=st.just("SGD"), learning_rate=st.floats(1e-4, 1e-3)),
    st.builds(
        dict,
        kind=st.just("SGD"),
        learning_rate=st.floats(1e-4, 1e-3),
        momentum=st.floats(0, 0.95),
        nesterov=st.booleans(),
    ),
    st.builds(
        dict,
        kind=st.just("Adam"),
        learning_rate=st.floats(1e-4, 0.01),
        beta_1=st.floats(0, 0.99),
        beta_2=st.floats(0.5, 0.999),
        epsilon=st.floats(1e-8, 1e-3),
    ),
)


@quick
@given(case=networks(), rows=st.integers(1, 70), batch_size=st.integers(1, 80), optimizer=OPTIMIZERS)
def test_any_network_trains_as_the_reference(network, assert_close, backend, case, rows, batch_size, optimizer):
    sizes, activations, loss = case
    options = dict(optimizer)
    kind = options.pop("kind")
    x, y = naive.random_data(loss, rows, sizes[0], sizes[-1])
    start = naive.random_weights(sizes)
    ours = getattr(optimizers, kind)(**options)
    model = network(sizes, activations, start, optimizer=ours, loss=loss, backend=backend, dtype="float64")
    history = model.fit(x, y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history
    reference = getattr(naive, kind)(**options)
    weights, losses = naive.train(start, activations, loss, reference, x, y, batch_size, epochs=2)
    assert_close(model.get_weights(), weights, 1e-9)
    assert history["loss"] == pytest.approx(losses, rel=1e-9)


@quick
@given(case=networks(), rows=st.integers(1, 70))
def test_gradients_of_any_network_are_those_of_the_reference(
    network, flat_gradients, assert_close, backend, dtype, case, rows
):
    sizes, activations, loss = case
    x, y = naive.random_data(loss, rows, sizes[0], sizes[-1])
    weights = naive.random_weights(sizes)
    model = network(sizes, activations, weights, loss=loss, backend=backend, dtype=dtype)
    expected = naive.backward(weights, activations, loss, x, y)
    assert_close(flat_gradients(model, x, y), expected, {"float32": 1e-3, "float64": 1e-9}[dtype])


@quick
@given(case=networks(), rows=st.one_of(st.integers(1, 20), st.integers(250, 520)))
def test_predictions_of_any_network_are_those_of_the_reference(network, assert_close, backend, dtype, case, rows):
    sizes, activations, _ = case
    x = naive.random_data("mse", rows, sizes[0], sizes[-1])[0]
    weights = naive.random_weights(sizes)
    model = network(sizes, activations, weights, backend=backend, dtype=dtype)
    predicted = model.predict(x)
    assert predicted.shape == (rows, sizes[-1])
    expected = naive.forward(weights, activations, x)[-1]
    assert_close([predicted], [expected], {"float32": 1e-4, "float64": 1e-10}[dtype])


@quick
@given(case=networks(), threads=st.integers(2, 9), batch_size=st.integers(1, 300), seed=st.integers(0, 2**31))
def test_any_network_gives_the_same_bits_on_any_number_of_threads(network, backend, case, threads, batch_size, seed):
    sizes, activations, loss = case
    x, y = naive.random_data(loss, 300, sizes[0], sizes[-1])

    def weights(count):
        options = {"optimizer": "adam", "backend": backend, "threads": count}
        model = network(sizes, activations, seed=seed, loss=loss, **options)
        model.fit(x, y, batch_size=batch_size, verbose=0)
        return [w.tobytes() for w in model.get_weights()]

    assert weights(threads) == weights(1)


@quick
@given(case=networks(), seed=st.integers(0, 2**31))
def test_any_network_survives_being_saved(network, tmp_path, case, seed):
    sizes, activations, loss = case
    model = network(sizes, activations, seed=seed, loss=loss)
    model.save(tmp_path / "m")
    loaded = fastnn.load_model(tmp_path / "m")
    x = naive.random_data("mse", 5, sizes[0], 1)[0]
    assert np.array_equal(loaded.predict(x), model.predict(x))
    assert loaded.count_params() == model.count_params()


@quick
@given(start=st.lists(st.floats(-10, 10), min_size=1, max_size=40), rate=st.floats(1e-4, 0.9), steps=st.integers(0, 30))
def test_gradient_descent_follows_the_formula_from_anywhere(start, rate, steps):
    path = fastnn.gradient_descent(lambda x: 2 * x - 1, start, learning_rate=rate, steps=steps)
    assert path.shape == (steps + 1, len(start))
    t = np.arange(steps + 1)[:, None]
    expected = 0.5 + (np.array(start) - 0.5) * (1 - 2 * rate) ** t
    np.testing.assert_allclose(path, expected, rtol=1e-9, atol=1e-9)
