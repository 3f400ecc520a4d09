"""Batch and layer normalisation, against the reference and, where it is here, PyTorch."""

import pickle

import naive
import numpy as np
import pytest

import fastnn
from fastnn import layers
from fastnn.layers import Activation, BatchNormalization, Dense, Dropout, Input, LayerNormalization

KINDS = {"batch": (BatchNormalization, 0), "layer": (LayerNormalization, 1)}


def built(stack, inputs, loss="mse", seed=1, optimizer="sgd", **options):
    """A model whose weights are all random."""
    model = fastnn.Sequential([Input((inputs,)), *stack], seed=seed)
    model.compile(optimizer, loss, **options)
    rng = np.random.default_rng(seed)
    weights = []
    for layer in model.layers:
        weights += [rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in layer.get_weights()]
    model.set_weights(weights)
    return model


def trainable(model):
    """The weights that gradients are of, in order."""
    names = ("kernel", "bias", "gamma", "beta")
    held = [getattr(layer, name, None) for layer in model.layers for name in names]
    return [weights for weights in held if weights is not None]


ROWS = 21
DATA = naive.random_data("mse", ROWS, 5, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("center", "scale"), [(True, True), (True, False), (False, True), (False, False)])
def test_gradients_with_normalisation_in_every_place(backend, kind, center, scale):
    make, axis = KINDS[kind]
    options = {"center": center, "scale": scale}
    stack = [make(**options), Dense(20, "tanh"), make(epsilon=0.01, **options), Activation("softplus")]
    stack += [Dense(3), make(**options)]
    model = built(stack, 5, backend=backend, dtype="float64")
    reference = [naive.normalization(axis, center=center, scale=scale), naive.dense("tanh")]
    reference += [naive.normalization(axis, 0.01, center, scale), naive.activation("softplus"), naive.dense()]
    reference += [naive.normalization(axis, center=center, scale=scale)]
    x, y = DATA
    expected = naive.differences(lambda w: naive.loss_of_stack(reference, w, "mse", x, y), trainable(model))
    found = [g for layer in model.gradients(x, y) for g in layer.values()]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "softmax"])
def test_a_normalised_last_layer_and_its_loss(backend, kind, activation):
    make, axis = KINDS[kind]
    loss = {"softmax": "categorical_crossentropy", "sigmoid": "binary_crossentropy", "relu": "mse"}[activation]
    x, y = naive.random_data(loss, ROWS, 5, 4)
    model = built([Dense(4), make(), Activation(activation)], 5, loss, backend=backend, dtype="float64")
    reference = [naive.dense(), naive.normalization(axis), naive.activation(activation)]
    expected = naive.differences(lambda w: naive.loss_of_stack(reference, w, loss, x, y), trainable(model))
    found = [g for layer in model.gradients(x, y) for g in layer.values()]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("batch_size", [1, 7, 16, 50])
