"""fastnn.sklearn's perceptrons beside scikit-learn's: scores and the time of a fit, with the same settings and splits.

`python benchmarks/estimators.py [california-housing.csv.gz]`

hidden_layer_sizes=(100,) and defaults otherwise, standardised columns, 10 splits, both in one process, on the same
splits. Scores are compared by a paired t-test; with the same random_state both draw the same weights and visit the
same rows, so that they differ by rounding alone.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))

import numpy as np
from scipy.stats import ttest_rel
from sklearn import datasets, neural_network
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import fastnn.sklearn

SPLITS = 10


def california(path):
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


def cases(path):
    yield "digits", "MLPClassifier", datasets.load_digits(return_X_y=True)
    yield "breast cancer", "MLPClassifier", datasets.load_breast_cancer(return_X_y=True)
    yield "wine", "MLPClassifier", datasets.load_wine(return_X_y=True)
    yield "diabetes", "MLPRegressor", datasets.load_diabetes(return_X_y=True)
    yield "California housing", "MLPRegressor", california(path)


def fitted(module, name, x, y, seed):
    """The estimator, and how long its fit took."""
    model = getattr(module, name)(random_state=seed)
    begin = time.perf_counter()
    model.fit(x, y)
    return model, time.perf_counter() - begin


def standardised(train_x, test_x, train_y, test_y):
    scaler = StandardScaler().fit(train_x)
    return (scaler.transform(train_x), train_y), (scaler.transform(test_x), test_y)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("california", nargs="?", help="a CSV file of the 1990 census")
    parser.add_argument("--splits", type=int, default=SPLITS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| data | rows | scikit-learn's score | fastnn's | p | seconds a fit | fastnn's | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for title, name, (x, y) in cases(arguments.california):
        fitted(fastnn.sklearn, name, x[:300], y[:300], 0)  # compiled, or read from the cache, before
        splits = [standardised(*train_test_split(x, y, random_state=seed)) for seed in range(arguments.splits)]
        scores, seconds = [], []
        for module in (neural_network, fastnn.sklearn):  # one after the other: BLAS's threads spin on after a fit
            fits = [fitted(module, name, train[0], train[1], seed) for seed, (train, _) in enumerate(splits)]
            scores.append([model.score(*test) for (model, _), (_, test) in zip(fits, splits, strict=True)])
            seconds.append([taken for _, taken in fits])
        theirs, ours = np.mean(scores, axis=1)
        slow, fast = np.median(seconds, axis=1)
        p = 1.0 if scores[0] == scores[1] else ttest_rel(*scores).pvalue
        print(
            f"| {title} | {len(x)} | {theirs:.4f} | {ours:.4f} | {p:.2f} ",
            f"| {slow:.3f} | {fast:.4f} | {slow / fast:.1f} |",
            sep="",
            flush=True,
        )


if __name__ == "__main__":
    main()
