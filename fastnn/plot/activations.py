"""Draw the activations of every layer as maps."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn import data
from fastnn.typing import Array

from .drawing import INK, axes_or_new, check_model, diverging, layer_text, number_text, units_text


def activations(model: Any, x: ArrayLike, ax: Any = None) -> Any:
    """Draw the output of every unit for every row: one map a layer, side by side, rows downwards.

    Parameters
    ----------
    model : Sequential
    x : (rows, inputs) array-like
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        White is 0, blue above, orange below, the deepest at the layer's largest absolute value, which is written below
        the map.  A column that is white throughout is a dead unit, one of a single deep colour a saturated one.  Few
        values are written as numbers.

    Raises
    ------
    ValueError, TypeError
        As `Sequential.forward`.
    """
    check_model(model, "forward", "layers")
    outputs = [np.asarray(output, float) for output in model.forward(x)]
    blocks = [data.as_array(x, "x").astype(float).reshape(len(outputs[0]), -1), *outputs]
    titles = ["input", *(layer_text(layer) for layer in model.layers)]
    rows, units = len(blocks[0]), [block.shape[1] for block in blocks]
    ax = axes_or_new(ax, (1.2 + 1.5 * len(blocks), 4.0))
    widths = [1 + math.log2(count) for count in units]
    gap = 0.12 * max(widths)
    written = rows * sum(units) <= 60 and max(units) <= 6
    left, ticks, labels = 0.0, [], []
    for block, width, title in zip(blocks, widths, titles, strict=True):
        largest = float(np.abs(block).max())
        _draw_map(ax, block, (left, left + width), largest or 1.0, written)
        ticks.append(left + width / 2)
        labels.append(f"{title}\n{units_text(block.shape[1])}\nlargest {number_text(largest)}")
        left += width + gap
    ax.set(xlim=(-gap / 2, left - gap / 2), ylim=(rows * 1.01, -rows * 0.01), ylabel="row of x")
    ax.set_xticks(ticks, labels, fontsize=9)
    if rows <= 12:
        ax.set_yticks(np.arange(rows) + 0.5, [str(row) for row in range(rows)])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def _draw_map(ax: Any, block: Array, ends: tuple[float, float], scale: float, written: bool) -> None:
    """Draw a layer's activations, (rows, units), between two x coordinates; ``scale`` has the deepest colour."""
    (rows, units), (left, right) = block.shape, ends
    smoothing = "nearest" if block.size <= 20_000 else "antialiased"
    place = {"extent": (left, right, rows, 0), "aspect": "auto", "interpolation": smoothing}
    ax.imshow(block, cmap=diverging(), vmin=-scale, vmax=scale, **place)
    ax.plot([left, right, right, left, left], [0, 0, rows, rows, 0], color=INK, linewidth=0.8)
    if written:
        for (row, unit), value in np.ndenumerate(block):
            x, colour = left + (unit + 0.5) * (right - left) / units, "white" if value > 0.7 * scale else INK
            ax.text(x, row + 0.5, number_text(value), ha="center", va="center", color=colour, fontsize=9)
