"""skl2onnx knows fastnn's estimators: what it makes of a pipeline with one is what predict gives."""

import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")

from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier, VotingRegressor  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.pipeline import FeatureUnion, make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler  # noqa: E402

import fastnn.sklearn  # noqa: E402
from fastnn.onnx import registration  # noqa: E402
from fastnn.sklearn import (  # noqa: E402
    LinearRegression,
    LogisticRegression,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)

pytestmark = [pytest.mark.filterwarnings("ignore:Stochastic Optimizer")]
WITHIN = {"float32": 1e-6, "float64": 1e-14}
NO_ZIPMAP = {"zipmap": False}


def rows(dtype="float32"):
    return np.random.default_rng(0).normal(size=(150, 4)).astype(dtype)


def classes(x, labels):
    score = x[:, 0] + x[:, 1] ** 2
    return np.asarray(labels)[np.digitize(score, np.quantile(score, np.linspace(0, 1, len(labels) + 1)[1:-1]))]


def network(**options):
    return MLPClassifier((8,), max_iter=8, random_state=0, **options)


def run(model, x, **options):
    session = onnxruntime.InferenceSession(
        skl2onnx.to_onnx(model, x[:1], **options).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs = [each.name for each in session.get_outputs()]
    found = dict(zip(outputs, session.run(None, {session.get_inputs()[0].name: x}), strict=True))
    for each in session.get_outputs():  # the shape that is promised is the one that comes
        if isinstance(found[each.name], np.ndarray):
            assert each.shape == [None, *found[each.name].shape[1:]] or each.name == "class_labels"
    return found


def assert_predicts(model, x, **options):
    found, dtype = run(model, x, **options), x.dtype.name
    if "variable" in found:
        wanted = model.predict(x)
        assert found["variable"].dtype == dtype
        np.testing.assert_allclose(
            found["variable"], wanted.reshape(len(x), -1), rtol=0, atol=WITHIN[dtype] * np.abs(wanted).max()
        )
        return found
    np.testing.assert_array_equal(found["label"], model.predict(x))
    assert found["probabilities"].dtype == dtype
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(x), rtol=0, atol=WITHIN[dtype])
    return found


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize(
    "labels", [["no", "yes"], ["a", "é", ""], [3, -7], [0, 5, 1 << 40], [False, True], [1.0, 4.0]], ids=str
)
def test_classifiers_behind_a_scaler(labels, dtype):
    x = rows(dtype)
    y = classes(x, labels)
    for model in (network(), LogisticRegression()):
        found = assert_predicts(make_pipeline(StandardScaler(), model).fit(x, y), x, options=NO_ZIPMAP)
        assert found["label"].dtype == (object if y.dtype.kind == "U" else np.int64)  # as of skl2onnx's own


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize(
    "model",
    [
        MLPRegressor(hidden_layer_sizes=(8,), max_iter=4),
        MLPRegressor("poisson", (8,), max_iter=4),
        MLPRegressor(hidden_layer_sizes=(8,), max_iter=4, dtype="float64"),
        LinearRegression(),
    ],
    ids=str,
)
def test_regressors_of_one_and_of_two_outputs(model, outputs, dtype):
    x = rows(dtype)
    y = np.abs(x[:, :outputs])
    found = assert_predicts(make_pipeline(StandardScaler(), model).fit(x, y[:, 0] if outputs == 1 else y), x)
    assert found["variable"].shape == (len(x), outputs)


def test_several_labels():
    x = rows()
    model = make_pipeline(StandardScaler(), network()).fit(x, (x[:, :3] > 0).astype(int))
    assert assert_predicts(model, x, options=NO_ZIPMAP)["label"].shape == (len(x), 3)


def test_integers():
    x = np.random.default_rng(0).integers(-3, 4, (150, 4))
    model = network().fit(x, classes(x, ["a", "b", "c"]))
    found = run(model, x, options=NO_ZIPMAP)
    np.testing.assert_array_equal(found["label"], model.predict(x))
    assert found["probabilities"].dtype == np.float32  # as of skl2onnx's own
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(x), rtol=0, atol=1e-6)
    model = LinearRegression().fit(x, x[:, :2] * 1e3)
    np.testing.assert_allclose(run(model, x)["variable"], model.predict(x), rtol=0, atol=3e-3)


