"""Pictures of models and of training: each function takes matplotlib axes, draws into them, and returns them.

Without axes a new figure is made, through pyplot; with axes pyplot is left alone, and not even imported.
Blue and orange, and the colours beside them, are told apart by the colour-blind (Okabe and Ito, 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import data
from fastnn.extras import require
from fastnn.names import lookup

__all__ = ["activations", "decision_boundary", "descent", "history", "likelihood", "network"]

Array = npt.NDArray[Any]

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
COLOURS = (ORANGE, BLUE, GREEN, "#CC79A7", "#56B4E9", RED, "#F0E442", "#555555")
MARKERS = "osD^vPX*"
LABEL = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
INK, PALE = "#222222", "#999999"
GRID = 200  # points a side, where a function of two variables is drawn
UNITS = 9  # of a layer at most are drawn, besides a gap for the others
LABELLED = 12  # weights between two layers at most are written as numbers


def history(history: Any, ax: Any = None, metric: str | Sequence[str] = "loss") -> Any:
    """Draw how training went; the same as `fastnn.callbacks.History.plot`."""
    scores = history.history
    if not scores:
        raise ValueError("history got no epoch to draw; wants what fit returned after one at least")
    names = [metric] if isinstance(metric, str) else list(metric)
    if not names:
        raise ValueError("metric got no name; wants some of " + ", ".join(map(repr, scores)))
    for name in names:
        lookup(name, list(scores), "metric")
    ax = _axes(ax)
    drawn: list[float] = []
    for name, colour in zip(names, _cycle((BLUE, ORANGE, *COLOURS[2:])), strict=False):
        for key, style in ((name, "-"), (f"val_{name}", "--")):
            if key in scores:
                epochs = [epoch + 1 for epoch in history.epoch][-len(scores[key]) :]
                marker = "o" if len(epochs) <= 20 else None
                ax.plot(epochs, scores[key], style, color=colour, marker=marker, markersize=4, label=_words(key))
                drawn += scores[key]
    values = np.array(drawn)
    if len(names) == 1 and values.min() > 0 and values.max() > 50 * values.min():
        ax.set_yscale("log")
    _whole_numbers(ax)
    ax.set(xlabel="epoch", ylabel=_words(names[0]) if len(names) == 1 else "")
    ax.legend(frameon=False)
    return _plain(ax, grid=True)


def decision_boundary(model: Any, x: npt.ArrayLike, y: npt.ArrayLike, ax: Any = None) -> Any:
    """Draw what a classifier of two inputs says over the plane, and the points that it is to tell apart.

    Parameters
    ----------
    model : Sequential
        Of two inputs.  One output shades the plane by its value, with the line halfway between the two classes; more
        outputs shade it by class, the paler, the nearer another class is.
    x : (rows, 2) array-like
    y : (rows,) or (rows, 1) array-like, or (rows, classes), one-hot
        Class numbers; for one output two values such as 0, 1 or -1, 1.
    ax : matplotlib.axes.Axes, optional
        Where to draw; else in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError, TypeError
        x is not of two columns, or y not of classes.
    """
    _wants(model, "predict")
    points = data.features(x, 2, "x")
    names = [str(name) for name in getattr(x, "columns", ("$x_1$", "$x_2$"))]
    outputs = _outputs(model, points)
    values, labels = _classes(y, len(points), outputs)
    ax = _axes(ax)
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    left, right = _wider(left, right)
    bottom, top = _wider(bottom, top)
    across, up = np.linspace(left, right, GRID), np.linspace(bottom, top, GRID)
    plane = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    shares, gaps = _shares(model, np.asarray(model.predict(plane), float), values)
    tints = _rgb([COLOURS[k % len(COLOURS)] for k in range(shares.shape[1])])
    two = np.sort(shares, axis=1)[:, -2:]
    strength = 0.08 + 0.47 * (two[:, 1] - two[:, 0])
    picture = 1 - strength[:, np.newaxis] * (1 - tints[shares.argmax(axis=1)])
    extent = (left, right, bottom, top)
    ax.imshow(
        picture.clip(0, 1).reshape(GRID, GRID, 3),
        extent=extent,
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
        zorder=0,
    )
    for gap in gaps.T:
        if gap.min() < 0 < gap.max():
            ax.contour(across, up, gap.reshape(GRID, GRID), [0], colors=INK, linewidths=1.2, zorder=1)
    size = float(np.clip(3000 / len(points), 16, 70))
    for k, value in enumerate(values):
        chosen = points[labels == k]
        if len(chosen):
            ax.scatter(
                *chosen.T,
                s=size,
                color=COLOURS[k % len(COLOURS)],
                marker=MARKERS[(k + k // len(COLOURS)) % len(MARKERS)],
                edgecolor="white",
                linewidth=0.7,
                label=f"{value:g}",
                zorder=2,
            )
    ax.set(xlabel=names[0], ylabel=names[1], xlim=(left, right), ylim=(bottom, top))
    if len(values) <= 10:
        ax.legend(title="class", framealpha=0.85)
    return ax


def descent(path: npt.ArrayLike, f: Callable[[Array], float], ax: Any = None) -> Any:
    """Draw a path downhill: over the contours of a function of two variables, or along the curve of one.

    Parameters
    ----------
    path : (steps + 1, n) array-like, n 1 or 2
        As `fastnn.gradient_descent` returns it.
    f : callable
        Takes a point (n,), float64, and returns the value there; it is called for some 10,000 points.
    ax : matplotlib.axes.Axes, optional
        Where to draw; else in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With contours at quantiles of f, so that each band between two has the same area.

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
    low, high = steps.min(axis=0), steps.max(axis=0)
    if steps.shape[1] == 1:
        across = np.linspace(*_wider(low[0], high[0], 0.25), 2 * GRID)
        heights = _heights(f, across[:, np.newaxis])
        ax = _axes(ax)
        ax.plot(across, heights, color=PALE, linewidth=1.5, zorder=1)
        ax.set(xlabel="$x$", ylabel="$f(x)$")
        return _plain(_trail(ax, steps[:, 0], _heights(f, steps)), grid=True)
    reach = max(*(high - low), 1e-9)
    middle = (low + high) / 2
    half = np.maximum((high - low) / 2 + 0.25 * reach, 0.5 * reach)  # never a mere strip
    across, up = (np.linspace(m - h, m + h, GRID // 2) for m, h in zip(middle, half, strict=True))
    plane = np.stack(np.meshgrid(across, up), axis=-1)
    heights = _heights(f, plane.reshape(-1, 2)).reshape(plane.shape[:2])
    ax = _axes(ax)
    finite = heights[np.isfinite(heights)]
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, 15)))
    if len(levels) > 2 and np.diff(levels).min() > 1e-12 * np.abs(levels).max():
        masked = np.ma.masked_invalid(heights)
        ranks = _ramp("#eef3f7", "#7fa6c4", len(levels) - 1)
        ax.contourf(across, up, masked, levels, colors=ranks, zorder=0)
        lines = ax.contour(across, up, masked, levels[1:-1], colors="white", linewidths=0.8, zorder=1)
        ax.clabel(lines, lines.levels[::2], fmt=lambda level: f"{level:.3g}", fontsize=8, colors=INK)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=across[[0, -1]], ylim=up[[0, -1]])
    return _trail(ax, *steps.T)


