"""Searches and cross-validation of fastnn.sklearn beside scikit-learn's: the same results, to the bit."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnn import sklearn as own
from fastnn.engine import company
from fastnn.sklearn import MLPClassifier, MLPRegressor, TabularClassifier, searches

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_digits(return_X_y=True)
X = X[:300] / 16
Y = Y[:300]
SETTINGS = {"max_iter": 8, "random_state": 0}
GRID = {"alpha": [1e-5, 1e-1], "learning_rate_init": [0.002, 0.01]}


@pytest.fixture(autouse=True)
def every_fit_is_work_enough(monkeypatch):
    monkeypatch.setattr(searches, "WORK", 1.0)


@pytest.fixture
def threads_seen(monkeypatch):
    """For each fit of a perceptron whether it was in a thread of joblib's."""
    seen = []
    fit = MLPClassifier._fit

    def noted(self, *arguments, **options):
        seen.append(joblib.parallel.get_active_backend()[0].nesting_level)
        return fit(self, *arguments, **options)

    monkeypatch.setattr(MLPClassifier, "_fit", noted)
    return seen


def assert_same(found, wanted):
    """The results of two searches are the same, but for times."""
    assert found.cv_results_.keys() == wanted.cv_results_.keys()
    for name, values in wanted.cv_results_.items():
        if not name.endswith("_time"):
            np.testing.assert_array_equal(found.cv_results_[name], values, name)
    for name in ("best_index_", "best_params_", "best_score_", "n_splits_", "multimetric_", "n_features_in_"):
        assert hasattr(found, name) == hasattr(wanted, name)
        assert getattr(found, name, None) == getattr(wanted, name, None)


KINDS = {
    "classifier": (MLPClassifier((16,), **SETTINGS), GRID),
    "early stopping": (MLPClassifier((16,), early_stopping=True, n_iter_no_change=2, **SETTINGS), GRID),
    "structures": (MLPClassifier(**SETTINGS), {"hidden_layer_sizes": [(8,), (16, 8)], "activation": ["relu", "tanh"]}),
    "solvers": (MLPClassifier((8,), **SETTINGS), {"solver": ["adam", "sgd", "lbfgs"], "batch_size": [50, "auto"]}),
    "a generator": (MLPClassifier((8,), max_iter=5, random_state=np.random.RandomState(3)), GRID),
    "regressor": (MLPRegressor(hidden_layer_sizes=(16,), **SETTINGS), GRID),
    "a pipeline": (
        make_pipeline(StandardScaler(), MLPClassifier((16,), **SETTINGS)),
        {f"mlpclassifier__{name}": values for name, values in GRID.items()},
    ),
    "a wrapper": (
        TransformedTargetRegressor(MLPRegressor(hidden_layer_sizes=(8,), **SETTINGS), transformer=StandardScaler()),
        {"regressor__alpha": [1e-4, 1.0]},
    ),
}


@pytest.mark.parametrize("jobs", [None, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_search_has_scikit_learns_results(kind, jobs):
    model, grid = KINDS[kind]
    options = {"cv": 3, "return_train_score": True, "n_jobs": jobs}
    found = own.GridSearchCV(model, grid, **options).fit(X, Y)
    wanted = model_selection.GridSearchCV(model, grid, **options | {"n_jobs": None}).fit(X, Y)
    assert_same(found, wanted)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))


def test_the_weights_are_those_of_a_fit_alone():
    found = own.cross_validate(MLPClassifier((16,), **SETTINGS), X, Y, cv=2, return_estimator=True, return_indices=True)
    for model, rows in zip(found["estimator"], found["indices"]["train"], strict=True):
        alone = clone(model).fit(X[rows], Y[rows])
        for coef, wanted in zip(model.coefs_, alone.coefs_, strict=True):
            np.testing.assert_array_equal(coef, wanted)


def test_a_randomized_search_has_scikit_learns_results():
    model = MLPClassifier((16,), **SETTINGS)
    settings = {"alpha": np.geomspace(1e-5, 1, 50), "hidden_layer_sizes": [(8,), (16,)]}
    options = {"n_iter": 5, "cv": 2, "random_state": 1}
    found = own.RandomizedSearchCV(model, settings, **options).fit(X, Y)
    assert_same(found, model_selection.RandomizedSearchCV(model, settings, **options).fit(X, Y))