def test_training_and_moving_statistics(backend, batch_size):
    """Steps over batches, the last one shorter: weights, moving mean and biased moving variance."""
    rows, momentum = 50, 0.8
    x, y = naive.random_data("mse", rows, 5, 3)
    stack = [BatchNormalization(momentum=momentum), Dense(6, "tanh"), BatchNormalization(momentum=momentum), Dense(3)]
    model = built(stack, 5, optimizer=fastnn.optimizers.SGD(0.1), backend=backend, dtype="float64")
    bn = model.layers[0], model.layers[2]
    moving = [[layer.moving_mean.copy(), layer.moving_variance.copy()] for layer in bn]
    w = [np.array(a) for a in trainable(model)]
    reference = [naive.normalization(0), naive.dense("tanh"), naive.normalization(0), naive.dense()]
    for start in range(0, rows, batch_size) if batch_size > 1 else range(5):
        batch = x[start : start + batch_size], y[start : start + batch_size]
        hidden = naive.stack_output(reference[:2], w, batch[0])
        for of, values in zip(moving, (batch[0], hidden), strict=True):
            of[0] = momentum * of[0] + (1 - momentum) * values.mean(0)
            of[1] = momentum * of[1] + (1 - momentum) * values.var(0)
        loss = lambda w, batch=batch: naive.loss_of_stack(reference, w, "mse", *batch)  # noqa: E731
        w = [a - 0.1 * g for a, g in zip(w, naive.differences(loss, w), strict=True)]
    if batch_size > 1:
        model.fit(x, y, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    else:
        for row in range(5):
            model.train_on_batch(x[row : row + 1], y[row : row + 1])
    for a, b in zip(trainable(model), w, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    for layer, (mean, variance) in zip(bn, moving, strict=True):
        np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-6, atol=1e-7)


def test_inference_takes_the_moving_statistics(backend, dtype):
    x, y = DATA
    model = built([Dense(6), BatchNormalization(epsilon=0.1), Activation("relu"), Dense(3)], 5, backend=backend)
    kernel, bias, gamma, beta, mean, variance, last, last_bias = map(np.float64, model.get_weights())
    hidden = np.maximum((x @ kernel + bias - mean) / np.sqrt(variance + 0.1) * gamma + beta, 0)
    expected = hidden @ last + last_bias
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.predictor(2)(x[:2]), expected[:2], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.predict(x[:1].astype("float32")), expected[:1], rtol=1e-5, atol=1e-5)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(np.mean((expected - y) ** 2), rel=1e-5)
    before = [w.tobytes() for w in model.get_weights()]
    model.gradients(x, y)
    assert [w.tobytes() for w in model.get_weights()] == before


# inputs, hidden units, outputs, batch, rows; a batch of fewer blocks of rows than there are threads is among them
WORK = [(5, 20, 3, 16, 40), (30, 64, 3, 512, 1200), (100, 200, 10, 100, 150)]


def trained(work, dtype, backend, threads, kinds=(BatchNormalization, LayerNormalization), epochs=2):
    inputs, units, outputs, batch_size, rows = work
    first, second = kinds
    stack = [first(), Dense(units), second(), Activation("relu"), Dropout(0.2), Dense(units), first()]
    stack += [Activation("tanh"), Dense(outputs)]
    x, y = naive.random_data("mse", rows, inputs, outputs)
    model = built(stack, inputs, optimizer="adam", dtype=dtype, backend=backend, threads=threads)
    history = model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0).history
    results = [*model.get_weights(), np.array(history["loss"]), model.predict(x)]
    return [*results, *(g for layer in model.gradients(x, y) for g in layer.values())]


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("kinds", [(BatchNormalization, LayerNormalization), (LayerNormalization, LayerNormalization)])
def test_the_same_bits_for_any_number_of_threads(extension, work, kinds):
    one = [a.tobytes() for a in trained(work, "float32", "cython", 1, kinds, epochs=1)]
    for threads in (2, 3, 7):
        assert [a.tobytes() for a in trained(work, "float32", "cython", threads, kinds, epochs=1)] == one


def test_threads_on_every_backend(backend, dtype):
    one = [a.tobytes() for a in trained(WORK[0], dtype, backend, 1)]
    assert [a.tobytes() for a in trained(WORK[0], dtype, backend, 3)] == one


@pytest.mark.parametrize("work", WORK)
def test_backends_agree(extension, work):
    compiled, plain = (trained(work, "float64", backend, 2, epochs=1) for backend in ("cython", "numpy"))
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_wide_range_of_inputs_costs_no_digits(backend):
    """A variance about a mean that is 10,000 times the deviation, in float32."""
    rng = np.random.default_rng(0)
    x = (1e4 + rng.normal(size=(256, 3))).astype("float32")
    model = built([BatchNormalization(momentum=0.0), Dense(2)], 3, backend=backend)
    model.fit(x, np.zeros((256, 2)), batch_size=256, epochs=1, verbose=0)
    np.testing.assert_allclose(model.layers[0].moving_variance, x.astype(float).var(0), rtol=1e-3)


