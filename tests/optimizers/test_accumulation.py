"""Updates that are made of the gradients of several steps."""

import pickle

import numpy as np
import pytest

import fastnn
from fastnn import optimizers
from fastnn.layers import BatchNormalization, Dense, Input

STEPS = 3
RULES = {
    "sgd": lambda: optimizers.SGD(0.1, gradient_accumulation_steps=STEPS),
    "clipped": lambda: optimizers.SGD(0.1, momentum=0.9, clipnorm=0.02, gradient_accumulation_steps=STEPS),
    "averaged": lambda: optimizers.Adam(0.01, use_ema=True, weight_decay=0.1, gradient_accumulation_steps=STEPS),
}
NETWORKS = {"chunks": (5, [7, 3], 8), "rows": (300, [130, 3], 64), "columns": (784, [160, 3], 128)}


def data(network, batches=7):
    inputs, units, batch_size = NETWORKS[network]
    rng = np.random.default_rng(0)
    rows = batches * batch_size - batch_size // 2  # the last batch is a short one
    return rng.normal(size=(rows, inputs)).astype("float32"), rng.normal(size=(rows, units[-1])).astype("float32")


def model(network, rule, **options):
    inputs, units, _ = NETWORKS[network]
    layers = [Dense(units[0], "tanh"), BatchNormalization(), Dense(units[1])] if network == "chunks" else None
    layers = layers or [Dense(units[0], "tanh", kernel_rate=0.5), Dense(units[1], kernel_regularizer="l2")]
    made = fastnn.Sequential([Input((inputs,)), *layers], seed=0)
    made.compile(**{"optimizer": RULES[rule](), "loss": "mse", "dtype": "float64", **options})
    return made


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", NETWORKS)
def test_backends_agree_and_threads_make_no_difference(network, rule, extension):
    x, y = data(network)
    found = {}
    for backend, threads in (("numba", 1), ("numba", 2), ("cython", 2), ("numpy", 1)):
        trained = model(network, rule, backend=backend, threads=threads)
        history = trained.fit(x, y, NETWORKS[network][2], 2, verbose=0).history["loss"]
        found[backend, threads] = [*trained.get_weights(), np.array(history)]
    for got in (found["numba", 2], found["cython", 2]):
        for a, b in zip(got, found["numba", 1], strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(found["numpy", 1], found["numba", 1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


def test_steps_of_equal_batches_are_one_of_a_larger(backend):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 96, 4))
    found = []
    for batch_size, steps in ((8, 3), (24, None)):
        made = fastnn.Sequential([Input((4,)), Dense(6, "tanh"), Dense(4)], seed=0)
        rule = optimizers.Adam(0.01, gradient_accumulation_steps=steps)
        made.compile(rule, "mse", backend=backend, dtype="float64")
        made.fit(x, y, batch_size, 3, shuffle=False, verbose=0)
        found.append(made.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_what_is_kept_goes_on_in_the_next_fit_and_in_a_copy(tmp_path, backend):
    """Five steps, of which two wait; then four more, whatever takes them."""
    x, y = data("chunks", 9)
    x, y = x[: 9 * 8], y[: 9 * 8]
    whole, parts = model("chunks", "averaged", backend=backend), model("chunks", "averaged", backend=backend)
    for made in (whole, parts):
        made.optimizer.use_ema = False
    for at in range(9):
        whole.train_on_batch(x[8 * at : 8 * at + 8], y[8 * at : 8 * at + 8])
    parts.fit(x[:40], y[:40], 8, shuffle=False, verbose=0)
    parts.save(tmp_path / "model.fastnn")
    for made in (parts, pickle.loads(pickle.dumps(parts)), fastnn.load_model(tmp_path / "model.fastnn")):
        made.fit(x[40:], y[40:], 8, shuffle=False, verbose=0)
        for a, b in zip(made.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("steps", [0, 1, -2, 1.5, "2"])
def test_other_numbers_of_steps_are_refused(steps):
    with pytest.raises((TypeError, ValueError), match="gradient_accumulation_steps got"):
        optimizers.SGD(gradient_accumulation_steps=steps)
