"""Which layer some operators are, found by the values that they give: a formula can be written in many ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastnn import activations, layers
from fastnn.engine import ACTIVATIONS
from fastnn.layers import Layer
from fastnn.typing import Array

Function = Callable[[Array], Array]  # of rows (rows, units)

TOLERANCE = 3e-6  # of the largest value; those of float32 are as far off


class Affine(layers.Layer):
    """x * scale + offset: a bias, or what is to be a Rescaling."""

    def __init__(self, scale: Array, offset: Array) -> None:
        super().__init__()
        self.scale, self.offset = scale, offset


def recognized(
    function: Function, units: int, nodes: Iterable[Any], constants: list[Array]
) -> tuple[Layer | None, list[Array]]:
    """The layer that computes a function of rows of so many units, and its weights; None where there is none."""
    operators = {node.op_type for node in nodes}
    if any(operator.startswith("Reduce") for operator in operators):
        return _of_rows(function, units, constants)
    if operators <= {"Add", "Sub", "Mul", "Div", "Neg", "Sum"}:
        return _affine(function, units)
    if any(array.size > 1 for array in constants):
        return _prelu(function, units)
    points = np.resize(_grid(), -(-GRID // units) * units)  # each unit has some: it is the same function for all
    values = function(points.reshape(-1, units)).ravel()
    return _activation(points, values, constants, nodes), []


def decimal(value: float) -> float:
    """A number as it was meant, where float32 had to round it: 0.1 for 0.10000000149."""
    rounded = np.float32(value)
    return float(str(rounded)) if abs(float(rounded) - value) <= 1e-12 * abs(value) else float(value)


GRID = 1282


def _grid() -> Array:
    """Points near 0, and far from it, at which functions differ that are not the same."""
    far = np.geomspace(12, 80, 40)
    near = np.linspace(-12, 12, 1201) + 0.00137  # not where a function of round numbers jumps
    return np.concatenate([[0.0], near, far, -far])


def _close(found: Array, wanted: Array) -> bool:
    if found.shape != wanted.shape or not np.array_equal(np.isfinite(found), np.isfinite(wanted)):
        return False
    finite = np.isfinite(wanted)
    scale = np.maximum(1.0, np.abs(wanted[finite]))
    return bool((np.abs(found[finite] - wanted[finite]) <= TOLERANCE * scale).all())


def _affine(function: Function, units: int) -> tuple[Layer | None, list[Array]]:
    """scale x + offset, of each unit its own."""
    offset, at_one, at_four = function(np.repeat(np.array([[0.0], [1.0], [4.0]]), units, axis=1))
    scale = at_one - offset
    scale = np.where(np.abs(scale - 1) < 1e-9, 1.0, scale)  # what rounding makes of a sum
    if not _close(at_four, 4 * scale + offset):  # a product of x with itself
        return None, []
    if np.ptp(scale) == 0 and np.ptp(offset) == 0:
        scale, offset = scale[:1], offset[:1]
    return Affine(scale, offset), []


def _activation(points: Array, values: Array, constants: list[Array], nodes: Iterable[Any]) -> Layer | None:
    """The activation of these values, if it is one."""
    with np.errstate(all="ignore"):
        for name, row in ACTIVATIONS.items():
            if row.value is None:
                continue
            for parameter in _parameters(name, points, values, constants, nodes) if row.parameter else [0.0]:
                wanted = row.value(points, parameter) if row.parameter else row.value(points)
                if _close(values, np.asarray(wanted, np.float64)):
                    return layers.Activation(activations.Activation(name, parameter if row.parameter else None))
    return _rectifier(points, values, constants)


def _parameters(name: str, points: Array, values: Array, constants: list[Array], nodes: Iterable[Any]) -> list[float]:
    """What an activation's constant may be."""
    low = values[np.argmin(points)]
    if name == "leaky_relu":
        return [decimal(low / points.min())]
    if name in ("elu", "celu"):
        found = [-float(low)]
    elif name == "squareplus":
        found = [4 * float(values[points == 0][0]) ** 2]
    else:  # of shrinking
        found = [attribute.f for node in nodes for attribute in node.attribute if attribute.name == "lambd"]
        found += [float(array) for array in constants if array.size == 1]
        found.append(float(points.max() - values[np.argmax(points)]))
    return [decimal(each) for each in dict.fromkeys(found) if np.isfinite(each) and each > 0]


def _rectifier(points: Array, values: Array, constants: list[Array]) -> Layer | None:
    """ReLU with a limit, which is where the values stay, and a threshold, which is among the constants."""
    lowest = np.argsort(points)[:2]
    slope = float(np.diff(values[lowest])[0] / np.diff(points[lowest])[0])
    limit = float(values.max())
    if not (np.isfinite(limit) and limit >= 0 and slope >= 0):
        return None
    bounded = None if limit >= points.max() else limit
    for threshold in dict.fromkeys([0.0, *(abs(float(array.ravel()[0])) for array in constants if array.size == 1)]):
        above = np.minimum(points, np.inf if bounded is None else bounded)
        if _close(values, np.where(points > threshold, above, slope * (points - threshold))):
            return layers.ReLU(None if bounded is None else decimal(bounded), decimal(slope), decimal(threshold))
    return None


def _prelu(function: Function, units: int) -> tuple[Layer | None, list[Array]]:
    """x above 0, and a slope of each unit's own below."""
    x = np.array([[-60.0], [-3.3], [-0.7], [-0.01], [0.0], [0.02], [0.6], [4.1], [70.0]])
    values = function(np.repeat(x, units, axis=1))
    alpha = values[0] / x[0]
    return (layers.PReLU(), [alpha]) if _close(values, np.where(x > 0, x, alpha * x)) else (None, [])


def _of_rows(function: Function, units: int, constants: list[Array]) -> tuple[Layer | None, list[Array]]:
    """A softmax, or a layer normalisation, which look at all units of a row."""
    x = np.random.default_rng(0).normal(0, 2, (8, units)) * np.geomspace(0.01, 3, 8)[:, np.newaxis]
    values = function(x)
    raised = np.exp(x - x.max(axis=1, keepdims=True))
    if _close(values, raised / raised.sum(axis=1, keepdims=True)):
        return layers.Softmax(), []
    for epsilon in dict.fromkeys(float(array.ravel()[0]) for array in constants if array.size == 1):
        if not 0 < epsilon < 1:
            continue
        normalized = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
        gamma, beta = _lines(normalized, values)
        if _close(values, normalized * gamma + beta):
            return layers.LayerNormalization(epsilon=decimal(epsilon)), [gamma, beta]
    return None, []


def _lines(x: Array, y: Array) -> tuple[Array, Array]:
    """Slope and offset of each column's line through its points, by least squares."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    spread = np.square(x - x_mean).sum(axis=0)
    slope = ((x - x_mean) * (y - y_mean)).sum(axis=0) / np.where(spread > 0, spread, 1)
    return slope, y_mean - slope * x_mean
