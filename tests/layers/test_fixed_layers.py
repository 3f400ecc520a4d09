"""Layers of fixed numbers and of shapes: Rescaling, Normalization, Flatten and Reshape, as Keras 3.15 has them."""

import weakref

import numpy as np
import pytest
from keras_steps import IMAGES, X, stepped

import fastnn
from fastnn.layers import Dense, Flatten, Input, Normalization, Rescaling, Reshape


def adapted(layer, x=X):
    layer.adapt(x)
    return layer


GIVEN = {"mean": [1.0, 2.0, 0.0, -1.0], "variance": [4.0, 1.0, 0.5, 2.0]}
PAIRS = np.stack([X[:, :2], X[:, 2:]], axis=1)

STACKS = {
    "rescaling": (lambda k: [k.Rescaling(0.5, 1.0), k.Dense(3, "tanh"), k.Dense(2)], {}),
    "rescaling each": (lambda k: [k.Rescaling([0.5, 1, 2, 0.1], [1.0, 2, 0, -1]), k.Dense(3, "tanh"), k.Dense(2)], {}),
    "rescaling behind": (lambda k: [k.Dense(3, "tanh"), k.Rescaling(2.0, -0.1), k.Dense(2)], {}),
    "rescaling last": (lambda k: [k.Dense(3, "tanh"), k.Dense(2), k.Rescaling([2.0, 0.5], [0.1, -1.0])], {}),
    "normalization": (lambda k: [adapted(k.Normalization()), k.Dense(3, "tanh"), k.Dense(2)], {}),
    "normalization of all": (lambda k: [adapted(k.Normalization(axis=None)), k.Dense(3, "tanh"), k.Dense(2)], {}),
    "normalization given": (lambda k: [k.Normalization(**GIVEN), k.Dense(3, "tanh"), k.Dense(2)], {}),
    "normalization inverted": (lambda k: [k.Normalization(invert=True, **GIVEN), k.Dense(3, "tanh"), k.Dense(2)], {}),
    "flatten": (lambda k: [k.Flatten(), k.Dense(3, "tanh"), k.Dense(2)], {"x": IMAGES}),
    "images": (
        lambda k: [k.Rescaling(0.5), adapted(k.Normalization(), IMAGES / 2), k.Flatten(), k.Dense(2)],
        {"x": IMAGES},
    ),
    "reshape": (lambda k: [k.Reshape((-1, 2)), k.Flatten(), k.Dense(3, "tanh"), k.Dense(2)], {"x": IMAGES}),
    "reshape last": (lambda k: [k.Dense(3, "tanh"), k.Dense(4), k.Reshape((2, 2))], {"y": PAIRS}),
}
PINNED = {
    "rescaling": [
        1.021948,
        0.731786,
        0.6320787,
        0.584516,
        0.584516,
        0.5533882,
        -0.1421426,
        0.5331902,
        -0.1751194,
        0.2848941,
        0.02682293,
    ],
    "rescaling each": [
        1.076482,
        0.7832997,
        0.669895,
        0.6102076,
        0.6102076,
        0.4177189,
        0.2181332,
        0.3237324,
        -0.03764086,
        0.2639684,
        -0.02371572,
    ],
    "rescaling behind": [
        1.151662,
        0.7405152,
        0.6677596,
        0.5779323,
        0.5779323,
        0.286072,
        0.4543532,
        0.997924,
        -0.4707519,
        0.2718064,
        0.1242168,
    ],
    "rescaling last": [
        1.000527,
        0.7768872,
        0.7236421,
        0.6785683,
        0.6785683,
        0.5710028,
        -0.739808,
        0.9283667,
        -0.7515731,
        0.3522317,
        -0.5841452,
    ],
    "normalization": [
        0.8795377,
        0.7845184,
        0.719211,
        0.6722798,
        0.6722798,
        0.5281502,
        0.2220685,
        0.5727092,
        0.1042624,
        0.05171141,
        0.1832316,
    ],
    "normalization of all": [
        0.9218132,
        0.7923265,
        0.7126508,
        0.6594917,
        0.6594917,
        0.491497,
        0.3179741,
        0.5676805,
        0.0406768,
        0.07920328,
        0.1352871,
    ],
    "normalization given": [
        0.8984768,
        0.8130456,
        0.7534308,
        0.7073104,
        0.7073104,
        0.643482,
        0.007065684,
        0.4698682,
        0.1616298,
        0.04607212,
        0.3179743,
    ],
    "normalization inverted": [
        0.9994627,
        0.6856347,
        0.6037552,
        0.5584428,
        0.5584428,
        0.284076,
        0.06503742,
        1.064032,
        -0.4140123,
        0.1680528,
        0.07932982,
    ],
    "flatten": [
        1.451447,
        0.9380956,
        0.8222918,
        0.7524407,
        0.7524407,
        -0.1590398,
        0.0852328,
        -0.02125459,
        0.6512792,
        0.4295313,
        -0.1889425,
    ],
    "images": [
        2.348484,
        1.809265,
        1.440409,
        1.194956,
        1.194956,
        1.317944,
        0.8800996,
        0.01388692,
        -0.9626695,
        -0.6578327,
        -1.099672,
    ],
    "reshape": [
        1.451447,
        0.9380956,
        0.8222918,
        0.7524407,
        0.7524407,
        -0.1590398,
        0.0852328,
        -0.02125459,
        0.6512792,
        0.4295313,
        -0.1889425,
    ],
    "reshape last": [
        5.090639,
        4.243762,
        3.652625,
        3.271158,
        3.271158,
        -0.453977,
        -0.7879461,
        -0.7579553,
        0.4692326,
        0.003877384,
        -0.3054139,
        -0.3971845,
        0.1753091,
        -0.1646313,
        0.5257127,
        0.03758211,
        0.7763599,
    ],
}


