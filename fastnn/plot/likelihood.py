"""Draw the likelihood of a probability, given some balls of two colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn import data
from fastnn.typing import Array
from .drawing import BLUE, GRID, INK, YELLOW, axes_or_new, draw_path, shortened, with_grid


def likelihood(labels: ArrayLike = (1, 1, 1, 0, 0), path: ArrayLike | None = None, ax: Any = None) -> Any:
    """Draw how likely some balls are, by the probability p of a blue one, and where that is greatest.

    L(p) = p^k (1 - p)^(n - k) with k ones of n labels, greatest at p = k / n.

    Parameters
    ----------
    labels : (n,) array-like
        1 for a blue ball, 0 for a yellow one.
    path : array-like, optional
        Probabilities that a search went through, drawn on the curve.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With more than 20 balls, the balls are not drawn, and L is divided by its greatest value.

    Raises
    ------
    ValueError, TypeError
        labels holds something else than 0 and 1, or path something outside of 0 to 1.
    """
    balls = data.as_array(labels, "labels").ravel()
    if not balls.size or not np.isin(balls, (0, 1)).all():
        raise ValueError(f"labels got {shortened(balls)}; wants 0 and 1, one at least")
    way = None if path is None else data.as_array(path, "path").astype(float).ravel()
    if way is not None and not (way.size and np.all((way >= 0) & (way <= 1))):
        raise ValueError(f"path got {shortened(way)}; wants probabilities, from 0 to 1")
    ones, count = int(balls.sum()), balls.size
    few, best = count <= 20, ones / count
    peak = _log_likelihood(np.array([best]), ones, count)[0]
    scale = 0.0 if few else peak  # of many balls the likelihood itself would underflow
    ax = axes_or_new(ax)
    p = np.linspace(0, 1, 2 * GRID + 1)
    curve = np.exp(_log_likelihood(p, ones, count) - scale)
    height = float(np.exp(peak - scale))
    ax.plot(p, curve, color=BLUE, linewidth=2, zorder=1)
    ax.fill_between(p, curve, color=BLUE, alpha=0.08, linewidth=0)
    ax.plot([best, best], [0, height], "--", color=INK, linewidth=1, zorder=1)
    if way is not None:
        draw_path(ax, way, np.exp(_log_likelihood(way, ones, count) - scale))
    side = "center" if 0.15 < best < 0.85 else "left" if best < 0.5 else "right"
    peak_text = f"p = {ones}/{count} = {best:.3g}"
    ax.annotate(peak_text, (best, height), (0, 7), textcoords="offset points", ha=side, color=INK)
    if few:
        _draw_balls(ax, balls)
    ax.set(xlim=(0, 1), ylim=(0, 1.3 * height), xlabel="p, the probability of a blue ball")
    ax.set_ylabel("likelihood L(p)" if few else "likelihood L(p), relative to its greatest")
    return with_grid(ax)


def _log_likelihood(p: Array, ones: int, count: int) -> Array:
    """Return log L(p); 0 log 0 counts as 0."""
    with np.errstate(divide="ignore"):
        logs = np.log(np.stack([p, 1 - p]))
    return (ones * logs[0] if ones else np.zeros_like(p)) + ((count - ones) * logs[1] if ones < count else 0.0)


def _draw_balls(ax: Any, balls: Array) -> None:
    """Draw the balls in a row along the top of the axes."""
    shrunk = min(1, 13 / balls.size)
    across = 0.5 + 0.065 * (np.arange(balls.size) - (balls.size - 1) / 2) * shrunk
    style = {"edgecolor": INK, "linewidth": 0.8, "transform": ax.transAxes, "zorder": 3}
    colours = [BLUE if ball else YELLOW for ball in balls]
    ax.scatter(across, np.full(balls.size, 0.93), s=150 * shrunk, c=colours, **style)
