"""The networks of a tabular estimator: trained from one end of a cycle to the next, as long as that pays."""

import threading
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("sklearn")

from backends import why_missing

from fastnn.engine import Training
from fastnn.errors import DivergenceWarning
from fastnn.losses import MeanSquaredError, SparseCategoricalCrossentropy
from fastnn.sklearn import TabularClassifier, TabularRegressor
from fastnn.sklearn.ensemble import Ensemble, Task, side_by_side
from fastnn.sklearn.recipe import recipe_for

SMALL = {
    "hidden_layer_sizes": (16, 16),
    "epochs": 31,
    "n_ensemble": 3,
    "batch_size": 32,
    "backend": "auto" if why_missing("cython") else "cython",
    "random_state": 0,
}
ENDS = [1, 3, 7, 15, 31]
CLASSIFICATION = Task(2, "softmax", SparseCategoricalCrossentropy(), [], "val_loss")
REGRESSION = Task(2, "linear", MeanSquaredError(), [], "val_loss")


@pytest.fixture(scope="module")
def table():
    """Numbers, what they say, and what they do not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    return x, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2], rng.normal(size=300)


def interrupt_after(monkeypatch, count):
    """Ctrl-C at the end of so many compiled runs."""
    advance, calls = Training.advance, []

    def interrupted(self, last):
        advance(self, last)
        if threading.current_thread() is threading.main_thread():
            calls.append(last)
            if len(calls) == count:
                raise KeyboardInterrupt

    monkeypatch.setattr(Training, "advance", interrupted)


def test_no_cycle_begins_after_one_that_brings_too_little(table):
    x, _, noise = table
    model = TabularRegressor(**SMALL).fit(x, noise)  # nothing to learn: the more, the worse
    assert [len(curve) for curve in model.loss_curves_] == [ENDS[2]] * 3
    assert model.best_epochs_ == [ENDS[0]] * 3
    whole = TabularRegressor(**SMALL, tol=None).fit(x, noise)
    assert [len(curve) for curve in whole.loss_curves_] == [ENDS[-1]] * 3
    for short, long in zip(model.loss_curves_, whole.loss_curves_, strict=True):
        assert short == long[: len(short)]
    for short, long in zip(model.validation_curves_, whole.validation_curves_, strict=True):
        assert short == long[: len(short)]
    np.testing.assert_array_equal(model.predict(x), whole.predict(x))
    assert not model.interrupted_


@pytest.mark.parametrize("tol", [0, 0.05, 0.5])
def test_the_last_two_cycles_begin_where_the_error_has_fallen_by_tol(table, tol):
    x, y, _ = table
    x_val, y_val = x[200:], y[200:]
    settings = SMALL | {"n_ensemble": 1, "epochs": 93}
    model = TabularRegressor(**settings, tol=tol).fit(x[:200], y[:200], X_val=x_val, y_val=y_val)
    (curve,), ends = model.validation_curves_, [3 * end for end in ENDS]
    errors = [curve[end - 1] for end in ends[: ends.index(len(curve)) + 1]]
    falls = [after <= before * (1 - tol) for before, after in pairwise(errors)]
    assert len(falls) >= 2
    assert all(falls[1:-1])
    assert not falls[-1] or len(falls) == 4
    assert model.best_epochs_ == [ends[int(np.argmin(errors))]]


@pytest.mark.parametrize(
    ("errors", "enough"),
    [
        ([0.5], False),
        ([0.5, 0.6], False),  # the first three cycles are always trained
        ([0.6, 0.5, 0.495], True),
        ([0.6, 0.5, 0.4], False),
        ([0.3, 0.4, 0.3], False),
        ([0.6, 0.5, 0.4, 0.41], True),
        ([0.7, 0.695, 0.694], False),  # as good as the frequencies of two classes, 0.693: nothing learned so far
        ([0.7, 0.695, 0.72], True),
    ],
)
def test_flat_is_enough_once_something_has_been_learned(errors, enough):
    y = np.arange(100) % 2
    for tol, wanted in [(0.02, enough), (None, False)]:
        recipe = recipe_for(TabularClassifier(tol=tol), 100, 4)
        rows = np.zeros((100, 1)), y, None
        assert Ensemble(TabularClassifier(), recipe, CLASSIFICATION, rows)._enough(errors) is wanted


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2, 1, 4])])
def test_the_error_of_the_mean_is_that_of_a_constant(weight):
    y = np.array([[0.0, 1], [1, 0], [2, 5], [4, 4]])
    recipe, x = recipe_for(TabularRegressor(), 4, 1), np.zeros((4, 1))
    found = Ensemble(TabularRegressor(), recipe, REGRESSION, (x, y, weight))._error_of_mean()
    mean = np.average(y, axis=0, weights=weight)
    assert found == pytest.approx(np.average(((y - mean) ** 2).mean(axis=1), weights=weight))
    labels = np.array([0, 1, 1, 1])
    found = Ensemble(TabularClassifier(), recipe, CLASSIFICATION, (x, labels, weight))._error_of_mean()
    first = np.average(labels == 0, weights=weight)
    assert found == pytest.approx(-first * np.log(first) - (1 - first) * np.log(1 - first))


def test_what_takes_long_to_be_found_is_waited_for():
    x = np.random.default_rng(0).integers(0, 2, (1200, 6)).astype(float)
    y = x[:, :4].sum(axis=1) % 2  # no single column says anything, nor do two or three
    settings = {"backend": SMALL["backend"], "random_state": 0, "n_ensemble": 2}
    assert TabularClassifier(**settings).fit(x[:1000], y[:1000]).score(x[1000:], y[1000:]) > 0.95


def test_results_are_those_of_any_number_of_threads(table):
    x, y, _ = table
    labels = np.where(y > 0.2, "many", "few")
    models = [TabularClassifier(**SMALL | {"n_ensemble": 4}, threads=threads).fit(x, labels) for threads in (1, 2, 3)]
    for model in models[1:]:
        np.testing.assert_array_equal(model.predict_proba(x), models[0].predict_proba(x))
        assert model.loss_curves_ == models[0].loss_curves_
        assert model.validation_curves_ == models[0].validation_curves_
        assert model.best_epochs_ == models[0].best_epochs_


def test_without_rows_to_choose_by_all_epochs_are_trained(table):
    x, _, noise = table
    model = TabularRegressor(**SMALL, validation_fraction=0).fit(x, noise)
    assert [len(curve) for curve in model.loss_curves_] == [ENDS[-1]] * 3
    assert model.best_epochs_ == [ENDS[-1]] * 3


def test_ctrl_c_within_a_later_cycle_keeps_all_networks(table, monkeypatch):
    x, y, _ = table
    settings = SMALL | {"threads": 1, "tol": 0}
    wanted = TabularRegressor(**settings).fit(x, y).predict(x)
    interrupt_after(monkeypatch, 3 * ENDS[1] + 1)  # all have ended two cycles, and the first has begun the third
    model = TabularRegressor(**settings).fit(x, y)
    assert model.interrupted_
    assert [len(curve) for curve in model.loss_curves_] == [ENDS[1] + 1, ENDS[1], ENDS[1]]
    assert set(model.best_epochs_) <= {*ENDS[:2], ENDS[1] + 1}
    assert np.corrcoef(model.predict(x), y)[0, 1] > 0.3
    assert not np.array_equal(model.predict(x), wanted)


def test_ctrl_c_within_the_first_cycle_keeps_the_networks_that_have_begun(table, monkeypatch):
    x, y, _ = table
    interrupt_after(monkeypatch, 1)
    model = TabularRegressor(**SMALL, threads=1).fit(x, y)
    assert model.interrupted_
    assert len(model.models_) == 1
    assert np.isfinite(model.predict(x)).all()


def test_a_network_that_diverges_is_trained_no_more(table):
    x, y, _ = table
    with pytest.warns(DivergenceWarning) as caught:
        model = TabularRegressor(**SMALL, learning_rate=1e30, tol=None).fit(x, y)
    assert len(caught) == 3
    assert not model.interrupted_
    assert max(len(curve) for curve in model.loss_curves_) < ENDS[-1]
    assert np.isfinite(model.predict(x)).all()


def test_one_bar_goes_over_all_cycles(table, capsys):
    x, y, _ = table
    model = TabularRegressor(**SMALL, verbose=2).fit(x, y)
    lines = capsys.readouterr().out.splitlines()
    epochs = len(model.loss_curves_[0])
    assert [line.split(" - ")[0] for line in lines] == [f"Epoch {number}/31" for number in range(1, epochs + 1)]


def test_a_thread_that_is_slow_takes_fewer_networks():
    others, trained = threading.Event(), []

    def train(number, _):
        if number == 0:
            assert others.wait(60)
        trained.append(number)
        if len(trained) == 3:
            others.set()

    side_by_side(train, 4, 2, others.set)
    assert trained == [1, 2, 3, 0]


def test_cycles_double_and_end_with_the_last_epoch():
    recipe = recipe_for(TabularRegressor(**SMALL), 300, 3)
    assert (recipe.ends, recipe.cycles, recipe.tol) == (ENDS, len(ENDS), 0.02)
    assert recipe_for(TabularRegressor(tol=None), 300, 4).tol is None


@pytest.mark.parametrize("tol", [-0.1, 1, "none"])
def test_a_wrong_tol_is_named(table, tol):
    x, y, _ = table
    with pytest.raises((ValueError, TypeError), match="tol got"):
        TabularRegressor(**SMALL, tol=tol).fit(x, y)
