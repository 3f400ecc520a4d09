"""Draw the path of gradient descent over the function that it descends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn import data
from fastnn.typing import Array
from .drawing import GRID, INK, PALE, axes_or_new, draw_path, ramp, widened, with_grid


def descent(path: ArrayLike, f: Callable[[Array], float], ax: Any = None) -> Any:
    """Draw a path downhill: over the contours of a function of two variables, or along the curve of one.

    Parameters
    ----------
    path : (steps + 1, n) array-like, n 1 or 2
        As `fastnn.gradient_descent` returns it.
    f : callable
        Takes a point (n,), float64, and returns the value there; it is called for some 10,000 points.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The contours are at quantiles of f, so that each band between two of them has the same area.

    Raises
    ------
    ValueError, TypeError
        path is of other dimensions, or not finite; f is no function, or nowhere finite, or returns no number.
    """
    steps = data.as_array(path, "path").astype(float)
    if steps.ndim != 2 or steps.shape[1] not in (1, 2) or not len(steps):
        raise ValueError(f"path got shape {steps.shape}; wants (steps + 1, 1) or (steps + 1, 2)")
    data.check_finite(steps, "path")
    if not callable(f):
        raise TypeError(f"f got {f!r}; wants a function of a point")
    return _along_curve(steps, f, ax) if steps.shape[1] == 1 else _over_contours(steps, f, ax)


def _along_curve(steps: Array, f: Callable[[Array], float], ax: Any) -> Any:
    """Draw a path of one variable, (steps + 1, 1), along the curve of f."""
    across = np.linspace(*widened(steps.min(), steps.max(), 0.25), 2 * GRID)
    heights = _heights(f, across[:, np.newaxis])
    ax = axes_or_new(ax)
    ax.plot(across, heights, color=PALE, linewidth=1.5, zorder=1)
    ax.set(xlabel="$x$", ylabel="$f(x)$")
    return with_grid(draw_path(ax, steps[:, 0], _heights(f, steps)))


def _over_contours(steps: Array, f: Callable[[Array], float], ax: Any) -> Any:
    """Draw a path of two variables, (steps + 1, 2), over the contours of f."""
    low, high = steps.min(axis=0), steps.max(axis=0)
    reach = max(*(high - low), 1e-9)
    middle = (low + high) / 2
    half = np.maximum((high - low) / 2 + 0.25 * reach, 0.5 * reach)  # a straight path gets more than a narrow strip
    across, up = (np.linspace(m - h, m + h, GRID // 2) for m, h in zip(middle, half, strict=True))
    plane = np.stack(np.meshgrid(across, up), axis=-1)
    heights = np.ma.masked_invalid(_heights(f, plane.reshape(-1, 2)).reshape(plane.shape[:2]))
    ax = axes_or_new(ax)
    levels = np.unique(np.quantile(heights.compressed(), np.linspace(0, 1, 15)))
    if len(levels) > 2 and np.diff(levels).min() > 1e-12 * np.abs(levels).max():
        ax.contourf(across, up, heights, levels, colors=ramp("#eef3f7", "#7fa6c4", len(levels) - 1), zorder=0)
        lines = ax.contour(across, up, heights, levels[1:-1], colors="white", linewidths=0.8, zorder=1)
        ax.clabel(lines, lines.levels[::2], fmt=lambda level: f"{level:.3g}", fontsize=8, colors=INK)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=across[[0, -1]], ylim=up[[0, -1]])
    return draw_path(ax, *steps.T)


def _heights(f: Callable[[Array], float], points: Array) -> Array:
    """Return the values of f at points (count, n), float64; some of them are finite."""
    heights = np.empty(len(points))
    for i, point in enumerate(points):
        value = np.asarray(f(point.copy()), float)
        if value.size != 1:
            raise ValueError(f"f got a value of shape {value.shape}; wants a number")
        heights[i] = value.item()
    if not np.isfinite(heights).any():
        raise ValueError("f is nowhere finite around the path; wants a function that is")
    return heights
