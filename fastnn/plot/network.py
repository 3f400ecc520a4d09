"""Draw a network: its units as circles and its weights as lines, or the activations of every layer as maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastnn import data
from fastnn.extras import require
from fastnn.typing import Array
from .drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    axes_or_new,
    check_model,
    diverging,
    layer_text,
    number_text,
    rgb,
    units_text,
)

MOST_UNITS = 9  # drawn of a layer; a wider layer shows its first and last ones, with a gap between
MOST_NUMBERS = 12  # weights between two layers that are written as numbers
BESIDE = {"ha": "center", "fontsize": 8, "zorder": 2}
BESIDE["bbox"] = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}


class Column(NamedTuple):
    """The units of one layer, as they are drawn one above the other."""

    number: int  # its place from the left, which is its x coordinate; 0 for the inputs
    size: int  # units of the layer
    units: Array  # indices of the units that are drawn
    heights: Array  # their y coordinates, downwards


def network(model: Any, ax: Any = None, x: ArrayLike | None = None) -> Any:
    """Draw a network's units, and its weights as lines: blue above 0, orange below, the wider, the farther from 0.

    Parameters
    ----------
    model : Sequential
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.
    x : (inputs,) or (1, inputs) array-like, optional
        One row, whose activations are then written into the units.

    Returns
    -------
    matplotlib.axes.Axes
        A wide layer shows its first and last units only.  Few weights are written beside their lines, and the biases b
        above their units.

    Raises
    ------
    ValueError, TypeError
        The model has no Dense layer, or does not know its inputs yet; x is not one row of them.
    """
    check_model(model, "predict", "forward", "layers")
    dense = [number for number, layer in enumerate(model.layers) if hasattr(layer, "kernel")]
    if not dense:
        raise ValueError("model got no layer with weights; wants a Dense one at least")
    layers = [model.layers[number] for number in dense]
    inputs = layers[0].kernel.shape[0]  # raises where it is not built
    columns = [_column(k, size) for k, size in enumerate([inputs, *(layer.kernel.shape[1] for layer in layers)])]
    values = None if x is None else _values(model, x, dense, inputs)
    ax = axes_or_new(ax, (1.6 + 1.5 * len(columns), 4.0))
    rows = max(len(column.units) + (len(column.units) < column.size) for column in columns)
    diameter = float(np.clip(150 / rows, 13, 34))  # of a unit, in points
    for layer, left, right in zip(layers, columns, columns[1:], strict=False):
        _draw_weights(ax, layer, left, right, diameter)
    if any(layer.kernel.size > MOST_NUMBERS for layer in layers):
        for colour, label in ((BLUE, "weight above 0"), (ORANGE, "below 0")):
            ax.plot([], [], color=colour, linewidth=2, label=label)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False, fontsize=9)
    titles = ["input", *(_title(model.layers[i:j]) for i, j in zip(dense, [*dense[1:], None], strict=True))]
    for column, title in zip(columns, titles, strict=True):
        _draw_units(ax, column, diameter, None if values is None else values[column.number][column.units])
        place, below = (column.number, (1 - rows) / 2), (0, -diameter / 2 - 6)
        text = f"{title}\n{units_text(column.size)}"
        ax.annotate(text, place, below, textcoords="offset points", ha="center", va="top", fontsize=9)
    ax.set(xlim=(-0.45, len(layers) + 0.45), ylim=(-rows / 2, rows / 2))
    ax.axis("off")
    return ax


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


def _column(number: int, size: int) -> Column:
    """Choose the units of a layer that are drawn, and place them around the height 0."""
    if size <= MOST_UNITS + 1:
        units, heights = np.arange(size), np.arange(size, dtype=float)
    else:
        half = MOST_UNITS // 2
        units = np.concatenate([np.arange(half), np.arange(size - half, size)])
        heights = np.concatenate([np.arange(half), np.arange(half + 1, 2 * half + 1)]).astype(float)
    return Column(number, size, units, heights.mean() - heights)


def _values(model: Any, x: ArrayLike, dense: Sequence[int], inputs: int) -> list[Array]:
    """Return the input, and what each Dense layer and the layers between it and the next make of it."""
    row = data.as_array(x, "x").astype(float)
    row = row[np.newaxis] if row.ndim == 1 else row
    if row.shape != (1, inputs):
        raise ValueError(f"x got shape {np.shape(x)}; wants one row, (1, {inputs})")
    outputs = model.forward(row)
    ends = [*(number - 1 for number in dense[1:]), len(model.layers) - 1]
    return [row[0], *(np.asarray(outputs[end][0], float) for end in ends)]


def _title(layers: Sequence[Any]) -> str:
    """Write the names and activations of a Dense layer and of those that follow it."""
    return "\n".join(map(layer_text, layers))


def _draw_weights(ax: Any, layer: Any, left: Column, right: Column, diameter: float) -> None:
    """Draw a layer's weights as lines from the column of its inputs to the column of its units."""
    kernel = np.asarray(layer.kernel, float)
    scale = np.abs(kernel).max() or 1.0
    weights = kernel[np.ix_(left.units, right.units)]
    lines = [
        (weights[i, j], ((left.number, start), (right.number, end)))
        for i, start in enumerate(left.heights)
        for j, end in enumerate(right.heights)
    ]
    lines.sort(key=lambda line: abs(line[0]))  # the strongest on top
    strength = np.array([abs(weight) for weight, _ in lines]) / scale
    colours = np.column_stack([rgb([BLUE if weight > 0 else ORANGE for weight, _ in lines]), 0.15 + 0.85 * strength])
    line_collection = require("matplotlib.collections", "plot").LineCollection
    drawn = line_collection([ends for _, ends in lines], colors=colours, linewidths=0.4 + 2.6 * strength, zorder=1)
    ax.add_collection(drawn, autolim=False)
    if kernel.size > MOST_NUMBERS:
        return
    along = 1 / (weights.shape[1] + 1)  # of the way from left to right, which spaces the numbers evenly
    for weight, ((x, start), (_, end)) in lines:
        ax.text(x + along, start + along * (end - start), f"{weight:.3g}", va="center", color=INK, **BESIDE)
    if layer.bias is not None:
        for unit, height in zip(right.units, right.heights, strict=True):
            text, place, above = f"b {layer.bias[unit]:.3g}", (right.number, height), (0, diameter / 2 + 2)
            ax.annotate(text, place, above, textcoords="offset points", va="bottom", color=GREY, **BESIDE)


def _draw_units(ax: Any, column: Column, diameter: float, values: Array | None) -> None:
    """Draw a column's circles, coloured by ``values`` and with them inside where they are given."""
    colours: Any = "white"
    if values is not None:
        scale = max(1.0, float(np.abs(values).max()))
        colours = diverging()(0.5 + 0.35 * values / scale)
    at = column.number
    across = np.full(len(column.units), float(at))
    ax.scatter(across, column.heights, s=diameter**2, c=colours, edgecolor=INK, linewidth=1.2, zorder=3)
    if diameter >= 24:  # room for text
        for k, (unit, height) in enumerate(zip(column.units, column.heights, strict=True)):
            text = number_text(values[k]) if values is not None else f"$x_{{{unit + 1}}}$" if at == 0 else ""
            ax.text(at, height, text, ha="center", va="center", fontsize=9, color=INK, zorder=4)
    if len(column.units) < column.size:
        half = len(column.units) // 2
        middle = (column.heights[half] + column.heights[half - 1]) / 2
        ax.text(at, middle, "⋮", ha="center", va="center", fontsize=14, color=INK)
