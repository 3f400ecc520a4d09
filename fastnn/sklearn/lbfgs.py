"""The solver "lbfgs": SciPy's L-BFGS-B over the loss of all rows."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.sparsefuncs import mean_variance_axis
from threadpoolctl import threadpool_limits

from fastnn.engine import Data, fits
from fastnn.errors import warn
from fastnn.typing import Array
from .network import Network, loss_constant

if TYPE_CHECKING:
    from .base import BaseMLP

BLOCK = 2**12  # rows of x that are squared at a time


class Coordinates:
    """The vector that L-BFGS moves, here all weights: ``coefs_``, one after another, then ``intercepts_``."""

    def weights(self, point: Array) -> Array:
        """The weights that a point stands for."""
        return point

    def point(self, weights: Array) -> Array:
        """The point that stands for weights."""
        return weights

    def gradient(self, gradient: Array) -> Array:
        """The gradient by the point, from the one by the weights."""
        return gradient


class StandardizedColumns(Coordinates):
    """The weights of one dense layer as if the columns of x had mean 0 and deviation 1.

    L-BFGS comes to the same minimum in fewer steps.  A column whose deviation is so small that the penalty curves the
    loss more than it does is scaled by the penalty.
    ``shape``: the layer's inputs and outputs; ``alpha``: strength of the penalty; ``x``: rows as they are, also sparse.
    """

    def __init__(self, shape: tuple[int, int], use_bias: bool, alpha: float, x: Any, weight: Array | None) -> None:
        self.shape, self.size, self.use_bias = shape, shape[0] * shape[1], use_bias
        sparse = hasattr(x, "tocsr")
        mean, variance = mean_variance_axis(x, axis=0, weights=weight) if sparse else _moments(x, weight)
        if sparse or not use_bias:  # nothing is centred
            mean, variance = np.zeros_like(mean), variance + np.square(mean)
        rows = x.shape[0] if weight is None else np.sum(weight)
        scale = np.sqrt(variance + 4 * alpha / rows, dtype=float)  # a logistic's curvature is at most 1/4
        self.mean = mean
        self.scale = np.where(scale > 1e-12 * (1 + np.abs(mean)), scale, 1.0)[:, np.newaxis]

    def weights(self, point: Array) -> Array:
        w, bias = point[: self.size].reshape(self.shape) / self.scale, point[self.size :]
        return np.concatenate([w.ravel(), bias - self.mean @ w if self.use_bias else bias])

    def point(self, weights: Array) -> Array:
        w, bias = weights[: self.size].reshape(self.shape), weights[self.size :]
        return np.concatenate([(w * self.scale).ravel(), bias + self.mean @ w if self.use_bias else bias])

    def gradient(self, gradient: Array) -> Array:
        d, bias = gradient[: self.size].reshape(self.shape), gradient[self.size :]
        if self.use_bias:
            d = d - np.outer(self.mean, bias)
        return np.concatenate([(d / self.scale).ravel(), bias])


def _moments(x: Array, weight: Array | None) -> tuple[Array, Array]:
    """The mean and the variance of each column."""
    mean = np.average(x, axis=0, weights=weight)
    blocks = [slice(start, start + BLOCK) for start in range(0, len(x), BLOCK)]
    weights = [np.ones(len(x[block])) if weight is None else weight[block] for block in blocks]
    squares = [w @ np.square(x[block] - mean) for w, block in zip(weights, blocks, strict=True)]
    return mean, np.sum(squares, axis=0) / np.sum([w.sum() for w in weights])


def value_and_gradient(network: Network, weights: Array, data: Data, total: float, alpha: float) -> tuple[float, Array]:
    """The penalised loss of all rows, over their weight ``total``, and its gradient by all weights in one vector."""
    start = 0
    for view in network.views:
        view[...] = weights[start : start + view.size].reshape(view.shape)
        start += view.size
    network.touched()
    value, parts = network.value_and_gradient(data, total)
    gradient = np.concatenate([part.ravel() for part in parts])
    size = sum(view.size for view in network.coefs)
    kernels = weights[:size]
    value += 0.5 * alpha * float(kernels @ kernels) / total
    gradient[:size] += alpha / total * kernels
    return value, gradient


def penalized_loss(
    estimator: BaseMLP, network: Network, weights: Array, x: Any, y: Any, sample_weight: Array | None
) -> float:
    """The penalised loss of all rows with these weights, which are left in the network."""
    network.engine.penalize(0.0, True)
    data = Data(network.rows_of(x), estimator._targets(y, network.labels), network.labels, sample_weight)
    total = float(len(data) if sample_weight is None else sample_weight.sum())
    value, _ = value_and_gradient(network, weights, data, total, float(estimator.alpha))
    return value + loss_constant(estimator.loss, data.y, sample_weight)


@fits
def fit_lbfgs(estimator: BaseMLP, network: Network, x: Any, y: Any, weight: Array | None) -> None:
    """Train to the minimum of the loss over all rows."""
    from scipy.optimize import minimize  # type: ignore[import-untyped, unused-ignore]

    network.engine.penalize(0.0, True)
    data = Data(network.rows_of(x), estimator._targets(y, network.labels), network.labels, weight)
    total = float(len(data) if weight is None else weight.sum())
    start = np.concatenate([np.asarray(view, float).ravel() for view in network.views])
    deadline = math.inf if estimator.max_time is None else time.monotonic() + estimator.max_time
    coordinates = estimator._coordinates(network, x, weight)
    start = coordinates.point(start)

    def until(_: Array) -> None:
        if time.monotonic() > deadline:
            raise StopIteration

    def objective(point: Array) -> tuple[float, Array]:
        value, gradient = value_and_gradient(network, coordinates.weights(point), data, total, estimator.alpha)
        return value, coordinates.gradient(gradient)

    options = {"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol}
    options |= estimator._lbfgs_options()
    one = network.engine.backend != "numpy"  # SciPy's vectors are short: a second thread costs more than it brings
    with threadpool_limits(1, user_api="blas") if one else nullcontext():
        callback = None if estimator.max_time is None else until
        result = minimize(objective, start, method="L-BFGS-B", jac=True, callback=callback, options=options)
    objective(result.x)  # leaves its weights in the network
    estimator.n_iter_ = min(int(result.nit), estimator.max_iter)
    estimator.loss_ = float(result.fun) + loss_constant(estimator.loss, data.y, weight)
    if estimator.verbose:
        print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}, {result.message}")
    if result.status not in (0, 99):
        warn(
            f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) (status={result.status}):\n"
            f"{result.message}\n\nIncrease the number of iterations to improve the convergence "
            f"(max_iter={estimator.max_iter}), or scale the data: "
            "https://scikit-learn.org/stable/modules/preprocessing.html",
            ConvergenceWarning,
        )
