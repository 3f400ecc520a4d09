"""Gradient descent of a plain function, by the update that training uses."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from fastnn import data as checks
from fastnn import optimizers
from fastnn.engine import Engine, LayerPlan
from fastnn.optimizers import Optimizer
from fastnn.typing import Array


def gradient_descent(
    gradient: Callable[[Array], ArrayLike],
    x0: ArrayLike,
    learning_rate: float,
    steps: int,
    optimizer: str | Optimizer = "sgd",
) -> Array:
    """Descend a function from a point by its gradient, with the compiled update that training uses.

    x(t + 1) = x(t) - learning_rate * gradient(x(t)) for "sgd".

    Parameters
    ----------
    gradient : callable
        Takes a point (n,), float64, and returns the gradient there (n,).
    x0 : (n,) array-like, or a number
    learning_rate : float
    steps : int
    optimizer : str or Optimizer
        Its learning_rate is set to the one given here, on a copy.

    Returns
    -------
    (steps + 1, n) array of float64
        The path, x0 first.

    Raises
    ------
    ValueError
        x0 is not finite or not a point; the gradient is of another shape.
    """
    if not callable(gradient):
        raise TypeError(f"gradient got {gradient!r}; wants a function of a point")
    start = np.atleast_1d(checks.as_array(x0, "x0"))
    if start.ndim != 1 or start.size == 0:
        raise ValueError(f"x0 got shape {start.shape}; wants one point, (n,)")
    checks.check_finite(start, "x0")
    steps = checks.positive_integer(steps, "steps", least=0)
    chosen = copy.copy(optimizers.get(optimizer))
    if chosen.full_batch:
        raise ValueError("optimizer got LBFGS, which needs values too; wants one that follows the gradient alone")
    chosen.learning_rate = learning_rate
    n = len(start)
    engine = Engine(n, [LayerPlan(1, "linear", use_bias=False)], "float64", "auto", 1)
    chosen.configure(engine)
    engine.parameters.assign(0, [start[:, np.newaxis]])
    point = engine.parameters.views(0)["kernel"][:, 0]
    along = np.zeros(engine.parameter_count)
    path = np.empty((steps + 1, n))
    path[0] = start
    for step in range(steps):
        slope = np.asarray(gradient(path[step].copy()), float)
        if slope.shape not in ((n,), ()) or slope.size != n:
            raise ValueError(f"gradient got a value of shape {slope.shape}; wants {(n,)}, as x0 has")
        if not np.isfinite(slope).all():
            raise ValueError(f"gradient got a value of {slope} at {path[step]}, step {step}; wants finite numbers")
        engine.parameters.matrix(0, along)[:, 0] = slope
        engine.update(along)
        path[step + 1] = point
    return path
