"""fastnn.sklearn's estimators beside scikit-learn's: perceptrons, and tables."""

from __future__ import annotations

import csv
import gzip
import warnings

import numpy as np
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import fastnn.sklearn
from .report import line, titles
from .timing import once


def census(path):
    """The census's own columns but the text, missing values as medians; without a path scikit-learn's, downloaded."""
    if path is None:
        return datasets.fetch_california_housing(return_X_y=True)
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        rows = [
            {name: value for name, value in row.items() if name != "ocean_proximity"} for row in csv.DictReader(file)
        ]
    y = np.array([float(row.pop("median_house_value")) for row in rows]) / 100_000
    x = np.array([[float(value or "nan") for value in row.values()] for row in rows])
    return np.where(np.isnan(x), np.nanmedian(x, axis=0), x), y


def perceptrons(path):
    yield "digits", "MLPClassifier", datasets.load_digits(return_X_y=True)
    yield "breast cancer", "MLPClassifier", datasets.load_breast_cancer(return_X_y=True)
    yield "wine", "MLPClassifier", datasets.load_wine(return_X_y=True)
    yield "diabetes", "MLPRegressor", datasets.load_diabetes(return_X_y=True)
    yield "California housing", "MLPRegressor", census(path)


def fitted(module, name, x, y, seed):
    """The estimator, and how long its fit took."""
    seconds, model = once(lambda: getattr(module, name)(random_state=seed).fit(x, y))
    return model, seconds


def standardised(train_x, test_x, train_y, test_y):
    scaler = StandardScaler().fit(train_x)
    return (scaler.transform(train_x), train_y), (scaler.transform(test_x), test_y)


def estimators(california: str | None = None, splits: int = 10) -> None:
    """fastnn.sklearn's perceptrons beside scikit-learn's: scores and the time of a fit, same settings and splits.

    hidden_layer_sizes=(100,) and defaults otherwise, standardised columns, 10 splits, both in one process, on the same
    splits. Scores are compared by a paired t-test; with the same random_state both draw the same weights and visit the
    same rows, so that they differ by rounding alone.
    """
    from scipy.stats import ttest_rel

    warnings.simplefilter("ignore")
    columns = ["data", "rows", "scikit-learn's score", "fastnn's", "p", "seconds a fit", "fastnn's", "ratio"]
    print("\n".join(titles(columns)))
    for title, name, (x, y) in perceptrons(california):
        fitted(fastnn.sklearn, name, x[:300], y[:300], 0)  # compiled, or read from the cache, before
        parts = [standardised(*train_test_split(x, y, random_state=seed)) for seed in range(splits)]
        scores, seconds = [], []
        for module in (neural_network, fastnn.sklearn):  # one after the other: BLAS's threads spin on after a fit
            fits = [fitted(module, name, train[0], train[1], seed) for seed, (train, _) in enumerate(parts)]
            scores.append([model.score(*test) for (model, _), (_, test) in zip(fits, parts, strict=True)])
            seconds.append([taken for _, taken in fits])
        theirs, ours = np.mean(scores, axis=1)
        slow, fast = np.median(seconds, axis=1)
        p = 1.0 if scores[0] == scores[1] else ttest_rel(*scores).pvalue
        cells = [title, f"{len(x)}", f"{theirs:.4f}", f"{ours:.4f}", f"{p:.2f}"]
        print(line([*cells, f"{slow:.3f}", f"{fast:.4f}", f"{slow / fast:.1f}"]), flush=True)


def houses(path, seed):
    """Table and target in 100,000 dollars, to train on and to test with."""
    import pandas as pd

    table = pd.read_csv(path)
    y = table.pop("median_house_value").to_numpy() / 1e5
    x_train, x_test, y_train, y_test = train_test_split(table, y, test_size=0.2, random_state=seed)
    return x_train, y_train, x_test, y_test


def incomes(train, test):
    """Tables, and whether the income is above 50,000 dollars."""
    import pandas as pd

    parts = []
    for path in (train, test):
        table = pd.read_csv(path, na_values="?", skipinitialspace=True)
        parts += [table, table.pop("income").str.startswith(">").to_numpy()]
    return parts


def with_categories(train, test):
    """Texts as categories, which is how boosting knows them."""
    from pandas.api.types import is_numeric_dtype

    train, test = train.copy(), test.copy()
    for name in train.columns[[not is_numeric_dtype(kind) for kind in train.dtypes]]:
        train[name] = train[name].astype("category")
        test[name] = test[name].astype(train[name].dtype)
    return train, test


def preprocessed(mlp):
    """What scikit-learn's guide puts before an MLP."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    numbers = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), others),
        ),
        mlp,
    )


def tabular_models(regression, seed, ensemble, alone):
    """By name: fastnn's, and with their defaults scikit-learn's."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    ours = fastnn.sklearn.TabularRegressor if regression else fastnn.sklearn.TabularClassifier
    models = {"fastnn": ours(random_state=seed)}
    models |= {f"fastnn, {k}": ours(random_state=seed, n_ensemble=k) for k in ensemble}
    if not alone:
        boosting = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        perceptron = neural_network.MLPRegressor if regression else neural_network.MLPClassifier
        models["boosting"] = boosting(categorical_features="from_dtype", random_state=seed)
        models["MLP"] = preprocessed(perceptron(random_state=seed))
    return models


def tabular(
    california: str | None = None,
    adult: list[str] | None = None,
    seeds: int = 3,
    ensemble: tuple[int, ...] = (),
    alone: bool = False,
) -> None:
    """The tabular estimators with their defaults, beside scikit-learn's MLP and gradient boosting with theirs.

    Of California housing (Pace and Barry, 1997, as a table of median_house_value and what goes with it) a fifth is held
    out, another one for each seed; adult (UCI) comes with its test rows.  Give either, or both.
    """
    if not (california or adult):
        raise SystemExit("tabular wants --california FILE, --adult TRAIN TEST, or both")
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(line(["data", "seed", "model", "error", "fit, s"]), "| --- | ---: | --- | ---: | ---: |", sep="\n")
    for data, path in (("california", california), ("adult", adult)):
        if not path:
            continue
        regression = data == "california"
        errors = {}
        for seed in range(seeds):
            x_train, y_train, x_test, y_test = houses(path, seed) if regression else incomes(*path)
            for name, model in tabular_models(regression, seed, ensemble, alone).items():
                train, test = with_categories(x_train, x_test) if name == "boosting" else (x_train, x_test)
                seconds, _ = once(lambda model=model, train=train, y=y_train: model.fit(train, y))
                predicted = model.predict(test)
                error = np.sqrt(np.mean((predicted - y_test) ** 2)) if regression else np.mean(predicted != y_test)
                errors.setdefault(name, []).append(error)
                print(line([data, f"{seed}", name, f"{error:.4f}", f"{seconds:.1f}"]), flush=True)
        for name, values in errors.items():
            print(line([data, "mean", name, f"**{np.mean(values):.4f}**", ""]))
