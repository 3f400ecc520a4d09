"""Perceptrons of several networks: `n_ensemble`."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.metrics import r2_score

from fastnn.callbacks import Callback
from fastnn.sklearn import MLPClassifier, MLPRegressor, members, to_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
MODEL = MLPClassifier((8,), learning_rate_init=0.02, max_iter=10, n_ensemble=3, random_state=0)


@pytest.fixture(params=["side by side", "one after another"])
def way(request, monkeypatch):
    monkeypatch.setattr(members, "WORK", 0.0 if request.param == "side by side" else np.inf)


@pytest.mark.usefixtures("way")
def test_probabilities_are_the_mean_of_networks_of_their_own_seeds():
    model = clone(MODEL).fit(X, Y)
    assert len(model.estimators_) == 3
    assert len({each.random_state for each in model.estimators_}) == 3
    alone = [clone(each).fit(X, Y) for each in model.estimators_]
    for each, wanted in zip(model.estimators_, alone, strict=True):
        np.testing.assert_array_equal(each.coefs_[0], wanted.coefs_[0])
    wanted = np.mean([each.predict_proba(X) for each in alone], axis=0)
    np.testing.assert_array_equal(model.predict_proba(X), wanted)
    np.testing.assert_array_equal(model.predict(X), wanted.argmax(axis=1))
    assert model.n_iter_ == 10
    assert model.loss_ == pytest.approx(np.mean([each.loss_ for each in alone]))


@pytest.mark.usefixtures("way")
def test_values_are_the_mean_too():
    x, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=50, n_ensemble=2, random_state=0).fit(x, y)
    wanted = np.mean([each.predict(x) for each in model.estimators_], axis=0)
    np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-12)
    assert model.score(x, y) == pytest.approx(r2_score(y, wanted))


def test_rates_are_averaged_behind_the_exponential():
    x, y = X[:, :2], np.arange(len(X)) % 3 + 1.0
    model = MLPRegressor("poisson", (4,), max_iter=3, n_ensemble=2, random_state=0).fit(x, y)
    np.testing.assert_allclose(model.predict(x), sum(each.predict(x) for each in model.estimators_) / 2, rtol=1e-12)


def test_two_classes_and_several_labels():
    two = clone(MODEL).fit(X[:100], np.array(["a", "b"])[Y[:100]])
    assert set(two.predict(X[:100])) == {"a", "b"}
    x, y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    several = clone(MODEL).fit(x, y)
    assert several.predict(x).shape == several.predict_proba(x).shape == (60, 3)


def test_partial_fit_trains_each_by_an_epoch_and_knows_all_classes():
    model = clone(MODEL)
    for _ in range(3):
        model.partial_fit(X[:100], Y[:100], classes=[0, 1, 2])
    assert [each.t_ for each in model.estimators_] == [300] * 3
    assert model.predict_proba(X).shape == (150, 3)


def test_warm_start_goes_on_with_the_settings_of_now():
    model = clone(MODEL).set_params(warm_start=True).fit(X, Y)
    first = model.estimators_[0]
    before = first.coefs_[0].copy()
    model.set_params(max_iter=2).fit(X, Y)
    assert model.estimators_[0] is first
    assert first.n_iter_ == 2
    assert not np.array_equal(first.coefs_[0], before)


def test_one_network_or_several_may_follow_each_other():
    model = clone(MODEL).fit(X, Y)
    model.set_params(n_ensemble=1).fit(X, Y)
    assert not hasattr(model, "estimators_")
    np.testing.assert_array_equal(model.coefs_[0], clone(model).fit(X, Y).coefs_[0])
    model.set_params(n_ensemble=2).fit(X, Y)
    assert len(model.estimators_) == 2
    assert not hasattr(model, "coefs_")


def test_pickles_predict_the_same():
    model = clone(MODEL).fit(X, Y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


class Counting(Callback):
    """Counts epochs."""

    def __init__(self):
        super().__init__()
        self.epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1


def test_each_network_has_copies_of_the_callbacks():
    given = Counting()
    model = clone(MODEL).set_params(callbacks=[given]).fit(X, Y)
    assert [each.callbacks[0].epochs for each in model.estimators_] == [10] * 3


def test_several_are_not_taken_for_one():
    model = clone(MODEL).fit(X, Y)
    with pytest.raises(ValueError, match="n_ensemble got 3 networks; wants one of them"):
        to_sklearn(model)
    assert to_sklearn(model.estimators_[0]).predict(X).shape == (150,)
    with pytest.raises(ValueError, match="n_ensemble"):
        clone(MODEL).set_params(n_ensemble=0).fit(X, Y)


def test_a_refused_fit_leaves_the_networks():
    model = clone(MODEL).fit(X, Y)
    before = model.estimators_
    with pytest.raises(ValueError, match="alpha"):
        model.set_params(alpha=-1.0).fit(X, Y)
    assert model.estimators_ is before