def test_options():
    x = rows()
    model = make_pipeline(StandardScaler(), network()).fit(x, classes(x, ["a", "b", "c"]))
    wanted, p = model.predict(x), model.predict_proba(x)
    found = run(model, x)
    np.testing.assert_array_equal(found["output_label"], wanted)
    assert list(found["output_probability"][0]) == ["a", "b", "c"]
    np.testing.assert_allclose([list(each.values()) for each in found["output_probability"]], p, rtol=0, atol=1e-6)
    found = run(model, x, options={"zipmap": "columns"})
    np.testing.assert_allclose(np.column_stack([found[name] for name in ("sa", "sb", "sc")]), p, rtol=0, atol=1e-6)
    found = run(model, x, options={"zipmap": False, "output_class_labels": True})
    assert found["class_labels"].tolist() == ["a", "b", "c"]
    found = run(model, x, options={"zipmap": False, "nocl": True})
    np.testing.assert_array_equal(found["label"], np.searchsorted(["a", "b", "c"], wanted))


@pytest.mark.parametrize(("activation", "opset"), [("gelu", 20), ("gelu", 17), ("mish", 18), ("mish", 15)])
def test_activations_that_are_younger_than_the_opset_are_written_as_formulas(activation, opset):
    x = rows()
    model = network(activation=activation).fit(x, classes(x, [0, 1, 2]))
    assert_predicts(model, x, options=NO_ZIPMAP, target_opset=opset)
    made = skl2onnx.to_onnx(model, x[:1], options=NO_ZIPMAP, target_opset=opset)
    assert (activation.title() in {node.op_type for node in made.graph.node}) == (opset in (18, 20))


PIECES = {
    "column transformer": lambda: make_pipeline(
        ColumnTransformer([("a", StandardScaler(), [0, 1]), ("b", MinMaxScaler(), [2, 3])]), network()
    ),
    "feature union": lambda: make_pipeline(
        FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]), LogisticRegression()
    ),
    "search": lambda: GridSearchCV(network(), {"alpha": [1e-4, 1e-2]}, cv=2),
    "voting": lambda: VotingClassifier(
        [("a", network()), ("b", LogisticRegression())], voting="soft", flatten_transform=False
    ),
    "bagging": lambda: BaggingClassifier(network(), 2, random_state=0),
    "stacking": lambda: StackingClassifier([("a", network()), ("b", LogisticRegression())], LogisticRegression(), cv=2),
    "one versus rest": lambda: OneVsRestClassifier(network()),
    "calibrated network": lambda: CalibratedClassifierCV(network(), cv=2),
    "calibrated logits": lambda: CalibratedClassifierCV(LogisticRegression(), cv=2),
}


@pytest.mark.parametrize("labels", [["a", "b", "c"], [0, 1]], ids=str)
@pytest.mark.parametrize("piece", PIECES)
def test_within_other_estimators(piece, labels):
    x = rows()
    model = PIECES[piece]().fit(x, classes(x, labels))
    options = NO_ZIPMAP if piece != "search" else {GridSearchCV: NO_ZIPMAP, MLPClassifier: NO_ZIPMAP}
    assert_predicts(model, x, options=options)


def test_a_vote_of_regressors():
    x = rows()
    vote = VotingRegressor([("a", MLPRegressor(hidden_layer_sizes=(8,), max_iter=4)), ("b", LinearRegression())])
    assert_predicts(vote.fit(x, x[:, 0]), x)


def table():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": rng.normal(size=200).astype(np.float32),
            "colour": rng.choice(["red", "blue", "green"], 200),
            "count": rng.integers(0, 9, 200).astype(np.float32),
            "bin": pd.Categorical(rng.choice(["in", "out"], 200)),
        }
    )


