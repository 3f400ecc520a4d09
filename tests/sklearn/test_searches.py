"""scikit-learn's searches on Dask's workers: processes and threads, with the scores of a search without them."""

import _thread
import os
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("distributed")

import distributed
import joblib
from backends import require, why_missing
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnn import callbacks, engine
from fastnn.engine import company, thread_pool
from fastnn.sklearn import MLPClassifier, TabularClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
BACKEND = {"backend": "auto" if why_missing("cython") else "cython"}
MLP = MLPClassifier((8,), learning_rate_init=0.02, max_iter=20, random_state=0, **BACKEND)
GRID = {"alpha": [1e-4, 1e-2], "hidden_layer_sizes": [(4,), (8, 8)]}


@pytest.fixture(scope="module")
def workers():
    """A client of two worker processes of one thread each."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        client.run(_quiet)
        yield client


def _quiet():
    import warnings

    warnings.simplefilter("ignore")


@pytest.fixture(scope="module")
def threads():
    """A client of two workers in this process, of one thread each."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(params=["workers", "threads"])
def client(request):
    return request.getfixturevalue(request.param)


def on_dask(client, search, x=X, y=Y):
    """The search, fitted by the client's workers."""
    with client.as_current(), joblib.parallel_config(backend="dask"):
        return search.fit(x, y)


# --- Examples ---


def test_a_grid_search_gives_the_scores_that_it_gives_alone(client):
    pipeline = make_pipeline(StandardScaler(), MLP)
    search = GridSearchCV(pipeline, {f"mlpclassifier__{name}": values for name, values in GRID.items()}, cv=2)
    alone = clone(search).fit(X, Y)
    found = on_dask(client, search)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert found.best_params_ == alone.best_params_
    np.testing.assert_array_equal(found.predict_proba(X), alone.predict_proba(X))


def test_a_randomized_search_of_tables_gives_the_scores_that_it_gives_alone(client):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X).add_prefix("x").assign(colour=["red", "green", None] * 50)
    model = TabularClassifier((16,), epochs=4, n_ensemble=2, random_state=0, **BACKEND)
    settings = {"learning_rate": [0.01, 0.04, 0.1], "dropout": [0.0, 0.1]}
    search = RandomizedSearchCV(model, settings, n_iter=3, cv=2, random_state=0)
    alone = clone(search).fit(table, Y)
    found = on_dask(client, search, table)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_partial_fits_of_blocks_give_the_weights_that_they_give_alone(client):
    wrappers, arrays = pytest.importorskip("dask_ml.wrappers"), pytest.importorskip("dask.array")
    order = np.random.default_rng(0).permutation(len(X))
    x, y, classes = X[order], Y[order], [0, 1, 2]
    incremental, alone = wrappers.Incremental(clone(MLP), shuffle_blocks=False), clone(MLP)
    with client.as_current():
        for _ in range(3):
            incremental.partial_fit(arrays.from_array(x, (50, 4)), arrays.from_array(y, 50), classes=classes)
    for start in [0, 50, 100] * 3:
        alone.partial_fit(x[start : start + 50], y[start : start + 50], classes=classes)
    for found, wanted in zip(incremental.estimator_.coefs_, alone.coefs_, strict=True):
        np.testing.assert_array_equal(found, wanted)


# --- Threads, and kernels ---


def test_worker_processes_have_one_thread_a_fit(workers):
    assert set(workers.run(thread_pool.processors).values()) == {1}


WAIT = 60  # seconds, after which what should have come has failed

meeting = threading.Barrier(2, timeout=WAIT)
shares = []


class Meet(callbacks.Callback):
    """Notes how many of 8 processors a fit has while another one is at work; clones are told apart from none."""

    def on_epoch_begin(self, epoch, logs=None):
        meeting.wait()
        shares.append(company.share(8))
        meeting.wait()


def test_fits_in_threads_of_dask_have_the_processors_between_them(threads, monkeypatch):
    monkeypatch.setattr(company, "processors", lambda: 8)
    shares.clear()
    model = clone(MLP).set_params(max_iter=3, callbacks=[Meet()])
    on_dask(threads, GridSearchCV(model, {"alpha": [1e-3]}, cv=2, refit=False))
    assert shares == [4] * 6


def _forbid_compiling():
    from fastnn.kernels.backends import numba

    def forbidden():
        raise AssertionError("a worker compiles")

    numba._announcement = forbidden


def _loaded():
    from fastnn.engine import backends

    return os.getpid(), backends.load("numba", "float64")[0]


def test_workers_load_kernels_that_are_kept(workers):
    require("numba")
    engine.load("numba", "float64")  # compiled here, or kept before
    workers.run(_forbid_compiling)
    model = clone(MLP).set_params(backend="numba", max_iter=2)
    found = on_dask(workers, GridSearchCV(model, GRID, cv=2, error_score="raise"))
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert {name for _, name in workers.run(_loaded).values()} == {"numba"}


# --- What goes wrong ---


def test_an_error_in_a_fit_comes_back_as_it_was(client):
    search = GridSearchCV(MLP, {"alpha": [1e-3, -1.0]}, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="The 'alpha' parameter of MLPClassifier must be a float in the range"):
        on_dask(client, search)
    x = X.copy()
    x[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        on_dask(client, clone(search).set_params(param_grid={"alpha": [1e-3]}), x)


pressed, ended = threading.Event(), threading.Event()


class Interrupt(callbacks.Callback):
    """Presses Ctrl-C, once, and lets no fit go on before the search has ended."""

    def on_epoch_begin(self, epoch, logs=None):
        if not pressed.is_set():
            pressed.set()
            _thread.interrupt_main()
        ended.wait(WAIT)


def test_a_search_ends_with_ctrl_c_and_the_next_one_works(threads):
    model = clone(MLP).set_params(callbacks=[Interrupt()])
    search = GridSearchCV(model, GRID, cv=2, refit=False)
    try:
        with pytest.raises(KeyboardInterrupt):
            on_dask(threads, search)
    finally:
        ended.set()
    alone = clone(search).set_params(estimator=MLP).fit(X, Y)
    found = on_dask(threads, search)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
