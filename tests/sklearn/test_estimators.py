"""Estimators against scikit-learn's: its checks, its numbers, and what they have beyond it."""

import copy
import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn import linear_model, neural_network
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastnn
from fastnn import callbacks, losses, optimizers
from fastnn.sklearn import LinearRegression, LogisticRegression, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = [part[:400] for part in load_digits(return_X_y=True)]
DIGITS[0] = DIGITS[0] / 16  # no loss so large that scikit-learn clips it
DIABETES = [scale(part) for part in load_diabetes(return_X_y=True)]


@parametrize_with_checks(
    [MLPClassifier(max_iter=100), MLPRegressor(max_iter=100), LogisticRegression(), LinearRegression()]
)
@pytest.mark.filterwarnings("default")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# --- The same numbers ----------------------------------------------------------------------------------------------

CASES = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "plain sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1, "alpha": 1.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "batch_size": 64},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.2, "tol": 0.01, "max_iter": 30},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.3},
    "in order": {"shuffle": False, "batch_size": 50},
    "two layers": {"hidden_layer_sizes": (9, 7), "activation": "tanh", "batch_size": 37, "alpha": 0.5},
    "logistic": {"activation": "logistic", "hidden_layer_sizes": (8, 8)},
    "converges": {"tol": 0.05, "n_iter_no_change": 3, "max_iter": 100, "learning_rate_init": 0.02},
    "early": {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 30},
    "lbfgs": {"solver": "lbfgs", "max_iter": 8, "alpha": 0.1},
}


def assert_same(settings, name, x, y, sample_weight=None, relative=1e-9):
    settings = {"random_state": 3, "max_iter": 12, "hidden_layer_sizes": (10,), **settings}
    theirs = getattr(neural_network, name)(**settings)
    mine = globals()[name](**settings)
    weight = {} if sample_weight is None else {"sample_weight": sample_weight}
    theirs.fit(x, y, **weight)
    mine.fit(x, y, **weight)
    for a, b in zip(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=relative, atol=relative)
    assert mine.n_iter_ == theirs.n_iter_
    assert mine.t_ == theirs.t_
    assert mine.out_activation_ == theirs.out_activation_
    assert mine.loss_ == pytest.approx(theirs.loss_, rel=relative)
    if settings.get("solver") != "lbfgs":
        np.testing.assert_allclose(mine.loss_curve_, theirs.loss_curve_, rtol=relative)
        assert mine._no_improvement_count == theirs._no_improvement_count
    if settings.get("early_stopping"):
        np.testing.assert_allclose(mine.validation_scores_, theirs.validation_scores_, rtol=relative)
        assert mine.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
    elif settings.get("solver") != "lbfgs":
        assert mine.best_loss_ == pytest.approx(theirs.best_loss_, rel=relative)
    np.testing.assert_allclose(mine.predict(x), theirs.predict(x), rtol=1e-7, atol=1e-7)
    return mine


@pytest.mark.parametrize("case", CASES)
def test_classifier_is_scikit_learns(case):
    assert_same(CASES[case], "MLPClassifier", *DIGITS)


@pytest.mark.parametrize("case", CASES)
def test_regressor_is_scikit_learns(case):
    assert_same(CASES[case], "MLPRegressor", *DIABETES)


