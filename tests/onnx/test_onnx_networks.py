"""Networks as ONNX files: what ONNX Runtime makes of them is what predict gives."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import fastnn
from fastnn import layers
from fastnn.layers import Dense, Input
from fastnn.models.chain import chain
from fastnn.version import VERSION

RELATIVE = {"float32": 1e-6, "float64": 1e-14}  # of an output's largest value


def run(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs() + session.get_outputs()] == ["input", "output"]
    return session.run(["output"], {"input": x})[0]


def assert_same(model, x, tmp_path):
    path = tmp_path / "model.onnx"
    model.export(path)
    wanted, found = model.predict(x), run(path, x)
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    within = RELATIVE[model.dtype] * np.abs(wanted).max(initial=1e-3)
    if model.dtype == "float32":  # a normalisation may make more of what is rounded, here as there
        within = max(within, 2 * np.abs(exact(model).predict(x) - wanted).max(initial=0))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=within)
    return onnx.load(path)


def exact(model):
    """The model in float64."""
    double = fastnn.models.clone_model(model)
    double.compile(loss="mse", dtype="float64")
    double.build(model.input_shape)
    double.set_weights(model.get_weights())
    return double


def built(stack, dtype, seed=0):
    model = fastnn.Sequential(stack, seed=seed)
    model.compile(loss="mse", dtype=dtype)
    rng = np.random.default_rng(seed)
    model.set_weights([w + np.abs(rng.normal(0, 0.1, w.shape)) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("name", list(fastnn.engine.ACTIVATIONS))
def test_every_activation(name, dtype, tmp_path):
    x = np.random.default_rng(0).normal(0, 3, (200, 5)).astype(dtype)
    x[0] = 0
    scaled = x / 4 if name == "exponential" else x  # of which two are an infinity soon
    hidden = [] if name == "softmax" else [Dense(9, name)]
    made = assert_same(built([Input((5,)), *hidden, Dense(4, name)], dtype), scaled, tmp_path)
    wanted = {"gelu": (20, 9), "mish": (18, 8)}.get(name, (17, 8)) if dtype == "float32" else (17, 8)
    assert (made.opset_import[0].version, made.ir_version) == wanted
    if (name, dtype) == ("silu", "float64"):  # which ONNX Runtime 1.20 would fuse, and then has no kernel for
        assert "Sigmoid" not in {node.op_type for node in made.graph.node}


PARAMETERS = {"leaky_relu": 0.05, "elu": 0.7, "celu": 0.6, "squareplus": 2.5, "soft_shrink": 0.2, "hard_shrink": 1.5}


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_the_constants_of_activations(name, dtype, tmp_path):
    assert {each for each, row in fastnn.engine.ACTIVATIONS.items() if row.parameter} == set(PARAMETERS)
    x = np.random.default_rng(0).normal(0, 3, (200, 5)).astype(dtype)
    function = fastnn.activations.Activation(name, PARAMETERS[name])
    assert_same(built([Input((5,)), Dense(6, function), Dense(3, function)], dtype), x, tmp_path)


def adapted(layer, columns):
    layer.adapt(np.random.default_rng(0).normal(3, 2, (50, columns)))
    return layer


LAYERS = {
    "no bias": lambda: [Dense(4, use_bias=False)],
    "batch normalisation": lambda: [layers.BatchNormalization(), Dense(3)],
    "batch normalisation, bare": lambda: [layers.BatchNormalization(center=False, scale=False), Dense(3, "relu")],
    "batch normalisation last": lambda: [Dense(3), layers.BatchNormalization(epsilon=0.1)],
    "layer normalisation": lambda: [Dense(8), layers.LayerNormalization(), layers.Activation("gelu"), Dense(3)],
    "layer normalisation, bare": lambda: [layers.LayerNormalization(center=False, scale=False, epsilon=0.1), Dense(3)],
    "layer normalisation last": lambda: [Dense(3), layers.LayerNormalization(center=False)],
    "noise": lambda: [
        layers.GaussianNoise(1.0),
        Dense(8, "selu"),
        layers.AlphaDropout(0.5),
        layers.Dropout(0.5),
        Dense(2),
    ],
    "rescaling": lambda: [layers.Rescaling(1 / 255, -0.5), Dense(3)],
    "rescaling of columns": lambda: [layers.Rescaling([1.0, 2, 3, 4, 5], [0.0, 0, 1, 0, 0]), Dense(3)],
    "normalization": lambda: [adapted(layers.Normalization(), 5), Dense(3)],
    "normalization back": lambda: [Dense(3), layers.Normalization(mean=[1, 2, 3], variance=[4, 5, 6], invert=True)],
    "scaling": lambda: [layers.Scaling(), Dense(3), layers.Scaling()],
    "relu": lambda: [Dense(9), layers.ReLU(), Dense(9), layers.ReLU(negative_slope=0.1), Dense(3)],
    "relu of three numbers": lambda: [Dense(9), layers.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.3)],
    "relu6": lambda: [Dense(9), layers.ReLU(max_value=6), Dense(3), layers.ReLU(max_value=2.0)],
    "prelu": lambda: [Dense(9), layers.PReLU(), Dense(3), layers.PReLU()],
    "leaky relu and elu": lambda: [Dense(9), layers.LeakyReLU(), Dense(9), layers.ELU(0.5), Dense(3), layers.Softmax()],
    "an activation alone": lambda: [layers.Activation("tanh")],
    "two activations": lambda: [Dense(4, "relu"), layers.Activation("sigmoid"), layers.Activation("softmax")],
    "a model within": lambda: [fastnn.Sequential([Dense(7, "tanh"), Dense(6)]), layers.BatchNormalization(), Dense(2)],
}


@pytest.mark.parametrize("name", list(LAYERS))
def test_every_layer(name, dtype, tmp_path):
    kinds = {kind for stack in LAYERS.values() for layer in stack() for kind in type(layer).__mro__}
    public = {each for each in vars(layers).values() if isinstance(each, type) and issubclass(each, layers.Layer)}
    abstract = {layers.Layer, layers.Noise, layers.Weighted, layers.Normalizing}
    assert public - kinds - abstract == {Input, layers.Flatten, layers.Reshape}  # those: below
    x = np.random.default_rng(0).normal(1, 2, (100, 5)).astype(dtype)
    assert_same(built([Input((5,)), *LAYERS[name]()], dtype), x, tmp_path)


def test_rows_of_several_dimensions(dtype, tmp_path):
    model = built([Input((4, 3)), layers.Flatten(), Dense(12, "relu"), layers.Reshape((2, 3, -1))], dtype)
    x = np.random.default_rng(0).normal(0, 1, (7, 4, 3)).astype(dtype)
    assert_same(model, x, tmp_path)
    model = built([Input((4, 3)), layers.Rescaling([1.0, 2.0, 3.0]), layers.Flatten(), Dense(2)], dtype)
    assert_same(model, x, tmp_path)


def random_network(seed):
    rng = np.random.default_rng(seed)
    names = [name for name in fastnn.engine.ACTIVATIONS if name not in ("softmax", "exponential")]
    stack = [Input((int(rng.integers(1, 40)),))]
    for _ in range(rng.integers(0, 6)):
        activation = str(rng.choice(names))
        stack.append(Dense(int(rng.integers(1, 60)), use_bias=bool(rng.integers(2))))
        if rng.random() < 0.3:
            stack.append(layers.BatchNormalization() if rng.random() < 0.5 else layers.LayerNormalization())
        stack.append(layers.Activation(activation))
        if rng.random() < 0.3:
            stack.append(layers.Dropout(0.2))
    return built(
        [*stack, Dense(int(rng.integers(2, 12)), rng.choice(["linear", "softmax", "sigmoid"]))], "float32", seed
    )


@pytest.mark.parametrize("seed", range(0, 200, 20))
def test_random_networks(seed, tmp_path):
    for each in range(seed, seed + 20):
        model = random_network(each)
        x = np.random.default_rng(each).normal(0, 1, (each % 65 + 1, *model.input_shape[1:])).astype("float32")
        assert_same(model, x, tmp_path)


def test_what_the_file_says_of_itself(tmp_path):
    model = built([Input((3,)), Dense(2)], "float32")
    model.metadata = {"unit": "°C"}
    made = assert_same(model, np.ones((1, 3), "float32"), tmp_path)
    assert (made.producer_name, made.producer_version) == ("fastnn", VERSION)
    assert [each.dim_param for each in made.graph.input[0].type.tensor_type.shape.dim] == ["batch", ""]
    gemm = made.graph.node[0]
    assert (gemm.op_type, {each.name: each.i for each in gemm.attribute}) == ("Gemm", {"transB": 1})
    assert {each.key: json.loads(each.value) for each in made.metadata_props} == {"fastnn.metadata": {"unit": "°C"}}


def test_what_cannot_be_exported(tmp_path):
    cube = fastnn.activations.Custom(lambda x: x**3, lambda x: 3 * x**2, name="cube")
    with pytest.raises(ValueError, match=r"'dense' got an activation of your own.*wants one of fastnn.activations"):
        built([Input((3,)), Dense(2, cube)], "float32").export(tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="not built"):
        fastnn.Sequential([Dense(2)]).export(tmp_path / "m.onnx")
    model = built([Input((3,)), Dense(2)], "float32")
    for name in ("m", "m.onx", "m.onnx.gz", ".onnx"):
        with pytest.raises(ValueError, match=r"path got .*; wants a name that ends in \.fastnn, \.onnx, \.c, \.keras"):
            model.export(tmp_path / name)
    with pytest.raises(TypeError, match="model got str"):
        fastnn.onnx.export("model", tmp_path / "m.onnx")
    with pytest.raises(OSError, match="cannot be written"):
        model.export(tmp_path / "none" / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_chain_is_a_copy():
    model = built([Input((3,)), Dense(2)], "float64")
    found = chain(model)
    before = found.operations[0].kernel.copy()
    model.set_weights([w + 1 for w in model.get_weights()])
    np.testing.assert_array_equal(found.operations[0].kernel, before)
    assert (found.input_shape, found.output_shape, found.dtype) == ((3,), (2,), "float64")


def test_the_ending_fastnn_is_a_save(tmp_path):
    model = built([Input((3,)), Dense(2)], "float64")
    model.export(tmp_path / "m.fastnn")
    x = np.ones((1, 3))
    np.testing.assert_array_equal(fastnn.load_model(tmp_path / "m.fastnn").predict(x), model.predict(x))
