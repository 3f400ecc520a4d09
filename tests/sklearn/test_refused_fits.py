"""A fit that is refused leaves an estimator as the fit before left it."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastnn import sklearn as estimators

X = np.random.default_rng(0).standard_normal((60, 3))
CLASSES = (X[:, 0] > 0).astype(int)
MADE = {
    "MLPClassifier": lambda: estimators.MLPClassifier(hidden_layer_sizes=(3,), max_iter=2, tol=0.0, random_state=0),
    "MLPRegressor": lambda: estimators.MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, tol=0.0, random_state=0),
    "lbfgs": lambda: estimators.MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=2, random_state=0),
    "LogisticRegression": lambda: estimators.LogisticRegression(),
    "LinearRegression": lambda: estimators.LinearRegression(),
}
BAD = {
    "rows": (X, CLASSES[:5], None),
    "NaN": (np.full_like(X, np.nan), CLASSES, None),
    "width, and weights": (X[:, :2], CLASSES, np.full(60, np.nan)),
    "y": (X, np.full(60, np.nan), None),
    "nothing": (X[:0], CLASSES[:0], None),
}


@pytest.mark.filterwarnings("ignore:.*[Ii]terations", "ignore:.*ITERATIONS", "ignore:lbfgs")
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", MADE)
def test_a_refused_fit_leaves_an_estimator_as_it_was(name, bad):
    x, y, weight = BAD[bad]
    estimator = MADE[name]()
    with pytest.raises((ValueError, TypeError)):
        estimator.fit(x, y, weight)
    assert [attribute for attribute in vars(estimator) if attribute.endswith("_")] == []
    estimator.fit(X, CLASSES)
    before, predicted = dict(vars(estimator)), estimator.predict(X)
    with pytest.raises((ValueError, TypeError)):
        estimator.fit(x, y, weight)
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[attribute] is before[attribute] for attribute in before)
    assert np.array_equal(estimator.predict(X), predicted)
