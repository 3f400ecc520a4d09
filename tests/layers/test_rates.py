"""Learning rates of a layer's own, and the layer that scales its inputs."""

import naive
import numpy as np
import pytest

import fastnn
from fastnn.layers import Dense, Input, Scaling


def build(layers, inputs, backend, dtype="float64", optimizer="adam", threads=None, seed=0):
    model = fastnn.Sequential([Input((inputs,)), *layers], seed=seed)
    model.compile(optimizer, "mse", backend=backend, dtype=dtype, threads=threads)
    return model


def data(rows, inputs, outputs, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, inputs)), rng.normal(size=(rows, outputs))


@pytest.mark.parametrize("units", [2, 40])  # stored transposed, and not
def test_a_rate_multiplies_a_step(backend, units):
    x, y = data(13, 5, units)
    plain = build([Dense(units, "tanh", bias_initializer="ones")], 5, backend)
    rated = build([Dense(units, "tanh", bias_initializer="ones", kernel_rate=0.3, bias_rate=0.0)], 5, backend)
    before = plain.get_weights()
    for model in (plain, rated):
        model.train_on_batch(x, y)
    kernel, bias = rated.get_weights()
    np.testing.assert_allclose(kernel - before[0], 0.3 * (plain.get_weights()[0] - before[0]), rtol=1e-9)
    np.testing.assert_array_equal(bias, before[1])


def test_rates_of_many_steps_are_those_of_the_ntk_parametrisation(backend):
    """y = x (a W) + c: Adam's steps of W are a times as long for the product; its epsilon counts for nothing here."""
    x, y = data(64, 7, 20)
    a = 7**-0.5
    adam = fastnn.optimizers.Adam(0.02, epsilon=1e-12)
    model = build([Dense(20, kernel_rate=a, bias_rate=0.1)], 7, backend, optimizer=adam)
    w, c = model.get_weights()
    model.fit(x, y, batch_size=64, epochs=10, shuffle=False, verbose=0)
    big, biased = naive.Adam(0.02, epsilon=1e-12), naive.Adam(0.002, epsilon=1e-12)
    w = w / a
    for _ in range(10):
        d = 2 * (x @ (a * w) + c - y) / y.size
        big.update([w], [a * x.T @ d])
        biased.update([c], [d.sum(axis=0)])
    np.testing.assert_allclose(model.get_weights()[0], a * w, rtol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], c, rtol=1e-6)


@pytest.mark.parametrize("first", [True, False])
def test_scaling_has_the_derivatives_that_differences_have(backend, first):
    x, y = data(11, 6, 3)
    layers = [Scaling("random_normal"), Dense(3)] if first else [Dense(9, "tanh"), Scaling(), Dense(3)]
    model = build(layers, 6, backend)
    parts = [part for layer in model.gradients(x, y) for part in layer.values()]
    weights = model.get_weights()
    for part, w in zip(parts, weights, strict=True):
        for at in [(0,) * w.ndim, (-1,) * w.ndim]:
            losses, kept = [], w[at]
            for step in (1e-5, -1e-5):
                w[at] = kept + step
                model.set_weights(weights)
                losses.append(model.evaluate(x, y, verbose=0))
            w[at] = kept
            assert part[at] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_scaling_multiplies(backend, dtype):
    x, _ = data(5, 20, 1)
    model = build([Scaling("random_uniform")], 20, backend, dtype)
    (gamma,) = model.get_weights()
    np.testing.assert_allclose(model.predict(x), x * gamma, rtol=1e-6)
    np.testing.assert_array_equal(model.layers[0].gamma, gamma)


@pytest.mark.parametrize("batch_size", [16, 200])
def test_backends_and_threads_agree(extension, batch_size):
    x, y = data(400, 10, 2)
    ends = []
    for backend, threads in [("numpy", 1), ("cython", 1), ("cython", 2), ("cython", 3)]:
        layers = [
            Scaling(gamma_rate=6.0),
            Dense(300, "selu", kernel_rate=0.3, bias_rate=0.1),
            Dense(2, kernel_rate=0.1, bias_rate=2.0),
        ]
        model = build(layers, 10, backend, "float32", threads=threads)
        model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0)
        ends.append(model.get_weights())
    for first, second in zip(ends[1], ends[2], strict=True):
        np.testing.assert_array_equal(first, second)
    for first, second in zip(ends[1], ends[3], strict=True):
        np.testing.assert_array_equal(first, second)
    for first, second in zip(ends[0], ends[1], strict=True):
        np.testing.assert_allclose(first, second, rtol=2e-3, atol=2e-4)


def test_both_are_saved(tmp_path):
    model = build([Scaling(gamma_rate=6.0), Dense(2, kernel_rate=0.5, bias_rate=0.1)], 3, "numpy")
    model.save(tmp_path / "model")
    scaling, dense = fastnn.load_model(tmp_path / "model", backend="numpy").layers
    assert (scaling.gamma_rate, dense.kernel_rate, dense.bias_rate) == (6.0, 0.5, 0.1)


@pytest.mark.parametrize(("layer", "argument"), [(Scaling, "gamma_rate"), (Dense, "kernel_rate"), (Dense, "bias_rate")])
def test_a_rate_is_not_negative(layer, argument):
    units = [3] if layer is Dense else []
    with pytest.raises(ValueError, match=f"{argument} got -1"):
        layer(*units, **{argument: -1})


def test_cycles_double():
    schedule = fastnn.optimizers.schedules.CosineLog(0.5, 150, cycles=4)
    ends = np.array([0, 10, 30, 70, 150, 200])
    np.testing.assert_allclose(schedule(ends), 0, atol=1e-12)
    rates = schedule(np.arange(151))
    assert rates.max() == pytest.approx(0.5, rel=1e-3)
    assert np.flatnonzero(rates < 1e-12).tolist() == [0, 10, 30, 70, 150]
    fine = fastnn.optimizers.schedules.CosineLog(1.0, 15_000)(np.arange(1, 15_000))
    assert ((fine[1:-1] > fine[:-2]) & (fine[1:-1] > fine[2:])).sum() == 4