@pytest.mark.parametrize("stack", STACKS)
def test_as_in_keras(backend, stack):
    layers, given = STACKS[stack]
    found = stepped(fastnn, layers(fastnn.layers), backend=backend, dtype="float64", **given)
    np.testing.assert_allclose(found, PINNED[stack], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("stack", STACKS)
def test_gradients_are_those_of_differences(backend, stack):
    layers, given = STACKS[stack]
    x, y = given.get("x", X), given.get("y", X[:, :2])
    model = fastnn.Sequential([Input(x.shape[1:]), *layers(fastnn.layers)], seed=0)
    model.compile("sgd", "mse", backend=backend, dtype="float64")
    found = next(g for g in model.gradients(x, y) if g)["kernel"]
    weight = model.trainable_weights[0]
    kernel, losses = weight.numpy(), []
    for step in (1e-5, -1e-5):
        changed = kernel.copy()
        changed[1, 2 % kernel.shape[1]] += step
        weight.assign(changed)
        losses.append(model.evaluate(x, y, verbose=0))
    assert found[1, 2 % kernel.shape[1]] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6, abs=1e-8)


def test_images_go_in_and_out_of_every_method(backend):
    """The model finds the shape in what it sees first, and refuses others."""
    model = fastnn.Sequential([Flatten(), Dense(6), Reshape((2, 3))], seed=1)
    model.compile("sgd", "mse", backend=backend)
    model.fit(IMAGES, IMAGES, validation_data=(IMAGES, IMAGES), verbose=0)
    model.train_on_batch(IMAGES, IMAGES)
    flat = IMAGES.reshape(12, 6)
    assert model.predict(IMAGES).shape == (12, 2, 3)
    np.testing.assert_array_equal(model.predict(IMAGES), model.predict(flat))
    assert model.evaluate(IMAGES, IMAGES, verbose=0) == model.evaluate(flat, IMAGES, verbose=0)
    np.testing.assert_array_equal(model(IMAGES), model.predict(IMAGES))
    assert [part.shape for part in model.forward(IMAGES)] == [(12, 6)] * 3


LAYERS = {
    "flatten": lambda: [Flatten(), Dense(6), Reshape((2, 3))],
    "input": lambda: [Input((2, 3)), Rescaling(0.5), Flatten(), Dense(6), Reshape((2, 3))],
}


@pytest.mark.parametrize("layers", LAYERS)
def test_streams_of_images(layers):
    """As of arrays; and the stream keeps no model alive."""
    outcomes = []
    stream = fastnn.data.stream(lambda: ((IMAGES[at : at + 4], IMAGES[at : at + 4]) for at in (0, 4, 8)))
    for x, y in [(IMAGES, IMAGES), (stream, None)]:
        model = fastnn.Sequential(LAYERS[layers](), seed=1)
        model.compile("sgd", "mse", backend="numpy", dtype="float64")
        model.fit(x, y, 4, epochs=2, shuffle=False, verbose=0)
        outcomes.append([model.evaluate(x, y, verbose=0), *model.predict(IMAGES).ravel()])
    np.testing.assert_allclose(*outcomes, rtol=1e-12)
    found = model.predict(IMAGES[at : at + 4] for at in (0, 4, 8))
    np.testing.assert_allclose(found, model.predict(IMAGES), rtol=1e-12)
    with pytest.raises(ValueError, match=r"model has 6 inputs|wants \(2, 3\)"):
        model.predict(iter([np.zeros((4, 3, 3))]))
    alive = weakref.ref(model)
    del model
    assert alive() is None


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="put a Flatten"):
        fastnn.Sequential([Input((2, 3)), Dense(3)])
    with pytest.raises(ValueError, match="target_shape got"):
        fastnn.Sequential([Input((6,)), Reshape((4, 2))])
    with pytest.raises(ValueError, match="at most one -1"):
        Reshape((-1, -1))
    model = fastnn.Sequential([Input((2, 3)), Flatten(), Dense(1)])
    with pytest.raises(ValueError, match=r"x got rows of the shape \(3, 2\); wants \(2, 3\)"):
        model.predict(np.zeros((4, 3, 2)))


def test_normalization_keeps_its_numbers(tmp_path):
    model = fastnn.Sequential([Input((4,)), adapted(Normalization()), Dense(2)], seed=0)
    model.compile("sgd", "mse", backend="numpy")
    assert [w.shape for w in model.layers[0].get_weights()] == [(4,), (4,), ()]
    np.testing.assert_allclose(model.layers[0].mean, X.mean(axis=0)[None])
    np.testing.assert_allclose(model.layers[0].variance, X.var(axis=0)[None])
    assert len(model.trainable_weights) == 2
    expected = model.predict(X)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(fastnn.load_model(tmp_path / "model", backend="numpy").predict(X), expected)
    model.layers[0].adapt(2 * X)  # is heeded at the next call
    np.testing.assert_allclose(model.predict(2 * X), expected, atol=1e-6)
    constant = adapted(Normalization(), np.ones((3, 4)))
    assert (fastnn.Sequential([Input((4,)), constant]).predict(np.ones((2, 4))) == 0).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="wants both or none"):
        Normalization(mean=1.0)
    with pytest.raises(ValueError, match="were given"):
        Normalization(mean=1.0, variance=1.0).adapt(X)
    with pytest.raises(ValueError, match="axis got 0"):
        Normalization(axis=0)
    with pytest.raises(ValueError, match="wants at least 0"):
        Normalization(mean=1.0, variance=-1.0)
    with pytest.raises(ValueError, match="wants as many"):
        fastnn.Sequential([Input((4,)), Rescaling([1.0, 2.0, 3.0])]).predict(X)
