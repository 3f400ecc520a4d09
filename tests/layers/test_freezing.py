"""Layers whose weights stay as they are: what is trained beside them, and what they cost."""

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn.layers import Activation, BatchNormalization, Dense, Dropout, Input, LayerNormalization, Scaling
from fastnn.optimizers import SGD, Adam
from fastnn.regularizers import L2

BATCH = 16


def data(rows=40, inputs=6, outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(1, 2, size=(rows, inputs)), rng.normal(size=(rows, outputs))


def build(layers, backend="numba", dtype="float64", optimizer="adam", threads=None, inputs=6, loss="mse"):
    model = fastnn.Sequential([Input((inputs,)), *layers], seed=3)
    model.compile(optimizer, loss, backend=backend, dtype=dtype, threads=threads)
    return model


STACKS = {
    "first": lambda: [Dense(20, "tanh", trainable=False), Dense(17, "gelu"), Dense(3)],
    "middle": lambda: [Dense(20, "tanh"), Dense(17, "gelu", trainable=False), Dense(3)],
    "few units": lambda: [Dense(2, "tanh"), Dense(3, "gelu", trainable=False), Dense(3)],
    "last": lambda: [Dense(20, "tanh"), Dense(17, "gelu"), Dense(3, trainable=False)],
    "all but the last": lambda: [Dense(20, "tanh", trainable=False), Dense(17, trainable=False), Dense(3)],
    "normalisations": lambda: [
        Scaling(trainable=False),
        Dense(20),
        BatchNormalization(trainable=False),
        Activation("relu", trainable=False),
        Dropout(0.3),
        Dense(17),
        LayerNormalization(trainable=False),
        Dense(3),
    ],
    "batch normalisations": lambda: [BatchNormalization(trainable=False), Dense(20), BatchNormalization(), Dense(3)],
}


def changed(model, run):
    """Which layers' weights a run changes."""
    before = [layer.get_weights() for layer in model.layers]
    run()
    return [
        any((a != b).any() for a, b in zip(layer.get_weights(), kept, strict=True))
        for layer, kept in zip(model.layers, before, strict=True)
    ]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"global_clipnorm": 0.1}, {"use_ema": True}], ids=str)
def test_what_is_frozen_stays_and_the_rest_learns(backend, stack, options):
    x, y = data()
    model = build(STACKS[stack](), backend, optimizer=Adam(0.01, **options))
    wanted = [bool(layer.get_weights()) and layer.trainable for layer in model.layers]
    slots = {place: slot.copy() for place, slot in model._engine.parameters.slot_matrices().items()}
    assert changed(model, lambda: model.fit(x, y, BATCH, epochs=2, verbose=0)) == wanted
    assert changed(model, lambda: model.train_on_batch(x, y)) == wanted
    for (slot, place), matrix in model._engine.parameters.slot_matrices().items():
        if place in model._engine.frozen and not options:
            np.testing.assert_array_equal(matrix, slots[slot, place])


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.usefixtures("extension")
def test_backends_and_threads_agree(stack):
    x, y = data(300)
    outcomes = []
    for backend, threads, batch in [
        (b, t, n) for n in (16, 128) for b, t in [("numba", 1), ("numba", 2), ("cython", 3), ("numpy", 1)]
    ]:
        model = build(STACKS[stack](), backend, "float32", SGD(0.01, 0.9, global_clipnorm=1.0), threads)
        model.fit(x, y, batch, epochs=2, shuffle=False, verbose=0)
        outcomes.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    for first in (0, 4):
        for other in outcomes[first + 1 : first + 3]:
            np.testing.assert_array_equal(outcomes[first], other)
        np.testing.assert_allclose(outcomes[first + 3], outcomes[first], atol=2e-5)


