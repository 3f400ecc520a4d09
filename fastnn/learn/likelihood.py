"""Section 2: five balls, and the probability that makes them likeliest."""

import numpy as np

from fastnn import plot
from fastnn.layers import Dense
from fastnn.models import Sequential
from fastnn.optimizers import SGD
from fastnn.plot.drawing import BLUE, INK, with_grid
from .page import Axes, Page, Picture, decimals, small_model

X, BALLS = np.zeros((5, 1)), np.array([1, 1, 1, 0, 0])


def section(page: Page) -> Picture:
    """Find the probability of a blue ball by its likelihood, and show the sigmoid."""
    model = small_model(1, Dense(1, activation="sigmoid"), loss="binary_crossentropy", optimizer=SGD(1.0))
    page.tell("""
        Five balls are drawn from a bag: three blue, two yellow. How probable is blue?
        Take the p that makes just this draw the most likely, under

            L(p) = p^3 (1 - p)^2,    (log L)' = 3/p - 2/(1 - p),

        and that is where the slope is 0. As a network this is a single neuron with
        nothing but a bias: p = sigmoid(b). Its loss, binary cross-entropy, is
        -log L / 5, so the least loss is the greatest likelihood:
        """)
    page.table(["p", "L(p)", "loss", "dloss/db", "(log L)'"], [_row(model, p) for p in (0.4, 0.5, 0.6, 0.7)])
    _set_probability(model, 0.1)
    path = [0.1]
    for _ in range(60):
        model.train_on_batch(X, BALLS)
        path.append(float(model.predict(X[:1])[0, 0]))
    page.tell(f"""
        Started at p = {path[0]}, training reaches {path[5]:.4f} after 5 steps and {path[-1]:.6f} after 60:
        three fifths. With inputs, p = sigmoid(b + w1 x1 + w2 x2 + ...), this is
        logistic regression.

        The sigmoid turns any number z into a probability, and is above one half
        exactly where z is above 0:
        """)
    z = np.array([-4.0, -2, 0, 2, 4])
    neuron = small_model(1, Dense(1, activation="sigmoid"))
    neuron.set_weights([[[1.0]], [0.0]])
    page.table(["z", *(f"{value:g}" for value in z)], [["sigmoid", *decimals(neuron.predict(z).ravel())]])
    return Picture(2, lambda axes: _draw(axes, path, neuron))


def _set_probability(model: Sequential, p: float) -> None:
    """Make the neuron answer p for the input 0."""
    model.set_weights([[[0.0]], [np.log(p / (1 - p))]])


def _row(model: Sequential, p: float) -> list[str]:
    """Return the table's row for p; the loss and its slope are the model's."""
    _set_probability(model, p)
    loss = model.evaluate(X, BALLS, verbose=0)
    slope = model.gradients(X, BALLS)[0]["bias"][0]
    return [f"{p}", *decimals([np.exp(-5 * loss), loss], 5), *decimals([slope, 3 / p - 2 / (1 - p)])]


def _draw(axes: Axes, path: list[float], neuron: Sequential) -> None:
    left, right = axes
    plot.likelihood(BALLS, path, left)
    left.set_title("Three blue balls, two yellow")
    fine = np.linspace(-6, 6, 200)
    right.plot(fine, neuron.predict(fine), color=BLUE, linewidth=2)
    right.axhline(0.5, color=INK, linestyle="--", linewidth=1)
    right.axvline(0, color=INK, linestyle="--", linewidth=1)
    right.set(title="The sigmoid", xlabel="z", ylabel="sigmoid(z)", ylim=(-0.03, 1.03))
    with_grid(right)
