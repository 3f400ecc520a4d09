"""ONNX files in: those that fastnn, PyTorch, tf2onnx, Keras and skl2onnx write, and hostile ones."""

import random
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn
from fastnn import layers
from fastnn.layers import Dense, Input

FILES = Path(__file__).parent / "files"
RELATIVE = {"float32": 1e-6, "float64": 1e-12}


def assert_close(found, wanted, relative):
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=relative * np.abs(wanted).max(initial=1e-3))


def built(stack, dtype="float32"):
    model = fastnn.Sequential(stack, seed=0)
    model.compile(loss="mse", dtype=dtype)
    rng = np.random.default_rng(0)
    model.set_weights([w + np.abs(rng.normal(0, 0.1, w.shape)) for w in model.get_weights()])
    return model


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


# --- What fastnn writes ---


@pytest.mark.parametrize("name", list(fastnn.engine.ACTIVATIONS))
def test_every_activation_comes_back(name, dtype, tmp_path):
    row = fastnn.engine.ACTIVATIONS[name]
    for parameter in [None, 0.3, 1.7] if row.parameter else [None]:
        function = fastnn.activations.Activation(name, parameter)
        hidden = [] if name == "softmax" else [Dense(7, function)]
        model = built([Input((5,)), *hidden, Dense(4, function)], dtype)
        model.metadata = {"a": 1}
        model.export(tmp_path / "m.onnx")
        again = fastnn.load_model(tmp_path / "m.onnx")
        same = "elu" if name == "celu" and parameter is None else name
        assert [layer.activation.name for layer in again.layers] == [same] * (len(hidden) + 1)
        if parameter:
            assert again.layers[0].activation.parameter == pytest.approx(parameter, rel=1e-6)
        assert (again.dtype, again.metadata) == (dtype, {"a": 1})
        x = np.random.default_rng(1).normal(0, 1, (50, 5)).astype(dtype)
        assert_close(again.predict(x), model.predict(x), RELATIVE[dtype])


LAYERS = {
    "no bias": (lambda: [Dense(4, use_bias=False), Dense(2)], ["Dense", "Dense"]),
    "batch normalisation": (
        lambda: [Dense(4), layers.BatchNormalization(), layers.Activation("relu"), Dense(3)],
        ["Dense", "BatchNormalization", "Activation", "Dense"],
    ),
    "layer normalisation": (
        lambda: [Dense(8), layers.LayerNormalization(epsilon=0.01), Dense(3, "softmax")],
        ["Dense", "LayerNormalization", "Dense"],
    ),
    "noise": (lambda: [layers.GaussianNoise(1.0), Dense(8, "selu"), layers.Dropout(0.5), Dense(2)], ["Dense", "Dense"]),
    "rescaling": (lambda: [layers.Rescaling(1 / 255, -0.5), Dense(3)], ["Rescaling", "Dense"]),
    "scaling": (lambda: [layers.Scaling(), Dense(3)], ["Rescaling", "Dense"]),
    "normalization": (
        lambda: [layers.Normalization(mean=[1, 2, 3, 4, 5], variance=[4, 5, 6, 7, 8]), Dense(3)],
        ["Rescaling", "Dense"],
    ),
    "relu": (lambda: [Dense(9), layers.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.3)], ["Dense", "ReLU"]),
    "prelu": (lambda: [Dense(9), layers.PReLU("uniform"), Dense(3)], ["Dense", "PReLU", "Dense"]),
    "shapes": (lambda: [Dense(6), layers.Reshape((2, 3))], ["Dense", "Reshape"]),
}


@pytest.mark.parametrize("name", list(LAYERS))
def test_layers_come_back(name, dtype, tmp_path):
    stack, wanted = LAYERS[name]
    model = built([Input((5,)), *stack()], dtype)
    model.export(tmp_path / "m.onnx")
    again = fastnn.onnx.load(tmp_path / "m.onnx", backend="numpy")
    assert kinds(again) == wanted
    x = np.random.default_rng(1).normal(1, 2, (50, 5)).astype(dtype)
    assert_close(again.predict(x), model.predict(x), 2 * RELATIVE[dtype])


def test_images_come_back(tmp_path):
    model = built([Input((4, 3)), layers.Flatten(), Dense(5, "relu"), Dense(2)])
    model.export(tmp_path / "m.onnx")
    again = fastnn.load_model(tmp_path / "m.onnx")
    x = np.random.default_rng(1).normal(0, 1, (9, 4, 3)).astype("float32")
    assert_close(again.predict(x), model.predict(x), 1e-6)


