"""Penalties on the weights, and clipping the gradient by value and by norm: panel by panel, against NumPy."""

import numpy as np
import pytest
from kernel_memory import Matrix, doubles, job, layer, within

from fastnn.kernels import records
from fastnn.kernels.tuning import SUM_COLUMNS

HEIGHT, WIDTH = 9, 2 * SUM_COLUMNS + 37
BIAS = {0: HEIGHT - 1, 1: WIDTH - 5}
"""The first row of the bias; where the matrix is stored transposed, its column."""

STRENGTHS = {"kernel_l1": 0.3, "kernel_l2": 0.2, "bias_l1": 0.05, "bias_l2": 0.4}
L2_ALONE = {"kernel_l1": 0.0, "kernel_l2": 0.2, "bias_l1": 0.0, "bias_l2": 0.4}
PANELS = [(0, HEIGHT, 0, WIDTH), (0, 4, 0, WIDTH), (4, HEIGHT - 4, 0, SUM_COLUMNS), (2, 5, SUM_COLUMNS, SUM_COLUMNS)]
TRANSPOSED = pytest.mark.parametrize("transposed", [0, 1])


class Weights:
    """A matrix, its gradient and the sums over its rows; in every row, some weights are 0."""

    def __init__(self, kernels, transposed, **fields):
        rng = np.random.default_rng(0)
        self.kernels, stride = kernels, -(-WIDTH // 16) * 16 + 16
        w = np.where(rng.uniform(size=(HEIGHT, WIDTH)) < 0.1, 0, rng.normal(size=(HEIGHT, WIDTH)))
        self.w = Matrix(kernels, w, stride)
        self.d = Matrix(kernels, rng.normal(size=(HEIGHT, WIDTH)), stride)
        blocks = -(-WIDTH // SUM_COLUMNS)
        self.sums, sums_at = doubles(HEIGHT * blocks * records.SUMS)
        self.sums = self.sums.reshape(HEIGHT, blocks, records.SUMS)
        self.job, self.place = job(network__parameters=self.w.address, memory__sums=sums_at, **fields)
        self.layer, self.record = layer(
            bias=BIAS[transposed], height=HEIGHT, width=WIDTH, stride=stride, stored_transposed=transposed
        )
        self.of_bias = np.zeros((HEIGHT, WIDTH), bool)
        if transposed:
            self.of_bias[:, BIAS[1] :] = True
        else:
            self.of_bias[BIAS[0] :] = True

    def panel(self, row, rows, column, columns):
        """The fields of a panel, and of its gradient."""
        vectors = -(-columns // self.kernels.lanes)
        return (row, rows, column, vectors), (self.d.at(row, column), self.d.stride)

    def inside(self, row, rows, column, columns):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[row : row + rows, column : column + columns] = True
        return mask


@TRANSPOSED
@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("strengths", [STRENGTHS, L2_ALONE])
@pytest.mark.parametrize("by_row", [0, 1])
def test_penalty_of_a_panel(kernels, transposed, panel, strengths, by_row):
    held = Weights(kernels, transposed, network__penalty_by_row=by_row)
    for name, value in strengths.items():
        setattr(held.layer, name, value)
    w, before = held.w.values.astype(float), held.d.values.astype(float).copy()
    fields, gradient = held.panel(*panel)
    kernels["add_penalty"](held.record, held.place, 0.25, *fields, *gradient)
    strength = 0.25 if by_row else 1.0
    l1, l2 = (np.where(held.of_bias, strengths[f"bias_{p}"], strengths[f"kernel_{p}"]) * strength for p in ("l1", "l2"))
    inside = held.inside(*panel)
    added = np.where(inside, l1 * np.sign(w) + 2 * l2 * w, 0)
    np.testing.assert_allclose(held.d.values, before + added, rtol=0, atol=within(kernels))
    np.testing.assert_array_equal(held.d.values[~inside], before[~inside].astype(kernels.dtype))
    row, rows, column, columns = panel
    for block in range(column // SUM_COLUMNS, -(-(column + columns) // SUM_COLUMNS)):
        some = slice(block * SUM_COLUMNS, (block + 1) * SUM_COLUMNS)
        expected = (l1 * np.abs(w) + l2 * w * w)[row : row + rows, some].sum(axis=1)
        np.testing.assert_allclose(held.sums[row : row + rows, block, records.PENALTY], expected, rtol=1e-5)


@TRANSPOSED
def test_sums_do_not_depend_on_how_the_matrix_is_split(kernels, transposed):
    """To the bit: rows one by one, and columns in pieces."""
    totals = []
    for height, width in ((HEIGHT, WIDTH), (1, WIDTH), (4, SUM_COLUMNS), (2, 2 * SUM_COLUMNS)):
        held = Weights(kernels, transposed)
        held.layer.kernel_l1, held.layer.bias_l2 = 0.3, 0.7
        for row in range(0, HEIGHT, height):
            for column in range(0, WIDTH, width):
                fields, gradient = held.panel(row, min(height, HEIGHT - row), column, min(width, WIDTH - column))
                kernels["add_penalty"](held.record, held.place, 1.0, *fields, *gradient)
                kernels["measure_panel"](held.record, held.place, *fields, *gradient)
        totals.append([kernels["sum_of_rows"](held.record, held.place, number) for number in range(records.SUMS)])
        assert held.d.intact()
    assert totals == [totals[0]] * 4
    assert all(total > 0 for total in totals[0])


@TRANSPOSED
def test_squares_of_the_gradient(kernels, transposed):
    held = Weights(kernels, transposed)
    fields, gradient = held.panel(0, HEIGHT, 0, WIDTH)
    kernels["measure_panel"](held.record, held.place, *fields, *gradient)
    squares = held.d.values.astype(float) ** 2
    of_kernel = kernels["sum_of_rows"](held.record, held.place, records.KERNEL_SQUARES)
    of_bias = kernels["sum_of_rows"](held.record, held.place, records.BIAS_SQUARES)
    assert of_kernel == pytest.approx(squares[~held.of_bias].sum(), rel=1e-5)
    assert of_bias == pytest.approx(squares[held.of_bias].sum(), rel=1e-5)


@TRANSPOSED
def test_clipping_by_value(kernels, transposed):
    held = Weights(kernels, transposed, optimizer__clip=records.CLIPVALUE, optimizer__clip_limit=0.5)
    held.d.values[3, 5] = np.nan
    before = held.d.values.copy()
    fields, gradient = held.panel(2, 5, SUM_COLUMNS, SUM_COLUMNS)
    kernels["clip_panel"](held.record, held.place, *fields, 1.0, 1.0, *gradient)
    inside = held.inside(2, 5, SUM_COLUMNS, SUM_COLUMNS)
    np.testing.assert_array_equal(held.d.values, np.where(inside, np.clip(before, -0.5, 0.5), before))


def test_clipping_by_value_lets_nan_through(kernels):
    held = Weights(kernels, 0, optimizer__clip=records.CLIPVALUE, optimizer__clip_limit=0.5)
    held.d.values[0, :3] = np.nan, np.inf, -np.inf
    fields, gradient = held.panel(0, HEIGHT, 0, WIDTH)
    kernels["clip_panel"](held.record, held.place, *fields, 1.0, 1.0, *gradient)
    np.testing.assert_array_equal(held.d.values[0, :3], [np.nan, 0.5, -0.5])


@TRANSPOSED
def test_scaling_kernel_and_bias_by_what_their_norms_ask_for(kernels, transposed):
    held = Weights(kernels, transposed, optimizer__clip=records.CLIPNORM)
    before = held.d.values.copy()
    fields, gradient = held.panel(0, HEIGHT, 0, WIDTH)
    kernels["clip_panel"](held.record, held.place, *fields, 0.25, 2.0, *gradient)
    np.testing.assert_array_equal(held.d.values, before * np.where(held.of_bias, 2.0, 0.25))


def test_what_brings_a_norm_down_to_the_limit(kernels_of_each):
    scale = kernels_of_each["scale_to"]
    assert scale(9.0, 1.5) == 0.5
    assert scale(9.0, 3.0) == 1.0
    assert scale(9.0, 4.0) == 1.0
    assert scale(0.0, 1.0) == 1.0
    assert scale(float("nan"), 1.0) == 1.0  # the loss tells of it
    assert scale(float("inf"), 1.0) == 0.0


@TRANSPOSED
def test_which_values_of_a_row_are_not_of_the_bias(kernels_of_each, transposed):
    held = Weights(kernels_of_each, transposed)
    for row in (0, HEIGHT - 2, HEIGHT - 1):
        for column in (0, 16, 64):
            found = kernels_of_each["lanes_of_kernel"](held.record, row, column)
            assert max(0, found) == np.count_nonzero(~held.of_bias[row, column:])
