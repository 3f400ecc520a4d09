"""A search over the settings of fastnn.sklearn's perceptron: alone, in processes, on threads, by turns."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import joblib
import numpy as np
from sklearn import datasets, neural_network
from sklearn.model_selection import GridSearchCV

import fastnn.sklearn
from .report import line, titles
from .timing import once

GRID = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], "learning_rate_init": [0.0005, 0.001, 0.002, 0.005]}
"""20 settings, of which a search makes 100 fits in 5 folds."""

WORKERS = 2

Search = Callable[[], float]
"""Makes one, and returns the best score."""


def searching(
    module: Any, units: int, x: Any, y: Any, jobs: int | None, kind: Any = GridSearchCV, **options: Any
) -> Search:
    """A search, scikit-learn's or of another kind, with a perceptron of scikit-learn or of fastnn."""
    model = module.MLPClassifier((units,), random_state=0, **options)

    def search() -> float:
        found = kind(model, GRID, cv=5, n_jobs=jobs, refit=False).fit(x, y)
        return float(np.max(found.cv_results_["mean_test_score"]))

    return search


def on_dask(search: Search, stack: ExitStack) -> Search:
    """The same search by Dask's workers, which the first one starts, and the stack ends."""
    from dask.distributed import Client, LocalCluster

    kept: list[Any] = []

    def searched() -> float:
        if not kept:
            options = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": ":0"}
            cluster = stack.enter_context(LocalCluster(**options))
            kept.append(stack.enter_context(Client(cluster)))
        with kept[0].as_current(), joblib.parallel_config(backend="dask"):
            return search()

    return searched


def search(units: int = 50, rounds: int = 3, alone: bool = False) -> None:
    """A search over 20 settings in 5 folds: fastnn.sklearn's perceptron in this process, in two of joblib's or Dask's.

    fastnn's own search runs fits on threads. Handwritten digits, 100 fits a search; beside it scikit-learn's network,
    once. Workers are started by the first search that has two of them, and read the compiled kernels from the cache;
    joblib and Dask keep them for the next one. After the first search of each come so many rounds, in which each has a
    turn.
    """
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers too
    warnings.simplefilter("ignore")
    x, y = datasets.load_digits(return_X_y=True)
    given = units, x / 16, y
    fastnn.sklearn.MLPClassifier((5,), max_iter=1).fit(x, y)  # compiled, or read from the cache, before
    with ExitStack() as stack:
        processes = f"fastnn, {WORKERS} processes of joblib's"
        ways = {
            "fastnn, n_jobs=1 on all threads": searching(fastnn.sklearn, *given, 1),
            "fastnn, n_jobs=1 on one thread": searching(fastnn.sklearn, *given, 1, threads=1),
            processes: searching(fastnn.sklearn, *given, WORKERS),
            "fastnn's own search": searching(fastnn.sklearn, *given, None, fastnn.sklearn.GridSearchCV),
        }
        if importlib.util.find_spec("distributed"):
            ways[f"fastnn, {WORKERS} processes of Dask's"] = on_dask(searching(fastnn.sklearn, *given, None), stack)
        first = {name: once(way) for name, way in ways.items()}
        turns: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                turns[name].append(once(way)[0])
        if not alone:
            for jobs in (WORKERS, 1):
                name = f"scikit-learn, n_jobs={jobs}"
                first[name] = once(searching(neural_network, *given, jobs))
                turns[name] = []
        print("\n".join(titles(["search", "first, s", f"least of {rounds}, s", "joblib's / it", "best score"])))
        for name, (seconds, score) in first.items():
            least = min(turns[name], default=seconds)
            cells = [name, f"{seconds:.2f}", f"{min(turns[name]):.2f}" if turns[name] else ""]
            print(line([*cells, f"{min(turns[processes]) / least:.2f}", f"{score:.4f}"]))
