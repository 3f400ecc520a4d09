"""Section 5: what a loss charges for an answer, and how it falls in training."""

from typing import Any

import numpy as np

from fastnn import plot
from fastnn.layers import Dense
from fastnn.optimizers import Adam
from fastnn.plot.drawing import BLUE, ORANGE, with_grid
from fastnn.typing import Array
from .page import Axes, Page, Picture, decimals, small_model

ANSWERS = np.array([0.99, 0.9, 0.5, 0.1, 0.01])  # probabilities given to the right class


def section(page: Page) -> Picture:
    """Compare cross-entropy with squared error, compute both by hand, and train on two half moons."""
    entropies, squares = ([_cost(name, p) for p in ANSWERS] for name in ("binary_crossentropy", "mse"))
    page.tell("""
        The loss is what training makes small, so it has to be small for just those
        answers that are wanted. For classes it is the negative log-likelihood, also
        called cross-entropy: -log p, with p the probability that the model gave to
        the right class. Confident mistakes cost most; squared error is milder:
        """)
    rows = [["cross-entropy", *decimals(entropies)], ["squared error", *decimals(squares)]]
    page.table(["p of the right class", *(f"{p:g}" for p in ANSWERS)], rows, first=22)
    _tell_examples(page)
    x, y = _moons(400)
    layers = Dense(16, activation="tanh"), Dense(1, activation="sigmoid")
    model = small_model(2, *layers, loss="binary_crossentropy", optimizer=Adam(0.02))
    history = model.fit(x, y, epochs=60, validation_split=0.25, verbose=0)
    losses, validation = history.history["loss"], history.history["val_loss"]
    page.tell(f"""
        In training it falls, epoch by epoch. A network of 2-16-1 that tells two half
        moons of {len(x) * 3 // 4} points apart begins at {losses[0]:.3f} and comes to {losses[-1]:.3f} in
        {len(losses)} epochs. On the {len(x) // 4} points that it was not shown it is {validation[-1]:.3f}, and that is
        the loss that counts.
        """)

    def draw(axes: Axes) -> None:
        _draw_costs(axes[0], entropies, squares)
        history.plot(axes[1]).set_title("Two half moons: the loss falls")
        plot.decision_boundary(model, x, y, axes[2]).set_title("What has been learned")

    return Picture(3, draw)


def _tell_examples(page: Page) -> None:
    """Work out the cross-entropy of two samples and the squared error of three."""
    two = small_model(2, Dense(2, activation="softmax"), loss="categorical_crossentropy")
    two.set_weights([np.log([[0.75, 0.25], [0.5, 0.5]]), [0, 0]])
    mean = two.evaluate(np.eye(2), np.eye(2), verbose=0)
    predicted, wanted = np.array([[1.1], [1.8], [3.6]]), np.array([1.0, 2, 3])
    squares = "~+~".join(f"{square:.2f}" for square in (predicted[:, 0] - wanted) ** 2)
    identity = small_model(1, Dense(1))
    identity.set_weights([[[1.0]], [0.0]])
    total = identity.evaluate(predicted, wanted, verbose=0)
    page.tell(f"""
        Two samples whose right classes get 0.75 and 0.5 have the likelihood
        0.75~*~0.5~=~{np.exp(-2 * mean):.3f}, and the mean cross-entropy -log({np.exp(-2 * mean):.3f})~/~2~=~{mean:.4f}.

        For numbers the loss is the mean squared error. Predicting 1.1, 1.8, 3.6 where
        1, 2, 3 are right costs ({squares})~/~3~=~{total:.4f}.
        """)


def _cost(loss: str, p: float) -> float:
    """Return what a loss charges for the answer p where 1 is right."""
    model = small_model(1, Dense(1, activation="sigmoid"), loss=loss)
    model.set_weights([[[0.0]], [np.log(p / (1 - p))]])
    return float(model.evaluate([[0.0]], [1.0], verbose=0))


def _moons(count: int) -> tuple[Array, Array]:
    """Return points on two half circles that reach into each other, (count, 2), and their classes, (count,)."""
    rng = np.random.default_rng(0)
    angle, y = rng.uniform(0, np.pi, count), np.arange(count) % 2
    x = np.column_stack([np.cos(angle), np.sin(angle)])
    x[y == 1] = np.array([1, 0.5]) - x[y == 1]
    return x + rng.normal(0, 0.15, x.shape), y


def _draw_costs(ax: Any, entropies: list[float], squares: list[float]) -> None:
    fine = np.linspace(0.01, 1, 200)
    ax.plot(fine, -np.log(fine), color=BLUE, linewidth=2, label="cross-entropy, $-\\log p$")
    ax.plot(fine, (1 - fine) ** 2, color=ORANGE, linewidth=2, label="squared error, $(1 - p)^2$")
    ax.plot(ANSWERS, entropies, "o", color=BLUE)
    ax.plot(ANSWERS, squares, "s", color=ORANGE)
    ax.set(title="What an answer costs", xlabel="p of the right class", ylabel="loss")
    ax.legend(frameon=False)
    with_grid(ax)