def likelihood(labels: npt.ArrayLike = (1, 1, 1, 0, 0), path: npt.ArrayLike | None = None, ax: Any = None) -> Any:
    """Draw how likely some balls are, by the probability p of a blue one, and where that is greatest.

    L(p) = p^k (1 - p)^(n - k) with k ones of n labels, greatest at p = k / n.

    Parameters
    ----------
    labels : (n,) array-like
        1 for a blue ball, 0 for a yellow one.
    path : array-like, optional
        Probabilities that a search went through, drawn on the curve.
    ax : matplotlib.axes.Axes, optional
        Where to draw; else in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        More than 20 balls are not drawn one by one, and L is divided by its greatest value.

    Raises
    ------
    ValueError, TypeError
        labels are others than 0 and 1, or path leaves 0 to 1.
    """
    balls = data.as_array(labels, "labels").ravel()
    if not balls.size or not np.isin(balls, (0, 1)).all():
        raise ValueError(f"labels got {_shortened(balls)}; wants 0 and 1, one at least")
    way = None if path is None else data.as_array(path, "path").astype(float).ravel()
    if way is not None and not (way.size and np.all((way >= 0) & (way <= 1))):
        raise ValueError(f"path got {_shortened(way)}; wants probabilities, from 0 to 1")
    ones, count = int(balls.sum()), balls.size
    few, best = count <= 20, ones / count

    def log_likelihood(p: Array) -> Array:
        with np.errstate(divide="ignore"):
            logs = np.log(np.stack([p, 1 - p]))
        return (ones * logs[0] if ones else np.zeros_like(p)) + ((count - ones) * logs[1] if ones < count else 0.0)

    top = 0.0 if few else log_likelihood(np.array([best]))[0]
    ax = _axes(ax)
    p = np.linspace(0, 1, 2 * GRID + 1)
    curve = np.exp(log_likelihood(p) - top)
    height = float(np.exp(log_likelihood(np.array([best])) - top)[0])
    ax.plot(p, curve, color=BLUE, linewidth=2, zorder=1)
    ax.fill_between(p, curve, color=BLUE, alpha=0.08, linewidth=0)
    ax.plot([best, best], [0, height], "--", color=INK, linewidth=1, zorder=1)
    if way is not None:
        _trail(ax, way, np.exp(log_likelihood(way) - top))
    ax.annotate(
        f"p = {ones}/{count} = {best:.3g}",
        (best, height),
        (0, 7),
        textcoords="offset points",
        ha="center" if 0.15 < best < 0.85 else "left" if best < 0.5 else "right",
        color=INK,
    )
    if few:
        places = 0.5 + 0.065 * (np.arange(count) - (count - 1) / 2) * min(1, 13 / count)
        ax.scatter(
            places,
            np.full(count, 0.93),
            s=150 * min(1, 13 / count),
            c=[BLUE if ball else "#F0E442" for ball in balls],
            edgecolor=INK,
            linewidth=0.8,
            transform=ax.transAxes,
            zorder=3,
        )
    ax.set(xlim=(0, 1), ylim=(0, 1.3 * height), xlabel="p, the probability of a blue ball")
    ax.set_ylabel("likelihood L(p)" if few else "likelihood L(p), relative to its greatest")
    return _plain(ax, grid=True)


