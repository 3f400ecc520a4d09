"""Sparse X: never dense, the numbers of the same rows dense, as scikit-learn's estimators take it."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn import linear_model, neural_network
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression as TheirLinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import fastnn
from fastnn.engine import Data, SparseRows
from fastnn.sklearn import LinearRegression, LogisticRegression, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = sparse.random(120, 90, 0.08, "csr", random_state=0)
Y = RANDOM.integers(0, 3, 120)
TARGET = RANDOM.normal(size=(120, 2))
FORMATS = ("csr", "csc", "coo", "bsr", "lil", "dok")


@pytest.fixture(autouse=True)
def never_dense(monkeypatch):
    """No sparse matrix of some size may be made dense."""

    def watched(convert):
        def checked(self, *args, **kwargs):
            assert self.shape[1] < 4 or self.shape[0] == 3, f"a sparse matrix {self.shape} was made dense"
            return convert(self, *args, **kwargs)

        return checked

    for kind in ("csr", "csc", "coo", "bsr"):
        for suffix in ("array", "matrix"):
            for name in ("toarray", "todense"):
                matrix = getattr(sparse, f"{kind}_{suffix}")
                monkeypatch.setattr(matrix, name, watched(getattr(matrix, name)))


def dense(x):
    """The same rows, dense, without what the tests forbid."""
    x = sparse.coo_array(x)
    rows = np.zeros(x.shape, x.dtype)
    np.add.at(rows, (x.row, x.col), x.data)
    return rows


def same(first, second, relative=1e-9):
    for a, b in zip([*first.coefs_, *first.intercepts_], [*second.coefs_, *second.intercepts_], strict=True):
        np.testing.assert_allclose(a, b, rtol=relative, atol=relative)


@pytest.mark.parametrize("backend", ["numba", "cython", "numpy"], indirect=True)
@pytest.mark.parametrize("hidden", [(10,), (3,), (210, 5)])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_the_numbers_are_scikit_learns(backend, hidden, solver):
    """Of layers stored either way, and of one wider than a panel; with weights, and some rows held out."""
    settings = {"hidden_layer_sizes": hidden, "solver": solver, "max_iter": 3, "random_state": 1, "alpha": 0.1}
    if solver != "lbfgs":
        settings |= {"early_stopping": True, "batch_size": 32}
    weight = np.random.default_rng(1).uniform(0, 2, 120)
    theirs = neural_network.MLPClassifier(**settings).fit(X, Y, weight)
    mine = MLPClassifier(**settings, backend=backend).fit(X, Y, weight)
    same(mine, theirs)
    assert mine.loss_ == pytest.approx(theirs.loss_)
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X))
    np.testing.assert_allclose(mine.predict_proba(dense(X)), theirs.predict_proba(X))
    regressor = MLPRegressor(**settings, backend=backend).fit(X, TARGET)
    same(regressor, neural_network.MLPRegressor(**settings).fit(X, TARGET))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("hidden", [(20,), (2,)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_are_the_same_bits_for_any_number_of_threads_and_either_backend(solver, hidden, dtype):
    found = []
    for backend, threads in (("numba", 1), ("numba", 2), ("numba", 3), ("cython", 2)):
        settings = {"hidden_layer_sizes": hidden, "solver": solver, "max_iter": 3, "random_state": 1, "dtype": dtype}
        try:
            model = MLPClassifier(**settings, backend=backend, threads=threads).fit(X, Y)
        except ImportError:
            continue
        found.append([*model.coefs_, *model.intercepts_, model.predict_proba(X), np.array(model.loss_)])
    assert len(found) > 1
    for arrays in found[1:]:
        for a, b in zip(arrays, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("labels", [Y, Y > 0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_logistic_regression_is_scikit_learns(labels, fit_intercept):
    settings = {"C": 3.0, "tol": 1e-8, "max_iter": 1000, "fit_intercept": fit_intercept}
    theirs = linear_model.LogisticRegression(**settings).fit(X, labels)
    mine = LogisticRegression(**settings).fit(X, labels)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(mine.decision_function(X), theirs.decision_function(X), atol=1e-5)
    np.testing.assert_array_equal(mine.predict(X), theirs.predict(X))
    by_steps = LogisticRegression(C=3.0, solver="adam", max_iter=60, learning_rate_init=0.1, random_state=0)
    assert by_steps.fit(X, labels).score(X, labels) == by_steps.score(dense(X), labels) > 0.8


def test_linear_regression_never_makes_it_dense():
    theirs, mine = (kind(tol=1e-10).fit(X, TARGET) for kind in (TheirLinearRegression, LinearRegression))
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), atol=1e-6)
    huber = LinearRegression(loss="huber").fit(X, TARGET)
    np.testing.assert_allclose(huber.predict(X), huber.predict(dense(X)), rtol=1e-9)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_every_format_gives_the_same(form, kind):
    x = getattr(sparse, f"{form}_{kind}")(X)
    for estimator in (MLPClassifier((4,), max_iter=2, random_state=0), LogisticRegression(max_iter=2)):
        wanted = estimator.fit(X, Y).predict_proba(X)
        np.testing.assert_array_equal(estimator.fit(x, Y).predict_proba(x), wanted)


@pytest.mark.parametrize("indices", [np.int32, np.int64])
@pytest.mark.parametrize("values", [np.float64, np.float32, np.int64, np.uint8, bool])
def test_every_dtype_of_indices_and_values(indices, values):
    x = sparse.csr_array((X * 9).astype(values))
    x.indices, x.indptr = x.indices.astype(indices), x.indptr.astype(indices)
    model = MLPClassifier((6,), max_iter=2, random_state=0).fit(x, Y)
    other = MLPClassifier((6,), max_iter=2, random_state=0).fit(dense(x), Y)
    same(model, other, 1e-9 if values != np.float32 else 1e-5)
    np.testing.assert_allclose(model.predict_proba(x), other.predict_proba(x), rtol=1e-5)


def test_entries_out_of_order_and_there_twice_are_added_and_the_users_matrix_stays_as_it_is():
    columns, starts = [4, 1, 4, 0, 2, 2], [0, 3, 3, 6]
    x = sparse.csr_matrix(([1.0, 2.0, 3.0, 4.0, 5.0, -5.0], columns, starts), shape=(3, 5))
    assert not x.has_canonical_format
    rows = SparseRows.of(x, "float64")
    assert (rows.columns.tolist(), rows.values.tolist(), rows.starts.tolist()) == (
        [1, 4, 0, 2],
        [2.0, 4.0, 4.0, 0.0],
        [0, 2, 2, 4],
    )
    assert x.indices.tolist() == columns
    assert len(rows) == 3
    assert rows[1:].entries == 2
    model = LogisticRegression().fit(sparse.vstack([x, x]), [0, 1, 0, 0, 1, 0])
    np.testing.assert_allclose(model.predict_proba(x), model.predict_proba(dense(x)))


def test_a_whole_gradient_is_taken_by_blocks_where_outputs_would_take_too_much_memory(monkeypatch):
    settings = {"hidden_layer_sizes": (7,), "solver": "lbfgs", "max_iter": 3, "random_state": 1}
    whole = MLPClassifier(**settings).fit(X, Y)
    monkeypatch.setattr("fastnn.sklearn.network.WORKSPACE_BYTES", 30_000)
    model = MLPClassifier(**settings).fit(X, Y)
    engine = model._network().engine
    assert 1 < 30_000 // (engine.costs_of(Data(SparseRows.of(X, float))).row_values * 8) < 100
    same(model, whole)


def test_the_workspace_serves_dense_and_sparse_rows_by_turns():
    model = MLPClassifier((6,), max_iter=2, random_state=0).fit(X, Y)
    wanted = model.predict_proba(X)
    for _ in range(2):
        np.testing.assert_array_equal(model.predict_proba(dense(X)), wanted)
        np.testing.assert_array_equal(model.predict_proba(X), wanted)
    model.set_params(warm_start=True, max_iter=1)
    for x in (X, dense(X), X):
        model.fit(x, Y)
    assert np.isfinite(model.loss_)
    assert model.partial_fit(X, Y).predict(X[:1]).shape == (1,)


def test_a_workspace_of_sparse_rows_has_no_room_for_them_dense():
    model = MLPClassifier((3,), max_iter=2, random_state=0)
    x = sparse.random(200, 20_000, 0.001, "csr", random_state=0)
    model.fit(x, np.arange(200) % 2).predict(x)
    assert model._network().engine.buffers["workspace"].nbytes < 2**20


def test_what_sparse_rows_have_that_is_not_finite_is_refused():
    x = X.copy()
    x.data[3] = np.nan
    for model in (MLPClassifier((3,)), LogisticRegression(), LinearRegression()):
        with pytest.raises(ValueError, match="NaN"):
            model.fit(x, Y)


def test_texts_and_categories_in_pipelines():
    texts = [f"first{a} second{b} and third{a * b % 7}" for b in range(10) for a in range(12)]
    labels = np.arange(120) % 12 % 2
    for model in (LogisticRegression(C=100), MLPClassifier((8,), max_iter=30, learning_rate_init=0.05, random_state=0)):
        pipeline = make_pipeline(TfidfVectorizer(), model)
        assert cross_val_score(pipeline, texts, labels, cv=3).min() > 0.6
        assert pipeline.fit(texts, labels).score(texts, labels) > 0.9
    pairs = np.array([text.split()[:2] for text in texts])
    assert make_pipeline(OneHotEncoder(), LogisticRegression()).fit(pairs, labels).score(pairs, labels) > 0.9


def test_a_sequential_model_says_who_takes_sparse_rows():
    model = fastnn.Sequential([fastnn.layers.Dense(1)])
    model.compile("sgd", "mse", backend="numpy")
    for call in (lambda: model.fit(X, TARGET[:, 0], verbose=0), lambda: model.predict(X)):
        with pytest.raises(TypeError, match=r"it is sparse, which fastnn.sklearn's estimators take .*x.toarray\(\)"):
            call()
