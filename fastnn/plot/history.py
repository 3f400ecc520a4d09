"""Draw the loss and the metrics of training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np

from fastnn.extras import require
from fastnn.names import lookup
from .drawing import BLUE, COLOURS, ORANGE, axes_or_new, with_grid


def history(history: Any, ax: Any = None, metric: str | Sequence[str] = "loss") -> Any:
    """Draw how training went, an epoch a point; `fastnn.callbacks.History.plot` calls this function.

    Parameters
    ----------
    history : fastnn.callbacks.History
        As `Sequential.fit` returns it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.
    metric : str or list of str
        Names in ``history.history``, without "val_". Validation is drawn dashed, in the colour of its metric.

    Returns
    -------
    matplotlib.axes.Axes
        Its y axis is logarithmic where a single metric's values are positive, the largest over 50 times the smallest.

    Raises
    ------
    ValueError
        There is no epoch, or no such metric.
    """
    scores = history.history
    if not scores:
        raise ValueError("history got no epoch to draw; wants what fit returned after one at least")
    names = [metric] if isinstance(metric, str) else list(metric)
    if not names:
        raise ValueError("metric got no name; wants some of " + ", ".join(map(repr, scores)))
    for name in names:
        lookup(name, list(scores), "metric")
    ax = axes_or_new(ax)
    drawn: list[float] = []
    for name, colour in zip(names, cycle((BLUE, ORANGE, *COLOURS[2:])), strict=False):
        for key, style in ((name, "-"), (f"val_{name}", "--")):
            if key in scores:
                epochs = [epoch + 1 for epoch in history.epoch][-len(scores[key]) :]
                marker = "o" if len(epochs) <= 20 else None
                ax.plot(epochs, scores[key], style, color=colour, marker=marker, markersize=4, label=_label(key))
                drawn += scores[key]
    values = np.array(drawn)
    if len(names) == 1 and values.min() > 0 and values.max() > 50 * values.min():
        ax.set_yscale("log")
    ax.xaxis.set_major_locator(require("matplotlib.ticker", "plot").MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set(xlabel="epoch", ylabel=_label(names[0]) if len(names) == 1 else "")
    ax.legend(frameon=False)
    return with_grid(ax)


def _label(key: str) -> str:
    """Write a key of the history in words: "val_loss" as "loss, validation"."""
    words = key.removeprefix("val_").replace("_", " ")
    return f"{words}, validation" if key.startswith("val_") else words
