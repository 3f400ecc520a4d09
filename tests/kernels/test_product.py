"""One matrix product for everything: every edge of its tiles, panels and packs, and the order of its sums."""

import itertools

import numpy as np
import pytest
from kernel_memory import Matrix, empty

from fastnn.kernels import tuning

FEW = [*range(1, 21), 33]
DEPTHS = [1, 7, tuning.DEEP - 1, tuning.DEEP + 3, tuning.PACK_DEPTH, tuning.PACK_DEPTH + 9, tuning.DEEP_PACK_DEPTH + 5]


def widths(kernels):
    """Columns: around a vector, the widest tile, and the tiles of one row."""
    lanes = kernels.lanes
    around = [lanes - 1, lanes, lanes + 1, 2 * lanes - lanes // 2, 2 * lanes, 3 * lanes - lanes // 2, 3 * lanes]
    return [1, *around, 3 * lanes + 1, 4 * lanes, 5 * lanes + 3, 7 * lanes]


class Left:
    """The left side in memory, in one of three ways; ``fields``: those of values.Left."""

    def __init__(self, kernels, a, how):
        rows, depth = a.shape
        if how == "rows":
            self.matrix = Matrix(kernels, a, depth + 3)
            self.fields = self.matrix.address, self.matrix.stride, 1, 16 * self.matrix.stride
        elif how == "columns":  # a gradient's: the inputs, transposed
            self.matrix = Matrix(kernels, a.T, rows + 5)
            self.fields = self.matrix.address, 1, self.matrix.stride, 16
        else:  # 16 columns side by side
            blocks = -(-rows // 16)
            packed = np.zeros((blocks, depth, 16))
            for row in range(rows):
                packed[row // 16, :, row % 16] = a[row]
            self.matrix = Matrix(kernels, packed.reshape(blocks * depth, 16), 16)
            self.fields = self.matrix.address, 1, 16, 16 * depth


class Right:
    """The right side: near or far rows, or stored transposed; ``fields``: those of values.Right."""

    def __init__(self, kernels, b, how):
        depth, columns = b.shape
        if how == "transposed":
            self.matrix = Matrix(kernels, b.T, -(-depth // 16) * 16, fill=1e9)  # may be read, but not be used
            self.matrix.values[:] = b.T
            self.fields = self.matrix.address, self.matrix.stride, columns
        else:
            far = tuning.PACK_STRIDE // kernels.size + 16
            self.matrix = Matrix(kernels, b, max(far, 8 * kernels.lanes) if how == "far" else None)
            self.fields = self.matrix.address, self.matrix.stride, 0


def small_integers(rng, *shape):
    """Of which every sum is exact."""
    return rng.integers(-4, 5, size=shape).astype(float)


def pack_of(kernels):
    return empty(kernels, tuning.DEEP_PACK_DEPTH, 3 * 64 // kernels.size, 3 * 64 // kernels.size)


def multiply(kernels, a, b, left="rows", right="near", accumulate=None, name="product"):
    """The target of a product, a Matrix; what it holds before is accumulated to, or NaN."""
    rows, columns = len(a), b.shape[1]
    sides, pack = (Left(kernels, a, left), Right(kernels, b, right)), pack_of(kernels)
    width = -(-columns // kernels.lanes) * kernels.lanes
    before = np.full((rows, columns), np.nan) if accumulate is None else accumulate
    target = Matrix(kernels, before, width + 3, fill=777.0)
    given = width // kernels.lanes if name == "deep_product" else columns
    fields = *sides[0].fields, *sides[1].fields
    kernels[name](rows, given, a.shape[1], *fields, accumulate is not None, pack.address, *target.pair)
    assert target.intact()
    assert pack.intact()
    assert (target.rows[:, width:] == 777.0).all()
    if right == "transposed":  # behind its last row there is nothing that may be read
        held = target.rows[:, columns:width]
        assert np.isin(held, (0.0, 777.0 if accumulate is not None else 0.0)).all()
    return target


@pytest.mark.parametrize("right", ["near", "far", "transposed"])
@pytest.mark.parametrize("left", ["rows", "columns", "packed"])
def test_every_shape_of_few_rows(kernels, left, right):
    rng = np.random.default_rng(0)
    for rows, columns, depth in itertools.product(FEW, widths(kernels), (3, tuning.DEEP + 1)):
        a, b = small_integers(rng, rows, depth), small_integers(rng, depth, columns)
        given = small_integers(rng, rows, columns)
        np.testing.assert_array_equal(multiply(kernels, a, b, left, right).values, a @ b)
        np.testing.assert_array_equal(multiply(kernels, a, b, left, right, given).values, given + a @ b)


@pytest.mark.parametrize("right", ["near", "far", "transposed"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_every_depth(kernels, depth, right):
    """Also those that are packed in several pieces."""
    rng = np.random.default_rng(1)
    for rows, columns in ((1, 3), (2, 16 * kernels.lanes), (3, 40), (40, 3 * kernels.lanes + 1)):
        a, b = small_integers(rng, rows, depth), small_integers(rng, depth, columns)
        np.testing.assert_array_equal(multiply(kernels, a, b, "rows", right).values, a @ b)


@pytest.mark.parametrize("columns", [1, 4, 8, 16, 17, 24, 33])
@pytest.mark.parametrize("rows", [1, 2])
def test_tiles_of_one_row_and_of_two_are_as_wide_as_their_sums_allow(kernels, rows, columns):
    rng = np.random.default_rng(2)
    a, b = small_integers(rng, rows, 5), small_integers(rng, 5, columns * kernels.lanes)
    np.testing.assert_array_equal(multiply(kernels, a, b).values, a @ b)


@pytest.mark.parametrize("right", ["near", "far", "transposed"])
@pytest.mark.parametrize("depth", [20, tuning.DEEP + 37, tuning.DEEP_PACK_DEPTH + 40])
def test_an_element_is_the_same_bits_however_rows_and_columns_are_split(kernels, depth, right):
    rng = np.random.default_rng(3)
    rows, columns = 45, 6 * kernels.lanes
    a, b = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
    whole = multiply(kernels, a, b, "rows", right).values
    for first, count in ((0, 1), (1, 2), (3, 3), (6, 5), (11, 8), (19, 26)):
        part = multiply(kernels, a[first : first + count], b, "rows", right).values
        np.testing.assert_array_equal(part, whole[first : first + count])
    for vector, count in ((0, 1), (1, 2), (3, 3)):
        some = slice(vector * kernels.lanes, (vector + count) * kernels.lanes)
        np.testing.assert_array_equal(multiply(kernels, a, b[:, some], "rows", right).values, whole[:, some])
    for left in ("columns", "packed"):
        np.testing.assert_array_equal(multiply(kernels, a, b, left, right).values, whole)
    np.testing.assert_allclose(whole, a @ b, rtol=0, atol=3 * depth * np.finfo(kernels.dtype).eps)


def test_an_element_is_one_chain_in_the_order_of_the_depth(kernels):
    """Cut in two anywhere, with the second half accumulated to the first, it is the same bits."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(9, 300)), rng.normal(size=(300, 2 * kernels.lanes + 3))
    whole = multiply(kernels, a, b).values
    for cut in (1, 100, 256, 299):
        begun = multiply(kernels, a[:, :cut], b[:cut]).values
        np.testing.assert_array_equal(multiply(kernels, a[:, cut:], b[cut:], accumulate=begun).values, whole)


def test_products_of_small_and_of_great_depth_are_the_same_bits(kernels):
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(37, 200)), rng.normal(size=(200, 5 * kernels.lanes))
    flat = multiply(kernels, a, b, name="flat_product").values
    np.testing.assert_array_equal(multiply(kernels, a, b, name="deep_product").values, flat)


def test_rows_of_zeros_and_infinities(kernels):
    """0 * inf is NaN in its own element alone: nothing else reads it."""
    columns = max(6, kernels.lanes + 2)
    a, b = np.ones((10, 4)), np.ones((4, columns))
    a[3, 1], a[5, 2], b[1, 4] = 0.0, np.inf, np.inf
    expected = np.full((10, columns), 4.0)
    expected[5], expected[:, 4] = np.inf, np.inf
    expected[3] = 3.0
    expected[3, 4] = np.nan
    np.testing.assert_array_equal(multiply(kernels, a, b).values, expected)


def test_eight_rows_are_swept_in_the_order_of_the_product(kernels):
    """sweep_row adds eight values of a row times as many rows of a matrix."""
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(1, 8)), rng.normal(size=(8, 5 * kernels.lanes))
    given = rng.normal(size=(1, 5 * kernels.lanes))
    target, left, right = Matrix(kernels, given), Matrix(kernels, a), Matrix(kernels, b)
    kernels["sweep_row"](5, left.address, *right.pair, target.address)
    np.testing.assert_array_equal(target.values, multiply(kernels, a, b, accumulate=given).values)