@pytest.mark.parametrize("backend", ["numba", "cython", "numpy"], indirect=True)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_backend_follows_weights_penalties_and_order(backend, solver):
    x, y = DIGITS
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    settings = {"hidden_layer_sizes": (10,), "random_state": 3, "max_iter": 5, "alpha": 2.0, "solver": solver}
    theirs = neural_network.MLPClassifier(**settings).fit(x, y, weight)
    mine = MLPClassifier(**settings, backend=backend).fit(x, y, weight)
    for a, b in zip(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    assert mine.loss_ == pytest.approx(theirs.loss_)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_two_classes_several_labels_and_poisson(solver):
    x, y = DIGITS
    assert_same({"solver": solver}, "MLPClassifier", x, y > 4)
    assert_same({"solver": solver}, "MLPClassifier", x, np.stack([y > 4, y % 2, y < 1], axis=1).astype(int))
    x, y = DIABETES
    assert_same({"solver": solver, "alpha": 0.3}, "MLPRegressor", x, np.stack([y, y**2], axis=1))
    assert_same({"solver": solver}, "MLPRegressor", x, np.round(np.exp(y)), relative=1e-8)
    assert_same({"solver": solver, "loss": "poisson"}, "MLPRegressor", x, np.round(np.exp(y)), relative=1e-8)


def test_classes_are_whatever_they_are():
    x, y = DIGITS
    names = np.array(["one", "two", "three"])
    for labels in (names[y % 2], names[y % 3], (y % 3).astype(float) - 1, names.astype(object)[y % 3]):
        model = MLPClassifier((10,), max_iter=60, learning_rate_init=0.02, random_state=0).fit(x, labels)
        assert set(model.predict(x)) == set(labels)
        assert model.score(x, labels) > 0.95


@pytest.mark.parametrize("early_stopping", [False, True])
def test_sample_weight(early_stopping):
    weight = np.random.default_rng(1).uniform(0, 3, 400)
    assert_same({"alpha": 0.5, "early_stopping": early_stopping}, "MLPClassifier", *DIGITS, weight)
    assert_same({"alpha": 0.5, "early_stopping": early_stopping}, "MLPRegressor", *DIABETES, np.resize(weight, 442))


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows(convert, solver):
    mine = assert_same(
        {"solver": solver, "early_stopping": solver == "adam"}, "MLPClassifier", convert(DIGITS[0]), DIGITS[1]
    )
    np.testing.assert_array_equal(mine.predict(DIGITS[0]), mine.predict(convert(DIGITS[0])))


def test_warm_start_and_partial_fit():
    x, y = DIGITS
    models = [
        kind((10,), random_state=0, max_iter=4, warm_start=True)
        for kind in (neural_network.MLPClassifier, MLPClassifier)
    ]
    for _ in range(3):
        theirs, mine = (model.fit(x, y) for model in models)
        np.testing.assert_allclose(mine.coefs_[0], theirs.coefs_[0], rtol=1e-9)
    models = [kind((10,), random_state=0) for kind in (neural_network.MLPClassifier, MLPClassifier)]
    for start in (0, 100, 200, 50):
        part = slice(start, start + 150)
        theirs, mine = (model.partial_fit(x[part], y[part], classes=range(10)) for model in models)
        np.testing.assert_allclose(mine.coefs_[0], theirs.coefs_[0], rtol=1e-9)
    assert mine.t_ == theirs.t_ == 600


def test_a_random_state_of_the_users_own_is_left_as_scikit_learn_leaves_it():
    states = []
    for kind in (neural_network.MLPClassifier, MLPClassifier):
        random = np.random.RandomState(5)
        kind((4,), random_state=random, tol=0.05, n_iter_no_change=2, max_iter=50).fit(*DIGITS)
        states.append(random.randint(2**31))
    assert states[0] == states[1]


@pytest.mark.parametrize("load", [load_iris, load_wine])
@pytest.mark.parametrize("C", [0.1, 10.0])
def test_logistic_regression_is_scikit_learns(load, C):
    x, y = load(return_X_y=True)
    x = scale(x)
    for labels in (y, y > 0):
        theirs = linear_model.LogisticRegression(C=C, tol=1e-8, max_iter=1000).fit(x, labels)
        mine = LogisticRegression(C=C, tol=1e-8, max_iter=1000).fit(x, labels)
        np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-5)
        np.testing.assert_allclose(mine.intercept_, theirs.intercept_, atol=1e-5)
        np.testing.assert_allclose(mine.predict_proba(x), theirs.predict_proba(x), atol=1e-5)
        np.testing.assert_allclose(mine.decision_function(x), theirs.decision_function(x), atol=1e-4)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_linear_regression_is_least_squares(fit_intercept):
    x, y = load_diabetes(return_X_y=True)
    for inputs, outputs in ((x, y), (100 * x + 3, np.stack([y, -y], axis=1))):
        theirs = linear_model.LinearRegression(fit_intercept=fit_intercept).fit(inputs, outputs)
        mine = LinearRegression(fit_intercept=fit_intercept).fit(inputs, outputs)
        np.testing.assert_allclose(mine.predict(inputs), theirs.predict(inputs), rtol=1e-3, atol=1e-3)
        assert mine.coef_.shape == theirs.coef_.shape
        np.testing.assert_allclose(mine.intercept_, theirs.intercept_, rtol=1e-4, atol=1e-4)


