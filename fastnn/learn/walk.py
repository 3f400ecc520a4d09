"""Walk through the sections: print their text and write their pictures."""

from collections.abc import Sequence
from pathlib import Path

from fastnn.engine import load
from fastnn.extras import require
from fastnn.version import VERSION
from . import backpropagation, descent, four_points, likelihood, loss, network, search
from .page import Page, Say

SECTIONS = (  # title, name of the picture's file, and what tells the section to a page and returns its picture
    ("Learning is the search for a function", "search", search.section),
    ("The most likely parameter: logistic regression", "likelihood", likelihood.section),
    ("Why a network: four points that no line divides", "four-points", four_points.section),
    ("The fully connected feed-forward network", "network", network.section),
    ("The loss", "loss", loss.section),
    ("Gradient descent", "descent", descent.section),
    ("Backpropagation", "backpropagation", backpropagation.section),
)


def run(sections: Sequence[int], output: Path | None, say: Say = print) -> None:
    """Walk through the sections of these numbers, from 1, or through all; ``say`` gets paragraphs and tables.

    Pictures are written to the folder ``output``, which is made if need be; None draws none.
    """
    numbers = sorted(set(sections)) or range(1, len(SECTIONS) + 1)
    figures, hint = None, ""
    if output is not None:
        try:
            figures = require("matplotlib.figure", "plot")
            output.mkdir(parents=True, exist_ok=True)
        except ModuleNotFoundError as error:
            hint = f"\nThere will be no pictures: {error}."
    backend, _ = load("auto", "float64")
    say(f"fastnn {VERSION}, backend {backend}: every number below is computed as you read.{hint}")
    for number in numbers:
        title, name, section = SECTIONS[number - 1]
        heading = f"{number}. {title}"
        say(f"\n{heading}\n{'=' * len(heading)}")
        picture = section(Page(say))
        if figures is not None and output is not None:
            path = output / f"{number}-{name}.png"
            figure = figures.Figure(figsize=(4.6 * picture.columns, 4.1), layout="constrained")
            picture.draw(figure.subplots(1, picture.columns, squeeze=False)[0])
            figure.savefig(path, dpi=120)
            say(f"\nPicture: {path}")
