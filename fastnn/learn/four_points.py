"""Section 3: four points that no line divides, and a network that does."""

import numpy as np

from fastnn import plot
from fastnn.layers import Dense
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.typing import Array
from .page import Axes, Page, Picture, kernel, small_model

POINTS, CLASSES = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0]]), np.array([0, 0, 1, 1])
SEEDS = range(10)  # of the networks that are trained


def section(page: Page) -> Picture:
    """Show that one neuron fails, that two more move the points apart, and that training finds such neurons."""
    alone = max((_trained(0, seed) for seed in SEEDS), key=_right)
    page.tell(f"""
        Logistic regression divides the plane by a straight line. The points (0,0) and
        (1,1) are of class 0, (0,1) and (1,0) of class 1: no line has the one pair on
        one side and the other pair on the other. Three of four is the most it could
        get right; trained from {len(SEEDS)} starts, it gets {_right(alone)} at best.

        Two more neurons help: z1 = sigmoid(-2 x1 + 2 x2 - 1) and
        z2 = sigmoid(2 x1 - 2 x2 - 1) move the points to where a line divides them.
        """)
    hidden = small_model(2, Dense(2, activation="sigmoid"))
    hidden.set_weights([kernel([-2, 2], [2, -2]), [-1, -1]])
    z = hidden.predict(POINTS)
    last = small_model(2, Dense(1, activation="sigmoid"))
    last.set_weights([kernel([10, 10]), [-6.5]])
    rows = [
        [f"{x1:g}", f"{x2:g}", f"{z1:.2f}", f"{z2:.2f}", str(label), f"{p:.2f}"]
        for (x1, x2), (z1, z2), label, p in zip(POINTS, z, CLASSES, last.predict(z)[:, 0], strict=True)
    ]
    page.table(["x1", "x2", "z1", "z2", "class", "p"], rows)
    networks = [_trained(2, seed) for seed in SEEDS]
    solved = sum(_right(network) == 4 for network in networks)
    wider = sum(_right(_trained(4, seed)) == 4 for seed in SEEDS)
    best = min(networks, key=lambda network: float(network.evaluate(POINTS, CLASSES, verbose=0)))
    answers = ", ".join(f"{answer:.3f}" for answer in best.predict(POINTS)[:, 0])
    page.tell(f"""
        The column p is a third neuron's, sigmoid(10 z1 + 10 z2 - 6.5), and gets {_right(last, z)} of
        4 right. Neurons that feed neurons are a network, and it can find such
        weights from the data alone: of {len(SEEDS)} starts with two hidden neurons {solved} learn
        all four points, and {wider} with four. The best of the small ones answers
        {answers}.
        """)
    return Picture(3, lambda axes: _draw(axes, alone, last, z, best))


def _trained(hidden: int, seed: int) -> Sequential:
    """Train a network with so many hidden neurons on the four points."""
    layers = [Dense(units, activation="sigmoid") for units in (hidden, 1) if units]
    model = small_model(2, *layers, loss="binary_crossentropy", optimizer=Adam(0.1), seed=seed)
    model.fit(POINTS, CLASSES, batch_size=4, epochs=500, verbose=0)
    return model


def _right(model: Sequential, x: Array = POINTS) -> int:
    """Count the points whose class a model gets right."""
    return int(np.sum((model.predict(x)[:, 0] > 0.5) == CLASSES))


def _draw(axes: Axes, alone: Sequential, last: Sequential, z: Array, best: Sequential) -> None:
    plot.decision_boundary(alone, POINTS, CLASSES, axes[0]).set_title("One neuron: a line")
    moved = plot.decision_boundary(last, z, CLASSES, axes[1])
    moved.set(title="The points, moved by two neurons", xlabel="$z_1$", ylabel="$z_2$")
    plot.decision_boundary(best, POINTS, CLASSES, axes[2]).set_title("A network of 2-2-1, learned")
    for ax in axes[1:]:
        ax.get_legend().remove()
