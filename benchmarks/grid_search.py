"""A search over 20 settings in 5 folds: fastnn.sklearn with one and two workers, beside scikit-learn's perceptron.

`python benchmarks/grid_search.py`

Handwritten digits, 100 fits a search. Workers are started by the first search that has two of them, and read the
compiled kernels from the cache; joblib keeps them for the next one.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers too

import numpy as np
from sklearn import datasets, neural_network
from sklearn.model_selection import GridSearchCV

import fastnn.sklearn

GRID = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], "learning_rate_init": [0.0005, 0.001, 0.002, 0.005]}


def searched(module, jobs, units, x, y, **options):
    """Seconds, and the scores."""
    model = module.MLPClassifier((units,), random_state=0, **options)
    search = GridSearchCV(model, GRID, cv=5, n_jobs=jobs, refit=False)
    begin = time.perf_counter()
    search.fit(x, y)
    return time.perf_counter() - begin, search.cv_results_["mean_test_score"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="leave scikit-learn out")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    x, y = datasets.load_digits(return_X_y=True)
    x = x / 16
    fastnn.sklearn.MLPClassifier((5,), max_iter=1).fit(x, y)  # compiled, or read from the cache, before
    runs = [
        ("fastnn, n_jobs=1 on all threads", fastnn.sklearn, 1),
        ("fastnn, n_jobs=1 on one thread", fastnn.sklearn, 1),
    ]
    runs += [("fastnn, n_jobs=2", fastnn.sklearn, 2), ("fastnn, n_jobs=2 again", fastnn.sklearn, 2)]
    if not arguments.alone:
        runs += [("scikit-learn, n_jobs=2", neural_network, 2), ("scikit-learn, n_jobs=1", neural_network, 1)]
    print("| search | seconds | of fastnn, n_jobs=1 | best score |")
    print("| --- | ---: | ---: | ---: |")
    first = None
    for title, module, jobs in runs:
        options = {"threads": 1} if "one thread" in title else {}
        seconds, scores = searched(module, jobs, arguments.units, x, y, **options)
        first = first or seconds
        print(f"| {title} | {seconds:.2f} | {first / seconds:.2f} | {np.max(scores):.4f} |", flush=True)


if __name__ == "__main__":
    main()
