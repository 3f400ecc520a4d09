"""Section 1: learning is a search among lines for the one that fits best."""

from collections.abc import Sequence

import numpy as np

from fastnn import plot
from fastnn.layers import Dense
from fastnn.models import Sequential
from fastnn.optimizers import SGD
from fastnn.plot.drawing import BLUE, PALE
from fastnn.typing import Array
from .page import Axes, Page, Picture, decimals, small_model

SHOWN = (0, 1, 5, 20, 60)  # steps of the search that the table and the picture show


def section(page: Page) -> Picture:
    """Fit a line to points, step by step."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 2, (40, 1))
    y = 0.8 * x[:, 0] + 0.5 + rng.normal(0, 0.25, 40)
    model = small_model(1, Dense(1), optimizer=SGD(0.15))
    model.set_weights([[[-1.0]], [-0.5]])
    path, losses = [_parameters(model)], [model.evaluate(x, y, verbose=0)]
    for _ in range(SHOWN[-1]):
        model.train_on_batch(x, y)
        path.append(_parameters(model))
        losses.append(model.evaluate(x, y, verbose=0))
    best = np.linalg.lstsq(np.column_stack([x, np.ones(40)]), y, rcond=None)[0]
    model.set_weights([[[best[0]]], [best[1]]])
    least = model.evaluate(x, y, verbose=0)
    page.tell("""
        A model is a family of functions, and its parameters pick one of them. A loss
        tells how badly that one fits the data. To learn is to search for the
        parameters whose loss is least.

        Here the family is every straight line, y = w x + b. The data are 40 points,
        and the loss is the mean squared error. The search starts from a bad line:
        """)
    rows = [[str(k), *decimals([*path[k], losses[k]])] for k in SHOWN]
    page.table(["steps", "w", "b", "loss"], [*rows, ["solved", *decimals([*best, least])]])
    page.tell("""
        The last row solves for the best line directly. Few models can be solved so;
        the search needs no more than the slope of the loss, and serves for them all.
        """)
    return Picture(2, lambda axes: _draw(axes, x, y, path))


def _draw(axes: Axes, x: Array, y: Array, path: Sequence[Array]) -> None:
    left, right = axes
    left.scatter(x, y, s=18, color=PALE)
    ends = np.array([-1.1, 2.1])
    for k, alpha in zip(SHOWN, np.linspace(0.25, 1, len(SHOWN)), strict=True):
        w, b = path[k]
        left.plot(ends, w * ends + b, color=BLUE, alpha=alpha, label=f"{k} steps")
    left.set(title="Lines along the search", xlabel="x", ylabel="y")
    left.legend(frameon=False)
    plot.descent(np.array(path), lambda line: float(np.mean((line[0] * x[:, 0] + line[1] - y) ** 2)), right)
    right.set(title="Their loss, and the path", xlabel="w", ylabel="b")


def _parameters(model: Sequential) -> Array:
    """Return the weight and the bias, (2,)."""
    return np.concatenate([array.ravel() for array in model.get_weights()])
