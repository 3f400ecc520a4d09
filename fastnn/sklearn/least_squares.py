"""Linear regression by decomposition: the weights of the least squared error, and of those the shortest ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils.sparsefuncs import mean_variance_axis

from fastnn.typing import Array


class Solution(NamedTuple):
    """Weights (inputs, outputs) and intercepts (outputs,); the rank and the singular values of a dense X."""

    coef: Array
    intercept: Array
    rank: int | None = None
    singular: Array | None = None


class Columns(NamedTuple):
    """x and y less the means of their columns, each row times the root of its weight.

    A sparse ``x`` stays as it is: what is subtracted from row i is ``root[i] * mean``.
    """

    x: Any
    y: Array
    mean: Array
    y_mean: Array
    root: Array

    @classmethod
    def of(cls, x: Any, y: Array, weight: Array | None, centred: bool) -> Columns:
        """``centred``: there will be an intercept."""
        sparse = hasattr(x, "tocsr")
        root = np.ones(len(y)) if weight is None else np.sqrt(np.asarray(weight, float))
        mean, y_mean = np.zeros(x.shape[1]), np.zeros(y.shape[1])
        if centred:
            y_mean = np.average(y, axis=0, weights=weight)
            if sparse:
                mean = np.asarray(mean_variance_axis(x, axis=0, weights=weight)[0], float)
            else:
                mean = np.average(x, axis=0, weights=weight).astype(float)
        column = root[:, np.newaxis]
        y = (y - y_mean) * column
        if sparse:
            x = x if weight is None else x.multiply(column).tocsr()
        else:
            x = np.subtract(x, mean, dtype=float)
            x *= column
        return cls(x, y, mean, y_mean, root)


def least_squares(
    x: Any,
    y: Array,
    weight: Array | None,
    alpha: float,
    fit_intercept: bool,
    tol: float,
    positive: bool,
    n_jobs: int | None,
) -> Solution:
    """What minimises the sum over the rows of (y - x w - b)^2, plus alpha w^2; y is (rows, outputs).

    Of several such weights, where columns depend on each other, the ones of the least norm.  A dense X is decomposed,
    singular values below ``tol`` times the largest count as 0; a sparse one is multiplied, in iterations that end where
    they come as near as ``tol``.  ``positive``: no weight may be negative.
    """
    columns = Columns.of(x, y, weight, fit_intercept)
    rank, singular = None, None
    if positive:
        coef = _each_output(_nonnegative(columns, alpha), columns.y, n_jobs)
    elif hasattr(x, "tocsr"):
        coef = _each_output(_iterated(columns, alpha, tol), columns.y, n_jobs)
    else:
        from scipy.linalg import lstsq  # type: ignore[import-untyped, unused-ignore]

        matrix, targets = _penalized(columns, alpha)
        coef, _, rank, singular = lstsq(matrix, targets, cond=tol, overwrite_a=True, check_finite=False)
        rank = int(rank)
    return Solution(coef, columns.y_mean - columns.mean @ coef, rank, singular)


def _penalized(columns: Columns, alpha: float) -> tuple[Array, Array]:
    """x and y, with a row for the penalty of each weight below: sqrt(alpha) w = 0."""
    x, y = columns.x, columns.y
    if alpha:
        inputs = x.shape[1]
        x = np.concatenate([x, np.sqrt(alpha) * np.eye(inputs)])
        y = np.concatenate([y, np.zeros((inputs, y.shape[1]))])
    return x, y


def _nonnegative(columns: Columns, alpha: float) -> Callable[[Array], Array]:
    """What finds weights of at least 0 for one output."""
    from scipy.optimize import nnls  # type: ignore[import-untyped, unused-ignore]

    matrix = _penalized(columns, alpha)[0]

    def solve(target: Array) -> Array:
        rest = np.zeros(len(matrix) - len(target))
        return np.asarray(nnls(matrix, np.concatenate([target, rest]))[0])

    return solve


def _iterated(columns: Columns, alpha: float, tol: float) -> Callable[[Array], Array]:
    """What finds the weights of a sparse X for one output, by LSQR."""
    from scipy.sparse.linalg import LinearOperator, lsqr  # type: ignore[import-untyped, unused-ignore]

    x, mean, root = columns.x, columns.mean, columns.root
    operator = LinearOperator(
        x.shape,
        matvec=lambda w: x @ w - root * (mean @ w),
        rmatvec=lambda d: x.T @ d - mean * (root @ d),
        dtype=np.float64,
    )
    return lambda target: np.asarray(lsqr(operator, target, damp=np.sqrt(alpha), atol=tol, btol=tol)[0])


def _each_output(solve: Callable[[Array], Array], y: Array, n_jobs: int | None) -> Array:
    """The weights of all outputs, (inputs, outputs)."""
    found = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(solve)(y[:, output]) for output in range(y.shape[1]))
    return np.stack(found, axis=1)
