"""How a machine learns, in seven sections: each computes its numbers here and now, and draws them.

It follows the article "How do we actually teach a machine to learn?" (2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent, fill
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import plot
from fastnn.engine import load
from fastnn.extras import require
from fastnn.layers import Dense, Input
from fastnn.models import Sequential
from fastnn.optimizers import SGD, Adam
from fastnn.plot.colours import BLUE, INK, ORANGE, PALE
from fastnn.training import gradient_descent

__all__ = ["SECTIONS", "run"]

Array = NDArray[Any]
Say = Callable[[str], Any]


class Picture(NamedTuple):
    """How many axes a picture has side by side, and what draws into them."""

    columns: int
    draw: Callable[[Sequence[Any]], Any]


def run(sections: Sequence[int], output: Path | None, say: Say = print) -> None:
    """Walk through the sections.

    Parameters
    ----------
    sections : sequence of int
        Their numbers, from 1; none for all.
    output : Path or None
        The folder where pictures are written; it is made.  None draws none.
    say : callable
        Gets the text, a block at a time.
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
    say(f"fastnn {version('fastnn')}, backend {backend}: every number below is computed as you read.{hint}")
    for number in numbers:
        title, name, section = SECTIONS[number - 1]
        heading = f"{number}. {title}"
        say(f"\n{heading}\n{'=' * len(heading)}")
        picture = section(say)
        if figures is not None and output is not None:
            path = output / f"{number}-{name}.png"
            figure = figures.Figure(figsize=(4.6 * picture.columns, 4.1), layout="constrained")
            picture.draw(figure.subplots(1, picture.columns, squeeze=False)[0])
            figure.savefig(path, dpi=120)
            say(f"\nPicture: {path}")


# --- The sections ----------------------------------------------------------------------------------------------------


