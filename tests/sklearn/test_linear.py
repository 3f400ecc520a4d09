"""The linear models as scikit-learn has them: shapes, weights that are set, least squares, classes."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn import linear_model, neural_network
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, FitFailedWarning
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

import fastnn.sklearn
from fastnn.sklearn import LinearRegression, LogisticRegression, MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 1.0], [2.0, 0.0]]) + [1, -1]
CLASSES = (Y > 0.5).astype(int)
TARGETS = {
    "flat": Y[:, 0],
    "column": Y[:, :1],
    "columns": Y,
    "whole numbers": CLASSES[:, 0],
    "float32": Y[:, 0].astype(np.float32),
    "classes": CLASSES[:, 0],
    "column of classes": CLASSES[:, :1],
    "three classes": np.digitize(Y[:, 0], [0, 1.5]),
    "texts": np.array(["no", "yes"])[CLASSES[:, 0]],
    "labels": CLASSES,
}
REGRESSION = list(TARGETS)[:5]
THEIRS = {
    "LinearRegression": linear_model.LinearRegression,
    "LogisticRegression": linear_model.LogisticRegression,
    "MLPClassifier": neural_network.MLPClassifier,
    "MLPRegressor": neural_network.MLPRegressor,
}


def look(model, x, y):
    """What a fit leaves: the shape and dtype of each attribute and prediction, and the warnings of conversions."""

    def kind(value):
        if isinstance(value, list):
            return [kind(each) for each in value]
        return np.shape(value), np.asarray(value).dtype

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y)
    found = {name: kind(value) for name, value in vars(model).items() if name.endswith("_") and name[0] != "_"}
    for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
        if hasattr(model, name):
            found[name] = kind(getattr(model, name))
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        if hasattr(model, name):
            found[name] = kind(getattr(model, name)(x))
    return found, {each.category for each in caught} - {ConvergenceWarning}


def shapes(found):
    """The same without dtypes."""
    if isinstance(found, dict):
        return {name: shapes(kind) for name, kind in found.items()}
    return [shapes(each) for each in found] if isinstance(found, list) else found[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("target", TARGETS)
def test_attributes_and_predictions_have_scikit_learns_shapes_and_dtypes(target, dtype):
    y, x = TARGETS[target], X.astype(dtype)
    if target in REGRESSION:
        kinds = [("LinearRegression", {}), ("LinearRegression", {"fit_intercept": False})]
        perceptron = "MLPRegressor"
    else:
        kinds = [("LogisticRegression", {}), ("LogisticRegression", {"fit_intercept": False})]
        perceptron = "MLPClassifier"
    if target == "labels":
        kinds = []  # scikit-learn's takes none
    for solver in ("adam", "lbfgs"):
        settings = {"hidden_layer_sizes": (4,), "solver": solver, "max_iter": 2, "random_state": 0}
        kinds.append((perceptron, settings))
    for name, settings in kinds:
        wanted, wanted_warnings = look(THEIRS[name](**settings), x, y)
        found, found_warnings = look(getattr(fastnn.sklearn, name)(**settings), x, y)
        assert wanted_warnings == found_warnings, (name, settings)
        if name == perceptron and dtype == np.float32:  # whose losses are Python's, and weights float32 by every solver
            found, wanted = shapes(found), shapes(wanted)
        assert {key: found.get(key) for key in wanted} == wanted, (name, settings)


def test_a_column_of_targets_gives_columns_and_no_warning():
    for solver in ("auto", "lbfgs", "adam"):
        with warnings.catch_warnings():
            warnings.simplefilter("error", DataConversionWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LinearRegression(solver=solver, max_iter=3).fit(X, Y[:, :1])
        assert model.predict(X).shape == (40, 1)
        assert model.coef_.shape == (1, 3)
        assert model.intercept_.shape == (1,)


# --- Weights that are set --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    ("coef", "intercept", "expected"),
    [
        ([3.0, 4.0], 2.0, [19.0]),
        ([3, 4], 2, [19.0]),
        ([[3.0, 4.0]], 2.0, [[19.0]]),
        ([[3.0, 4.0], [1.0, 0.0]], [2.0, -1.0], [[19.0, 2.0]]),
        ([[3.0, 4.0], [1.0, 0.0]], 1.0, [[18.0, 4.0]]),
        ([3.0, 4.0], 0.0, [17.0]),
    ],
)
def test_weights_that_are_set_are_predicted_with(coef, intercept, expected, fitted):
    for first in ("coef_", "intercept_"):
        model, theirs = LinearRegression(), linear_model.LinearRegression()
        if fitted:
            model.fit(X[:, :2], Y[:, 0])
        for each in (model, theirs):
            for name, value in sorted([("coef_", coef), ("intercept_", intercept)], key=lambda pair: pair[0] != first):
                setattr(each, name, np.array(value) if name == "coef_" else value)
        np.testing.assert_array_equal(model.predict([[3, 2]]), expected)
        np.testing.assert_array_equal(theirs.predict([[3, 2]]), expected)
        np.testing.assert_array_equal(model.coef_, coef)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict([[3, 2]]), expected)


def test_weights_are_written_in_place_too():
    model = LinearRegression().fit(X, Y[:, 0])
    model.coef_[:] = [1.0, 0.0, 0.0]
    model.intercept_ = 5.0
    np.testing.assert_allclose(model.predict(X), X[:, 0] + 5)
    without = LinearRegression(fit_intercept=False).fit(X, Y[:, 0])
    assert without.intercept_ == 0.0
    before = without.predict(X)
    without.intercept_ = 3.0
    np.testing.assert_allclose(without.predict(X), before + 3)
    assert without.fit(X, Y[:, 0]).intercept_ == 0.0


def test_a_classifiers_weights_are_set_before_fit():
    coef = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, 0.0], [-1.0, 0.0, 1.0]])
    for rows, classes in ((1, ["a", "b"]), (3, ["a", "b", "c"])):
        models = LogisticRegression(), linear_model.LogisticRegression()
        for model in models:
            model.coef_, model.intercept_ = coef[:rows], np.arange(rows) - 0.5
            model.classes_ = np.array(classes)
        mine, theirs = models
        np.testing.assert_array_equal(mine.predict(X), theirs.predict(X))
        np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X))
        np.testing.assert_allclose(mine.decision_function(X), theirs.decision_function(X))


def test_weights_that_cannot_be_are_refused_and_those_that_are_missing_are_named():
    model = LinearRegression()
    with pytest.raises(ValueError, match="coef_ got"):
        model.coef_ = np.zeros((1, 2, 3))
    with pytest.raises(ValueError, match="intercept_ got"):
        model.intercept_ = "no number"
    assert not hasattr(model, "coef_")
    model.coef_ = np.ones(3)
    with pytest.raises(AttributeError, match="no intercept_ yet"):
        model.predict(X)
    model.intercept_ = np.zeros(2)
    with pytest.raises(ValueError, match=r"\(2,\)"):
        model.predict(X)


def test_a_perceptrons_weights_are_replaced_by_others_of_other_shapes():
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y[:, 0])
    model.coefs_ = [np.ones((3, 5)), np.ones((5, 1))]
    model.intercepts_ = [np.zeros(5), np.array([1.0])]
    np.testing.assert_allclose(model.predict(X), 5 * np.maximum(X.sum(axis=1), 0) + 1)
    model.activation = "identity"
    np.testing.assert_allclose(model.predict(X), 5 * X.sum(axis=1) + 1)


# --- Where it starts -------------------------------------------------------------------------------------------------


def test_a_warm_start_is_where_the_weights_are():
    x, y = X * [1, 100, 0.01] + [0, 50, 3], CLASSES[:, 0]
    for model in (
        LogisticRegression(warm_start=True, tol=1e-8, max_iter=500),
        LinearRegression(solver="lbfgs", warm_start=True, tol=1e-8),
    ):
        model.fit(x, y)
        coef = model.coef_.copy()
        model.set_params(max_iter=1).fit(x, y)
        np.testing.assert_allclose(model.coef_, coef, rtol=1e-3, atol=1e-6)


def test_a_warm_start_begins_with_weights_that_were_set_before():
    model = LinearRegression(solver="lbfgs", warm_start=True, max_iter=1)
    model.coef_, model.intercept_ = np.array([1.0, 0.5, 2.0]), 1.0  # which is where it ends
    model.fit(X, Y[:, 0])
    np.testing.assert_allclose(model.coef_, [1.0, 0.5, 2.0], atol=1e-9)
    model = LinearRegression(solver="lbfgs", warm_start=True)
    model.coef_, model.intercept_ = np.ones(2), 1.0
    with pytest.raises(ValueError, match=r"warm_start got weights of shapes \[\(2, 1\), \(1,\)\]"):
        model.fit(X, Y[:, 0])


# --- Least squares ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [4, 9, 15])
def test_columns_that_hardly_differ_are_fitted_as_scikit_learn_fits_them(degree):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (30, 1))
    y = np.cos(1.5 * np.pi * x[:, 0]) + 0.1 * rng.normal(size=30)
    theirs, mine = (
        make_pipeline(PolynomialFeatures(degree), kind()).fit(x, y)
        for kind in (linear_model.LinearRegression, LinearRegression)
    )
    assert mine.score(x, y) == pytest.approx(theirs.score(x, y), rel=1e-12)
    np.testing.assert_allclose(mine[-1].coef_, theirs[-1].coef_, rtol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("given", "positive"), [("dense", False), ("csr", False), ("csc", False), ("coo", False), ("dense", True)]
)
def test_least_squares_are_scikit_learns(given, fit_intercept, weighted, positive):
    x = np.concatenate([X, X[:, :1] - X[:, 1:2], np.ones((40, 1))], axis=1)  # dependent columns: the least norm
    x = np.where(np.abs(x) < 0.5, 0, x)
    weight = np.random.default_rng(1).uniform(0, 2, 40) if weighted else None
    y = Y + np.random.default_rng(2).normal(size=Y.shape)
    x = x if given == "dense" else getattr(sparse, f"{given}_array")(x)
    settings = {"fit_intercept": fit_intercept, "positive": positive, "tol": 1e-10}
    for target in (y, y[:, :1], y[:, 0]):
        theirs = linear_model.LinearRegression(**settings).fit(x, target, weight)
        mine = LinearRegression(**settings).fit(x, target, weight)
        np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mine.intercept_, theirs.intercept_, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mine.predict(x), theirs.predict(x), rtol=1e-6, atol=1e-6)
        if given == "dense" and not positive:
            assert mine.rank_ == theirs.rank_
            np.testing.assert_allclose(mine.singular_, theirs.singular_, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("given", ["dense", "csr"])
def test_a_penalty_is_ridges(given):
    x, y = load_diabetes(return_X_y=True)
    x = 10 * x + 3
    theirs = linear_model.Ridge(alpha=0.7).fit(x, y)
    mine = LinearRegression(alpha=0.7, tol=1e-10).fit(sparse.csr_matrix(x) if given == "csr" else x, y)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=1e-5)
    loss = np.square(y - theirs.predict(x)).mean() / 2 + 0.7 * np.square(theirs.coef_).sum() / (2 * len(x))
    assert mine.loss_ == pytest.approx(loss, rel=1e-9)
    by_steps = LinearRegression(alpha=0.7, solver="lbfgs", tol=1e-9).fit(x, y)
    np.testing.assert_allclose(by_steps.coef_, theirs.coef_, rtol=1e-3)


def test_what_least_squares_cannot_heed_is_refused():
    for settings in ({"solver": "lbfgs"}, {"loss": "huber"}):
        with pytest.raises(ValueError, match="positive got True"):
            LinearRegression(positive=True, **settings).fit(X, Y)
    with pytest.raises(ValueError, match="Negative values"):
        LinearRegression().fit(X, Y, -np.ones(40))
    assert not hasattr(LinearRegression(), "partial_fit")


# --- Classes ---------------------------------------------------------------------------------------------------------


def test_logistic_regression_refuses_a_single_class_before_anything_changes():
    y = CLASSES[:, 0]
    model = LogisticRegression().fit(X, y)
    before = model.predict_proba(X)
    for value in (0, "a"):
        with pytest.raises(
            ValueError, match="samples of at least 2 classes in the data, but the data contains only one"
        ):
            model.fit(X, np.full(40, value))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    with pytest.warns(ConvergenceWarning):  # a perceptron takes one, here as there
        assert (MLPClassifier((3,), max_iter=2).fit(X, np.zeros(40)).predict(X) == 0).all()


def test_folds_of_a_single_class_score_nan():
    y = np.repeat([0, 1], [30, 10])
    folds = KFold(4)
    for kind in (LogisticRegression, linear_model.LogisticRegression):
        with pytest.warns(FitFailedWarning, match="1 fits failed"):
            scores = cross_val_score(kind(), X, y, cv=folds)
        assert np.isnan(scores).tolist() == [False, False, False, True]