# --- What scikit-learn has not -------------------------------------------------------------------------------------


def test_dtype_is_that_of_x_or_as_asked():
    x, y = DIABETES
    assert MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(x, y).predict(x).dtype == np.float64
    assert MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(x.astype(np.float32), y).predict(x).dtype == np.float32
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, dtype="float32").fit(x, y)
    assert model.coefs_[0].dtype == model.predict(x).dtype == np.float32


def test_each_layer_may_have_an_activation_of_its_own():
    x, y = DIABETES
    model = MLPRegressor(
        hidden_layer_sizes=(6, 5), activation=["gelu", fastnn.activations.LeakyReLU(0.3)], max_iter=3, random_state=0
    )
    model.fit(x, y)
    h = x @ model.coefs_[0] + model.intercepts_[0]
    h = fastnn.Sequential([fastnn.layers.Input((6,)), fastnn.layers.Activation("gelu")]).predict(h).astype(float)
    h = h @ model.coefs_[1] + model.intercepts_[1]
    h = np.where(h > 0, h, 0.3 * h) @ model.coefs_[2] + model.intercepts_[2]
    np.testing.assert_allclose(model.predict(x), h.ravel(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="activation got 1"):
        MLPRegressor(hidden_layer_sizes=(6, 5), activation=["relu"]).fit(x, y)


@pytest.mark.parametrize("loss", ["mae", "huber", losses.Huber(0.1)])
def test_regression_takes_any_loss(loss):
    x, y = DIABETES
    outliers = y.copy()
    outliers[::10] += 100
    model = LinearRegression(loss=loss, solver="adam", max_iter=400, learning_rate_init=0.05, random_state=0)
    robust = model.fit(x, outliers)
    squared = clone(model).set_params(loss="squared_error").fit(x, outliers)
    assert np.abs(robust.predict(x) - y).mean() < np.abs(squared.predict(x) - y).mean() / 2


def test_solver_takes_an_optimizer_and_leaves_it():
    x, y = DIABETES
    mine = optimizers.SGD(0.01, momentum=0.5)
    model = MLPRegressor(hidden_layer_sizes=(5,), solver=mine, max_iter=5, random_state=0).fit(x, y)
    assert mine.iterations == 0
    theirs = neural_network.MLPRegressor(
        hidden_layer_sizes=(5,),
        solver="sgd",
        learning_rate_init=0.01,
        momentum=0.5,
        nesterovs_momentum=False,
        max_iter=5,
        random_state=0,
    ).fit(x, y)
    np.testing.assert_allclose(model.coefs_[0], theirs.coefs_[0], rtol=1e-9)


@pytest.mark.parametrize("solver", ["adamw", "rmsprop", "lion", optimizers.Adam(0.01, amsgrad=True), "nadam"])
def test_solver_may_be_any_optimizer(solver):
    model = MLPClassifier((20,), solver=solver, learning_rate_init=0.005, max_iter=60, random_state=0).fit(*DIGITS)
    assert model.score(*DIGITS) > 0.95
    model.partial_fit(*DIGITS)
    assert copy.deepcopy(model).partial_fit(*DIGITS).score(*DIGITS) > 0.95
    with pytest.raises(ValueError, match="wants 'lbfgs'"):
        MLPClassifier(solver=optimizers.LBFGS()).fit(*DIGITS)


def test_quantiles():
    x, y = DIABETES
    for quantile in (0.1, 0.9):
        model = LinearRegression(loss=losses.Quantile(quantile), solver="adam", learning_rate_init=0.05, max_iter=300)
        assert np.mean(y < model.set_params(random_state=0).fit(x, y).predict(x)) == pytest.approx(quantile, abs=0.04)


def test_dropout_is_in_training_alone_and_follows_random_state():
    x, y = DIGITS
    settings = {"hidden_layer_sizes": (30, 20), "max_iter": 30, "learning_rate_init": 0.01}
    models = [
        MLPClassifier(dropout=rate, random_state=0, **settings).fit(x, y) for rate in (0, 0.3, [0.3, 0.3], [0, 0.3])
    ]
    plain, dropped, same, other = models
    np.testing.assert_array_equal(dropped.coefs_[0], same.coefs_[0])
    assert dropped.loss_ > 2 * plain.loss_
    assert other.loss_ > plain.loss_
    assert dropped.score(x, y) > 0.95
    np.testing.assert_array_equal(dropped.predict_proba(x), dropped.predict_proba(x))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dropped)).predict_proba(x), dropped.predict_proba(x))
    assert MLPClassifier(dropout=0.3, random_state=1, **settings).fit(x, y).loss_ != dropped.loss_


