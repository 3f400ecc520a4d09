"""What a model says of itself: layers by name, weights, shapes, a table, and a description as JSON."""

import json

import numpy as np
import pytest

import fastnn
from fastnn.layers import BatchNormalization, Dense, Dropout, Flatten, Input, PReLU, Reshape
from fastnn.models import clone_model, model_from_json

X = np.random.default_rng(0).normal(size=(12, 4))


def build(**options):
    layers = [Input((4,)), Dense(3, name="a"), BatchNormalization(), Dropout(0.2), Dense(2)]
    return fastnn.Sequential(layers, seed=1, **options)


def test_layers_by_name_and_place():
    model = build()
    assert model.get_layer("a") is model.layers[0]
    assert model.get_layer(index=-1) is model.get_layer("dense") is model.layers[-1]
    for wrong, message in [
        ({"name": "no"}, "name got 'no'; wants one of 'a', 'batch_normalization'"),
        ({"index": 4}, "index got 4; wants one below 4"),
        ({}, "wants one of them"),
        ({"name": "a", "index": 0}, "wants one of them"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.get_layer(**wrong)


def test_weights_have_paths_and_cannot_be_written():
    model = build()
    normalisation = [f"batch_normalization/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")]
    dense = ["dense/kernel", "dense/bias"]
    assert [w.path for w in model.weights] == ["a/kernel", "a/bias", *normalisation, *dense]
    assert [w.path for w in model.trainable_weights] == ["a/kernel", "a/bias", *normalisation[:2], *dense]
    assert [w.path for w in model.non_trainable_weights] == normalisation[2:]
    model.get_layer("a").trainable = False
    assert [w.path for w in model.trainable_weights] == [*normalisation[:2], *dense]
    kernel = model.weights[0]
    with pytest.raises(ValueError, match="read-only"):
        kernel[0, 0] = 1
    kernel.assign(np.ones((4, 3)))
    assert (model.get_weights()[0] == 1).all()
    assert type(kernel.numpy()) is np.ndarray
    assert type(kernel + 1) is np.ndarray
    with pytest.raises(ValueError, match="wants"):
        kernel.assign(np.ones((3, 4)))


def test_shapes():
    model = build()
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))
    assert model.inputs[0].shape == (None, 4)
    unknown = fastnn.Sequential([Dense(2)])
    with pytest.raises(AttributeError, match="input_shape is not known"):
        _ = unknown.input_shape
    assert unknown.output_shape == (None, 2)
    images = fastnn.Sequential([Input((2, 3)), Flatten(), Dense(4), Reshape((2, 2))])
    assert (images.input_shape, images.output_shape) == ((None, 2, 3), (None, 2, 2))


def test_pop_and_add_keep_the_others_weights():
    model = build()
    model.compile("sgd", "mse", backend="numpy")
    model.fit(X, X[:, :2], verbose=0)
    hidden, kept = model.forward(X)[2], model.get_weights()
    last = model.pop()
    assert (last.name, model.output_shape) == ("dense", (None, 3))
    np.testing.assert_allclose(model.predict(X), hidden, atol=1e-6)
    model.add(Dense(5))
    for now, before in zip(model.get_weights()[:6], kept, strict=False):
        np.testing.assert_array_equal(now, before)
    assert model.predict(X).shape == (12, 5)
    with pytest.raises(RuntimeError, match="compile"):
        model.fit(X, X, verbose=0)
    model.compile("sgd", "mse", backend="numpy")
    model.fit(X, np.ones((12, 5)), verbose=0)
    with pytest.raises(ValueError, match="without layers"):
        fastnn.Sequential().pop()


def test_summary_is_given_to_print_fn():
    lines = []
    model = build(name="mine")
    model.get_layer("a").trainable = False
    assert model.summary(print_fn=lines.append, show_trainable=True) is None
    text = "\n".join(lines)
    for part in ('Model: "mine"', "a (Dense)", "(None, 3)", "Trainable", "Total params: 35 (140.00 B)"):
        assert part in text
    assert "Trainable params: 14 (56.00 B)" in text
    assert "Non-trainable params: 21 (84.00 B)" in text


def test_summary_shows_models_in_models():
    lines = []
    outer = fastnn.Sequential([build(name="inner"), PReLU()])
    outer.summary(print_fn=lines.append, expand_nested=True)
    assert "  a (Dense)" in "\n".join(lines)
    assert "inner (Sequential)" in "\n".join(lines)
    lines.clear()
    outer.summary(print_fn=lines.append)
    assert "a (Dense)" not in "\n".join(lines)


def test_json_and_clones_are_the_same_structure_with_other_weights():
    model = build(name="mine")
    model.get_layer("a").trainable = False
    for other in (
        model_from_json(model.to_json(indent=1)),
        clone_model(model),
        type(model).from_config(model.get_config()),
    ):
        assert other.get_config() == model.get_config()
        assert not other.get_layer("a").trainable
        assert (other.weights[0] != model.weights[0]).any()
        other.set_weights(model.get_weights())
        np.testing.assert_allclose(other.predict(X), model.predict(X), atol=1e-6)
    assert json.loads(model.to_json())["class_name"] == "Sequential"
    with pytest.raises(ValueError, match="json_string got no description"):
        model_from_json("[]")


def test_a_clone_of_other_layers():
    def wider(layer):
        config = layer.get_config()
        return type(layer).from_config({**config, "units": 2 * config["units"]} if "units" in config else config)

    clone = clone_model(build(), clone_function=wider)
    assert [w.shape for w in clone.weights][::6] == [(4, 6), (6, 4)]
    with pytest.raises(TypeError, match="wants a Sequential"):
        clone_model("model")
