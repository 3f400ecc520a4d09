"""The tabular estimators with their defaults, beside scikit-learn's MLP and gradient boosting with theirs.

    python benchmarks/tabular.py --california housing.csv.gz --adult adult-train.csv.gz adult-test.csv.gz

Of California housing (Pace and Barry, 1997, as a table of median_house_value and what goes with it) a fifth is held
out, another one for each seed; adult (UCI) comes with its test rows.  Give either, or both.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastnn.sklearn import TabularClassifier, TabularRegressor


def california(path, seed):
    """Table and target in 100,000 dollars, to train on and to test with."""
    table = pd.read_csv(path)
    y = table.pop("median_house_value").to_numpy() / 1e5
    x_train, x_test, y_train, y_test = train_test_split(table, y, test_size=0.2, random_state=seed)
    return x_train, y_train, x_test, y_test


def adult(train, test):
    """Tables, and whether the income is above 50,000 dollars."""
    parts = []
    for path in (train, test):
        table = pd.read_csv(path, na_values="?", skipinitialspace=True)
        parts += [table, table.pop("income").str.startswith(">").to_numpy()]
    return parts


def with_categories(train, test):
    """Texts as categories, which is how boosting knows them."""
    train, test = train.copy(), test.copy()
    for name in train.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in train.dtypes]]:
        train[name] = train[name].astype("category")
        test[name] = test[name].astype(train[name].dtype)
    return train, test


def preprocessed(mlp):
    """What scikit-learn's guide puts before an MLP."""
    numbers = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), others),
        ),
        mlp,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--california", metavar="FILE")
    parser.add_argument("--adult", nargs=2, metavar=("TRAIN", "TEST"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ensemble", type=int, nargs="*", default=[], help="sizes of ensembles to measure too")
    parser.add_argument("--no-peers", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("| data | seed | model | error | fit, s |", "| --- | ---: | --- | ---: | ---: |", sep="\n")
    for data in ("california", "adult"):
        path = getattr(asked, data)
        if not path:
            continue
        regression = data == "california"
        tabular = TabularRegressor if regression else TabularClassifier
        errors = {}
        for seed in range(asked.seeds):
            x_train, y_train, x_test, y_test = california(path, seed) if regression else adult(*path)
            boosting = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
            models = {"fastnn": tabular(random_state=seed)}
            models |= {f"fastnn, {k}": tabular(random_state=seed, n_ensemble=k) for k in asked.ensemble}
            if not asked.no_peers:
                models["boosting"] = boosting(categorical_features="from_dtype", random_state=seed)
                models["MLP"] = preprocessed((MLPRegressor if regression else MLPClassifier)(random_state=seed))
            for name, model in models.items():
                train, test = with_categories(x_train, x_test) if name == "boosting" else (x_train, x_test)
                begin = time.perf_counter()
                model.fit(train, y_train)
                seconds = time.perf_counter() - begin
                predicted = model.predict(test)
                error = np.sqrt(np.mean((predicted - y_test) ** 2)) if regression else np.mean(predicted != y_test)
                errors.setdefault(name, []).append(error)
                print(f"| {data} | {seed} | {name} | {error:.4f} | {seconds:.1f} |", flush=True)
        for name, values in errors.items():
            print(f"| {data} | mean | {name} | **{np.mean(values):.4f}** | |")


if __name__ == "__main__":
    main()
