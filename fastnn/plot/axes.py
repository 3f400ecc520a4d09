"""What the pictures share: axes to draw into, the path of a search, and what error messages need."""

from typing import Any

import numpy as np

from fastnn.extras import require
from fastnn.typing import Array

from .colours import INK, RED

GRID = 200  # points along each axis of a picture, at which a function is evaluated


def axes_or_new(ax: Any, size: tuple[float, float] = (5.6, 4.2)) -> Any:
    """Check the axes given, or make a figure of ``size`` inches and return its axes."""
    if ax is None:
        return require("matplotlib.pyplot", "plot").subplots(figsize=size, layout="constrained")[1]
    if not isinstance(ax, require("matplotlib.axes", "plot").Axes):
        raise TypeError(f"ax got {type(ax).__name__}; wants matplotlib axes, such as plt.subplots()[1], or None")
    return ax


def with_grid(ax: Any) -> Any:
    """Remove the frame's top and right side, and draw a pale grid behind the picture."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
    ax.set_axisbelow(True)
    return ax


def draw_path(ax: Any, x: Array, y: Array) -> Any:
    """Draw the path of a search as a line, with its start and its end marked."""
    marker = "." if len(x) <= 100 else None
    ax.plot(x, y, "-", color=RED, linewidth=1.3, marker=marker, markersize=7, zorder=2)
    start = {"color": "white", "markeredgecolor": RED, "markeredgewidth": 1.8, "markersize": 8}
    ax.plot(x[:1], y[:1], "o", **start, zorder=3, label="start")
    ax.plot(x[-1:], y[-1:], "*", color=INK, markersize=13, markeredgecolor="white", zorder=4, label="end")
    ax.legend(framealpha=0.85)
    return ax


def widened(low: float, high: float, by: float = 0.1) -> tuple[float, float]:
    """Move both ends of an interval outwards by a part ``by`` of its length."""
    margin = by * (high - low) or max(abs(low), 1.0) * by
    return float(low - margin), float(high + margin)


def check_model(model: Any, *attributes: str) -> None:
    """Refuse what lacks one of these attributes of a `Sequential`."""
    if not all(hasattr(model, name) for name in attributes):
        raise TypeError(f"model got {type(model).__name__}; wants a fastnn.Sequential")


def shortened(array: Array) -> str:
    """Write the first and last entries of an array, for an error message."""
    return np.array2string(array, threshold=6, edgeitems=3)