def test_training_goes_on(tmp_path):
    x = np.random.default_rng(0).normal(0, 1, (64, 5))
    model = built([Input((5,)), Dense(8, "tanh"), layers.BatchNormalization(), Dense(1)], "float64")
    model.export(tmp_path / "m.onnx")
    again = fastnn.load_model(tmp_path / "m.onnx")
    for each in (model, again):
        each.compile("sgd", "mse", dtype="float64")
        each.fit(x, x[:, :1], epochs=3, shuffle=False, verbose=0)
    assert_close(again.predict(x), model.predict(x), 1e-12)


# --- What others write ---

OTHERS = {
    "torch_dynamo": ["Dense", "Dense", "LayerNormalization", "Activation", "Dense", "PReLU", "Dense"],
    "torch_script": ["Dense", "BatchNormalization", "Activation", "Dense", "Dense", "Dense"],
    "tf2onnx_ln": ["Dense", "LayerNormalization", "Activation", "Dense"],
    "tf2onnx_prelu": ["Dense", "PReLU", "Dense"],
    "tf2onnx_sparse_plus": ["Dense", "Dense"],
    "keras_relu3": ["Dense", "ReLU", "Dense"],
    "keras_mish": ["Dense", "Dense"],
    "keras_d3": ["Dense", "Dense", "Dense"],
}


@pytest.mark.parametrize("name", list(OTHERS))
def test_files_of_others(name):
    """PyTorch 2.13 wrote them by both of its exporters, tf2onnx 1.17 and Keras 3.15 (on TensorFlow 2.21)."""
    assert {path.stem for path in FILES.glob("*.onnx")} == set(OTHERS)
    with np.load(FILES / "expected.npz") as expected:
        x, y = expected[f"{name} x"], expected[f"{name} y"]
    model = fastnn.load_model(FILES / f"{name}.onnx", backend="numpy")
    assert kinds(model) == OTHERS[name]
    assert_close(model.predict(x), y, 1e-6)


@pytest.mark.parametrize("depth", range(1, 7))
def test_torch_itself(depth, tmp_path):
    torch = pytest.importorskip("torch")
    stack = [each for i in range(depth - 1) for each in (torch.nn.Linear(5, 5), torch.nn.SiLU())]
    net, x = torch.nn.Sequential(*stack, torch.nn.Linear(5, 2)).eval(), torch.randn(4, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (x,), tmp_path / "m.onnx", dynamo=False)
    model = fastnn.load_model(tmp_path / "m.onnx", backend="numpy")
    assert_close(model.predict(x.numpy()), net(x).detach().numpy(), 1e-6)


ESTIMATORS = {
    "three classes": (lambda: MLPClassifier((8, 7), "tanh", max_iter=5, random_state=0), lambda y: y),
    "two classes": (lambda: MLPClassifier((8,), max_iter=5, random_state=0), lambda y: y == 1),
    "texts": (lambda: MLPClassifier((8,), "logistic", max_iter=5, random_state=0), lambda y: np.array(list("abc"))[y]),
    "a number": (lambda: MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0), lambda y: y * 1.5),
    "scaled": (lambda: make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=5, random_state=0)), lambda y: y),
}


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_skl2onnx(name, dtype, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    make, target = ESTIMATORS[name]
    x, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator = make().fit(x, target(y))
    written = skl2onnx.to_onnx(estimator, x[:1].astype(dtype))
    (tmp_path / "m.onnx").write_bytes(written.SerializeToString())
    model = fastnn.load_model(tmp_path / "m.onnx", backend="numpy")
    classifies = hasattr(estimator, "predict_proba")
    wanted = estimator.predict_proba(x) if classifies else estimator.predict(x)[:, np.newaxis]
    assert_close(model.predict(x.astype(dtype)), wanted, 2e-6)


# --- What is refused ---


def written(nodes, path, constants=None, shape=("batch", 3), opset=17, kind=TensorProto.FLOAT):
    given = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", None])],
        given,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), path)
    return path


