"""Section 6: gradient descent on a saddle, on a curve, and at several rates."""

import numpy as np

from fastnn import plot
from fastnn.optimizers import SGD, Adam, Optimizer
from fastnn.training import gradient_descent
from fastnn.typing import Array
from .page import Axes, Page, Picture, decimals

RATES = {
    0.001: "hardly moves",
    0.1: "arrives",
    0.9: "jumps to and fro, and arrives",
    1.0: "jumps for ever",
    1.1: "runs away",
}


def section(page: Page) -> Picture:
    """Follow paths downhill from several starts, at several rates and with several optimizers."""
    saddle = _descend_saddle(page)
    curve = _descend_curve(page)
    page.tell("The rate matters as much. On x^2 from x = 1:")
    runs = {rate: gradient_descent(lambda x: 2 * x, [1.0], rate, 20) for rate in RATES}
    rows = [[f"{rate:g}", *decimals(run[[1, 2, 20], 0]), RATES[rate]] for rate, run in runs.items()]
    page.table(["rate", "step 1", "step 2", "step 20", ""], rows)
    optimizers = {"SGD": SGD(), "SGD with momentum": SGD(momentum=0.9), "Adam": Adam()}
    steps = ", ".join(f"{name} takes {_steps_to_leave(optimizer)}" for name, optimizer in optimizers.items())
    page.tell(f"""
        This basic descent, on a batch of samples a step, is SGD. There are many
        others. To leave the saddle behind from (0.001, 1), at the rate 0.05,
        {steps} steps.
        """)
    return Picture(3, lambda axes: _draw(axes, saddle, curve, runs[0.9]))


def _saddle_gradient(p: Array) -> Array:
    return np.array([-2 * p[0], 2 * p[1]])


def _descend_saddle(page: Page) -> Array:
    """Tell of the saddle, and return a path that leaves it, (13, 2)."""
    path = gradient_descent(_saddle_gradient, [0.1, 1.0], 0.1, 12)
    ridge = gradient_descent(_saddle_gradient, [0.0, 1.0], 0.1, 200)
    page.tell("""
        The gradient points uphill; a step against it goes down:

            theta(t + 1) = theta(t) - rate * dL/dtheta

        On the saddle z = y^2 - x^2 the gradient is (-2x, 2y). At the rate 0.1 a path
        from (0.1, 1) comes down in y and runs off in x:
        """)
    rows = [[str(k), *decimals([*path[k], path[k, 1] ** 2 - path[k, 0] ** 2])] for k in (0, 1, 2, 5, 12)]
    page.table(["step", "x", "y", "z"], rows)
    page.tell(f"""
        From (0, 1), just on the ridge, it ends at ({ridge[-1, 0]:g}, {ridge[-1, 1]:.0e}): the saddle point, where the
        slope is 0. So what is reached depends on the start. The curve
        x^4~-~3x^3~+~2 shows the same; its least value is at 9/4, but its slope is 0
        at x = 0 too. At the rate 0.005:
        """)
    return path


def _descend_curve(page: Page) -> Array:
    """Show where paths along a curve end, and return the first of them, (1001, 1)."""

    def slope(x: Array) -> Array:
        return np.array(4 * x**3 - 9 * x**2)

    paths = {start: gradient_descent(slope, [start], 0.005, 1000) for start in (4.0, 0.5, 0.0)}
    rows = [[f"{start:g}", *decimals(path[[1, 10, 1000], 0])] for start, path in paths.items()]
    page.table(["start", "after 1 step", "10 steps", "1000 steps"], rows, width=14)
    return paths[4.0]


def _steps_to_leave(optimizer: Optimizer) -> int:
    """Count the steps after which a path that starts beside the saddle's ridge is farther than 1 from it."""
    path = gradient_descent(_saddle_gradient, [1e-3, 1.0], 0.05, 200, optimizer)
    return int(np.argmax(np.abs(path[:, 0]) > 1))


def _draw(axes: Axes, saddle: Array, curve: Array, parabola: Array) -> None:
    left, middle, right = axes
    plot.descent(saddle, lambda p: p[1] ** 2 - p[0] ** 2, left)
    left.set(title="The saddle $y^2 - x^2$", xlabel="x", ylabel="y")
    plot.descent(curve[:60], lambda x: float(x[0] ** 4 - 3 * x[0] ** 3 + 2), middle)
    middle.set(title="$x^4 - 3x^3 + 2$, rate 0.005", ylabel="")
    plot.descent(parabola, lambda x: float(x[0] ** 2), right)
    right.set(title="$x^2$, rate 0.9: to and fro", ylabel="")
