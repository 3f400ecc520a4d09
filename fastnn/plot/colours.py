"""The colours of all pictures, and scales made of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.extras import require

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PINK, SKY_BLUE, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#555555"
COLOURS = (ORANGE, BLUE, GREEN, PINK, SKY_BLUE, RED, YELLOW, GREY)  # of the classes 0, 1, 2, ...
INK, PALE = "#222222", "#999999"  # of text and outlines, and of what stands in the background


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