def network(model: Any, ax: Any = None, x: npt.ArrayLike | None = None) -> Any:
    """Draw a network's units, and its weights as lines: blue above 0, orange below, the wider, the farther from 0.

    Parameters
    ----------
    model : Sequential
    ax : matplotlib.axes.Axes, optional
        Where to draw; else in a new figure.
    x : (inputs,) or (1, inputs) array-like, optional
        One row, whose activations are then written into the units.

    Returns
    -------
    matplotlib.axes.Axes
        Of a wide layer the first and the last units.  Few weights are written beside their lines, and the biases b
        above their units.

    Raises
    ------
    ValueError, TypeError
        The model has no Dense layer, or does not know its inputs yet; x is not one row of them.
    """
    _wants(model, "predict", "forward", "layers")
    dense = [number for number, layer in enumerate(model.layers) if hasattr(layer, "kernel")]
    if not dense:
        raise ValueError("model got no layer with weights; wants a Dense one at least")
    layers = [model.layers[number] for number in dense]
    inputs = layers[0].kernel.shape[0]  # raises where it is not built
    sizes = [inputs, *(layer.kernel.shape[1] for layer in layers)]
    values = None if x is None else _values(model, x, dense, inputs)
    ax = _axes(ax, (1.6 + 1.5 * len(sizes), 4.0))
    shown = [_shown(size) for size in sizes]
    rows = max(len(units) + (len(units) < size) for units, size in zip(shown, sizes, strict=True))
    diameter = float(np.clip(150 / rows, 13, 34))  # points
    places = [_places(units, size) for units, size in zip(shown, sizes, strict=True)]
    for column, layer in enumerate(layers):
        _draw_weights(ax, column, layer, shown, places, diameter)
    if any(layer.kernel.size > LABELLED for layer in layers):
        for colour, label in ((BLUE, "weight above 0"), (ORANGE, "below 0")):
            ax.plot([], [], color=colour, linewidth=2, label=label)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False, fontsize=9)
    titles = ["input", *(_title(model.layers, dense, column) for column in range(len(layers)))]
    for column, (size, units, heights) in enumerate(zip(sizes, shown, places, strict=True)):
        _draw_units(ax, column, units, heights, diameter, None if values is None else values[column][units])
        if len(units) < size:
            middle = (heights[len(units) // 2] + heights[len(units) // 2 - 1]) / 2
            ax.text(column, middle, "⋮", ha="center", va="center", fontsize=14, color=INK)
        ax.annotate(
            f"{titles[column]}\n{size} {_plural('unit', size)}",
            (column, (1 - rows) / 2),
            (0, -diameter / 2 - 6),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=9,
        )
    last = len(sizes) - 1
    ax.set(xlim=(-0.45, last + 0.45), ylim=(-rows / 2, rows / 2))
    ax.axis("off")
    return ax


def activations(model: Any, x: npt.ArrayLike, ax: Any = None) -> Any:
    """Draw what every unit gives for every row: a map a layer, side by side, rows downwards.

    Parameters
    ----------
    model : Sequential
    x : (rows, inputs) array-like
    ax : matplotlib.axes.Axes, optional
        Where to draw; else in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        White is 0, blue above, orange below, the deepest at the layer's largest absolute value, which stands below it:
        a column that is white throughout is a dead unit, one of a single deep colour saturated.  Few values are written
        as numbers.

    Raises
    ------
    ValueError, TypeError
        As `Sequential.forward`.
    """
    _wants(model, "forward", "layers")
    outputs = [np.asarray(output, float) for output in model.forward(x)]
    blocks = [data.as_array(x, "x").astype(float).reshape(len(outputs[0]), -1), *outputs]
    titles = ["input", *(_named(layer) for layer in model.layers)]
    rows = len(blocks[0])
    ax = _axes(ax, (1.2 + 1.5 * len(blocks), 4.0))
    widths = [1 + math.log2(block.shape[1]) for block in blocks]
    gap = 0.12 * max(widths)
    written = rows * sum(block.shape[1] for block in blocks) <= 60 and max(block.shape[1] for block in blocks) <= 6
    left, ticks, labels = 0.0, [], []
    for block, width, title in zip(blocks, widths, titles, strict=True):
        largest = float(np.abs(block).max())
        scale = largest or 1.0
        ax.imshow(
            block,
            cmap=_diverging(),
            vmin=-scale,
            vmax=scale,
            extent=(left, left + width, rows, 0),
            aspect="auto",
            interpolation="nearest" if block.size <= 20_000 else "antialiased",
        )
        ax.plot(np.array([0, 1, 1, 0, 0]) * width + left, np.array([0, 0, 1, 1, 0]) * rows, color=INK, linewidth=0.8)
        if written:
            step = width / block.shape[1]
            for (row, unit), value in np.ndenumerate(block):
                colour = "white" if value > 0.7 * scale else INK
                place = left + (unit + 0.5) * step, row + 0.5
                ax.text(*place, _number(value), ha="center", va="center", color=colour, fontsize=9)
        ticks.append(left + width / 2)
        labels.append(f"{title}\n{block.shape[1]} {_plural('unit', block.shape[1])}\nlargest {_number(largest)}")
        left += width + gap
    ax.set(xlim=(-gap / 2, left - gap / 2), ylim=(rows * 1.01, -rows * 0.01), ylabel="row of x")
    ax.set_xticks(ticks, labels, fontsize=9)
    if rows <= 12:
        ax.set_yticks(np.arange(rows) + 0.5, [str(row) for row in range(rows)])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


# --- Axes ------------------------------------------------------------------------------------------------------------


def _axes(ax: Any, size: tuple[float, float] = (5.6, 4.2)) -> Any:
    """The axes given, or those of a new figure."""
    if ax is None:
        return require("matplotlib.pyplot", "plot").subplots(figsize=size, layout="constrained")[1]
    if not isinstance(ax, require("matplotlib.axes", "plot").Axes):
        raise TypeError(f"ax got {type(ax).__name__}; wants matplotlib axes, such as plt.subplots()[1], or None")
    return ax


def _plain(ax: Any, grid: bool = False) -> Any:
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(alpha=0.25)
        ax.set_axisbelow(True)
    return ax


def _whole_numbers(ax: Any) -> None:
    ax.xaxis.set_major_locator(require("matplotlib.ticker", "plot").MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _trail(ax: Any, x: Array, y: Array) -> Any:
    """A path with its beginning and its end."""
    marker = "." if len(x) <= 100 else None
    ax.plot(x, y, "-", color=RED, linewidth=1.3, marker=marker, markersize=7, zorder=2)
    ax.plot(
        x[:1],
        y[:1],
        "o",
        color="white",
        markeredgecolor=RED,
        markeredgewidth=1.8,
        markersize=8,
        zorder=3,
        label="start",
    )
    ax.plot(x[-1:], y[-1:], "*", color=INK, markersize=13, markeredgecolor="white", zorder=4, label="end")
    ax.legend(framealpha=0.85)
    return ax


def _rgb(colours: Sequence[str]) -> Array:
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])


def _ramp(first: str, last: str, count: int) -> Array:
    share = np.linspace(0, 1, count)[:, np.newaxis]
    begin, end = _rgb([first, last])
    ramp: Array = begin + share * (end - begin)
    return ramp


def _diverging() -> Any:
    """Orange below, white at 0, blue above."""
    colors = require("matplotlib.colors", "plot")
    return colors.LinearSegmentedColormap.from_list("fastnn", [ORANGE, "white", BLUE])


def _cycle(colours: Sequence[str]) -> Iterable[str]:
    while True:
        yield from colours


def _wider(low: float, high: float, by: float = 0.1) -> tuple[float, float]:
    margin = by * (high - low) or max(abs(low), 1.0) * by
    return float(low - margin), float(high + margin)


# --- Words -----------------------------------------------------------------------------------------------------------


def _words(name: str) -> str:
    """'val_loss' as 'loss, validation'."""
    core = name.removeprefix("val_").replace("_", " ")
    return f"{core}, validation" if name.startswith("val_") else core


def _number(value: float) -> str:
    return f"{value:.2f}" if 0.01 <= abs(value) < 100 or value == 0 else f"{value:.2g}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _named(layer: Any) -> str:
    """A layer's name, and its activation below."""
    activation = getattr(getattr(layer, "activation", None), "name", "linear")
    return str(layer.name) if activation == "linear" else f"{layer.name}\n{activation}"


def _shortened(array: Array) -> str:
    return np.array2string(array, threshold=6, edgeitems=3)


# --- Parts of pictures -----------------------------------------------------------------------------------------------


def _wants(model: Any, *attributes: str) -> None:
    if not all(hasattr(model, name) for name in attributes):
        raise TypeError(f"model got {type(model).__name__}; wants a fastnn.Sequential")


def _outputs(model: Any, points: Array) -> int:
    return int(np.asarray(model.predict(points[:1])).shape[1])


def _classes(y: npt.ArrayLike, rows: int, outputs: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """The values that the classes have, and the number of each row's class among them."""
    labels = data.as_array(y, "y")
    if labels.ndim == 2 and labels.shape[1] == outputs > 1:
        labels = labels.argmax(axis=1)
    elif labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (rows,):
        raise ValueError(f"y got shape {np.shape(y)}; wants ({rows},), a class a row of x")
    data.check_finite(labels, "y")
    found = np.unique(labels)
    if outputs > 1:
        if not np.isin(found, np.arange(outputs)).all():
            raise ValueError(f"y got {_shortened(found)}; wants class numbers from 0 to {outputs - 1}")
        return np.arange(outputs), labels.astype(np.int64)
    if len(found) > 2:
        raise ValueError(f"y got {len(found)} different values; wants two, for the model has one output")
    if len(found) < 2:
        found = np.array([0, 1] if found[0] in (0, 1) else sorted((-1, found[0])))
    return found, (labels == found[1]).astype(np.int64)


def _shares(model: Any, outputs: Array, values: Array) -> tuple[Array, Array]:
    """How far each class has its colour at each point, (points, classes), and what is 0 on the boundaries."""
    logits = bool(getattr(model.loss, "from_logits", False)) if hasattr(model, "loss") else False
    if outputs.shape[1] == 1:
        low, high = (float(value) for value in values)
        share = 1 / (1 + np.exp(-outputs.clip(-500, 500))) if logits else (outputs - low) / (high - low)
        return np.hstack([1 - share, share]).clip(0, 1), share - 0.5
    shares = outputs
    if logits:
        shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        shares = shares / shares.sum(axis=1, keepdims=True)
    elif outputs.min() < 0 or not np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        shares = np.eye(outputs.shape[1])[outputs.argmax(axis=1)]
    others = np.empty_like(outputs)
    for k in range(outputs.shape[1]):
        others[:, k] = np.delete(outputs, k, axis=1).max(axis=1)
    return shares, outputs - others


def _heights(f: Callable[[Array], float], points: Array) -> Array:
    heights = np.empty(len(points))
    for i, point in enumerate(points):
        value = np.asarray(f(point.copy()), float)
        if value.size != 1:
            raise ValueError(f"f got a value of shape {value.shape}; wants a number")
        heights[i] = value.item()
    if not np.isfinite(heights).any():
        raise ValueError("f is nowhere finite around the path; wants a function that is")
    return heights


def _values(model: Any, x: npt.ArrayLike, dense: Sequence[int], inputs: int) -> list[Array]:
    """The input, and what comes out of each Dense layer once whatever follows it has been applied."""
    row = data.as_array(x, "x").astype(float)
    row = row[np.newaxis] if row.ndim == 1 else row
    if row.shape != (1, inputs):
        raise ValueError(f"x got shape {np.shape(x)}; wants one row, (1, {inputs})")
    outputs = model.forward(row)
    ends = [*(number - 1 for number in dense[1:]), len(model.layers) - 1]
    return [row[0], *(np.asarray(outputs[end][0], float) for end in ends)]


def _title(layers: Sequence[Any], dense: Sequence[int], column: int) -> str:
    """A Dense layer's name and activation, and the layers up to the next."""
    following = dense[column + 1] if column + 1 < len(dense) else len(layers)
    return "\n".join(_named(layer) for layer in layers[dense[column] : following])


def _shown(size: int) -> Array:
    """The units of a layer that are drawn."""
    if size <= UNITS + 1:
        return np.arange(size)
    half = UNITS // 2
    return np.concatenate([np.arange(half), np.arange(size - half, size)])


def _places(units: Array, size: int) -> Array:
    """Heights, from the top downwards, around 0; with room for a gap."""
    slots = np.arange(len(units), dtype=float)
    if len(units) < size:
        slots[len(units) // 2 :] += 1
    middle: Array = slots.mean() - slots
    return middle


def _draw_weights(
    ax: Any, column: int, layer: Any, shown: Sequence[Array], places: Sequence[Array], diameter: float
) -> None:
    """The lines from one column to the next."""
    collections = require("matplotlib.collections", "plot")
    kernel = np.asarray(layer.kernel, float)
    scale = np.abs(kernel).max() or 1.0
    weights = kernel[np.ix_(shown[column], shown[column + 1])]
    lines = [
        (weights[i, j], ((column, start), (column + 1, end)))
        for i, start in enumerate(places[column])
        for j, end in enumerate(places[column + 1])
    ]
    lines.sort(key=lambda line: abs(line[0]))
    strength = np.array([abs(weight) for weight, _ in lines]) / scale
    colours = np.column_stack([_rgb([BLUE if weight > 0 else ORANGE for weight, _ in lines]), 0.15 + 0.85 * strength])
    ax.add_collection(
        collections.LineCollection(
            [line for _, line in lines], colors=colours, linewidths=0.4 + 2.6 * strength, zorder=1
        ),
        autolim=False,
    )
    if kernel.size > LABELLED:
        return
    along = 1 / (weights.shape[1] + 1)  # of the way, which spaces the labels evenly
    for weight, ((left, start), (right, end)) in lines:
        ax.text(
            left + along * (right - left),
            start + along * (end - start),
            f"{weight:.3g}",
            fontsize=8,
            ha="center",
            va="center",
            color=INK,
            bbox=LABEL,
            zorder=2,
        )
    if layer.bias is not None:
        for unit, height in zip(shown[column + 1], places[column + 1], strict=True):
            ax.annotate(
                f"b {layer.bias[unit]:.3g}",
                (column + 1, height),
                (0, diameter / 2 + 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8,
                color="#555555",
                bbox=LABEL,
                zorder=2,
            )


def _draw_units(ax: Any, column: int, units: Array, places: Array, diameter: float, values: Array | None) -> None:
    colours: Any = "white"
    if values is not None:
        scale = max(1.0, float(np.abs(values).max()))
        colours = _diverging()(0.5 + 0.35 * values / scale)
    across = np.full(len(units), float(column))
    ax.scatter(across, places, s=diameter**2, c=colours, edgecolor=INK, linewidth=1.2, zorder=3)
    if diameter < 24:
        return
    for number, (unit, height) in enumerate(zip(units, places, strict=True)):
        text = _number(values[number]) if values is not None else f"$x_{{{unit + 1}}}$" if column == 0 else ""
        ax.text(column, height, text, ha="center", va="center", fontsize=9, color=INK, zorder=4)
