"""Networks as C99: the outputs of the models, whatever these are made of, from code that compilers say nothing of."""

import ctypes
import shutil
import subprocess
import threading

import numpy as np
import pytest
from c_compiler import SANITIZE, compiled, library, needs_cc, predicted, run_tests

import fastnn
import fastnn.c
from fastnn import layers
from fastnn.kernels.formulas import ACTIVATIONS
from fastnn.layers import Activation, BatchNormalization, Dense, Input, LayerNormalization, Normalization, Rescaling

pytestmark = needs_cc

NAMES = [name for name in ACTIVATIONS if name != "softmax"]  # which is of the last layer alone


def built(given, inputs, seed=0, dtype="float32"):
    """A model of layers whose weights are all drawn, those that start as 0 or 1 too."""
    model = fastnn.Sequential([Input((inputs,)), *given], seed=seed)
    model.compile(loss="mse", dtype=dtype, backend="numpy")
    model.build()
    rng = np.random.default_rng(seed)
    weights = [w + rng.uniform(0, 0.2, w.shape) if w.ndim == 1 else w for w in model.get_weights()]
    model.set_weights(weights)
    return model


def random_model(seed, dtype="float32"):
    """Up to four layers of 1 to 39 units, any activation between them; in float64 any other layer too.

    LayerNormalization and the like may be ill-conditioned where they are drawn at random: in float32 the model is then
    itself further from what float64 has than a millionth.
    """
    rng = np.random.default_rng(seed)
    anything = dtype == "float64"
    inputs = int(rng.integers(1, 40))
    found = [Rescaling(0.5, 0.1)] * (rng.random() < 0.2)
    if anything and rng.random() < 0.4:
        found.append(Normalization(mean=rng.normal(size=inputs) * 5, variance=rng.uniform(0.1, 2, inputs)))
    for _ in range(rng.integers(1, 5)):
        found.append(Dense(int(rng.integers(1, 40)), use_bias=bool(rng.random() < 0.8)))
        between = [LayerNormalization, layers.PReLU, lambda: layers.ReLU(6.0, 0.1, 0.2), layers.LeakyReLU]
        if anything and rng.random() < 0.5:
            found.append(between[rng.integers(len(between))]())
        elif rng.random() < 0.3:
            found.append(BatchNormalization())
        found.append(Activation(NAMES[rng.integers(len(NAMES))]))
        if rng.random() < 0.2:
            found += [BatchNormalization(), layers.Dropout(0.1)]
    return built([*found, *[Dense(3, "softmax")] * (rng.random() < 0.3)], inputs, seed, dtype)


def rows(model, count=7, seed=0):
    return np.random.default_rng(seed).standard_normal((count, model.input_shape[1])).astype(model.dtype)