def test_class_weight_is_a_sample_weight():
    x, y = DIGITS
    weight = np.where(y == 3, 5.0, 1.0)
    a = MLPClassifier((5,), max_iter=5, random_state=0, class_weight={3: 5.0}).fit(x, y)
    b = MLPClassifier((5,), max_iter=5, random_state=0).fit(x, y, weight)
    np.testing.assert_array_equal(a.coefs_[0], b.coefs_[0])
    few = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:4]]
    balanced = MLPClassifier((5,), max_iter=5, random_state=0, class_weight="balanced").fit(x[few], y[few])
    plain = clone(balanced).set_params(class_weight=None).fit(x[few], y[few])
    assert balanced.predict_proba(x[few])[:, 1].mean() > plain.predict_proba(x[few])[:, 1].mean()


def test_validation_rows_of_ones_own():
    x, y = DIGITS
    held = {"X_val": x[300:], "y_val": y[300:]}
    model = MLPClassifier((20,), max_iter=6, random_state=0).fit(x[:300], y[:300], **held)
    plain = MLPClassifier((20,), max_iter=6, random_state=0).fit(x[:300], y[:300])
    np.testing.assert_allclose(model.coefs_[0], plain.coefs_[0], rtol=1e-12)
    p = model.predict_proba(x[300:])[np.arange(100), y[300:]]
    assert len(model.validation_loss_curve_) == 6
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.log(p).mean())
    early = MLPClassifier((20,), max_iter=200, random_state=0, early_stopping=True, n_iter_no_change=3)
    early.fit(x[:300], y[:300], **held)
    assert early.score(x[300:], y[300:]) == early.best_validation_score_ == max(early.validation_scores_)
    with pytest.raises(ValueError, match="y_val is missing"):
        early.fit(x, y, X_val=x)


def test_training_stops_on_whatever_rule_says_so():
    x, y = DIGITS
    held = {"X_val": x[300:], "y_val": y[300:]}
    model = MLPClassifier((20,), max_iter=300, random_state=0, stop_on="validation_loss", n_iter_no_change=4)
    model.set_params(learning_rate_init=0.03).fit(x[:300], y[:300], **held)
    curve = model.validation_loss_curve_
    assert model.n_iter_ < 300
    p = model.predict_proba(x[300:])[np.arange(100), y[300:]]
    assert -np.log(p).mean() == pytest.approx(min(curve))
    with pytest.raises(ValueError, match="stop_on got 'score'"):
        MLPClassifier(stop_on=["score"]).fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it has not come to max_iter
        MLPClassifier((20,), max_iter=10**6, max_time=0.05, tol=0, n_iter_no_change=np.inf).fit(x, y)


