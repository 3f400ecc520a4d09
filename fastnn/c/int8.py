"""A network in int8, calibrated on rows: the scheme of TensorFlow Lite, and its arithmetic in NumPy to the bit.

A real number r is scale * (q - zero) with q from -128 to 127: one scale and zero for all numbers of a layer's input, a
scale for each unit's weights, whose zero is 0.  With the inputs' scale s, the weights' t_j and the outputs' u

    sum_j = bias_j + sum_i kernel_ji q_i,    bias_j = round(b_j / (s t_j)) - zero sum_i kernel_ji    (int32)
    q_j   = zero_out + sum_j * (s t_j / u),    s t_j / u = multiplier_j / 2**31 / 2**shift_j

Source: B. Jacob and others, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018, and its rounding as in gemmlowp and CMSIS-NN.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fastnn.models.chain import Elementwise, Operation, Product, Rectifier
from fastnn.typing import Array
from . import reference
from .stages import Stage

LOW, HIGH = -128, 127
CLAMPS = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}
"""Activations that are bounds of the outputs, and cost nothing."""


class Grid(NamedTuple):
    """Which real numbers the integers q mean: scale * (q - zero)."""

    scale: float  # a float32
    zero: int

    def integers(self, x: Array) -> Array:
        """The nearest integers, half away from zero, in the arithmetic of float32."""
        scaled = np.asarray(x, np.float32) / np.float32(self.scale) + np.float32(self.zero)
        bounded = np.clip(np.where(np.isnan(scaled), LOW, scaled), LOW, HIGH)
        return np.asarray(np.trunc(bounded + np.copysign(np.float32(0.5), bounded)), np.int32)

    def reals(self, q: Array) -> Array:
        """What integers mean."""
        return np.asarray(self.scale * (q - self.zero), np.float64)


class Integers(NamedTuple):
    """A product in integers."""

    kernel: Array  # (units, inputs), from -127 to 127
    bias: Array  # (units,) of int32
    scale: Array  # (units,) of float32: what a sum of 1 is worth


class Requantized(NamedTuple):
    """How sums become the integers of a grid: multiplier / 2**31 / 2**shift, shift of 0 or more, and bounds."""

    multiplier: Array
    shift: Array
    low: int
    high: int
    table: Array | None  # (256,): what an activation makes of -128, ..., 127


class Quantized(NamedTuple):
    """A stage in integers.  What comes out is on the grid ``after``, or real where that is None."""

    stage: Stage
    integers: Integers | None  # None: x is real, and the stage has no product
    before: Grid | None
    requantized: Requantized | None  # None: sums become real, and the stage's other operations are of real numbers
    middle: Grid | None  # of the sums, before ``after``, where they go through a table
    after: Grid | None


def quantized(stages: list[Stage], x: Array) -> list[Quantized]:
    """The stages in integers, with the least grids that hold what the rows x (rows, inputs) bring about."""
    first = _covering(x) if stages[0].product is not None else None
    found: list[Quantized] = []
    before = first
    for stage in stages:
        last = stage is stages[-1]
        made, x = _quantized(stage, before, x, last)
        found.append(made)
        before = made.after
    return found


def _quantized(stage: Stage, before: Grid | None, x: Array, last: bool) -> tuple[Quantized, Array]:
    """One stage, and what it makes of x; what reaches it is on the grid ``before``."""
    sums = x if stage.product is None else reference.multiplied(stage.product, x)
    y = reference.after(stage.rest, sums)
    grid = None if last else _covering(y)
    if stage.product is None:
        return Quantized(stage, None, None, None, None, grid), y
    assert before is not None
    integers = _integers(stage.product, before)
    if grid is None or not all(map(_is_of_one_number, stage.rest)):
        return Quantized(stage, integers, before, None, None, grid), y
    bounds = _bounds(stage.rest)
    middle = None if bounds is not None else _covering(sums)
    on = _no_finer(grid if middle is None else middle, integers)
    low, high = (LOW, HIGH) if bounds is None else (_bound(on, each) for each in bounds)
    table = None
    if middle is None:
        grid = on
    else:
        every = np.arange(LOW, HIGH + 1)
        table = grid.integers(reference.after(stage.rest, on.reals(every)[:, np.newaxis])[:, 0])
        middle = on
    multiplier, shift = _multipliers(integers.scale.astype(np.float64) / on.scale)
    return Quantized(stage, integers, before, Requantized(multiplier, shift, low, high, table), middle, grid), y


def _is_of_one_number(operation: Operation) -> bool:
    """Whether it is a function of each number alone, the same for all."""
    return isinstance(operation, Elementwise) or (
        isinstance(operation, Rectifier) and not isinstance(operation.slope, np.ndarray)
    )


def _bounds(rest: list[Operation]) -> tuple[float, float] | None:
    """The bounds that are all of what follows a product; None where more does."""
    match rest:
        case []:
            return -math.inf, math.inf
        case [Elementwise(name, _)] if name in CLAMPS:
            return CLAMPS[name]
        case [Rectifier(slope, threshold, limit)] if isinstance(slope, float | int) and slope == threshold == 0:
            return 0.0, limit
    return None


def _bound(grid: Grid, value: float) -> int:
    return int(np.clip(round(max(min(value / grid.scale, 1e6), -1e6)) + grid.zero, LOW, HIGH))


def _covering(x: Array) -> Grid:
    """The grid from the least to the largest number, and 0, which it has exactly."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    if not math.isfinite(high - low):
        raise ValueError("calibration got rows on which the network overflows; wants rows as it will see them")
    scale = float(np.float32((high - low) / (HIGH - LOW))) or 1.0
    return Grid(scale, int(np.clip(round(LOW - low / scale), LOW, HIGH)))


