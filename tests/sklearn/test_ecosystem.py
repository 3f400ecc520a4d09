"""Estimators among what people use beside scikit-learn, and in its wrappers: polars, skops, joblib."""

import datetime

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from backends import why_missing
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.inspection import partial_dependence
from sklearn.model_selection import cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from fastnn.sklearn import (
    LinearRegression,
    LogisticRegression,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)
from fastnn.sklearn.network import thread_limit

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS = load_iris(return_X_y=True)
BACKEND = {"backend": "auto" if why_missing("cython") else "cython"}
MLP = MLPClassifier((8,), learning_rate_init=0.02, max_iter=60, random_state=0, **BACKEND)
SETTINGS = {"hidden_layer_sizes": (16, 16), "epochs": 30, "n_ensemble": 2, "random_state": 0, **BACKEND}
TABULAR = TabularClassifier(**SETTINGS)


@pytest.fixture
def polars():
    return pytest.importorskip("polars")


@pytest.fixture
def mixed(polars):
    """A table of columns of most kinds, with nulls, and classes."""
    rng = np.random.default_rng(0)
    size, colour, days = rng.normal(size=120), rng.choice(["red", "green", "blue"], 120), rng.integers(0, 400, 120)
    first = datetime.datetime(2024, 1, 1)
    table = polars.DataFrame(
        {
            "size": [None if i % 9 == 0 else value for i, value in enumerate(size.tolist())],
            "colour": [None if i % 11 == 0 else value for i, value in enumerate(colour.tolist())],
            "number": [None if i % 5 == 0 else i for i in range(120)],
            "flag": [None if i % 3 == 0 else i % 2 == 0 for i in range(120)],
            "when": [None if i % 7 == 0 else first + datetime.timedelta(days=int(d)) for i, d in enumerate(days)],
            "lasts": [None if i % 4 == 0 else datetime.timedelta(hours=i) for i in range(120)],
            "nothing": [None] * 120,
        }
    )
    column = polars.col
    table = table.with_columns(
        category=column("colour").cast(polars.Categorical),
        enumeration=column("colour").cast(polars.Enum(["red", "green", "blue"])),
        price=column("number").cast(polars.Decimal(10, 2)),
        day=column("when").dt.date(),
        abroad=column("when").dt.replace_time_zone("UTC"),
        small=column("size").cast(polars.Float32),
    )
    return table, np.where(size + (colour == "red") > 0.3, "many", "few")


# --- polars ---


def test_perceptrons_take_polars(polars):
    x, y = IRIS
    names = ["a", "b", "c", "d"]
    table = polars.DataFrame(x, schema=names)
    for model in (MLP, LogisticRegression(**BACKEND), LinearRegression(**BACKEND)):
        predicted = model.fit(x, y).predict(x)
        np.testing.assert_allclose(model.fit(table, polars.Series(y)).predict(table), predicted, rtol=1e-9)
        assert list(model.feature_names_in_) == names
        with pytest.raises(ValueError, match="feature names"):
            model.predict(table.rename({"a": "other"}))
    labels = polars.Series(np.array(["x", "y", "z"])[y])
    weight = polars.Series(np.ones(150))
    model = MLPClassifier((4,), max_iter=3, **BACKEND)
    model.fit(table, labels, sample_weight=weight, X_val=table[:30], y_val=labels[:30])
    assert set(model.predict(table)) <= set("xyz")


@pytest.mark.parametrize("model", [MLP, TABULAR])
def test_pipelines_hand_on_polars(polars, model):
    x, y = IRIS
    table = polars.DataFrame(x, schema=["a", "b", "c", "d"])
    pipeline = make_pipeline(make_union(StandardScaler(), PCA(2)), model).set_output(transform="polars")
    assert pipeline.fit(table, y).score(table, y) > 0.85
    assert [name.partition("__")[2] for name in pipeline[-1].feature_names_in_] == ["a", "b", "c", "d", "pca0", "pca1"]


def test_tables_of_polars_are_read(mixed):
    table, labels = mixed
    model = TABULAR.fit(table, labels)
    assert model.score(table, labels) > 0.8
    assert list(model.feature_names_in_) == table.columns
    kinds = {name: type(column).__name__ for name, column in zip(table.columns, model.encoder_.columns, strict=True)}
    assert {name for name, kind in kinds.items() if kind == "Categories"} == {"colour", "category", "enumeration"}
    assert {name for name, kind in kinds.items() if kind == "Dates"} == {"when", "day", "abroad"}
    with pytest.raises(TypeError, match="X got a LazyFrame; wants a table in memory"):
        model.fit(table.lazy(), labels)