def test_callbacks_are_called_and_may_stop_and_change_the_rate():
    class Halve(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs)
            self.model.optimizer.learning_rate /= 2
            self.model.stop_training = epoch == 3

    seen = []
    model = MLPClassifier((5,), callbacks=[Halve()], solver="sgd", learning_rate_init=0.08, random_state=0)
    model.fit(*DIGITS)
    assert model.n_iter_ == len(seen) == 4
    assert [logs["loss"] for logs in seen] == model.loss_curve_
    assert model._optimizer.learning_rate == pytest.approx(0.005)


def test_kerass_callbacks_work_in_fit(tmp_path):
    x, y = DIGITS
    held = {"X_val": x[300:], "y_val": y[300:]}
    early = callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    plateau = callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1)
    table, kept = callbacks.CSVLogger(tmp_path / "log.csv"), callbacks.ModelCheckpoint(tmp_path / "model.fastnn")
    model = MLPClassifier((20,), learning_rate_init=0.03, max_iter=200, random_state=0)
    model.set_params(callbacks=[early, plateau, table, kept]).fit(x[:300], y[:300], **held)
    assert model.n_iter_ < 200
    assert model._optimizer.learning_rate < 0.03
    p = model.predict_proba(x[300:])[np.arange(100), y[300:]]
    assert -np.log(p).mean() == pytest.approx(min(model.validation_loss_curve_))
    assert len((tmp_path / "log.csv").read_text().splitlines()) == model.n_iter_ + 1
    assert fastnn.load_model(tmp_path / "model.fastnn").predict(x).shape == (400, 10)


def test_progress_is_shown(capsys):
    MLPClassifier((5,), progress_bar=True, max_iter=2).fit(*DIGITS)
    assert "Epoch 2/2" in capsys.readouterr().out


def test_training_goes_on_with_the_optimizer_as_it_was():
    x, y = DIGITS
    settings = {"hidden_layer_sizes": (6,), "shuffle": False, "random_state": 0, "tol": 0, "n_iter_no_change": np.inf}
    whole = MLPClassifier(max_iter=6, **settings).fit(x, y)
    parts = MLPClassifier(max_iter=3, warm_start=True, reset_optimizer=False, **settings).fit(x, y).fit(x, y)
    np.testing.assert_allclose(parts.coefs_[0], whole.coefs_[0], rtol=1e-12)
    anew = MLPClassifier(max_iter=3, warm_start=True, **settings).fit(x, y).fit(x, y)
    assert not np.allclose(anew.coefs_[0], whole.coefs_[0], rtol=1e-6)


def test_threads_do_not_change_a_bit():
    models = [MLPClassifier((40,), max_iter=4, threads=n, random_state=0).fit(*DIGITS) for n in (1, 2, 3)]
    for model in models[1:]:
        np.testing.assert_array_equal(model.coefs_[0], models[0].coefs_[0])


# --- Living with the rest of scikit-learn --------------------------------------------------------------------------


def test_pickles_and_copies_go_on_where_they_were():
    x, y = DIGITS
    model = MLPClassifier((6,), dropout=0.2, random_state=0)
    for _ in range(3):
        model.partial_fit(x, y, classes=range(10))
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict_proba(x), model.predict_proba(x))
        reference = copy.deepcopy(model).partial_fit(x, y)
        np.testing.assert_array_equal(other.partial_fit(x, y).coefs_[0], reference.coefs_[0])
    assert len(pickle.dumps(model)) < 40_000
    before = dict(vars(model))
    pickle.dumps(model)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


def test_weights_may_be_set():
    x, y = DIABETES
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, activation="identity").fit(x, y)
    model.coefs_[1][:] = 0  # in place
    model.intercepts_[1][:] = 7
    np.testing.assert_array_equal(model.predict(x), 7)
    model.intercepts_[1] = np.array([8.0])  # another array
    np.testing.assert_array_equal(model.predict(x), 8)
    model.partial_fit(x, y)
    assert model.intercepts_[1][0] == pytest.approx(8, abs=0.1)


