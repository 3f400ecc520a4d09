"""What a section is told with: paragraphs and tables for a terminal, a picture, and small models."""

from collections.abc import Callable, Sequence
from textwrap import dedent, fill
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn.layers import Dense, Input
from fastnn.models import Sequential
from fastnn.typing import Array

Axes = Sequence[Any]  # a picture's matplotlib axes, from left to right
Say = Callable[[str], Any]


class Picture(NamedTuple):
    """How many axes a picture has side by side, and what draws into them."""

    columns: int
    draw: Callable[[Axes], Any]


class Page(NamedTuple):
    """Where a section's text goes; each paragraph and each table begins with a blank line."""

    say: Say

    def tell(self, text: str) -> None:
        """Print paragraphs filled to 78 columns, with spaces for "~"; one with an indented line is printed as it is."""
        for paragraph in dedent(text).strip("\n").split("\n\n"):
            as_it_is = "\n " in f"\n{paragraph}"
            self.say("\n" + (paragraph.rstrip() if as_it_is else fill(paragraph, 78).replace("~", " ")))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], width: int = 11, first: int = 0) -> None:
        """Print a table, its cells aligned to the right.

        A column with an empty head, other than the first, is aligned to the left.  Columns are ``width`` characters
        wide; the first one is ``first``, where that is given.
        """
        sizes = [first or width, *(width if title else 0 for title in head[1:])]
        lines = [""]
        for row in (head, *rows):
            cells = [f"{cell:>{size}}" if size else f"  {cell}" for cell, size in zip(row, sizes, strict=True)]
            lines.append("".join(cells).rstrip())
        self.say("\n".join(lines))


def decimals(values: Sequence[float] | Array, digits: int = 4) -> list[str]:
    """Write numbers with so many decimals, and without a minus before 0."""
    return [f"{np.round(value, digits) + 0.0:.{digits}f}" for value in values]


def pair(values: Array, style: str = ".2f") -> str:
    """Write a point's coordinates in parentheses."""
    return "(" + ", ".join(f"{value:{style}}" for value in values) + ")"


def small_model(inputs: int, *layers: Dense, loss: str = "mse", optimizer: Any = "sgd", seed: int = 0) -> Sequential:
    """Build and compile a model."""
    model = Sequential([Input((inputs,)), *layers], seed=seed)
    model.compile(optimizer=optimizer, loss=loss, dtype="float64", threads=1)
    return model


def kernel(*neurons: Sequence[float]) -> NDArray[np.float64]:
    """Return the kernel, (inputs, neurons), of a layer whose neurons have these weights."""
    return np.array(neurons, dtype="float64").T
