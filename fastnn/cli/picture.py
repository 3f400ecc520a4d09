"""A picture of how good predictions are: a confusion matrix, or residuals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastnn.extras import require
from fastnn.files.atomic import replacing
from fastnn.typing import Array
from .tables import TableError, check_folder

MOST_NUMBERS = 20  # classes up to which each cell has its number


def check_picture(path: Path, holdout: float) -> None:
    """Raise an error, before the work, where the picture could not be drawn."""
    figures = require("matplotlib.figure", "plot")
    check_folder(path)
    known = figures.Figure().canvas.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in known:
        raise TableError(f"--plot got {str(path)!r}; wants a name that ends in .png, .svg or .pdf")
    if not holdout:
        raise TableError("--plot draws the rows that are held out; wants a --holdout above 0")


def draw_score(y: Array, predicted: Array, target: dict[str, Any], path: Path) -> None:
    """Draw predictions of held-out rows beside the truth, into a file."""
    figure = require("matplotlib.figure", "plot").Figure(figsize=(6, 5.4), layout="constrained")
    axes = figure.subplots()
    if target["task"] == "classification":
        _confusion(axes, y, predicted)
    else:
        axes.scatter(predicted, predicted - y, s=8, alpha=0.5, linewidths=0)
        axes.axhline(0, color="gray", linewidth=1)
        axes.set(xlabel="predicted", ylabel="predicted - true")
    axes.set_title(f"{target['name']}, {len(y)} rows held out")
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix.lower().removeprefix("."), dpi=120)


def _confusion(axes: Any, y: Array, predicted: Array) -> None:
    classes, places = np.unique(np.concatenate([y, predicted]), return_inverse=True)
    true, said = np.split(places.ravel(), 2)
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (true, said), 1)
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true")
    if len(classes) <= MOST_NUMBERS:
        names = [str(name)[:20] for name in classes]
        axes.set_xticks(range(len(classes)), names, rotation=45 if max(map(len, names)) > 3 else 0)
        axes.set_yticks(range(len(classes)), names)
        for (row, column), count in np.ndenumerate(counts):
            dark = count > counts[row].sum() / 2
            axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