def test_as_in_keras(backend):
    """Keras 3.15 gave these numbers: a frozen batch normalisation in the middle, a frozen layer with a penalty behind.

    The norm that gradients are clipped to is of what is trained, and so are the penalties.
    """
    rng = np.random.default_rng(5)
    x, y = rng.normal(1, 2, (12, 3)), rng.normal(size=(12, 2))
    weights = [rng.normal(size=shape) for shape in [(3, 4), (4,)]]
    weights += [[1, 0.5, 2, 1.5], [0.1, 0.2, 0.3, 0.4], [0.5, -0.5, 0, 1], [1, 2, 0.5, 3]]
    weights += [rng.normal(size=shape) for shape in [(4, 2), (2,)]]
    layers = [
        Dense(4, kernel_regularizer=L2(0.1)),
        BatchNormalization(trainable=False),
        Activation("tanh"),
        Dense(2, kernel_regularizer=L2(0.1), trainable=False),
    ]
    model = build(layers, backend, "float32", SGD(0.1, global_clipnorm=0.5), inputs=3)
    model.set_weights(weights)
    history = model.fit(x, y, 6, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], [6.85475492, 6.58154488], rtol=1e-6)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(6.36012220, rel=1e-6)
    kernel, bias, *rest = model.get_weights()
    expected = [
        [0.88894564, 0.84305716, -0.65819, -0.07029322],
        [1.3113784, -0.35626325, 0.10866553, -0.01664644],
        [0.5251576, -0.35048133, -0.16795409, 0.24631697],
    ]
    np.testing.assert_allclose(kernel, expected, atol=2e-6)
    np.testing.assert_allclose(bias, [0.05135128, -0.81703645, 0.8576677, -1.280381], atol=2e-6)
    for now, before in zip(rest, weights[2:], strict=True):
        np.testing.assert_array_equal(now, np.float32(before))


@pytest.mark.parametrize("rows", [16, 300])  # in one piece, and in chunks
def test_gradients_of_the_rest_are_as_before_and_of_the_frozen_0(backend, rows):
    x, y = data(rows)
    layers = [Dense(20, "tanh"), Dense(17, "gelu"), Dense(3)]
    model = build(layers, backend)
    whole = model.gradients(x, y)
    model.fit(x, y, rows, epochs=1, verbose=0)  # leaves gradients in the buffers
    weights = build([Dense(20, "tanh"), Dense(17, "gelu"), Dense(3)], backend).get_weights()
    model.set_weights(weights)
    for frozen in ([0], [1], [0, 1], [2]):
        for number, layer in enumerate(model.layers):
            layer.trainable = number not in frozen
        for number, (now, before) in enumerate(zip(model.gradients(x, y), whole, strict=True)):
            for name in now:
                expected = np.zeros_like(before[name]) if number in frozen else before[name]
                np.testing.assert_array_equal(now[name], expected)


@pytest.mark.parametrize("stack", ["normalisations", "batch normalisations"])
def test_gradients_are_those_of_differences(backend, stack):
    """Through a batch normalisation that goes by its moving statistics."""
    x, y = data(11)
    layers = [layer for layer in STACKS[stack]() if not isinstance(layer, (Dropout, BatchNormalization))]
    layers.insert(1, BatchNormalization(trainable=False))
    model = build(layers, backend)
    draw = np.random.default_rng(1)
    model.set_weights([w + np.abs(draw.normal(0, 0.3, w.shape)) for w in model.get_weights()])
    for layer, found in zip(model.layers, model.gradients(x, y), strict=True):
        kept = layer.get_weights()
        for name, gradient in found.items() if layer.trainable else ():
            at = tuple(size - 1 for size in gradient.shape)
            losses = []
            for step in (1e-5, -1e-5):
                changed = [w.copy() for w in kept]
                changed[list(found).index(name)][at] += step
                layer.set_weights(changed)
                losses.append(model.evaluate(x, y, verbose=0))
            layer.set_weights(kept)
            assert gradient[at] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_it_is_heeded_at_the_next_call_and_needs_no_compile():
    x, y = data()
    model = build([Dense(5, "tanh"), Dense(3)])
    for trained in ([True, False], [False, True], [True, True], [False, False]):
        for layer, value in zip(model.layers, trained, strict=True):
            layer.trainable = value
        assert changed(model, lambda: model.train_on_batch(x, y)) == trained
        assert changed(model, lambda: model.fit(x, y, verbose=0)) == trained


def test_a_model_that_is_frozen_freezes_its_layers():
    x, y = data()
    model = build([Dense(5, "tanh"), Dense(3)])
    model.trainable = False
    assert [layer.trainable for layer in model.layers] == [False, False]
    model.layers[0].trainable = True  # as in Keras, the model's own word counts
    assert changed(model, lambda: model.fit(x, y, verbose=0)) == [False, False]
    model.trainable = True
    assert changed(model, lambda: model.fit(x, y, verbose=0)) == [True, True]