def feeds(x):
    return {name: x[[name]].to_numpy(object if x[name].dtype.kind not in "if" else x[name].dtype) for name in x.columns}


def test_columns_of_texts_and_numbers():
    x = table().drop(columns="bin")
    numbers, texts = ["number", "count"], OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(ColumnTransformer([("a", StandardScaler(), numbers), ("b", texts, ["colour"])]), network())
    model.fit(x, classes(x[numbers].to_numpy(), ["low", "high"]))
    made = skl2onnx.to_onnx(model, x[:1], options=NO_ZIPMAP)
    label, p = onnxruntime.InferenceSession(made.SerializeToString()).run(None, feeds(x))
    np.testing.assert_array_equal(label, model.predict(x))
    np.testing.assert_allclose(p, model.predict_proba(x), rtol=0, atol=1e-6)


def test_tables():
    x, quick = table(), {"hidden_layer_sizes": (8,), "epochs": 2, "random_state": 0}
    y = classes(x[["number", "count"]].to_numpy(), ["low", "high"])
    names = list(x.columns)
    for order in (names, names[::-1]):  # of the inputs, which have the columns' names
        model = TabularClassifier(**quick).fit(x, y)
        types = [(name, skl2onnx.common.data_types.StringTensorType([None, 1])) for name in ("colour", "bin")]
        types += [(name, FloatTensorType([None, 1])) for name in ("number", "count")]
        made = skl2onnx.to_onnx(
            model, initial_types=sorted(types, key=lambda each: order.index(each[0])), options=NO_ZIPMAP
        )
        label, p = onnxruntime.InferenceSession(made.SerializeToString()).run(None, feeds(x))
        np.testing.assert_array_equal(label, model.predict(x))
        np.testing.assert_allclose(p, model.predict_proba(x), rtol=0, atol=1e-6)
    few = x[["number", "count"]].to_numpy("float64")
    model = make_pipeline(StandardScaler(), TabularRegressor(**quick)).fit(few, few[:, 0])
    (found,) = run(model, few).values()
    np.testing.assert_allclose(found[:, 0], model.predict(few), rtol=0, atol=1e-6 * np.abs(few[:, 0]).max())


def test_tables_of_other_columns_are_refused():
    x = table()[["number", "colour"]]
    model = TabularClassifier(hidden_layer_sizes=(8,), epochs=1).fit(x, x["number"] > 0)
    number = ("number", DoubleTensorType([None, 1]))
    with pytest.raises(ValueError, match="initial_types got 1 columns; wants 2, as fit saw them"):
        skl2onnx.to_onnx(model, initial_types=[number])
    with pytest.raises(ValueError, match="got a DoubleTensorType for 'colour'; wants a StringTensorType"):
        skl2onnx.to_onnx(model, initial_types=[number, ("colour", DoubleTensorType([None, 1]))])


# --- Registration ----------------------------------------------------------------------------------------------------


def test_skl2onnx_that_is_there_learns_of_the_estimators_at_once(monkeypatch):
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    ours = {kind: alias for kind, alias in known.items() if kind.__module__.startswith("fastnn.")}
    names = [kind.__name__ for kind in vars(fastnn.sklearn).values() if isinstance(kind, type)]
    assert sorted(ours.values()) == sorted(f"Fastnn{name}" for name in names)
    for kind in ours:
        monkeypatch.delitem(known, kind)
    registration.register()
    assert {kind: known[kind] for kind in ours} == ours


def test_skl2onnx_that_is_imported_later_learns_of_them_then():
    code = """
import importlib.util, sys, fastnn.onnx
assert importlib.util.find_spec("skl2onnx").origin.endswith("__init__.py")  # who looks for it imports nothing
assert "skl2onnx" not in sys.modules
import skl2onnx.helpers
import numpy as np
from fastnn.sklearn import LinearRegression
x = np.eye(2)
print(skl2onnx.to_onnx(LinearRegression().fit(x, x[0]), x).graph.output[0].name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "variable\n"
