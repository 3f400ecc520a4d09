"""A model as a layer of another, and layers that several models have: the weights are the same."""

import copy
import pickle

import numpy as np
import pytest
from keras_steps import X, Y, stepped

import fastnn
from fastnn.layers import BatchNormalization, Dense, Flatten, Input, Reshape, Softmax

TRAINED = [1.53093494, 0.91038953, 0.726548699, 0.646359268, 0.646359268]
TRAINED += [0.158153921, 0.203700228, 0.45477938, 0.108617346, 0.733555534, 0.017445015]
ENDS = {
    "whole": lambda model, path: copy.deepcopy(model),
    "pickled": lambda model, path: pickle.loads(pickle.dumps(model)),
    "kept": lambda model, path: loaded(model, path),
}


def loaded(model, path):
    model.save(path)
    return fastnn.load_model(path, backend="numpy")


def inner_model():
    return fastnn.Sequential([Input((4,)), Dense(3, "tanh"), Dense(3, "relu")], name="inner", seed=1)


def nested(inner, backend="numpy", **options):
    outer = fastnn.Sequential([Input((4,)), inner, Dense(2)], name="outer", seed=2)
    outer.compile("adam", "mse", backend=backend, **options)
    return outer


def test_as_in_keras(backend):
    """Keras 3.15 gave these numbers."""
    found = stepped(fastnn, [inner_model(), Dense(2)], backend=backend, dtype="float64")
    np.testing.assert_allclose(found, TRAINED, rtol=1e-6)


def test_training_the_outer_changes_the_inner(backend):
    inner = inner_model()
    outer = nested(inner, backend)
    before, output = inner.get_weights(), inner.predict(X)
    outer.fit(X, Y, epochs=2, verbose=0)
    assert all((now != then).any() for now, then in zip(inner.get_weights(), before, strict=True))
    assert (inner.predict(X) != output).any()
    np.testing.assert_allclose(inner.predict(X), outer.forward(X)[1], atol=1e-6)
    np.testing.assert_array_equal(outer.get_weights()[0], inner.get_weights()[0])
    before = inner.get_weights()
    outer.train_on_batch(X, Y)
    assert (inner.get_weights()[0] != before[0]).any()


def test_training_the_inner_changes_the_outer(backend):
    inner = inner_model()
    outer = nested(inner, backend)
    inner.compile("sgd", "mse", backend=backend)
    output = outer.predict(X)
    inner.fit(X, X[:, :3], verbose=0)
    assert (outer.predict(X) != output).any()
    np.testing.assert_allclose(inner.predict(X), outer.forward(X)[1], atol=1e-6)
    inner.set_weights([0 * w for w in inner.get_weights()])
    np.testing.assert_allclose(outer.predict(X), np.broadcast_to(outer.layers[-1].bias, (12, 2)), atol=1e-6)
    outer.set_weights([0 * w + 1 for w in outer.get_weights()])
    assert all((w == 1).all() for w in inner.get_weights())


def test_freezing_the_inner(backend):
    inner = inner_model()
    outer = nested(inner, backend)
    inner.trainable = False
    before = outer.get_weights()
    outer.fit(X, Y, verbose=0)
    changed = [(a != b).any() for a, b in zip(outer.get_weights(), before, strict=True)]
    assert changed == [False] * 4 + [True] * 2
    assert [w.path for w in outer.trainable_weights] == ["dense/kernel", "dense/bias"]
    assert len(outer.non_trainable_weights) == 4


