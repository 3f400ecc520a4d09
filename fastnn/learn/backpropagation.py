"""Section 7: one round of backpropagation, worked out, and many."""

from collections.abc import Sequence

import numpy as np

from fastnn import plot
from fastnn.layers import Dense
from fastnn.models import Sequential
from fastnn.optimizers import SGD
from fastnn.typing import Array
from .page import Axes, Page, Picture, kernel, small_model

X, Y = np.array([[0.5, 1.0]]), np.array([0.8])


def section(page: Page) -> Picture:
    """Show one round weight by weight, then the loss over many rounds."""
    before, after, rounds = _network(), _network(), _network()
    (h,), (output,) = before.forward(X)
    cost = before.evaluate(X, Y, verbose=0)
    page.tell(f"""
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
        """)
    after.train_on_batch(X, Y)
    rows = {
        "weight": before.get_weights(),
        "gradient": [layer["kernel"] for layer in before.gradients(X, Y)],
        "new weight": after.get_weights(),
    }
    head = ["", *(f"w{number}" for number in range(1, 7))]
    page.table(head, [[name, *_in_order(kernels)] for name, kernels in rows.items()], first=12)
    second, second_cost = after.predict(X)[0, 0], after.evaluate(X, Y, verbose=0)
    history = rounds.fit(X, Y, epochs=20, verbose=0)
    losses, last = history.history["loss"], rounds.predict(X)[0, 0]
    page.tell(f"""
        5. Repeat. The second forward pass gives y' = {second:.7f}, and the loss is
           down from {cost:.4g} to {second_cost:.6f}. After {len(losses)} rounds y' = {last:.6f}.

        fastnn does steps 1 to 5 in compiled code: model.fit, or a round at a time,
        model.forward, model.gradients and model.train_on_batch.
        """)

    def draw(axes: Axes) -> None:
        plot.network(before, axes[0], X).set_title(f"Before: y' = {output[0]:g}, wanted 0.8")
        plot.network(after, axes[1], X).set_title(f"After one round: y' = {second:.4f}")
        history.plot(axes[2]).set(title="The loss, round by round", xlabel="round")

    return Picture(3, draw)


def _network() -> Sequential:
    """Return the network of the example, before its first round."""
    layers = Dense(2, use_bias=False, name="hidden"), Dense(1, use_bias=False, name="output")
    model = small_model(2, *layers, loss="half_squared_error", optimizer=SGD(0.1))
    model.set_weights([kernel([1.0, 0.5], [0.5, 0.7]), kernel([1.0, 2.0])])
    return model


def _in_order(kernels: Sequence[Array]) -> list[str]:
    """Write the weights of both layers, neuron by neuron."""
    return [f"{weight:g}" for kernel in kernels for weight in kernel.T.ravel()]