def test_several_scores_and_no_refit():
    options = {"cv": 2, "scoring": ["accuracy", "neg_log_loss"], "refit": False}
    model = MLPClassifier((16,), **SETTINGS)
    found = own.GridSearchCV(model, GRID, **options).fit(X, Y)
    assert_same(found, model_selection.GridSearchCV(model, GRID, **options).fit(X, Y))
    assert not hasattr(found, "best_estimator_")


def test_candidates_that_fail_have_the_error_score():
    model, grid = MLPClassifier((8,), **SETTINGS), {"alpha": [1e-3, -1.0]}
    with pytest.warns(model_selection._validation.FitFailedWarning, match="2 fits failed out of a total of 4"):
        found = own.GridSearchCV(model, grid, cv=2, error_score=-5.0).fit(X, Y)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"][1:], [-5.0])
    assert found.best_params_ == {"alpha": 1e-3}
    with pytest.raises(ValueError, match="alpha"):
        own.GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, Y)


def test_weights_of_rows_are_divided():
    weight = np.random.default_rng(0).uniform(0.5, 2, len(Y))
    model = MLPClassifier((8,), **SETTINGS)
    found = own.GridSearchCV(model, GRID, cv=2).fit(X, Y, sample_weight=weight)
    assert_same(found, model_selection.GridSearchCV(model, GRID, cv=2).fit(X, Y, sample_weight=weight))


def test_verbose_tells_of_every_fit(capfd):
    own.GridSearchCV(MLPClassifier((8,), **SETTINGS), GRID, cv=2, verbose=2).fit(X, Y)
    told = capfd.readouterr().out
    assert "Fitting 2 folds for each of 4 candidates, totalling 8 fits" in told
    assert told.count("[CV] END") == 8


@pytest.mark.parametrize("name", ["cross_validate", "cross_val_score", "cross_val_predict"])
def test_cross_validation_has_scikit_learns_results(name):
    model = MLPClassifier((16,), **SETTINGS)
    found, wanted = (getattr(module, name)(model, X, y=Y, cv=3) for module in (own, model_selection))
    if name == "cross_validate":
        found, wanted = found["test_score"], wanted["test_score"]
    np.testing.assert_array_equal(found, wanted)


# --- Where fits are side by side, and where not ---


def test_fits_run_on_threads_of_this_process(threads_seen):
    own.GridSearchCV(MLPClassifier((8,), **SETTINGS), GRID, cv=2, n_jobs=2).fit(X, Y)
    assert threads_seen == [1] * 8 + [0]  # and then the best one, by all processors
    assert not company._at_work


def test_small_fits_are_left_alone(monkeypatch):
    monkeypatch.undo()
    model = MLPClassifier((8,), **SETTINGS)
    assert searches.search_work(model, X) == 6 * 300 * (64 * 8 + 8) < searches.WORK
    wide = {"mlp__hidden_layer_sizes": [(8,), (100, 50)]}
    assert searches.search_work(model, X, wide) == 6 * 300 * (64 * 100 + 100 * 50 + 50) > searches.WORK
    assert searches.search_work(model, X, [{"alpha": [1]}, wide]) == searches.search_work(model, X, wide)


def test_others_estimators_and_chosen_backends_are_left_alone(threads_seen):
    assert searches.search_work(LogisticRegression(), X) == 0
    assert searches.search_work(TabularClassifier(), X) == 0
    assert searches.search_work(MLPClassifier("many"), X) == 0
    with joblib.parallel_config("sequential"):
        own.GridSearchCV(MLPClassifier((8,), **SETTINGS), GRID, cv=2, n_jobs=2).fit(X, Y)
    assert set(threads_seen) == {0}


class Silent(ClassifierMixin, BaseEstimator):
    """Warns of what filters hide."""

    def __init__(self, model=None):
        self.model = model

    def fit(self, X, y):
        warnings.warn("told", UserWarning, stacklevel=1)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_filters_of_warnings_are_as_before():
    x, y = load_iris(return_X_y=True)
    before = list(warnings.filters)
    with pytest.warns(UserWarning, match="told"):
        own.GridSearchCV(Silent(MLPClassifier()), {"model__alpha": [1, 2]}, cv=3, n_jobs=2).fit(x, y)
    assert list(warnings.filters) == before