def test_pipelines_searches_and_workers():
    x, y = DIGITS
    model = make_pipeline(StandardScaler(), MLPClassifier((10,), max_iter=20, random_state=0))
    grid = {"mlpclassifier__alpha": [1e-4, 1.0]}
    searches = [GridSearchCV(model, grid, cv=3, n_jobs=jobs).fit(x, y) for jobs in (1, 2)]
    np.testing.assert_array_equal(*(search.cv_results_["mean_test_score"] for search in searches))
    import joblib

    with joblib.parallel_backend("threading", n_jobs=2):
        scores = cross_val_score(model, x, y, cv=3)
    np.testing.assert_array_equal(scores, cross_val_score(model, x, y, cv=3))


def test_metadata_and_data_frames():
    pandas = pytest.importorskip("pandas")
    import sklearn

    x, y = load_iris(return_X_y=True, as_frame=True)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier((4,), max_iter=3).set_fit_request(sample_weight=True, X_val=True, y_val=True)
        routing = model.get_metadata_routing()
        assert routing.fit.requests["sample_weight"]
        model.fit(x, y)
    assert list(model.feature_names_in_) == list(x.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(x.rename(columns={x.columns[0]: "other"}))
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), MLPClassifier((4,), max_iter=3))
    pipeline.fit(x, y)
    assert list(pipeline[-1].feature_names_in_) == list(x.columns)
    assert isinstance(pandas.Series(pipeline.predict(x)), pandas.Series)


def test_calibration_importance_and_html():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.inspection import permutation_importance

    x, y = load_iris(return_X_y=True)
    model = MLPClassifier((8,), max_iter=100, random_state=0, learning_rate_init=0.02)
    calibrated = CalibratedClassifierCV(model, cv=3).fit(x, y)
    assert calibrated.score(x, y) > 0.9
    importance = permutation_importance(model.fit(x, y), x, y, n_repeats=3, random_state=0, n_jobs=2)
    assert importance.importances_mean.argmax() in (2, 3)
    assert "MLPClassifier" in model._repr_html_()


def test_ctrl_c_ends_a_fit_and_keeps_what_there_is():
    class Interrupt(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    model = MLPClassifier((5,), callbacks=[Interrupt()], max_iter=50)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(*DIGITS)
    assert model.n_iter_ == 3
    assert model.predict(DIGITS[0]).shape == (400,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 1.5}, "dropout"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes"),
        ({"activation": "softmax"}, "softmax"),
        ({"activation": "nothing"}, "activation got 'nothing'"),
        ({"solver": "nothing"}, "optimizer got 'nothing'"),
        ({"loss": "nothing"}, "loss got 'nothing'"),
        ({"threads": 0}, "threads"),
    ],
)
def test_errors_come_before_anything_changes(settings, message):
    model = MLPClassifier(**settings)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(*DIGITS)
    assert not hasattr(model, "coefs_")


def test_convergence_is_warned_of():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\)"):
        MLPClassifier((3,), max_iter=2).fit(*DIGITS)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        MLPClassifier((3,), max_iter=2, solver="lbfgs").fit(*DIGITS)


def test_scikit_learns_callbacks_see_each_epoch():
    protocol = pytest.importorskip("sklearn.callback")

    class Watch:
        def setup(self, estimator, context):
            seen.append("setup")

        def teardown(self, estimator, context):
            seen.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            if context.task_name == "epoch":
                seen.append(fitted_estimator.score(*DIGITS))

    seen = []
    assert isinstance(Watch(), protocol.FitCallback)
    model = MLPClassifier((20,), max_iter=4, batch_size=20, random_state=0).set_callbacks(Watch()).fit(*DIGITS)
    assert (seen[0], seen[-1], len(seen)) == ("setup", "teardown", 6)
    assert seen[-2] == model.score(*DIGITS)
    assert seen[-2] > seen[1]
