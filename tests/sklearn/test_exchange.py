"""Estimators of scikit-learn's own come here and go back, fitted, and train on as they would have there."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import linear_model, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn
from fastnn import layers
from fastnn import sklearn as ours
from fastnn.sklearn import from_sklearn, to_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(90, 5))
TARGETS = {
    "two": np.where(X[:, 0] > 0.1, "yes", "no"),
    "three": np.array(["a", "b", "c"])[np.digitize(X[:, 1], [-0.5, 0.5])],
    "labels": (X[:, :3] > 0).astype(int),
    "one": X[:, 0] * X[:, 1],
    "several": X[:, :2] ** 2,
}
SETTINGS = {
    "adam": {"solver": "adam"},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.02},
    "momentum": {"solver": "sgd", "learning_rate_init": 0.02, "nesterovs_momentum": False},
    "plain": {"solver": "sgd", "learning_rate_init": 0.02, "momentum": 0.0},
    "adaptive": {
        "solver": "sgd",
        "learning_rate_init": 0.5,
        "learning_rate": "adaptive",
        "tol": 0.05,
        "n_iter_no_change": 2,
    },
    "invscaling": {"solver": "sgd", "learning_rate_init": 0.5, "learning_rate": "invscaling"},
}
ATTRIBUTES = ["n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "best_loss_", "loss_"]


def theirs(kind, **settings):
    name = "MLPClassifier" if kind in ("two", "three", "labels") else "MLPRegressor"
    given = {"hidden_layer_sizes": (7, 6), "max_iter": 8, "random_state": 0, "activation": "tanh"}
    return getattr(neural_network, name)(**(given | settings))


def outputs(estimator):
    found = [estimator.predict(X)]
    return found + [estimator.predict_proba(X)] if hasattr(estimator, "predict_proba") else found


def assert_alike(one, other, bar=1e-12):
    for first, second in zip(outputs(one), outputs(other), strict=True):
        assert first.shape == second.shape
        if first.dtype.kind == "f":
            np.testing.assert_allclose(first, second, rtol=0, atol=bar)
        else:
            np.testing.assert_array_equal(first, second)
    for name in ATTRIBUTES:
        if hasattr(one, name):
            found, wanted = getattr(one, name), getattr(other, name)
            same = found == wanted or (isinstance(wanted, float) and found == pytest.approx(wanted, rel=1e-7))
            assert same, name
    for name in ("loss_curve_", "validation_scores_"):
        if getattr(one, name, None) is not None:
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-7)


@pytest.mark.parametrize("kind", TARGETS)
def test_a_perceptron_predicts_the_same_in_and_out(kind):
    given = theirs(kind).fit(X, TARGETS[kind])
    made = from_sklearn(given)
    assert type(made) is getattr(ours, type(given).__name__)
    assert_alike(given, made)
    back = to_sklearn(made)
    assert type(back) is type(given)
    assert back.get_params() == given.get_params()
    assert_alike(given, back, 0)
    assert vars(back).keys() >= vars(given).keys() - {"_random_state"}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("kind", ["two", "three", "one"])
def test_partial_fit_goes_on_where_it_was(kind, settings):
    y, given = TARGETS[kind], theirs(kind, **settings)
    given.fit(X, y)
    made = from_sklearn(given)
    for _ in range(5):
        given.partial_fit(X, y)
        made.partial_fit(X, y)
    assert_alike(given, made, 1e-10)
    back = to_sklearn(made)
    for _ in range(5):
        given.partial_fit(X, y)
        back.partial_fit(X, y)
    assert_alike(given, back, 1e-10)


def test_pickles_and_weights_of_ones_own():
    given = theirs("two").fit(X, TARGETS["two"])
    made = pickle.loads(pickle.dumps(from_sklearn(given)))
    assert_alike(given.partial_fit(X, TARGETS["two"]), made.partial_fit(X, TARGETS["two"]), 1e-10)
    made = ours.MLPRegressor(hidden_layer_sizes=(2,), activation="tanh")
    made.coefs_, made.intercepts_ = [np.ones((5, 2)), np.ones((2, 1))], [np.zeros(2), np.zeros(1)]
    np.testing.assert_allclose(to_sklearn(made).predict(X), 2 * np.tanh(X.sum(axis=1)))


@pytest.mark.parametrize("settings", [{}, {"solver": "lbfgs"}, {"early_stopping": True}, SETTINGS["adaptive"]])
def test_warm_starts_go_on_from_the_weights(settings):
    y, given = TARGETS["two"], theirs("two", warm_start=True, **settings)
    given.fit(X, y)
    made = from_sklearn(given)
    back = to_sklearn(made)
    for estimator in (given, made, back):
        estimator.fit(X, y)
    assert_alike(given, back, 1e-10)
    if not given.early_stopping:  # there scikit-learn trains the best weights that it keeps, in place
        assert_alike(given, made, 1e-6 if settings.get("solver") == "lbfgs" else 1e-10)


def test_names_of_columns_dtypes_and_what_is_not_fitted():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X.astype("float32"), columns=list("abcde"))
    made = from_sklearn(theirs("one").fit(frame, TARGETS["one"]))
    assert list(made.feature_names_in_) == list("abcde")
    assert made.predict(frame).dtype == np.float32
    assert list(to_sklearn(made).feature_names_in_) == list("abcde")
    bare = from_sklearn(theirs("one", alpha=0.3))
    assert bare.alpha == 0.3
    assert not hasattr(bare, "coefs_")
    assert to_sklearn(bare).get_params() == theirs("one", alpha=0.3).get_params()


@pytest.mark.parametrize("settings", [{}, {"fit_intercept": False}, {"C": np.inf}, {"solver": "newton-cholesky"}])
@pytest.mark.parametrize("kind", ["two", "three"])
def test_logistic_regression(kind, settings):
    given = linear_model.LogisticRegression(**settings).fit(X, TARGETS[kind])
    made = from_sklearn(given)
    for one, other in zip(outputs(given), outputs(made), strict=True):
        np.testing.assert_array_equal(one, other) if one.dtype.kind == "U" else np.testing.assert_allclose(
            one, other, atol=1e-12
        )
    np.testing.assert_allclose(given.decision_function(X), made.decision_function(X), atol=1e-12)
    np.testing.assert_array_equal(given.coef_, made.coef_)
    np.testing.assert_array_equal(given.intercept_, made.intercept_)
    back = to_sklearn(made)
    np.testing.assert_array_equal(given.predict_proba(X), back.predict_proba(X))
    assert vars(back).keys() == vars(given).keys()
    again = made.set_params(warm_start=True, tol=1e-8).fit(X, TARGETS[kind])
    if settings != {"C": np.inf}:  # then the classes are told apart without an end
        np.testing.assert_allclose(again.predict_proba(X), given.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("settings", [{}, {"fit_intercept": False}, {"positive": True}])
@pytest.mark.parametrize("kind", ["one", "several"])
def test_linear_regression(kind, settings):
    given = linear_model.LinearRegression(**settings).fit(X, TARGETS[kind])
    made = from_sklearn(given)
    np.testing.assert_allclose(made.predict(X), given.predict(X), atol=1e-12)
    assert made.coef_.shape == given.coef_.shape
    back = to_sklearn(made)
    np.testing.assert_array_equal(back.predict(X), given.predict(X))
    assert vars(back).keys() == vars(given).keys()
    np.testing.assert_allclose(made.fit(X, TARGETS[kind]).predict(X), given.predict(X), atol=1e-10)


@pytest.mark.parametrize(
    ("units", "last", "classes"),
    [(1, "linear", None), (2, "linear", None), (1, "sigmoid", ["n", "y"]), (3, "sigmoid", None), (4, "softmax", None)]
    + [(2, "softmax", ["n", "y"])],
)
@pytest.mark.parametrize("hidden", [(), (6,), (6, 4)])
def test_a_sequential_is_a_perceptron(units, last, classes, hidden):
    stack = [layers.Dense(width, "relu") for width in hidden]
    model = fastnn.Sequential([layers.Input((5,)), *stack, layers.Dense(units), layers.Activation(last)], seed=1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    made = to_sklearn(model, classes)
    wanted = model.predict(X)
    if last == "linear":
        np.testing.assert_allclose(made.predict(X).reshape(90, -1), wanted, atol=1e-5)
        return
    found = made.predict_proba(X)
    if units == 1:
        wanted = np.hstack([1 - wanted, wanted])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    if units == 3:
        np.testing.assert_array_equal(made.predict(X), wanted > 0.5)
    else:
        assert set(made.predict(X)) <= set(made.classes_)
        np.testing.assert_array_equal(made.predict(X), made.classes_[wanted.argmax(1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made.partial_fit(X, made.predict(X))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dropout": 0.1}, r"dropout got 0.1, .*set_params\(dropout=0.0\)"),
        ({"class_weight": "balanced"}, "class_weight got 'balanced'"),
        ({"solver": "adamw"}, "solver got 'adamw'"),
        ({"solver": fastnn.optimizers.Adam()}, "solver got Adam"),
        ({"loss": "hinge"}, "loss got 'hinge'"),
        ({"activation": "gelu"}, "activation got 'gelu', .*wants one of 'identity'"),
        ({"activation": ["tanh", "relu"], "hidden_layer_sizes": (3, 3)}, "activation got 'relu', 'tanh'"),
        ({"stop_on": "loss"}, "stop_on"),
        ({"max_time": 3}, "max_time"),
        ({"callbacks": []}, "callbacks"),
    ],
)
def test_what_scikit_learn_cannot_hold_is_refused_by_its_name(settings, said):
    with pytest.raises(ValueError, match=said):
        to_sklearn(ours.MLPClassifier(**settings))


@pytest.mark.parametrize(
    ("estimator", "kind", "said"),
    [
        (linear_model.LogisticRegression(l1_ratio=1.0, solver="saga"), ValueError, "l1 penalty"),
        (linear_model.LogisticRegression(solver="liblinear"), ValueError, "solver got 'liblinear'"),
        (make_pipeline(StandardScaler(), theirs("one")), TypeError, r"wants its last step, estimator\[-1\]"),
        (linear_model.Ridge(), TypeError, "a Ridge of sklearn.*wants one of scikit-learn's MLPClassifier"),
        (ours.MLPRegressor(), TypeError, "a MLPRegressor of fastnn"),
    ],
)
def test_what_is_not_here_is_refused(estimator, kind, said):
    with pytest.raises(kind, match=said):
        from_sklearn(estimator)


def test_what_else_cannot_go_out():
    made = ours.MLPRegressor(hidden_layer_sizes=(2,), solver="adamw", max_iter=2).fit(X, TARGETS["one"])
    with pytest.raises(ValueError, match="trained by AdamW"):
        to_sklearn(made.set_params(solver="adam"))
    for estimator, said in (
        (ours.LinearRegression(alpha=0.1), "alpha got 0.1"),
        (ours.LinearRegression(loss="huber"), "loss got 'huber'"),
        (ours.LogisticRegression(solver="adam"), "solver got 'adam'"),
        (ours.LogisticRegression().fit(X, TARGETS["labels"]), "several labels"),
    ):
        with pytest.raises(ValueError, match=said):
            to_sklearn(estimator)
    with pytest.raises(TypeError, match="TabularRegressor"):
        to_sklearn(ours.TabularRegressor())
    with pytest.raises(ValueError, match="classes got"):
        to_sklearn(ours.MLPClassifier(), ["a"])
    for stack, classes, said in (
        ([layers.Dense(3, "relu"), layers.Dropout(0.1), layers.Dense(1)], None, "a Dropout"),
        ([layers.Dense(3, "relu", use_bias=False), layers.Dense(1)], None, "a Dense without a bias"),
        ([layers.Dense(3, "relu"), layers.Dense(3, "tanh"), layers.Dense(1)], None, "'relu', 'tanh'"),
        ([layers.Dense(3, "relu"), layers.Dense(1, "relu")], None, "the last activation is 'relu'"),
        ([layers.Dense(2, "sigmoid")], ["a", "b"], "labels side by side"),
        ([layers.Dense(3, "softmax")], ["b", "a", "c"], "wants 3, sorted"),
        ([layers.Dense(1)], ["a"], "is 'linear'"),
    ):
        model = fastnn.Sequential([layers.Input((5,)), *stack])
        with pytest.raises(ValueError, match=said):
            to_sklearn(model, classes)
