"""Draw where a classifier of two inputs changes its mind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import data
from fastnn.typing import Array
from .drawing import COLOURS, GRID, INK, axes_or_new, check_model, rgb, shortened, widened

MARKERS = "osD^vPX*"  # of the classes 0, 1, 2, ...


def decision_boundary(model: Any, x: ArrayLike, y: ArrayLike, ax: Any = None) -> Any:
    """Draw the predictions of a classifier of two inputs over the plane, with points of known class on top.

    Parameters
    ----------
    model : Sequential
        A model of two inputs.  If it has one output, the plane is shaded by the output's value, and a line marks
        halfway between the two classes.  If it has more, the plane is shaded by the class of the largest output, paler
        where the second largest is close.
    x : (rows, 2) array-like
    y : (rows,) or (rows, 1) array-like, or (rows, classes), one-hot
        Class numbers.  For a model of one output, two values such as 0, 1 or -1, 1.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError, TypeError
        x does not have two columns, or y does not hold classes.
    """
    check_model(model, "predict")
    points = data.features(x, 2, "x")
    names = [str(name) for name in getattr(x, "columns", ("$x_1$", "$x_2$"))]
    outputs = int(np.asarray(model.predict(points[:1])).shape[1])
    values, labels = _classes(y, len(points), outputs)
    ax = axes_or_new(ax)
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    left, right = widened(left, right)
    bottom, top = widened(bottom, top)
    _draw_plane(ax, model, values, (left, right, bottom, top))
    _draw_points(ax, points, labels, values)
    ax.set(xlabel=names[0], ylabel=names[1], xlim=(left, right), ylim=(bottom, top))
    if len(values) <= 10:
        ax.legend(title="class", framealpha=0.85)
    return ax


def _draw_plane(ax: Any, model: Any, values: Array, extent: tuple[float, float, float, float]) -> None:
    """Shade the plane by the class predicted, and draw the lines between classes."""
    across, up = np.linspace(*extent[:2], GRID), np.linspace(*extent[2:], GRID)
    plane = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    probabilities, margins = _probabilities_and_margins(model, np.asarray(model.predict(plane), float), values)
    tints = rgb([COLOURS[k % len(COLOURS)] for k in range(probabilities.shape[1])])
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    strength = 0.08 + 0.47 * (first - second)
    picture = 1 - strength[:, np.newaxis] * (1 - tints[probabilities.argmax(axis=1)])
    picture = picture.clip(0, 1).reshape(GRID, GRID, 3)
    ax.imshow(picture, extent=extent, origin="lower", aspect="auto", interpolation="bilinear", zorder=0)
    for margin in margins.T.reshape(-1, GRID, GRID):
        if margin.min() < 0 < margin.max():
            ax.contour(across, up, margin, [0], colors=INK, linewidths=1.2, zorder=1)


def _draw_points(ax: Any, points: Array, labels: Array, values: Array) -> None:
    """Draw each class's points in a colour and a marker of its own."""
    size = float(np.clip(3000 / len(points), 16, 70))
    for k, value in enumerate(values):
        chosen = points[labels == k]
        if len(chosen):
            colour, marker = COLOURS[k % len(COLOURS)], MARKERS[(k + k // len(COLOURS)) % len(MARKERS)]
            edge = {"edgecolor": "white", "linewidth": 0.7, "zorder": 2}
            ax.scatter(*chosen.T, s=size, color=colour, marker=marker, label=f"{value:g}", **edge)


def _classes(y: ArrayLike, rows: int, outputs: int) -> tuple[Array, NDArray[np.int64]]:
    """Return the values that stand for the classes, (classes,), and the index of each row's class, (rows,)."""
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
            raise ValueError(f"y got {shortened(found)}; wants class numbers from 0 to {outputs - 1}")
        return np.arange(outputs), labels.astype(np.int64)
    if len(found) > 2:
        raise ValueError(f"y got {len(found)} different values; wants two, for the model has one output")
    if len(found) < 2:
        found = np.array([0, 1] if found[0] in (0, 1) else sorted((-1, found[0])))
    return found, (labels == found[1]).astype(np.int64)


def _probabilities_and_margins(model: Any, outputs: Array, values: Array) -> tuple[Array, Array]:
    """Read a model's outputs, (points, outputs), as classes: their probabilities and margins.

    Probabilities, (points, classes), are 1 for the largest and 0 for the others where outputs do not sum to 1.
    Margins, (points, 1 or classes), say how far a class is ahead of the best of the others; 0 on its boundary.
    """
    logits = bool(getattr(model.loss, "from_logits", False)) if hasattr(model, "loss") else False
    if outputs.shape[1] == 1:
        low, high = (float(value) for value in values)
        second = 1 / (1 + np.exp(-outputs.clip(-500, 500))) if logits else (outputs - low) / (high - low)
        return np.hstack([1 - second, second]).clip(0, 1), second - 0.5
    probabilities = outputs
    if logits:
        exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    elif outputs.min() < 0 or not np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        probabilities = np.eye(outputs.shape[1])[outputs.argmax(axis=1)]
    others = np.empty_like(outputs)
    for k in range(outputs.shape[1]):
        others[:, k] = np.delete(outputs, k, axis=1).max(axis=1)
    return probabilities, outputs - others