def assert_same(y, expected, tolerance=1e-6):
    assert np.abs(y - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize(("dtype", "count", "tolerance"), [("float32", 100, 1e-6), ("float64", 40, 1e-11)])
def test_random_networks_compute_what_the_models_do(dtype, count, tolerance, tmp_path):
    models = {f"n{seed}": random_model(seed, dtype) for seed in range(count)}
    for stem, model in models.items():
        model.export(tmp_path / f"{stem}.c")
    made = library([tmp_path / f"{stem}.c" for stem in models], tmp_path)
    for stem, model in models.items():
        x = rows(model)
        y = predicted(made, stem, x, model.output_shape[1], dtype)
        assert_same(y, model.predict(x, verbose=0), tolerance)


@pytest.fixture
def small():
    return built([Dense(8, "relu"), Dense(5, "tanh"), LayerNormalization(), Dense(3, "softmax")], 4)


def test_every_activation_is_computed_wherever_x_is(tmp_path):
    x = np.concatenate([[np.nan, -1e30, -100, 1e30, 0, -0.0], np.linspace(-12, 12, 2001)]).astype(np.float32)[
        :, np.newaxis
    ]
    models = {}
    for name in NAMES:
        models[name] = built([Activation(name)], 1)
        models[name].export(tmp_path / f"n_{name}.c")
    made = library([tmp_path / f"n_{name}.c" for name in NAMES], tmp_path)
    for name, model in models.items():
        y, expected = predicted(made, f"n_{name}", x, 1), model.predict(x[1:], verbose=0)
        assert np.isnan(y[0]), name
        y = y[1:]
        np.testing.assert_allclose(y, expected, 3e-6, 3e-7, err_msg=name)


def test_scratch_is_as_large_as_is_said_and_state_is_nowhere_else(small, tmp_path):
    """Threads that predict at once, each with scratch of its own, do not disturb each other; constants are constant."""
    report = small.export(tmp_path / "net.c")
    made, x = library([tmp_path / "net.c"], tmp_path), rows(small, 400)
    expected = predicted(made, "net", x, 3)
    assert f"#define NET_RAM {report.ram} " in (tmp_path / "net.h").read_text()
    assert f"#define NET_FLASH {report.flash} " in (tmp_path / "net.h").read_text()
    assert report.flash == 4 * (4 * 8 + 8 + 8 * 5 + 5 + 5 + 5 + 5 * 3 + 3)  # gamma and beta of the normalisation too
    results = np.zeros((4, 400, 3), np.float32)

    def predict(number):
        scratch = ctypes.create_string_buffer(report.ram)
        for row, y in zip(x, results[number], strict=True):
            made.net_predict_into(ctypes.c_void_p(row.ctypes.data), ctypes.c_void_p(y.ctypes.data), scratch)

    threads = [threading.Thread(target=predict, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results, np.broadcast_to(expected, results.shape))
    (tmp_path / "size.c").write_text(
        '#include "net.h"\nint main(void)\n{\n    return sizeof(net_scratch) != NET_RAM;\n}\n'
    )
    program = compiled([tmp_path / "size.c", tmp_path / "net.c"], tmp_path / "size")
    assert subprocess.run([program]).returncode == 0
    if shutil.which("nm"):
        compiled([tmp_path / "net.c"], tmp_path / "net.o", "-c")
        symbols = subprocess.run(["nm", tmp_path / "net.o"], capture_output=True, text=True, check=True).stdout
        kinds = {line.split()[-2] for line in symbols.splitlines()}
        assert kinds <= set("TtRrU"), symbols  # neither data nor bss
        assert {line.split()[-1] for line in symbols.splitlines() if " U " in line} <= {"expf", "tanhf", "sqrtf"} | {
            line.split()[-1] for line in symbols.splitlines() if "stack_chk" in line or "GLOBAL_OFFSET" in line
        }


def test_test_programs_pass_under_sanitizers_and_fail_where_the_code_is_wrong(small, tmp_path):
    wide = built([Normalization(mean=np.full(6, 100.0), variance=np.full(6, 4.0)), layers.PReLU(), Dense(1)], 6)
    x = rows(small, 64)
    small.export(tmp_path / "small.c", test_vectors=x[:3])
    small.export(tmp_path / "eight.c", dtype="int8", calibration=x, test_vectors=True)
    wide.export(tmp_path / "wide.c", test_vectors=True)
    wide.export(tmp_path / "wide_eight.c", dtype="int8", calibration=rows(wide) * 2 + 100, test_vectors=True)
    said = run_tests(["small", "eight", "wide", "wide_eight"], tmp_path, *SANITIZE)
    assert said.count("the largest difference") == 4
    source = (tmp_path / "small.c").read_text()
    (tmp_path / "small.c").write_text(source.replace("_bias_1[j];", "_bias_1[j] + 0.01f;"))
    with pytest.raises(AssertionError, match="small: the largest difference"):
        run_tests(["small"], tmp_path)


def test_constants_can_be_put_into_a_section_and_a_header_is_cplusplus_too(small, tmp_path):
    small.export(tmp_path / "net.c")
    section = '-DNET_CONST=static const __attribute__((section(".flash.net")))'
    placed = compiled([tmp_path / "net.c"], tmp_path / "net.o", section, "-c").read_bytes()
    assert b".flash.net" in placed
    if shutil.which("c++"):
        (tmp_path / "main.cpp").write_text('#include "net.h"\nint main() { return NET_INPUTS - 4; }\n')
        subprocess.run(["c++", "-Wall", "-Werror", "-fsyntax-only", tmp_path / "main.cpp"], check=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1net.c", "wants an identifier of C"),
        ("my-net.c", "wants an identifier of C"),
        ("_net.c", "wants an identifier of C"),
        ("while.c", "wants an identifier of C"),
        ("n\u00e9t.c", "wants an identifier of C"),
        ("math.c", "no header of C's own"),
    ],
)
def test_names_that_c_cannot_have_are_refused(small, tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        small.export(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int4"}, "dtype got 'int4'; wants one of 'float32', 'float64', 'int8'"),
        ({"dtype": "int8"}, "calibration got no rows"),
        ({"calibration": np.ones((3, 4))}, "calibration got rows, and dtype 'float32'"),
        ({"dtype": "int8", "calibration": np.ones((3, 5))}, "calibration got shape"),
        ({"dtype": "int8", "calibration": np.ones((0, 4))}, "calibration got shape"),
        ({"dtype": "int8", "calibration": np.full((3, 4), np.nan)}, "calibration got NaN"),
        ({"dtype": "int8", "calibration": [["a"] * 4]}, "calibration got what is no array of numbers"),
        ({"test_vectors": np.ones(4)}, "test_vectors got shape"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_written(small, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        small.export(tmp_path / "net.c", **options)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_leaves_no_part_behind(small, tmp_path):
    (tmp_path / "net.h").mkdir()
    with pytest.raises(OSError, match=r"net\.h"):
        small.export(tmp_path / "net.c")
    assert [path.name for path in tmp_path.iterdir()] == ["net.h"]
    with pytest.raises(TypeError, match="model got str; wants a Sequential"):
        fastnn.c.export("small", tmp_path / "net.c")


def test_a_float64_model_may_be_written_in_floats_but_not_where_these_overflow(tmp_path):
    model = built([Dense(2)], 2, dtype="float64")
    assert model.export(tmp_path / "net.c").dtype == "float64"
    assert "double *x" in (tmp_path / "net.h").read_text()
    assert model.export(tmp_path / "net.c", dtype="float32").flash == 4 * 6
    model.set_weights([w * 1e300 for w in model.get_weights()])
    with pytest.raises(ValueError, match="no finite float; wants dtype='float64'"):
        model.export(tmp_path / "net.c", dtype="float32")