KERNEL = {"w": np.ones((3, 2), np.float32)}
node = helper.make_node
REFUSED = {
    "Conv": ([node("Conv", ["x", "w"], ["y"])], KERNEL, "operator Conv"),
    "a branch": (
        [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["x", "w"], ["b"]), node("Add", ["a", "b"], ["y"])],
        KERNEL,
        "operators Add",
    ),
    "two products of the input": ([node("MatMul", ["x", "x"], ["y"])], {}, "MatMul"),
    "tanh's approximation of gelu": ([node("Gelu", ["x"], ["y"], approximate="tanh")], {}, "operators Gelu"),
    "a sine": ([node("Sin", ["x"], ["y"])], {}, "operator Sin"),
    "x squared": ([node("Mul", ["x", "x"], ["y"])], {}, "operators Mul"),
    "a matrix in a sum": ([node("Add", ["x", "w"], ["y"])], {"w": np.ones((2, 3), np.float32)}, "with a matrix"),
    "softmax of rows": ([node("Softmax", ["x"], ["y"], axis=0)], {}, "Softmax over another axis"),
    "a giant": (
        [node("ConstantOfShape", ["n"], ["c"]), node("Add", ["x", "c"], ["y"])],
        {"n": np.array([10**6, 10**6])},
        "ConstantOfShape",
    ),
    "an outer sum": (
        [node("Add", ["a", "b"], ["c"]), node("MatMul", ["x", "c"], ["y"])],
        {"a": np.ones((10**4, 1), np.float32), "b": np.ones((1, 10**4), np.float32)},
        "operator Add of constants",
    ),
    "nothing": ([node("Identity", ["x"], ["y"])], {}, "no layers"),
    "infinity": ([node("MatMul", ["x", "w"], ["y"])], {"w": np.full((3, 2), np.inf, np.float32)}, "no model here"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_is_no_chain_is_refused_by_name(name, tmp_path):
    nodes, constants, message = REFUSED[name]
    opset = 20 if "gelu" in name else 17
    path = written(nodes, tmp_path / "m.onnx", constants, opset=opset)
    with pytest.raises(fastnn.ModelFileError, match=rf"m\.onnx .*{message}"):
        fastnn.load_model(path)


def test_subgraphs_are_refused(tmp_path):
    inner = helper.make_graph(
        [node("Identity", ["x"], ["z"])], "inner", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
    )
    body = [node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]
    path = written(body, tmp_path / "m.onnx", {"c": np.array(True)})
    with pytest.raises(fastnn.ModelFileError, match="operator If"):
        fastnn.load_model(path)


def test_other_files_and_lies_are_errors(tmp_path):
    product = [node("MatMul", ["x", "w"], ["y"])]
    path = tmp_path / "m.onnx"
    with pytest.raises(FileNotFoundError):
        fastnn.load_model(path)
    path.write_bytes(b"")
    with pytest.raises(fastnn.ModelFileError, match="no ONNX file"):
        fastnn.load_model(path)
    path.write_bytes(b"not protobuf")
    with pytest.raises(fastnn.ModelFileError, match="no ONNX file"):
        fastnn.load_model(path)
    model = onnx.load(written(product, path, KERNEL))
    model.graph.initializer[0].dims[0] = 10**12
    onnx.save(model, path)
    with pytest.raises(fastnn.ModelFileError, match="larger than the file"):
        fastnn.load_model(path)
    model = onnx.load(written(product, path, KERNEL))
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(fastnn.ModelFileError, match="in another file"):
        fastnn.load_model(path)
    with pytest.raises(fastnn.ModelFileError, match="rows of the shape"):
        fastnn.load_model(written([node("Relu", ["x"], ["y"])], path, shape=("batch", 10**9)))
    with pytest.raises(fastnn.ModelFileError, match="another type"):
        fastnn.load_model(written([node("Identity", ["x"], ["y"])], path, kind=TensorProto.INT64))


@pytest.mark.parametrize("name", ["torch_dynamo", "tf2onnx_ln"])
def test_damaged_files(name, tmp_path):
    """An error, or a model."""
    data, draw = (FILES / f"{name}.onnx").read_bytes(), random.Random(0)
    path = tmp_path / "m.onnx"
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(draw.choice([1, 1, 2, 8])):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged[: draw.choice([None, None, draw.randrange(len(data))])])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of onnx's reference, about numbers that overflow
            try:
                fastnn.load_model(path, backend="numpy")
            except fastnn.ModelFileError as error:
                assert str(error).startswith(str(path))  # noqa: PT017


def test_a_name_without_an_ending(tmp_path):
    model = built([Input((3,)), Dense(2)])
    model.export(tmp_path / "m.onnx")
    (tmp_path / "m.onnx").rename(tmp_path / "m.bin")
    with pytest.raises(fastnn.ModelFileError, match=r"known by their endings, \.onnx and \.keras"):
        fastnn.load_model(tmp_path / "m.bin")
