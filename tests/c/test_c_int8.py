"""Networks in int8 as C99: the integers that NumPy computes, to the bit, and digits told apart as well as in float."""

import numpy as np
import pytest
from c_compiler import library, needs_cc, predicted

import fastnn
from fastnn.c import int8, reference
from fastnn.c.stages import stages
from fastnn.layers import BatchNormalization, Dense, Input, LayerNormalization, Normalization, PReLU, ReLU, Rescaling
from fastnn.models.chain import chain

pytestmark = needs_cc


def built(given, inputs):
    model = fastnn.Sequential([Input((inputs,)), *given], seed=0)
    model.compile("adam", "mse", backend="numpy")
    model.build()
    return model


CHAINS = {
    "clamped": [Dense(20, "relu"), Dense(20, "relu6"), Dense(12, "hard_tanh"), Dense(3, "softmax")],
    "tables": [Dense(20, "gelu"), Dense(20, "tanh"), ReLU(6.0, 0.1, 0.2), Dense(3, "sigmoid")],
    "linear": [Dense(20), Dense(7, use_bias=False), Dense(1)],
    "scaled": [Normalization(mean=np.full(9, 50.0), variance=np.full(9, 4.0)), Dense(8, "relu"), Dense(2, "softmax")],
    "rescaled": [Rescaling(0.25, -0.5), Dense(8, "selu"), BatchNormalization(), Dense(2)],
    "rows": [Dense(20, "relu"), LayerNormalization(), Dense(11), PReLU(), Dense(2)],
    "no product": [Rescaling(2.0), PReLU()],
    "product last": [PReLU(), Dense(3)],
}


@pytest.mark.parametrize("seed", range(2))
def test_c_computes_the_integers_that_numpy_does(seed, tmp_path):
    made, rng = {}, np.random.default_rng(seed)
    for number, (name, given) in enumerate(CHAINS.items()):
        model = built(given, 9)
        model.set_weights([w + rng.normal(0, 0.3, w.shape) ** 2 for w in model.get_weights()])
        x = rng.standard_normal((100, 9)).astype(np.float32) * 2 + 50 * (name == "scaled")
        model.export(tmp_path / f"n{number}.c", dtype="int8", calibration=x[:50])
        found = chain(model)
        given = int8.quantized(stages(found.operations, 9, keep_scaling=True), x[:50].astype(np.float64))
        made[number] = x, int8.predicted(given, x), model.predict(x, verbose=0)
    compiled = library([tmp_path / f"n{number}.c" for number in made], tmp_path)
    for number, (x, approximate, exact) in made.items():
        y, name = predicted(compiled, f"n{number}", x, exact.shape[1]), list(CHAINS)[number]
        np.testing.assert_allclose(y, approximate, 1e-5, 1e-6, err_msg=name)
        assert np.sqrt(np.mean((y - exact)[:50] ** 2)) <= 0.06 * np.abs(exact).max(), name


def test_digits_are_told_apart_as_well_as_in_float(tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    model = fastnn.Sequential([Rescaling(1 / 16), Dense(64, "relu"), Dense(32, "tanh"), Dense(10, "softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x[:1200], y[:1200], epochs=30, verbose=0)
    report = model.export(tmp_path / "net.c", dtype="int8", calibration=x[:300])
    p = predicted(library([tmp_path / "net.c"], tmp_path), "net", x, 10)
    exact = model.predict(x, verbose=0)
    assert report.rows == 300
    assert np.isclose(report.max_error, np.abs(p - exact)[:300].max(), rtol=0.01)
    assert np.isclose(report.rms_error, np.sqrt(np.mean((p - exact)[:300] ** 2)), rtol=0.01)
    assert report.agreement == np.mean((p.argmax(1) == exact.argmax(1))[:300])
    right = [np.mean(found[1200:].argmax(1) == y[1200:]) for found in (p, exact)]
    assert right[0] >= right[1] - 0.005
    assert report.flash < 0.32 * model.export(tmp_path / "net.c").flash


def test_rounding_is_gemmlowps():
    """Against the definition: SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT, as gemmlowp writes them."""

    def divided(x, shift):
        mask = (1 << shift) - 1
        return (x >> shift) + int((x & mask) > (mask >> 1) + (x < 0))

    def high_product(a, b):
        product = a * b
        nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
        return abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)

    rng = np.random.default_rng(0)
    sums = np.concatenate([rng.integers(-(2**29), 2**29, 3000), rng.integers(-300, 300, 3000), [0, 1, -1]])
    multipliers, shifts = rng.integers(2**30, 2**31, len(sums)), rng.integers(0, 31, len(sums))
    wanted = [divided(high_product(int(a), int(b)), int(s)) for a, b, s in zip(sums, multipliers, shifts, strict=True)]
    np.testing.assert_array_equal(int8.scaled(sums, multipliers, shifts), wanted)


def test_weights_that_are_all_zero_and_large_biases_are_exact_enough(tmp_path):
    model = built([Dense(3, "relu"), Dense(2)], 2)
    weights = [np.zeros((2, 3)), np.array([0.0, 5.0, 1e4]), np.array([[1, 0], [0, 1], [1e-4, 0]]), np.zeros(2)]
    model.set_weights(weights)
    report = model.export(tmp_path / "net.c", dtype="int8", calibration=[[0.0, 0.0]])
    y = predicted(library([tmp_path / "net.c"], tmp_path), "net", [[3.0, -2.0]], 2)
    assert np.abs(y - model.predict([[3.0, -2.0]], verbose=0)).max() <= report.max_error * 1.001 + 1e-6
    assert report.max_error < 1e4 / 255


def test_layers_too_wide_for_sums_in_32_bits_are_refused(tmp_path):
    model = built([Dense(1)], 70_000)
    model.set_weights([np.ones((70_000, 1)), np.zeros(1)])
    with pytest.raises(ValueError, match="70000 inputs, too many for sums in int32; wants dtype='float32'"):
        model.export(tmp_path / "net.c", dtype="int8", calibration=np.ones((1, 70_000)))


def test_a_rounded_grid_holds_zero_exactly():
    rng = np.random.default_rng(0)
    for low, high in [*np.sort(rng.normal(size=(200, 2))), (3.0, 5.0), (-2.0, -1.0), (0.0, 0.0)]:
        grid = int8._covering(np.array([low, high]))
        assert grid.reals(grid.integers(np.zeros(1)))[0] == 0
        assert np.abs(grid.reals(grid.integers(np.array([low, high]))) - [low, high]).max() <= 1.01 * grid.scale


def test_the_reference_is_the_model():
    model = built(CHAINS["tables"], 9)
    x = np.random.default_rng(0).normal(size=(20, 9)).astype(np.float32)
    found = reference.predicted(stages(chain(model).operations, 9), x.astype(np.float64))
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-6)