@pytest.mark.parametrize("end", ENDS)
def test_copies_are_the_same_and_their_own(end, tmp_path):
    outer = nested(inner_model())
    outer.fit(X, Y, verbose=0)
    other = ENDS[end](outer, tmp_path / "model")
    np.testing.assert_allclose(other.predict(X), outer.predict(X), atol=1e-6)
    assert [part.name for part in other.layers] == ["inner", "dense"]
    assert isinstance(other.layers[0], fastnn.Sequential)
    kept = outer.get_weights()
    other.fit(X, Y, shuffle=False, verbose=0)
    for now, before in zip(outer.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(now, before)
    np.testing.assert_allclose(other.layers[0].predict(X), other.forward(X)[1], atol=1e-6)


def test_clones_and_descriptions():
    outer = nested(inner_model())
    clone = fastnn.models.clone_model(outer)
    assert clone.layers[0] is not outer.layers[0]
    assert [part.name for part in clone.layers] == ["inner", "dense"]
    clone.set_weights(outer.get_weights())
    np.testing.assert_allclose(clone.predict(X), outer.predict(X), atol=1e-6)
    again = fastnn.models.model_from_json(outer.to_json())
    assert again.get_config() == outer.get_config()


def test_a_model_that_two_others_have(backend):
    inner = inner_model()
    first, second = nested(inner, backend), fastnn.Sequential([inner, Dense(1)], seed=5)
    second.compile("sgd", "mse", backend=backend)
    for model, y in [(first, Y), (second, Y[:, :1])] * 2:
        model.fit(X, y, verbose=0)
        np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])
        np.testing.assert_allclose(first.forward(X)[1], second.forward(X)[1], atol=1e-6)
        np.testing.assert_allclose(inner.predict(X), first.forward(X)[1], atol=1e-6)


def test_moving_statistics_are_shared_too(backend):
    inner = fastnn.Sequential([Input((4,)), Dense(3), BatchNormalization(momentum=0.5)], seed=1)
    outer = nested(inner, backend)
    outer.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(inner.layers[1].moving_mean, outer.get_weights()[4])
    np.testing.assert_allclose(inner.predict(X), outer.forward(X)[1], atol=1e-6)


def test_a_softmax_around_a_model():
    """As of a classifier of logits, once it has been trained."""
    model = fastnn.Sequential([Input((4,)), Dense(3)], seed=0)
    model.compile("sgd", fastnn.losses.SparseCategoricalCrossentropy(from_logits=True), backend="numpy")
    model.fit(X, np.arange(12) % 3, verbose=0)
    probability_model = fastnn.Sequential([model, Softmax()])
    powers = np.exp(model.predict(X))
    np.testing.assert_allclose(probability_model.predict(X), powers / powers.sum(axis=1, keepdims=True), rtol=1e-5)
    model.fit(X, np.arange(12) % 3, verbose=0)
    np.testing.assert_allclose(probability_model(X[:2]).sum(axis=1), 1, rtol=1e-6)


def test_images_through_models():
    encoder = fastnn.Sequential([Input((2, 3)), Flatten(), Dense(2)], seed=1)
    decoder = fastnn.Sequential([Dense(6), Reshape((2, 3))], seed=2)
    both = fastnn.Sequential([encoder, decoder])
    both.compile("sgd", "mse", backend="numpy")
    images = np.random.default_rng(0).normal(size=(12, 2, 3))
    both.fit(images, images, verbose=0)
    np.testing.assert_allclose(both.predict(images), decoder.predict(encoder.predict(images)), atol=1e-6)


def test_what_cannot_be_a_layer_is_refused():
    inner = inner_model()
    outer = nested(inner)
    for wrong, kind, message in [
        (lambda: inner.add(Dense(3)), RuntimeError, "which is a layer itself"),
        (inner.pop, RuntimeError, "which is a layer itself"),
        (lambda: outer.add(outer), ValueError, "a model without layers of its own"),
        (lambda: outer.add(inner), ValueError, "twice"),
        (lambda: fastnn.Sequential([fastnn.Sequential()]), ValueError, "a model without layers"),
        (lambda: fastnn.Sequential([Input((5,)), inner_model()]), ValueError, "wants 5, as Input says"),
    ]:
        before = [part.name for part in outer.layers]
        with pytest.raises(kind, match=message):
            wrong()
        assert [part.name for part in outer.layers] == before
