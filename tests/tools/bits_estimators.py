"""The estimators of fastnn.sklearn, for `bits`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from bits_cases import EVERYWHERE, FEW, Place, add, new_data

from fastnn import callbacks as watch
from fastnn import losses
from fastnn import optimizers as opt

FITTED = [
    "coefs_",
    "intercepts_",
    "coef_",
    "intercept_",
    "classes_",
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_scores_",
    "validation_loss_curve_",
    "best_validation_score_",
    "n_iter_",
    "t_",
    "out_activation_",
    "best_epochs_",
    "loss_curves_",
    "validation_curves_",
]
ANSWERS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def outcome(estimator: Any, x: Any) -> dict[str, Any]:
    """What an estimator has learned, and what it says of rows."""
    learned = {name: getattr(estimator, name) for name in FITTED if hasattr(estimator, name)}
    answers = {name: getattr(estimator, name)(x) for name in ANSWERS if hasattr(estimator, name)}
    return {**learned, **answers}


def fitted(kind: str, options: dict[str, Any], target: str, fit: dict[str, Any], place: Place) -> dict[str, Any]:
    """A new estimator, trained: by `fit`, with what `fit` holds for so many rows, twice, or part after part."""
    from fastnn import sklearn

    x, y = given_rows(target, place)
    made = {name: value() if callable(value) else value for name, value in options.items()}
    estimator = getattr(sklearn, kind)(random_state=0, **made, **place.options)
    if "partial" in fit:
        classes = {} if kind.endswith("Regressor") else {"classes": np.unique(y)}
        for first in range(0, 300, 100):
            estimator.partial_fit(x[first : first + 100], y[first : first + 100], **classes)
    elif "twice" in fit:
        estimator.fit(x, y).fit(x[::-1], y[::-1])
    else:
        estimator.fit(x, y, **{name: value(len(x)) for name, value in fit.items()})
    return outcome(estimator, x)


def given_rows(target: str, place: Place) -> tuple[Any, Any]:
    """Rows, and labels, two labels, several labels, a number or numbers; or sparse rows."""
    x, y = new_data(300, 20, 3, {"several": "bits", "number": "numbers", "numbers": "numbers"}.get(target, "labels"))
    x = x.astype(place.dtype)
    if target == "sparse":
        from scipy.sparse import csr_matrix

        return csr_matrix(np.where(np.abs(x) > 1, x, 0)), y
    names = {"texts": lambda: np.array(["red", "green", "blue"])[y], "two": lambda: y % 2, "number": lambda: y[:, 0]}
    return x, names.get(target, lambda: y)()


def weights(rows: int) -> Any:
    return np.arange(rows) % 3 * 0.5


def estimate(kind: str, name: str, options: dict[str, Any], target: str, places: Any = FEW, **fit: Any) -> None:
    add(f"{kind} {name}", partial(fitted, kind, options, target, fit), places)


SMALL = {"hidden_layer_sizes": (40, 20), "max_iter": 6, "batch_size": 50}
MLP: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "lbfgs": {"solver": "lbfgs"},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "nesterovs_momentum": False},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1, "max_iter": 20},
    "without momentum": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1, "power_t": 0.3},
    "lion": {"solver": "lion"},
    "nadam object": {"solver": lambda: opt.Nadam(0.01, clipnorm=1.0)},
    "early_stopping": {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 2, "learning_rate_init": 0.05},
    "stop_on": {"stop_on": ["loss", "validation_loss"], "validation_fraction": 0.2, "max_iter": 30, "tol": 0.01},
    "one batch": {"batch_size": "auto", "hidden_layer_sizes": (), "alpha": 0.1},
    "large batches": {"batch_size": 250, "hidden_layer_sizes": (64, 48)},
    "in order": {"shuffle": False, "activation": "logistic"},
    "identity": {"activation": "identity", "beta_1": 0.5, "epsilon": 1e-4},
    "activations": {"activation": ["gelu", "selu"]},
    "dropout": {"dropout": [0.3, 0.1]},
    "callbacks": {"callbacks": lambda: [watch.ReduceLROnPlateau("loss", 0.5, patience=0, min_delta=1.0)]},
}
for name, options in MLP.items():
    for kind, target in (("MLPClassifier", "labels"), ("MLPRegressor", "numbers")):
        estimate(kind, name, {**SMALL, **options}, target, EVERYWHERE if name in ("adam", "sgd", "lbfgs") else FEW)
for solver in ("adam", "sgd", "lbfgs"):
    options = {**SMALL, "solver": solver, "alpha": 0.01}
    for kind, target in (("MLPClassifier", "two"), ("MLPRegressor", "number")):
        estimate(kind, f"{solver} one output", options, target)
        estimate(kind, f"{solver} sample_weight", options, target, sample_weight=weights)
        estimate(kind, f"{solver} warm start", {**options, "warm_start": True}, target, twice=1)
        if solver != "lbfgs":
            estimate(kind, f"{solver} partial_fit", options, target, partial=1)
            kept_on = {**options, "warm_start": True, "reset_optimizer": False}
            estimate(kind, f"{solver} going on", kept_on, target, twice=1)
            weighted = {**options, "early_stopping": True}
            estimate(kind, f"{solver} early_stopping sample_weight", weighted, target, sample_weight=weights)
for target in ("texts", "several", "sparse"):
    estimate("MLPClassifier", target, SMALL, target)
estimate("MLPClassifier", "class_weight", {**SMALL, "class_weight": "balanced"}, "labels")
estimate("MLPClassifier", "focal", {**SMALL, "loss": losses.CategoricalFocalCrossentropy}, "labels")
estimate("MLPRegressor", "poisson", {**SMALL, "loss": "poisson"}, "two")
estimate("MLPRegressor", "huber", {**SMALL, "loss": "huber"}, "number")
estimate("MLPRegressor", "quantiles", {**SMALL, "loss": lambda: losses.Quantile(0.8)}, "number")

LINEAR: dict[str, dict[str, Any]] = {
    "lbfgs": {"solver": "lbfgs"},
    "adam": {"solver": "adam", "max_iter": 10},
    "sgd": {"solver": "sgd", "max_iter": 10, "batch_size": 30},
    "no intercept": {"fit_intercept": False},
}
for name, options in LINEAR.items():
    estimate("LogisticRegression", name, options, "labels", EVERYWHERE)
    estimate("LogisticRegression", f"{name} of two", {**options, "C": 0.1}, "two", sample_weight=weights)
    estimate("LinearRegression", name, options, "number", EVERYWHERE)
    estimate("LinearRegression", f"{name} of several", {**options, "alpha": 0.5}, "numbers", sample_weight=weights)
estimate("LogisticRegression", "balanced", {"class_weight": "balanced"}, "texts")
estimate("LinearRegression", "robust", {"loss": "mean_absolute_error", "solver": "adam"}, "number")


def people() -> tuple[Any, Any, Any]:
    """A frame with numbers, texts, dates, booleans and gaps; labels; and a number for each row."""
    from pandas import DataFrame, date_range

    rng = np.random.default_rng(5)
    rows = 400
    age = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(40, 10, rows))
    colour = rng.choice(np.array(["red", "green", "blue", "rare", None], object), rows, p=[0.4, 0.3, 0.2, 0.02, 0.08])
    words = np.array(["a long text", "a text", "no words", "more of it"], object)[rng.integers(4, size=rows)]
    day = date_range("2020-01-01", periods=rows, freq="3D").to_numpy()[rng.permutation(rows)].copy()
    day[::17] = np.datetime64("NaT")
    columns = {"age": age, "colour": colour, "words": words, "day": day, "member": rng.random(rows) < 0.5}
    x = DataFrame({**columns, "count": rng.integers(0, 5, rows)})
    score = np.nan_to_num(age, nan=40) / 20 + (colour == "red") + rng.normal(0, 0.3, rows)
    return x, np.array(["low", "middle", "high"])[np.digitize(score, [2.0, 2.6])], score


TABULAR: dict[str, dict[str, Any]] = {
    "of two": {"n_ensemble": 2},
    "of three": {"n_ensemble": 3, "batch_size": 64},
    "alone": {"n_ensemble": 1, "dropout": 0.0, "n_bins": 0, "text_components": 2, "max_categories": 2},
}


def tabular(kind: str, options: dict[str, Any], way: str, place: Place) -> dict[str, Any]:
    from fastnn import sklearn

    x, labels, number = people()
    y = labels if kind == "TabularClassifier" else number
    how = {"hidden_layer_sizes": (32, 32), "epochs": 4, "random_state": 0, **options}
    estimator = getattr(sklearn, kind)(**how, backend=place.backend, threads=place.threads)
    given: dict[str, Callable[[], dict[str, Any]]] = {
        "": dict,
        "weighted": lambda: {"sample_weight": weights(len(x)) + 0.25},
        "validated": lambda: {"X_val": x[:80], "y_val": y[:80]},
    }
    estimator.fit(x, y, **given[way]())
    return {**outcome(estimator, x), "weights": [model.get_weights() for model in estimator.models_]}


for name, options in TABULAR.items():
    for way in ("", "weighted", "validated"):
        for kind in ("TabularClassifier", "TabularRegressor"):
            places = [where for where in EVERYWHERE if where[0] == "float32"]
            add(f"{kind} {name} {way}".rstrip(), partial(tabular, kind, options, way), places)