def test_a_table_of_polars_is_that_of_pandas(mixed):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    table, labels = mixed
    other = table.to_pandas()
    model = TABULAR.fit(table, labels)
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(table))
    p = model.predict_proba(table)
    np.testing.assert_array_equal(TABULAR.fit(other, labels).predict_proba(table), p)


# --- Storing ---


def stored(model, *trusted):
    """The model after a way through skops, which is told to trust so much and wants no more."""
    skops = pytest.importorskip("skops.io")
    dumped = skops.dumps(model)
    assert set(skops.get_untrusted_types(data=dumped)) == set(trusted)
    return skops.loads(dumped, trusted=list(trusted))


@pytest.mark.parametrize(
    ("model", "trusted"),
    [
        (MLP, ["MLPClassifier", "network.EarlyEpsilonAdam"]),
        (
            MLPRegressor(hidden_layer_sizes=(4,), dropout=0.1, max_iter=5, random_state=0, **BACKEND),
            ["MLPRegressor", "network.EarlyEpsilonAdam"],
        ),
        (LogisticRegression(**BACKEND), ["LogisticRegression"]),
        (LinearRegression(**BACKEND), ["LinearRegression"]),
    ],
)
def test_skops_stores_perceptrons(model, trusted):
    x, y = IRIS
    pipeline = make_pipeline(StandardScaler(), model).fit(x, y)
    other = stored(pipeline, *(f"fastnn.sklearn.{name}" for name in trusted))
    np.testing.assert_array_equal(other.predict(x), pipeline.predict(x))
    if hasattr(model, "partial_fit"):
        for each in (pipeline, other):
            each[-1].partial_fit(x, y)
        np.testing.assert_array_equal(other.predict(x), pipeline.predict(x))


def test_skops_stores_tabular_estimators():
    pandas = pytest.importorskip("pandas")
    x, y = IRIS
    names = [f"flower {i} of {i % 7}" if i % 10 else None for i in range(150)]
    when = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(np.arange(150), "D")
    table = pandas.DataFrame(x).add_prefix("x").assign(name=names, when=when)
    trusted = ["models.Sequential", "sklearn.columns.TableEncoder", "sklearn.columns.Numbers"]
    for model, further in (
        (TABULAR, ["TabularClassifier", "columns.Dates", "columns.Categories"]),
        (TabularRegressor(**SETTINGS), ["TabularRegressor"]),
    ):
        columns = table if model is TABULAR else table[["x0", "x1"]]
        wanted = model.fit(columns, y).predict(columns)
        every = [*trusted, *(f"sklearn.{name}" for name in further)]
        np.testing.assert_array_equal(stored(model, *(f"fastnn.{name}" for name in every)).predict(columns), wanted)


# --- Within others ---


def test_searches_of_tabular_estimators_side_by_side():
    x, y = IRIS
    scores = cross_val_score(TABULAR, x, y, cv=2)
    np.testing.assert_array_equal(cross_val_score(TABULAR, x, y, cv=2, n_jobs=2), scores)
    with joblib.parallel_backend("threading", n_jobs=2):
        np.testing.assert_array_equal(cross_val_score(TABULAR, x, y, cv=2), scores)
        assert joblib.Parallel()(joblib.delayed(thread_limit)(given) for given in (None, 2)) == [1, 2]
    assert thread_limit(None) is None


def test_tabular_estimators_within_others():
    x, y = IRIS
    for method in ("sigmoid", "isotonic"):
        assert CalibratedClassifierCV(TABULAR, method=method, cv=2).fit(x, y).score(x, y) > 0.85
    assert BaggingClassifier(TABULAR, 2, random_state=0).fit(x, y).score(x, y) > 0.85
    assert MultiOutputClassifier(TABULAR).fit(x, np.stack([y, y > 0], axis=1)).predict(x).shape == (150, 2)
    assert partial_dependence(TABULAR.fit(x, y), x, [2], grid_resolution=5)["average"].shape == (3, 5)
    both = StackingClassifier([("tabular", TABULAR), ("mlp", MLP)], LogisticRegression(**BACKEND), cv=2)
    assert both.fit(x, y).score(x, y) > 0.85
    assert "TabularClassifier" in make_pipeline(StandardScaler(), TABULAR)._repr_html_()
    assert "TabularClassifier" in TABULAR.fit(x, y)._repr_html_()
    x, y = load_diabetes(return_X_y=True)
    regressor = TransformedTargetRegressor(TabularRegressor(**SETTINGS), func=np.log1p, inverse_func=np.expm1)
    assert regressor.fit(x, y).score(x, y) > 0.3
