"""What somebody who comes from scikit-learn or Keras tries first."""

import inspect
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, initializers, layers, losses, regularizers


def test_compile_has_kerass_default():
    model = fastnn.Sequential([layers.Dense(1)])
    model.compile(loss="mse")
    assert isinstance(model.optimizer, fastnn.optimizers.RMSprop)


def test_classes_have_kerass_other_names():
    assert regularizers.l2(0.1).l2 == 0.1
    assert (regularizers.l1, regularizers.l1_l2) == (regularizers.L1, regularizers.L1L2)
    assert isinstance(initializers.he_normal(seed=1), initializers.HeNormal)
    model = fastnn.Sequential([layers.Dense(1, kernel_regularizer=regularizers.l1(0.1))])
    model.compile("sgd", loss=losses.mean_squared_error)
    assert isinstance(model.loss, losses.MeanSquaredError)
    for module in (initializers, losses):
        with pytest.raises(AttributeError, match="nothing"):
            module.nothing  # noqa: B018


def test_the_state_of_a_model_is_plain():
    """As those who keep objects without pickle want it: skops among them."""
    model = fastnn.Sequential([layers.Input((3,)), layers.Dense(2)], seed=0)
    model.compile("adam", "mse", backend="numpy")
    model.fit(np.eye(3), np.eye(3)[:, :2], verbose=0)
    other = fastnn.Sequential.__new__(fastnn.Sequential)
    other.__setstate__(pickle.loads(pickle.dumps(model.__getstate__())))
    for each in (model, other):
        each.fit(np.eye(3), np.eye(3)[:, :2], verbose=0)
    assert all((a == b).all() for a, b in zip(model.get_weights(), other.get_weights(), strict=True))
    assert other.optimizer.iterations == 2


def test_skops_keeps_estimators():
    io = pytest.importorskip("skops.io")
    pytest.importorskip("sklearn")
    from fastnn.sklearn import TabularClassifier

    x, y = np.random.default_rng(0).normal(size=(40, 3)), [0, 1] * 20
    model = TabularClassifier((8,), epochs=2, n_ensemble=1, random_state=0).fit(x, y)
    kept = io.dumps(model)
    assert (io.loads(kept, trusted=io.get_untrusted_types(data=kept)).predict(x) == model.predict(x)).all()


def test_penalised_columns_that_hardly_vary_do_not_slow_l_bfgs_down():
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn import linear_model

    from fastnn.sklearn import LogisticRegression

    x, y = datasets.load_digits(return_X_y=True)
    x, y = x[::3] / 16, y[::3]
    exact = linear_model.LogisticRegression(tol=1e-5, max_iter=1000).fit(x, y)
    model = LogisticRegression().fit(x, y)  # warns where 100 iterations are not enough
    np.testing.assert_allclose(model.predict_proba(x), exact.predict_proba(x), atol=0.02)
    assert model.n_iter_ < 50


@pytest.mark.parametrize("without", ["intercept", "centring"])
def test_columns_that_are_not_centred_are_scaled_by_their_squares(without):
    datasets = pytest.importorskip("sklearn.datasets")
    from scipy import sparse
    from sklearn import linear_model

    from fastnn.sklearn import LogisticRegression

    x, y = datasets.load_iris(return_X_y=True)
    x = np.column_stack([x, np.full(len(x), 30.0)])  # constant: it varies by nothing, and counts
    settings = {"fit_intercept": without != "intercept", "C": 10.0, "tol": 1e-6, "max_iter": 2000}
    exact = linear_model.LogisticRegression(**settings | {"max_iter": 10_000}).fit(x, y)
    model = LogisticRegression(**settings).fit(sparse.csr_matrix(x) if without == "centring" else x, y)
    np.testing.assert_allclose(model.predict_proba(x), exact.predict_proba(x), atol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [{"dropout": 0.1}, {"stop_on": "loss"}, {"callbacks": [callbacks.Callback()]}, {"progress_bar": True}, {}],
)
def test_l_bfgs_refuses_what_it_does_not_heed(settings):
    pytest.importorskip("sklearn")
    from fastnn.sklearn import MLPClassifier

    x, y = np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]
    model = MLPClassifier((3,), solver="lbfgs", **settings)
    held = {} if settings else {"X_val": x, "y_val": y}
    with pytest.raises(ValueError, match=next(iter(settings), "X_val")):
        model.fit(x, y, **held)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("MLPClassifier", set()),
        ("MLPRegressor", set()),
        ("LogisticRegression", {"penalty", "l1_ratio", "dual", "intercept_scaling", "multi_class", "n_jobs"}),
        ("LinearRegression", {"copy_X", "n_jobs", "positive"}),
    ],
)
def test_parameters_are_scikit_learns_with_their_defaults(name, missing):
    neural_network = pytest.importorskip("sklearn.neural_network")
    from sklearn import linear_model

    import fastnn.sklearn

    theirs = inspect.signature(getattr(neural_network, name, None) or getattr(linear_model, name)).parameters
    mine = inspect.signature(getattr(fastnn.sklearn, name)).parameters
    assert theirs.keys() - mine.keys() <= missing
    for each in theirs.keys() & mine.keys():
        assert mine[each].default == theirs[each].default, each
