"""Text in pictures of layers: their names, and numbers short enough for a cell or a circle."""

from typing import Any


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