def test_weights_are_in_keras_s_order_and_kept(backend, tmp_path):
    stack = [Dense(6), BatchNormalization(), Dense(4), LayerNormalization(center=False), Dense(3)]
    model = built(stack, 5, optimizer="adam", backend=backend)
    shapes = [w.shape for w in model.get_weights()]
    assert shapes == [(5, 6), (6,), *[(6,)] * 4, (6, 4), (4,), (4,), (4, 3), (3,)]
    batch = model.layers[1]
    for a, b in zip(
        batch.get_weights(), (batch.gamma, batch.beta, batch.moving_mean, batch.moving_variance), strict=True
    ):
        assert np.array_equal(a, b)
        assert not b.flags.writeable
    assert model.layers[3].beta is None
    assert model.count_params() == sum(w.size for w in model.get_weights())
    model.fit(*DATA, epochs=2, verbose=0)
    model.save(tmp_path / "model.fastnn")
    loaded = fastnn.load_model(tmp_path / "model.fastnn", backend=backend)
    copied = pickle.loads(pickle.dumps(model))
    for each in (model, loaded, copied):
        each.fit(*DATA, epochs=1, verbose=0)
    for other in (loaded, copied):
        assert all(map(np.array_equal, model.get_weights(), other.get_weights()))
        assert np.array_equal(model.predict(DATA[0]), other.predict(DATA[0]))


def test_a_diverged_run_gives_back_the_moving_statistics(backend):
    model = built([BatchNormalization(), Dense(3)], 5, optimizer=fastnn.optimizers.SGD(1e30), backend=backend)
    before = model.get_weights()
    with pytest.warns(fastnn.DivergenceWarning):
        model.fit(*DATA, batch_size=7, epochs=3, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))
    with pytest.raises(FloatingPointError):
        model.train_on_batch(DATA[0] * 1e15, DATA[1] * 1e30)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="epsilon got 0"):
        BatchNormalization(epsilon=0)
    with pytest.raises(ValueError, match="momentum got 1"):
        BatchNormalization(momentum=1.5)
    with pytest.raises(ValueError, match="axis got 0"):
        LayerNormalization(axis=0)
    with pytest.raises(TypeError, match="center got 1"):
        LayerNormalization(center=1)
    with pytest.raises(RuntimeError, match="no weights before its model is built"):
        BatchNormalization().get_weights()
    model = built([BatchNormalization()], 2, backend="numpy")
    with pytest.raises(ValueError, match="moving_variance below 0"):
        model.set_weights([np.ones(2), np.ones(2), np.ones(2), -np.ones(2)])
    with pytest.raises(ValueError, match="got moving_mean"):
        model.layers[0].set_weights([np.ones(2), np.ones(2), np.ones(3), np.ones(2)])


@pytest.mark.parametrize(
    "layer", [BatchNormalization(momentum=0.9, scale=False, name="bn"), LayerNormalization(epsilon=1e-5)]
)
def test_layers_are_described_in_full(layer):
    described = layers.serialize(layer)
    assert layers.serialize(layers.deserialize(described)) == described


@pytest.mark.parametrize("kind", KINDS)
def test_pytorch_agrees(kind):
    torch = pytest.importorskip("torch")
    x, y = DATA
    make, _ = KINDS[kind]
    model = built([Dense(6, "tanh"), make(epsilon=1e-5), Dense(3)], 5, backend="numpy", dtype="float64")
    norm = {"batch": torch.nn.BatchNorm1d(6, momentum=0.01), "layer": torch.nn.LayerNorm(6)}[kind].double()
    peer = torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh(), norm, torch.nn.Linear(6, 3)).double()
    kernel, bias, gamma, beta, *moving, last, last_bias = model.get_weights()
    with torch.no_grad():
        values = (kernel.T, bias, gamma, beta, last.T, last_bias)
        for parameter, value in zip(peer.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value))
        if moving:
            norm.running_mean.copy_(torch.tensor(moving[0]))
    loss = torch.nn.functional.mse_loss(peer(torch.tensor(x)), torch.tensor(y))
    loss.backward()
    found = [g for layer in model.gradients(x, y) for g in layer.values()]
    for g, parameter in zip(found, peer.parameters(), strict=True):
        expected = parameter.grad.numpy()
        np.testing.assert_allclose(g, expected.T if g.ndim == 2 else expected, rtol=1e-9, atol=1e-12)
    model.train_on_batch(x, y)
    if moving:
        np.testing.assert_allclose(model.layers[1].moving_mean, norm.running_mean.numpy(), rtol=1e-12)