def _no_finer(grid: Grid, integers: Integers) -> Grid:
    """The grid, or one as coarse as what sums are worth: finer ones hold no more, and multipliers stay below 1."""
    coarsest = float(np.float32(integers.scale.max() * 1.0001))
    if grid.scale >= coarsest:
        return grid
    return Grid(coarsest, round(LOW - (LOW - grid.zero) * grid.scale / coarsest))


def _integers(product: Product, before: Grid) -> Integers:
    """A product whose inputs are on a grid."""
    kernel, b = product.kernel.T, product.bias
    assert b is not None
    scale = np.maximum(np.abs(kernel).max(axis=1) / HIGH, np.abs(b) / before.scale / 2.0**29)  # b fits in int32
    scale = np.where(scale > 0, scale, 1.0)
    rounded = np.rint(kernel / scale[:, np.newaxis]).astype(np.int64)
    bias = np.rint(b / scale / before.scale).astype(np.int64) - before.zero * rounded.sum(axis=1)
    if (np.abs(bias) + 128 * np.abs(rounded).sum(axis=1)).max() >= 2**30:
        raise ValueError(f"a layer has {kernel.shape[1]} inputs, too many for sums in int32; wants dtype='float32'")
    return Integers(rounded.astype(np.int32), bias.astype(np.int32), (scale * before.scale).astype(np.float32))


def _multipliers(factors: Array) -> tuple[Array, Array]:
    """Multipliers (31 bits) and shifts of factors below 1."""
    mantissa, exponent = np.frexp(factors)
    multiplier, shift = np.rint(mantissa * 2.0**31).astype(np.int64), -exponent
    shift = np.where(multiplier == 2**31, shift - 1, shift)
    multiplier = np.where(multiplier == 2**31, 2**30, multiplier)
    tiny = shift > 30
    return np.where(tiny, 0, multiplier), np.where(tiny, 0, shift)


# --- The arithmetic --------------------------------------------------------------------------------------------------


def predicted(found: list[Quantized], x: Array) -> Array:
    """What the written code computes of real rows x, but for the rounding of what is real."""
    for made in found:
        if made.integers is None:
            x = reference.after(made.stage.rest, x)
            x = x if made.after is None else made.after.integers(x)
        else:
            assert made.before is not None
            q = x if made is not found[0] else made.before.integers(x)
            x = _computed(made, q)
    return x


def _computed(made: Quantized, q: Array) -> Array:
    """What a stage makes of rows of integers."""
    assert made.integers is not None
    sums = q.astype(np.int64) @ made.integers.kernel.T.astype(np.int64) + made.integers.bias
    how = made.requantized
    if how is None:
        real = (sums.astype(np.float32) * made.integers.scale).astype(np.float64)
        y = reference.after(made.stage.rest, real)
        return y if made.after is None else made.after.integers(y)
    grid = made.after if made.middle is None else made.middle
    assert grid is not None
    y = np.clip(scaled(sums, how.multiplier, how.shift) + grid.zero, how.low, how.high)
    return np.asarray(y if how.table is None else how.table[y - LOW])


def scaled(sums: Array, multiplier: Array, shift: Array) -> Array:
    """sums * multiplier / 2**31 / 2**shift, each quotient rounded, as gemmlowp does."""
    product = sums * multiplier
    nudged = product + np.where(product >= 0, 2**30, 1 - 2**30)
    high = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))  # towards zero
    half = np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0)
    return np.asarray(np.where(high >= 0, (high + half) >> shift, -((-high + half) >> shift)))
