"""Products of dense layers: matrices of few units, which are stored transposed, and of few rows."""

import numpy as np
import pytest
from kernel_memory import Matrix, empty, job, layer

from fastnn.kernels import tuning


def small_integers(rng, *shape):
    """Of which every sum is exact."""
    return rng.integers(-4, 5, size=shape).astype(float)


def dot_rows(kernels, a, w):
    """a @ w.T, a Matrix, where w has a row for each unit."""
    rows, units = len(a), len(w)
    source, weights = Matrix(kernels, a, fill=0.0), Matrix(kernels, w, fill=0.0)
    width = -(-units // kernels.lanes) * kernels.lanes
    target, scratch = empty(kernels, rows, width, width + 16), empty(kernels, kernels.lanes, kernels.lanes)
    _, record = layer(outputs=units, rows=w.shape[1], stride=weights.stride)
    kernels["dot_rows"](record, rows, *source.pair, weights.address, scratch.address, *target.pair)
    assert target.intact()
    assert scratch.intact()
    return target


def test_few_units_stored_transposed(kernels):
    """Rows in blocks of as many as a vector has lanes, and those that are left over; zeros behind the last unit."""
    rng = np.random.default_rng(0)
    for units in (1, 2, tuning.FEW_OUTPUTS, kernels.lanes, kernels.lanes + 3):
        for rows in (1, kernels.lanes - 1, kernels.lanes, 2 * kernels.lanes + 3):
            for depth in (1, kernels.lanes, 3 * kernels.lanes + 1):
                a, w = small_integers(rng, rows, depth), small_integers(rng, units, depth)
                target = dot_rows(kernels, a, w)
                np.testing.assert_array_equal(target.values[:, :units], a @ w.T)
                assert not target.values[:, units:].any()


def test_a_row_is_the_same_bits_alone_and_in_a_block(kernels):
    rng = np.random.default_rng(1)
    a, w = rng.normal(size=(2 * kernels.lanes + 3, 75)), rng.normal(size=(3, 75))
    whole = dot_rows(kernels, a, w).values
    for row in range(len(a)):
        np.testing.assert_array_equal(dot_rows(kernels, a[row : row + 1], w).values[0], whole[row])


def layer_product(kernels, a, b, parameters):
    rows, (depth, columns) = len(a), b.shape
    source, weights = Matrix(kernels, a), Matrix(kernels, b)
    target, pack = empty(kernels, rows, columns), empty(kernels, tuning.DEEP_PACK_DEPTH, 3 * 64 // kernels.size)
    _, record = layer(stride=weights.stride, output_stride=target.stride)
    _, place = job(network__parameter_count=parameters)
    fields = *source.pair, weights.address, pack.address, target.address
    kernels["layer_product"](record, place, rows, columns, depth, *fields)
    assert target.intact()
    return target.values


@pytest.mark.parametrize("rows", [1, 2, tuning.PACK_ROWS - 1, tuning.PACK_ROWS])
def test_products_of_few_rows_are_the_same_bits_however_large_the_network(kernels, rows):
    """One row sweeps over a large matrix; a few take one of a large network a little at a time."""
    rng = np.random.default_rng(2)
    columns = 16 * kernels.lanes
    depth = tuning.SWEPT_BYTES // (columns * kernels.size) + 13
    a, b = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
    found = layer_product(kernels, a, b, tuning.STREAMED_BYTES)
    np.testing.assert_array_equal(found, layer_product(kernels, a, b, 1))
    two = np.vstack([a, a])  # which is more than one row in any case
    np.testing.assert_array_equal(found, layer_product(kernels, two, b, 1)[:rows])
    np.testing.assert_allclose(found, a @ b, rtol=0, atol=3 * depth * np.finfo(kernels.dtype).eps)


def test_the_bias_is_added_to_every_row(kernels):
    rng = np.random.default_rng(3)
    weights, target = (
        Matrix(kernels, rng.normal(size=(4, 2 * kernels.lanes))),
        Matrix(kernels, rng.normal(size=(5, 2 * kernels.lanes)), 3 * kernels.lanes),
    )
    before = target.rows.copy()
    _, record = layer(bias=3, stride=weights.stride, output_stride=target.stride)
    kernels["add_bias"](record, 5, 2 * kernels.lanes, weights.address, target.address)
    before[:, : 2 * kernels.lanes] += weights.values[3]
    np.testing.assert_array_equal(target.rows, before)