def search(say: Say) -> Picture:
    """1: lines, one of which fits best."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 2, (40, 1))
    y = 0.8 * x[:, 0] + 0.5 + rng.normal(0, 0.25, 40)
    model = _model(1, Dense(1), loss="mse", optimizer=SGD(0.15))
    model.set_weights([[[-1.0]], [-0.5]])
    path, losses = [_parameters(model)], [model.evaluate(x, y, verbose=0)]
    for _ in range(60):
        model.train_on_batch(x, y)
        path.append(_parameters(model))
        losses.append(model.evaluate(x, y, verbose=0))
    best = np.linalg.lstsq(np.column_stack([x, np.ones(40)]), y, rcond=None)[0]
    model.set_weights([[[best[0]]], [best[1]]])
    least = model.evaluate(x, y, verbose=0)
    _tell(
        say,
        """
        A model is a family of functions, and its parameters pick one of them. A loss
        tells how badly that one fits the data. To learn is to search for the
        parameters whose loss is least.

        Here the family is every straight line, y = w x + b. The data are 40 points,
        and the loss is the mean squared error. The search starts from a bad line:
        """,
    )
    kept = (0, 1, 5, 20, 60)
    _table(
        say,
        ["steps", "w", "b", "loss"],
        [[str(k), *(f"{value:.4f}" for value in (*path[k], losses[k]))] for k in kept]
        + [["solved", *(f"{value:.4f}" for value in (*best, least))]],
    )
    _tell(
        say,
        """
        The last row solves for the best line directly. Few models can be solved so;
        the search needs no more than the slope of the loss, and serves for them all.
        """,
    )

    def loss_of(line: Array) -> float:
        return float(np.mean((line[0] * x[:, 0] + line[1] - y) ** 2))

    def draw(axes: Sequence[Any]) -> None:
        left, right = axes
        left.scatter(x, y, s=18, color=PALE)
        ends = np.array([-1.1, 2.1])
        for k, share in zip(kept, np.linspace(0.25, 1, len(kept)), strict=True):
            w, b = path[k]
            left.plot(ends, w * ends + b, color=BLUE, alpha=share, label=f"{k} steps")
        left.set(title="Lines along the search", xlabel="x", ylabel="y")
        left.legend(frameon=False)
        plot.descent(np.array(path), loss_of, right)
        right.set(title="Their loss, and the path", xlabel="w", ylabel="b")

    return Picture(2, draw)


def likelihood(say: Say) -> Picture:
    """2: five balls, and the probability that makes them likeliest."""
    x, y = np.zeros((5, 1)), np.array([1, 1, 1, 0, 0])
    model = _model(1, Dense(1, activation="sigmoid"), loss="binary_crossentropy", optimizer=SGD(1.0))

    def set_probability(p: float) -> None:
        model.set_weights([[[0.0]], [np.log(p / (1 - p))]])

    _tell(
        say,
        """
        Five balls are drawn from a bag: three blue, two yellow. How probable is blue?
        Take the p that makes just this draw the most likely, under

            L(p) = p^3 (1 - p)^2,    (log L)' = 3/p - 2/(1 - p),

        and that is where the slope is 0. As a network this is a single neuron with
        nothing but a bias: p = sigmoid(b). Its loss, binary cross-entropy, is
        -log L / 5, so the least loss is the greatest likelihood:
        """,
    )
    rows = []
    for p in (0.4, 0.5, 0.6, 0.7):
        set_probability(p)
        loss = model.evaluate(x, y, verbose=0)
        slope = model.gradients(x, y)[0]["bias"][0]
        rows.append(
            [f"{p}", f"{np.exp(-5 * loss):.5f}", f"{loss:.5f}", _signed(slope, 4), _signed(3 / p - 2 / (1 - p), 4)]
        )
    _table(say, ["p", "L(p)", "loss", "dloss/db", "(log L)'"], rows)
    set_probability(0.1)
    path = [0.1]
    for _ in range(60):
        model.train_on_batch(x, y)
        path.append(float(model.predict(x[:1])[0, 0]))
    _tell(
        say,
        f"""
        Started at p = {path[0]}, training reaches {path[5]:.4f} after 5 steps and {path[-1]:.6f} after 60:
        three fifths. With inputs, p = sigmoid(b + w1 x1 + w2 x2 + ...), this is
        logistic regression.

        The sigmoid turns any number z into a probability, and is above one half
        exactly where z is above 0:
        """,
    )
    z = np.array([-4.0, -2, 0, 2, 4])
    neuron = _model(1, Dense(1, activation="sigmoid"), loss="mse")
    neuron.set_weights([[[1.0]], [0.0]])
    _table(say, ["z", *(f"{value:g}" for value in z)], [["sigmoid", *(f"{p:.4f}" for p in neuron.predict(z).ravel())]])

    def draw(axes: Sequence[Any]) -> None:
        left, right = axes
        plot.likelihood(y, path, left)
        left.set_title("Three blue balls, two yellow")
        fine = np.linspace(-6, 6, 200)
        right.plot(fine, neuron.predict(fine), color=BLUE, linewidth=2)
        right.axhline(0.5, color=INK, linestyle="--", linewidth=1)
        right.axvline(0, color=INK, linestyle="--", linewidth=1)
        right.set(title="The sigmoid", xlabel="z", ylabel="sigmoid(z)", ylim=(-0.03, 1.03))
        right.grid(alpha=0.25)
        right.spines[["top", "right"]].set_visible(False)

    return Picture(2, draw)


POINTS = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0]])
CLASSES = np.array([0, 0, 1, 1])


def four_points(say: Say) -> Picture:
    """3: a line cannot divide them, two more neurons can."""

    def right(model: Sequential, x: Array = POINTS) -> int:
        return int(np.sum((model.predict(x)[:, 0] > 0.5) == CLASSES))

    def learned(hidden: int, seed: int) -> Sequential:
        layers = [Dense(hidden, activation="sigmoid")] if hidden else []
        model = _model(
            2, *layers, Dense(1, activation="sigmoid"), loss="binary_crossentropy", optimizer=Adam(0.1), seed=seed
        )
        model.fit(POINTS, CLASSES, batch_size=4, epochs=500, verbose=0)
        return model

    starts = range(10)
    alone = [learned(0, seed) for seed in starts]
    best_alone = max(alone, key=right)
    _tell(
        say,
        f"""
        Logistic regression divides the plane by a straight line. The points (0,0) and
        (1,1) are of class 0, (0,1) and (1,0) of class 1: no line has the one pair on
        one side and the other pair on the other. Three of four is the most it could
        get right; trained from {len(starts)} starts, it gets {max(map(right, alone))} at best.

        Two more neurons help: z1 = sigmoid(-2 x1 + 2 x2 - 1) and
        z2 = sigmoid(2 x1 - 2 x2 - 1) move the points to where a line divides them.
        """,
    )
    hidden = _model(2, Dense(2, activation="sigmoid"), loss="mse")
    hidden.set_weights([_rows([-2, 2], [2, -2]), [-1, -1]])
    z = hidden.predict(POINTS)
    last = _model(2, Dense(1, activation="sigmoid"), loss="mse")
    last.set_weights([_rows([10, 10]), [-6.5]])
    p = last.predict(z)[:, 0]
    _table(
        say,
        ["x1", "x2", "z1", "z2", "class", "p"],
        [
            [f"{x1:g}", f"{x2:g}", f"{z1:.2f}", f"{z2:.2f}", str(label), f"{share:.2f}"]
            for (x1, x2), (z1, z2), label, share in zip(POINTS, z, CLASSES, p, strict=True)
        ],
    )
    networks = [learned(2, seed) for seed in starts]
    solved = [network for network in networks if right(network) == 4]
    wider = sum(right(learned(4, seed)) == 4 for seed in starts)
    best = min(networks, key=lambda network: float(network.evaluate(POINTS, CLASSES, verbose=0)))
    answers = ", ".join(f"{answer:.3f}" for answer in best.predict(POINTS)[:, 0])
    _tell(
        say,
        f"""
        The column p is a third neuron's, sigmoid(10 z1 + 10 z2 - 6.5), and gets {right(last, z)} of
        4 right. Neurons that feed neurons are a network, and it can find such
        weights from the data alone: of {len(starts)} starts with two hidden neurons {len(solved)} learn
        all four points, and {wider} with four. The best of the small ones answers
        {answers}.
        """,
    )

    def draw(axes: Sequence[Any]) -> None:
        plot.decision_boundary(best_alone, POINTS, CLASSES, axes[0]).set_title("One neuron: a line")
        plot.decision_boundary(last, z, CLASSES, axes[1]).set(
            title="The points, moved by two neurons", xlabel="$z_1$", ylabel="$z_2$"
        )
        plot.decision_boundary(best, POINTS, CLASSES, axes[2]).set_title("A network of 2-2-1, learned")
        for ax in axes[1:]:
            ax.get_legend().remove()

    return Picture(3, draw)


def network(say: Say) -> Picture:
    """4: a forward pass."""
    x = np.array([[1.0, -1.0], [0.0, 0.0]])
    neuron = _model(2, Dense(1), loss="mse")
    neuron.set_weights([_rows([1, -2]), [1]])
    total = neuron.predict(x)[0, 0]
    model = _model(2, *(Dense(2, activation="sigmoid") for _ in range(3)), loss="mse")
    weights = [
        (_rows([1, -2], [-1, 1]), np.array([1, 0])),
        (_rows([2, -1], [-2, -1]), np.array([0, 0])),
        (_rows([3, -1], [-1, 4]), np.array([-2, 2])),
    ]
    model.set_weights([array for pair in weights for array in pair])
    layers = model.forward(x)
    _tell(
        say,
        f"""
        In a fully connected network every neuron sees every output of the layer before
        it, weighs them, adds its bias, and applies its activation, here the sigmoid.

        The input is (1, -1). The first neuron, of weights (1, -2) and bias 1, sums
        1*1 + (-2)*(-1) + 1 = {total:g} and gives sigmoid({total:g}) = {layers[0][0, 0]:.2f}. The others do the same,
        layer by layer:
        """,
    )
    _table(
        say,
        ["input", "layer 1", "layer 2", "layer 3"],
        [[_pair(row, "g"), *(_pair(layer[number]) for layer in layers)] for number, row in enumerate(x)],
        width=16,
    )
    _tell(say, "That is the whole of it: model.forward(x) returns these activations.")

    def draw(axes: Sequence[Any]) -> None:
        plot.network(model, axes[0], x[0]).set_title("The network, fed with (1, -1)")
        plot.activations(model, x, axes[1]).set_title("Activations of both inputs")

    return Picture(2, draw)


def loss(say: Say) -> Picture:
    """5: cross-entropy and squared error."""
    shares = np.array([0.99, 0.9, 0.5, 0.1, 0.01])
    costs = {name: [_cost(name, p, 1.0) for p in shares] for name in ("binary_crossentropy", "mse")}
    two = _model(2, Dense(2, activation="softmax"), loss="categorical_crossentropy")
    two.set_weights([np.log([[0.75, 0.25], [0.5, 0.5]]), [0, 0]])
    mean = two.evaluate(np.eye(2), np.eye(2), verbose=0)
    predicted, wanted = np.array([[1.1], [1.8], [3.6]]), np.array([1.0, 2, 3])
    squares = "~+~".join(f"{square:.2f}" for square in (predicted[:, 0] - wanted) ** 2)
    same = _model(1, Dense(1), loss="mse")
    same.set_weights([[[1.0]], [0.0]])
    total = same.evaluate(predicted, wanted, verbose=0)
    _tell(
        say,
        """
        The loss is what training makes small, so it has to be small for just those
        answers that are wanted. For classes it is the negative log-likelihood, also
        called cross-entropy: -log p, with p the probability that the model gave to
        the right class. Confident mistakes cost most; squared error is milder:
        """,
    )
    _table(
        say,
        ["p of the right class", *(f"{p:g}" for p in shares)],
        [
            ["cross-entropy", *(f"{cost:.4f}" for cost in costs["binary_crossentropy"])],
            ["squared error", *(f"{cost:.4f}" for cost in costs["mse"])],
        ],
        first=22,
    )
    _tell(
        say,
        f"""
        Two samples whose right classes get 0.75 and 0.5 have the likelihood
        0.75~*~0.5~=~{np.exp(-2 * mean):.3f}, and the mean cross-entropy -log({np.exp(-2 * mean):.3f})~/~2~=~{mean:.4f}.

        For numbers the loss is the mean squared error. Predicting 1.1, 1.8, 3.6 where
        1, 2, 3 are right costs ({squares})~/~3~=~{total:.4f}.
        """,
    )
    x, y = _moons(400)
    model = _model(
        2,
        Dense(16, activation="tanh"),
        Dense(1, activation="sigmoid"),
        loss="binary_crossentropy",
        optimizer=Adam(0.02),
    )
    history = model.fit(x, y, epochs=60, validation_split=0.25, verbose=0)
    losses, held = history.history["loss"], history.history["val_loss"]
    _tell(
        say,
        f"""
        In training it falls, epoch by epoch. A network of 2-16-1 that tells two half
        moons of {len(x) * 3 // 4} points apart begins at {losses[0]:.3f} and comes to {losses[-1]:.3f} in
        {len(losses)} epochs. On the {len(x) // 4} points that it was not shown it is {held[-1]:.3f}, and that is the
        loss that counts.
        """,
    )

    def draw(axes: Sequence[Any]) -> None:
        fine = np.linspace(0.01, 1, 200)
        axes[0].plot(fine, -np.log(fine), color=BLUE, linewidth=2, label="cross-entropy, $-\\log p$")
        axes[0].plot(fine, (1 - fine) ** 2, color=ORANGE, linewidth=2, label="squared error, $(1 - p)^2$")
        axes[0].plot(shares, costs["binary_crossentropy"], "o", color=BLUE)
        axes[0].plot(shares, costs["mse"], "s", color=ORANGE)
        axes[0].set(title="What an answer costs", xlabel="p of the right class", ylabel="loss")
        axes[0].legend(frameon=False)
        axes[0].grid(alpha=0.25)
        axes[0].spines[["top", "right"]].set_visible(False)
        history.plot(axes[1]).set_title("Two half moons: the loss falls")
        plot.decision_boundary(model, x, y, axes[2]).set_title("What has been learned")

    return Picture(3, draw)


def descent(say: Say) -> Picture:
    """6: paths downhill."""

    def saddle(p: Array) -> Array:
        return np.array([-2 * p[0], 2 * p[1]])

    path = gradient_descent(saddle, [0.1, 1.0], 0.1, 12)
    ridge = gradient_descent(saddle, [0.0, 1.0], 0.1, 200)
    _tell(
        say,
        """
        The gradient points uphill; a step against it goes down:

            theta(t + 1) = theta(t) - rate * dL/dtheta

        On the saddle z = y^2 - x^2 the gradient is (-2x, 2y). At the rate 0.1 a path
        from (0.1, 1) comes down in y and runs off in x:
        """,
    )
    _table(
        say,
        ["step", "x", "y", "z"],
        [
            [str(k), *(f"{v:.4f}" for v in path[k]), _signed(path[k, 1] ** 2 - path[k, 0] ** 2, 4)]
            for k in (0, 1, 2, 5, 12)
        ],
    )
    _tell(
        say,
        f"""
        From (0, 1), just on the ridge, it ends at ({ridge[-1, 0]:g}, {ridge[-1, 1]:.0e}): the saddle point, where the
        slope is 0. So what is reached depends on the start. The curve
        x^4~-~3x^3~+~2 shows the same; its least value is at 9/4, but its slope is 0
        at x = 0 too. At the rate 0.005:
        """,
    )

    def slope(x: Array) -> Array:
        return np.array(4 * x**3 - 9 * x**2)

    paths = {start: gradient_descent(slope, [start], 0.005, 1000) for start in (4.0, 0.5, 0.0)}
    _table(
        say,
        ["start", "after 1 step", "10 steps", "1000 steps"],
        [[f"{start:g}", *(f"{p[k, 0]:.4f}" for k in (1, 10, 1000))] for start, p in paths.items()],
        width=14,
    )
    _tell(say, "The rate matters as much. On x^2 from x = 1:")
    rates = (0.001, 0.1, 0.9, 1.0, 1.1)
    runs = {rate: gradient_descent(lambda x: 2 * x, [1.0], rate, 20)[:, 0] for rate in rates}
    comments = ("hardly moves", "arrives", "jumps to and fro, and arrives", "jumps for ever", "runs away")
    _table(
        say,
        ["rate", "step 1", "step 2", "step 20", ""],
        [
            [f"{rate:g}", *(_signed(run[k], 4) for k in (1, 2, 20)), comment]
            for (rate, run), comment in zip(runs.items(), comments, strict=True)
        ],
    )
    left = {
        name: int(np.argmax(np.abs(gradient_descent(saddle, [1e-3, 1.0], 0.05, 200, optimizer)[:, 0]) > 1))
        for name, optimizer in {"SGD": SGD(), "SGD with momentum": SGD(momentum=0.9), "Adam": Adam()}.items()
    }
    steps = ", ".join(f"{name} takes {count}" for name, count in left.items())
    _tell(
        say,
        f"""
        This basic descent, on a batch of samples a step, is SGD. There are many
        others. To leave the saddle behind from (0.001, 1), at the rate 0.05,
        {steps} steps.
        """,
    )

    def draw(axes: Sequence[Any]) -> None:
        plot.descent(path, lambda p: p[1] ** 2 - p[0] ** 2, axes[0]).set(
            title="The saddle $y^2 - x^2$", xlabel="x", ylabel="y"
        )
        plot.descent(paths[4.0][:60], lambda x: float(x[0] ** 4 - 3 * x[0] ** 3 + 2), axes[1]).set(
            title="$x^4 - 3x^3 + 2$, rate 0.005", ylabel=""
        )
        plot.descent(runs[0.9][:, np.newaxis], lambda x: float(x[0] ** 2), axes[2]).set(
            title="$x^2$, rate 0.9: to and fro", ylabel=""
        )

    return Picture(3, draw)


def backpropagation(say: Say) -> Picture:
    """7: one round, and many."""
    x, y = np.array([[0.5, 1.0]]), np.array([0.8])

    def fresh() -> Sequential:
        layers = Dense(2, use_bias=False, name="hidden"), Dense(1, use_bias=False, name="output")
        model = _model(2, *layers, loss="half_squared_error", optimizer=SGD(0.1))
        model.set_weights([_rows([1.0, 0.5], [0.5, 0.7]), _rows([1.0, 2.0])])
        return model

    before, after, rounds = fresh(), fresh(), fresh()
    (h,), (output,) = before.forward(x)
    old = _in_order(before.get_weights())
    gradient = _in_order([layer["kernel"] for layer in before.gradients(x, y)])
    cost = before.evaluate(x, y, verbose=0)
    after.train_on_batch(x, y)
    new = _in_order(after.get_weights())
    second, second_cost = after.predict(x)[0, 0], after.evaluate(x, y, verbose=0)
    _tell(
        say,
        f"""
        Backpropagation finds the derivative of the loss by every weight, in one pass
        back through the network. One full round, on two inputs, two hidden neurons and one output,
        without biases or activations:

            h1 = w1 x1 + w2 x2,   h2 = w3 x1 + w4 x2,   y' = w5 h1 + w6 h2

        with x = (0.5, 1), the target y = 0.8, and the loss L = 1/2 (y' - y)^2.

        1. Forward: h1 = {h[0]:g}, h2 = {h[1]:g}, y' = {output[0]:g}.
        2. Loss: L = 1/2 ({output[0]:g} - 0.8)^2 = {cost:.4g}.
        3. Backward, by the chain rule: dL/dw5 = (y' - y) h1 for the last layer, and
           dL/dw1 = (y' - y) w5 x1 for the one before.
        4. Update: each weight loses 0.1 times its gradient.
        """,
    )
    _table(
        say,
        ["", *(f"w{number}" for number in range(1, 7))],
        [
            ["weight", *(f"{w:g}" for w in old)],
            ["gradient", *(f"{g:g}" for g in gradient)],
            ["new weight", *(f"{w:g}" for w in new)],
        ],
        first=12,
    )
    history = rounds.fit(x, y, epochs=20, verbose=0)
    losses, last = history.history["loss"], rounds.predict(x)[0, 0]
    _tell(
        say,
        f"""
        5. Repeat. The second forward pass gives y' = {second:.7f}, and the loss is
           down from {cost:.4g} to {second_cost:.6f}. After {len(losses)} rounds y' = {last:.6f}.

        fastnn does steps 1 to 5 in compiled code: model.fit, or a round at a time,
        model.forward, model.gradients and model.train_on_batch.
        """,
    )

    def draw(axes: Sequence[Any]) -> None:
        plot.network(before, axes[0], x).set_title(f"Before: y' = {output[0]:g}, wanted 0.8")
        plot.network(after, axes[1], x).set_title(f"After one round: y' = {second:.4f}")
        history.plot(axes[2]).set(title="The loss, round by round", xlabel="round")

    return Picture(3, draw)


SECTIONS = (
    ("Learning is the search for a function", "search", search),
    ("The most likely parameter: logistic regression", "likelihood", likelihood),
    ("Why a network: four points that no line divides", "four-points", four_points),
    ("The fully connected feed-forward network", "network", network),
    ("The loss", "loss", loss),
    ("Gradient descent", "descent", descent),
    ("Backpropagation", "backpropagation", backpropagation),
)


# --- Models and numbers ----------------------------------------------------------------------------------------------


def _model(inputs: int, *layers: Dense, loss: str, optimizer: Any = "sgd", seed: int = 0) -> Sequential:
    model = Sequential([Input((inputs,)), *layers], seed=seed)
    model.compile(optimizer=optimizer, loss=loss, dtype="float64", threads=1)
    return model


def _rows(*neurons: Sequence[float]) -> Array:
    """A kernel from the weights of each neuron."""
    return np.array(neurons, dtype="float64").T


def _in_order(kernels: Sequence[Array]) -> Array:
    """Weights of two layers, neuron by neuron."""
    return np.concatenate([kernel.T.ravel() for kernel in kernels])


def _parameters(model: Sequential) -> Array:
    return np.concatenate([array.ravel() for array in model.get_weights()])


def _cost(loss: str, p: float, target: float) -> float:
    """What a loss charges for the answer p."""
    model = _model(1, Dense(1, activation="sigmoid"), loss=loss)
    model.set_weights([[[0.0]], [np.log(p / (1 - p))]])
    return float(model.evaluate([[0.0]], [target], verbose=0))


def _moons(count: int) -> tuple[Array, Array]:
    """Points on two half circles that reach into each other."""
    rng = np.random.default_rng(0)
    angle, y = rng.uniform(0, np.pi, count), np.arange(count) % 2
    x = np.column_stack([np.cos(angle), np.sin(angle)])
    x[y == 1] = np.array([1, 0.5]) - x[y == 1]
    return x + rng.normal(0, 0.15, x.shape), y


# --- Text ------------------------------------------------------------------------------------------------------------


def _tell(say: Say, text: str) -> None:
    """Paragraphs, filled, but for those with indented lines; a blank line before each.  ~ is a space that stays."""
    for paragraph in dedent(text).strip("\n").split("\n\n"):
        say("\n" + (paragraph.rstrip() if "\n " in f"\n{paragraph}" else fill(paragraph, 78).replace("~", " ")))


def _table(say: Say, head: Sequence[str], rows: Sequence[Sequence[str]], width: int = 11, first: int = 0) -> None:
    """Columns to the right, but for one that has no head; a blank line before."""
    lines = [""]
    for row in (head, *rows):
        sizes = [first or width, *(width if title else 0 for title in head[1:])]
        cells = [f"{cell:>{size}}" if size else f"  {cell}" for cell, size in zip(row, sizes, strict=True)]
        lines.append("".join(cells).rstrip())
    say("\n".join(lines))


def _signed(value: float, digits: int) -> str:
    """Without a minus before 0."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _pair(values: Array, style: str = ".2f") -> str:
    return "(" + ", ".join(f"{value:{style}}" for value in values) + ")"
