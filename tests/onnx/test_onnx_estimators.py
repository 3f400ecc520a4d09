"""Estimators as ONNX files: label and probabilities, or the values, are what predict and predict_proba give."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

import fastnn.onnx

pytest.importorskip("sklearn")

from sklearn.exceptions import NotFittedError

from fastnn.activations import Custom
from fastnn.sklearn import LinearRegression, LogisticRegression, MLPClassifier, MLPRegressor

RELATIVE = {"float32": 1e-6, "float64": 1e-14}  # of an output's largest value
LABELS = {
    "two texts": ["no", "yes"],
    "texts": ["red", "größer", ""],
    "objects": np.array(["a", "b", "c"], object),
    "two numbers": [-7, 3],
    "numbers": [0, 5, 1 << 40],
    "floats": [1.0, 2.0, 4.0],
    "booleans": [False, True],
    "one": ["only"],
}


def exported(model, path):
    fastnn.onnx.export(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert given.name == "X"
    assert given.shape[0] == "batch"
    return session


def outputs(session):
    return {each.name: each.shape for each in session.get_outputs()}


def assert_close(found, wanted, dtype):
    assert found.dtype == dtype
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=RELATIVE[dtype] * np.abs(wanted).max())


def rows(dtype, count=120):
    return np.random.default_rng(0).normal(size=(count, 4)).astype(dtype)


def classes(x, labels):
    """One of the labels for each row."""
    score = x[:, 0] + x[:, 1] ** 2
    edges = np.quantile(score, np.linspace(0, 1, len(labels) + 1)[1:-1])
    return np.asarray(labels)[np.digitize(score, edges)]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("dtype", RELATIVE)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("kind", [MLPClassifier, LogisticRegression])
def test_label_and_probabilities_are_those_of_predict(kind, labels, dtype, tmp_path):
    if labels == "one" and kind is LogisticRegression:
        pytest.skip("it takes two classes")
    x = rows(dtype)
    y = classes(x, LABELS[labels])
    options = {"hidden_layer_sizes": (8,), "activation": "tanh", "max_iter": 8} if kind is MLPClassifier else {}
    model = kind(random_state=0, **options).fit(x, y)
    session = exported(model, tmp_path / "m.onnx")
    for few in (x, x[:1]):
        label, probabilities = session.run(["label", "probabilities"], {"X": few})
        wanted = model.predict(few)
        assert label.dtype == (wanted.dtype if wanted.dtype.kind in "ifb" else np.dtype(object))
        np.testing.assert_array_equal(label, wanted)
        assert_close(probabilities, model.predict_proba(few), dtype)
    assert outputs(session) == {"label": ["batch"], "probabilities": ["batch", probabilities.shape[1]]}
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["fastnn.classes"]) == list(np.unique(y))
    assert metadata["fastnn.estimator"] == kind.__name__
    written = onnx.load(tmp_path / "m.onnx")
    assert (written.producer_name, written.producer_version) == ("fastnn", fastnn.__version__)
    assert "ZipMap" not in {node.op_type for node in written.graph.node}


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("dtype", RELATIVE)
def test_several_labels(dtype, tmp_path):
    x = rows(dtype)
    model = MLPClassifier((8,), max_iter=8, random_state=0).fit(x, (x[:, :3] > 0).astype(int))
    session = exported(model, tmp_path / "m.onnx")
    label, probabilities = session.run(["label", "probabilities"], {"X": x})
    assert label.dtype == np.int64
    np.testing.assert_array_equal(label, model.predict(x))
    assert_close(probabilities, model.predict_proba(x), dtype)
    assert outputs(session) == {"label": ["batch", 3], "probabilities": ["batch", 3]}


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("dtype", RELATIVE)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "made",
    [
        MLPRegressor(hidden_layer_sizes=(8,), max_iter=8),
        MLPRegressor("poisson", (8,), activation="gelu", dropout=0.3, max_iter=8),
        MLPRegressor("huber", (8, 4), max_iter=8, dtype="float32"),
        LinearRegression(),
        LinearRegression(fit_intercept=False, alpha=1.0),
    ],
    ids=str,
)
def test_values_are_those_of_predict(made, count, dtype, tmp_path):
    x = rows(dtype)
    y = 100 * np.abs(x[:, :count])
    model = made.fit(x, y[:, 0] if count == 1 else y)
    session = exported(model, tmp_path / "m.onnx")
    own = getattr(model, "dtype", None) or dtype
    (found,) = session.run(["variable"], {"X": x.astype(own)})
    assert_close(found, model.predict(x).reshape(-1, count), own)
    assert outputs(session) == {"variable": ["batch", count]}


def test_weights_that_were_set(tmp_path):
    x = rows("float64")
    model = LinearRegression()
    model.coef_, model.intercept_ = [1.0, 2.0, -3.0, 0.5], 7.0
    (found,) = exported(model, tmp_path / "m.onnx").run(None, {"X": x})
    np.testing.assert_allclose(found[:, 0], x @ [1.0, 2.0, -3.0, 0.5] + 7, rtol=1e-13)
    model.coef_[:] = 0.0
    (found,) = exported(model, tmp_path / "m.onnx").run(None, {"X": x})
    assert (found == 7).all()


@pytest.mark.filterwarnings("ignore:lbfgs failed")
def test_what_is_refused_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"before")
    x = rows("float64")
    bytewise = LogisticRegression().fit(x, classes(x, [0, 1]))
    bytewise.classes_ = np.array([b"a", b"b"])
    own = Custom(lambda z: z * z, lambda z: 2 * z)
    for model, error, said in [
        (MLPClassifier(), NotFittedError, "not fitted yet"),
        (LinearRegression(), NotFittedError, "not fitted yet"),
        (object(), TypeError, "model got object; wants a Sequential, or an estimator"),
        (bytewise, ValueError, "wants labels that are numbers, booleans or texts"),
        (
            MLPRegressor(activation=own, solver="lbfgs", max_iter=2, backend="numpy").fit(x, x[:, 0]),
            ValueError,
            "activation of your own",
        ),
    ]:
        with pytest.raises(error, match=said):
            fastnn.onnx.export(model, path)
    assert path.read_bytes() == b"before"


def test_estimators_are_imported_by_those_alone_who_use_them():
    code = "import sys, fastnn.onnx; print([m for m in ('sklearn', 'skl2onnx', 'fastnn.sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
