"""scikit-learn's searches and cross-validation, whose fits of fastnn's perceptrons run side by side in this process.

The hook is joblib's backend alone: scikit-learn hands it every fit with its scores, so that candidates, folds, scorers,
failures and callbacks are scikit-learn's own, as are the results, to the bit.  A thread trains a network from its first
step to its last; compiled steps hold no lock of Python's, and no thread waits for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar

import joblib
from joblib.parallel import BACKENDS, DEFAULT_BACKEND, get_active_backend
from sklearn import model_selection

from fastnn.engine import processors
from .base import BaseMLP
from .members import WORK, epoch_work

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def search_work(estimator: Any, X: Any, candidates: Any = ()) -> float:
    """Floating-point operations of an epoch of a perceptron, the largest of a search's; 0 where there is none.

    Parameters
    ----------
    estimator
        A perceptron, or what has one: a pipeline, or another wrapper.
    X : (rows, features) array
    candidates : mapping of str to values, or a sequence of such
        What a search tries.
    """
    settings = estimator.get_params().values() if hasattr(estimator, "get_params") else ()
    own = next((each for each in (estimator, *settings) if isinstance(each, BaseMLP)), None)
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if own is None or len(shape) != 2:
        return 0.0
    rows, features = shape
    sizes: list[Any] = [getattr(own, "hidden_layer_sizes", ())]
    for grid in [candidates] if isinstance(candidates, Mapping) else candidates:
        for name, values in grid.items():
            if name.endswith("hidden_layer_sizes") and isinstance(values, list | tuple):
                sizes.extend(values)
    try:
        hidden = [[int(size) for size in (each if hasattr(each, "__iter__") else [each])] for each in sizes]
    except (TypeError, ValueError):  # which the fit says
        return 0.0
    return max(epoch_work(rows, features, each) for each in hidden)


@contextmanager
def side_by_side(estimator: Any, X: Any, candidates: Any = ()) -> Iterator[None]:
    """Let joblib run what follows on threads, where that is sooner done and nobody has chosen otherwise.

    Where ``n_jobs`` is None there are as many threads as processors.  Arguments are those of `search_work`.
    """
    backend, jobs = get_active_backend()
    chosen = type(backend) is not BACKENDS[DEFAULT_BACKEND] or backend.nesting_level
    if chosen or search_work(estimator, X, candidates) < WORK:
        yield
        return
    with joblib.parallel_config("threading", n_jobs=processors() if jobs is None else jobs):
        yield


class GridSearchCV(model_selection.GridSearchCV):  # type: ignore[misc, unused-ignore]
    """scikit-learn's GridSearchCV, whose fits of fastnn's perceptrons run side by side on threads, not in processes.

    Parameters, attributes and results are scikit-learn's, to the bit.  ``n_jobs`` says how many fits run at once;
    None: as many as there are processors; 1: one after another, each on all processors.  Each of several has one
    thread, unless the estimator's ``threads`` says otherwise.  The perceptron may be in a pipeline or another wrapper.
    All goes on as in scikit-learn where networks or data are so small that Python takes most of a fit's time, with
    estimators of others, with tabular ones, whose members are trained side by side already, and where
    `joblib.parallel_config` names a backend.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> from fastnn.sklearn import MLPClassifier
    >>> model = MLPClassifier((8,), solver="lbfgs", max_iter=1000, random_state=0)
    >>> GridSearchCV(model, {"alpha": [1e-4, 10.0]}).fit(x, y).best_params_
    {'alpha': 0.0001}
    """

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Fit all candidates on all folds, and the best one on all rows: see scikit-learn's."""
        with side_by_side(self.estimator, X, self.param_grid):
            return super().fit(X, y, **params)  # type: ignore[no-any-return, unused-ignore]


class RandomizedSearchCV(model_selection.RandomizedSearchCV):  # type: ignore[misc, unused-ignore]
    """scikit-learn's RandomizedSearchCV, whose fits of fastnn's estimators run side by side: see `GridSearchCV`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastnn.sklearn import MLPClassifier, RandomizedSearchCV
    >>> x, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((8,), solver="lbfgs", max_iter=1000, random_state=0)
    >>> search = RandomizedSearchCV(model, {"alpha": [1e-4, 1e-2, 10.0]}, n_iter=2, random_state=0).fit(x, y)
    >>> bool(search.best_score_ > 0.9)
    True
    """

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Fit all candidates on all folds, and the best one on all rows: see scikit-learn's."""
        with side_by_side(self.estimator, X, self.param_distributions):
            return super().fit(X, y, **params)  # type: ignore[no-any-return, unused-ignore]


def _with_folds_side_by_side(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """One of scikit-learn's functions of (estimator, X, ...), whose fits run side by side."""

    @wraps(function)
    def validated(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        given = dict(zip(("estimator", "X"), arguments, strict=False)) | options
        with side_by_side(given.get("estimator"), given.get("X")):
            return function(*arguments, **options)

    validated.__module__ = __name__
    validated.__doc__ = (
        f"scikit-learn's {function.__name__}, whose folds' fits of fastnn's perceptrons run side by side.\n\n"
        "    Parameters and results are scikit-learn's, to the bit; where it is so: see `GridSearchCV`.\n    "
    )
    return validated


cross_validate = _with_folds_side_by_side(model_selection.cross_validate)
cross_val_score = _with_folds_side_by_side(model_selection.cross_val_score)
cross_val_predict = _with_folds_side_by_side(model_selection.cross_val_predict)
