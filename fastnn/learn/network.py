"""Section 4: a forward pass through a fully connected network."""

import numpy as np

from fastnn import plot
from fastnn.layers import Dense
from fastnn.models import Sequential
from fastnn.typing import Array
from .page import Axes, Page, Picture, kernel, pair, small_model


def section(page: Page) -> Picture:
    """Compute what one neuron does, and what three layers do."""
    x = np.array([[1.0, -1.0], [0.0, 0.0]])
    neuron = small_model(2, Dense(1))
    neuron.set_weights([kernel([1, -2]), [1]])
    total = neuron.predict(x)[0, 0]
    model = small_model(2, *(Dense(2, activation="sigmoid") for _ in range(3)))
    first, second, third = kernel([1, -2], [-1, 1]), kernel([2, -1], [-2, -1]), kernel([3, -1], [-1, 4])
    model.set_weights([first, [1, 0], second, [0, 0], third, [-2, 2]])
    layers = model.forward(x)
    page.tell(f"""
        In a fully connected network every neuron sees every output of the layer before
        it, weighs them, adds its bias, and applies its activation, here the sigmoid.

        The input is (1, -1). The first neuron, of weights (1, -2) and bias 1, sums
        1*1 + (-2)*(-1) + 1 = {total:g} and gives sigmoid({total:g}) = {layers[0][0, 0]:.2f}. The others do the same,
        layer by layer:
        """)
    rows = [[pair(row, "g"), *(pair(layer[number]) for layer in layers)] for number, row in enumerate(x)]
    page.table(["input", "layer 1", "layer 2", "layer 3"], rows, width=16)
    page.tell("That is the whole of it: model.forward(x) returns these activations.")
    return Picture(2, lambda axes: _draw(axes, model, x))


def _draw(axes: Axes, model: Sequential, x: Array) -> None:
    plot.network(model, axes[0], x[0]).set_title("The network, fed with (1, -1)")
    plot.activations(model, x, axes[1]).set_title("Activations of both inputs")