def test_the_average_of_what_was_frozen_begins_anew():
    x, y = data()
    model = build([Dense(5, "tanh"), Dense(3)], optimizer=SGD(0.1, use_ema=True, ema_momentum=0.9))
    model.layers[0].trainable = False
    model.fit(x, y, verbose=0)
    weights = [w + 1 for w in model.layers[0].get_weights()]
    model.layers[0].set_weights(weights)
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], weights[0])
    model.layers[0].trainable = True
    model.fit(x, y, verbose=0)
    assert abs(model.layers[0].get_weights()[0] - weights[0]).max() < 0.1


def test_lbfgs_leaves_it_as_it_is():
    x, y = data()
    model = build([Dense(5, "tanh", trainable=False), Dense(3)], optimizer=fastnn.optimizers.LBFGS())
    before = model.evaluate(x, y, verbose=0)
    assert changed(model, lambda: model.fit(x, y, epochs=10, verbose=0)) == [False, True]
    assert model.evaluate(x, y, verbose=0) < before


def test_nothing_is_computed_below_the_first_that_is_trained():
    model = build([Dense(5, "tanh", trainable=False), BatchNormalization(trainable=False), Dense(3)])
    assert model._engine.job.network.first_trained == 2
    model.trainable = False
    assert model._built().job.network.first_trained == 3


def test_it_is_kept(tmp_path):
    model = build([Dense(5, "tanh", trainable=False), Dense(3)], "numpy")
    model.save(tmp_path / "model")
    for kept in (
        fastnn.load_model(tmp_path / "model", backend="numpy"),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        fastnn.Sequential.from_config(model.get_config()),
    ):
        assert [layer.trainable for layer in kept.layers] == [False, True]


@pytest.mark.parametrize("value", [0, None, "no"])
def test_it_is_true_or_false(value):
    layer = Dense(3)
    with pytest.raises(TypeError, match=r"trainable got .+ wants True or False"):
        layer.trainable = value
    with pytest.raises(TypeError, match=r"trainable got .+ wants True or False"):
        fastnn.Sequential([layer]).trainable = value
    with pytest.raises(TypeError, match=r"trainable got .+ wants True or False"):
        Dense(3, trainable=value)
    assert layer.trainable


@pytest.mark.parametrize("stack", STACKS)
def test_with_gradients_of_several_batches(backend, stack):
    x, y = data()
    optimizer = Adam(0.01, gradient_accumulation_steps=2, global_clipnorm=1.0)
    model = build(STACKS[stack](), backend, optimizer=optimizer)
    wanted = [bool(layer.get_weights()) and layer.trainable for layer in model.layers]
    assert changed(model, lambda: model.fit(x, y, 8, epochs=2, verbose=0)) == wanted


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_trained_moves_as_without_accumulation_of_equal_batches(backend, stack):
    """Two halves of a batch are the batch, where no batch is normalised by itself and nothing is drawn."""
    if "normalisations" in stack:
        pytest.skip("batches of another size have other statistics")
    x, y = data(32)
    outcomes = []
    for steps, rows in [(1, 16), (2, 8)]:
        optimizer = SGD(0.1, gradient_accumulation_steps=steps) if steps > 1 else SGD(0.1)
        model = build(STACKS[stack](), backend, optimizer=optimizer)
        model.fit(x, y, rows, epochs=2, shuffle=False, verbose=0)
        outcomes.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_allclose(*outcomes, atol=1e-12)


def test_with_a_stream(backend):
    """As with the arrays that its batches are cut from."""
    x, y = data()
    outcomes = []
    for streams in (False, True):
        model = build(STACKS["middle"](), backend)
        before = model.layers[1].get_weights()
        batches = [(x[at : at + 8], y[at : at + 8]) for at in range(0, 40, 8)]
        if streams:
            model.fit(lambda batches=batches: iter(batches), epochs=2, shuffle=False, verbose=0)
        else:
            model.fit(x, y, 8, epochs=2, shuffle=False, verbose=0)
        np.testing.assert_array_equal(model.layers[1].get_weights()[0], before[0])
        outcomes.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_allclose(*outcomes, atol=1e-12)
