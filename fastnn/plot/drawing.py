"""What the pictures share: axes to draw into, colours, the path of a search, text in cells and in error messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.extras import require
from fastnn.typing import Array

GRID = 200  # points along each axis of a picture, at which a function is evaluated
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PINK, SKY_BLUE, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#555555"
COLOURS = (ORANGE, BLUE, GREEN, PINK, SKY_BLUE, RED, YELLOW, GREY)  # of the classes 0, 1, 2, ...
INK, PALE = "#222222", "#999999"  # of text and outlines, and of what stands in the background


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


def rgb(colours: Sequence[str]) -> NDArray[np.float64]:
    """Convert colours such as "#0072B2" to numbers from 0 to 1, (colours, 3)."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])


def ramp(first: str, last: str, count: int) -> NDArray[np.float64]:
    """Return ``count`` colours in equal steps from one colour to another, (count, 3)."""
    begin, end = rgb([first, last])
    return np.asarray(begin + np.linspace(0, 1, count)[:, np.newaxis] * (end - begin))


def diverging() -> Any:
    """Return a colour map: orange for the lowest value, white in the middle, blue for the highest."""
    colors = require("matplotlib.colors", "plot")
    return colors.LinearSegmentedColormap.from_list("fastnn", [ORANGE, "white", BLUE])


def number_text(value: float) -> str:
    """Write a number with two decimals, or with two digits where it is very small or large."""
    return f"{value:.2f}" if 0.01 <= abs(value) < 100 or value == 0 else f"{value:.2g}"


def units_text(count: int) -> str:
    """Write "1 unit" or "5 units"."""
    return f"{count} unit" if count == 1 else f"{count} units"


def layer_text(layer: Any) -> str:
    """Write a layer's name, and on a second line its activation unless that is linear."""
    activation = getattr(getattr(layer, "activation", None), "name", "linear")
    return str(layer.name) if activation == "linear" else f"{layer.name}\n{activation}"
