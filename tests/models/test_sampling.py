"""A model that is called as in training: with dropout and noise, and batches normalised by their own statistics."""

import numpy as np
import pytest
from keras_steps import X as DATA

import fastnn
from fastnn.layers import BatchNormalization, Dense, Dropout, GaussianNoise, Input

X = np.random.default_rng(3).normal(size=(40, 6))


def build(*layers, backend="numba", seed=1, compiled=True, inputs=6):
    model = fastnn.Sequential([Input((inputs,)), *layers], seed=seed)
    if compiled:
        model.compile("sgd", "mse", backend=backend, dtype="float64")
    return model


NOISES = {"dropout": lambda: Dropout(0.3), "gaussian": lambda: GaussianNoise(0.4)}


@pytest.mark.parametrize("noise", NOISES)
def test_calls_differ_and_their_mean_is_what_predict_returns(backend, noise):
    model = build(NOISES[noise](), Dense(3), backend=backend)
    before = model.get_weights()
    calls = [model(X, training=True) for _ in range(300)]
    assert (calls[0] != calls[1]).any()
    assert isinstance(calls[0].numpy(), np.ndarray)
    expected = model.predict(X)
    error = np.std(calls, axis=0) / np.sqrt(len(calls))
    assert (abs(np.mean(calls, axis=0) - expected) < 5 * error).all()
    np.testing.assert_array_equal(model(X, training=False), expected)
    np.testing.assert_array_equal(model(X), expected)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_rows_of_a_call_have_masks_of_their_own(backend):
    found = build(Dropout(0.5), backend=backend)(np.ones((200, 6)), training=True)
    assert set(np.unique(found)) == {0.0, 2.0}
    assert 0.4 < (found == 0).mean() < 0.6
    assert len(np.unique(found, axis=0)) > 20


def test_they_follow_from_the_seed(backend):
    first, second = (build(Dropout(0.5), Dense(2), backend=backend, seed=7) for _ in range(2))
    for _ in range(2):
        np.testing.assert_array_equal(first(X, training=True), second(X, training=True))


def test_backends_and_threads_draw_the_same(extension):
    x = np.random.default_rng(0).normal(size=(600, 6))
    found = []
    for backend, threads in [("numba", 1), ("numba", 2), ("cython", 2), ("numpy", 1)]:
        model = build(Dense(40, "relu"), Dropout(0.5), Dense(2), compiled=False)
        model.compile("sgd", "mse", backend=backend, threads=threads)
        found.append(model(x, training=True))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_allclose(found[3], found[0], atol=1e-5)


def test_batch_normalization_as_in_keras(backend):
    """Keras 3.15 gave these numbers: the batch's own statistics, and the moving ones follow, unless it is frozen."""
    model = build(BatchNormalization(momentum=0.9), backend=backend, inputs=4)
    mean = [0.0615973659, 0.119285002, -0.0121249883, -0.031085277]
    output = [-0.72923243, -1.43816292, 0.42048192, 1.49322379, 1.58785915, 0.0134438872, 0.0107423663, -0.17953296]
    np.testing.assert_allclose(model(DATA, training=True)[:2].ravel(), output, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.layers[0].moving_mean, mean, rtol=1e-6, atol=1e-6)
    variance = [1.17971516, 1.29029107, 1.12050092, 1.10754955]
    np.testing.assert_allclose(model.layers[0].moving_variance, variance, rtol=1e-6, atol=1e-6)
    model.layers[0].trainable = False
    frozen = [-0.612420201, -1.55586147, 0.486682862, 1.7779628]
    np.testing.assert_allclose(model(DATA, training=True)[0], frozen, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.layers[0].moving_mean, mean, rtol=1e-6, atol=1e-6)


def test_training_goes_on_as_if_nobody_had_asked():
    outcomes = []
    for asks in (False, True):
        model = build(Dense(3, "relu"), Dropout(0.5), Dense(2))
        model.fit(X, X[:, :2], verbose=0, shuffle=False)
        optimizer = model.optimizer.iterations
        if asks:
            model(X, training=True)
        assert model.optimizer.iterations == optimizer
        outcomes.append(model.predict(X))
    np.testing.assert_array_equal(*outcomes)


def test_a_model_that_is_not_compiled_is_asked():
    model = build(Dropout(0.5), compiled=False)
    assert (model(X, training=True) == 0).any()
    with pytest.raises(ValueError, match="x has"):
        model(np.ones((2, 5)), training=True)
