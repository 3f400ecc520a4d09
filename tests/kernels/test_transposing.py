"""Squares turned in registers, and what is made of them."""

import numpy as np
import pytest
from kernel_memory import Matrix, empty


def test_a_square_is_transposed_with_zeros_for_the_rows_that_are_not_there(kernels_of_each):
    kernels = kernels_of_each
    lanes = kernels.lanes
    values = np.random.default_rng(0).normal(size=(lanes, lanes)).astype(kernels.dtype)
    for rows in (-3, *range(lanes + 1), lanes + 5):
        given = values.copy()
        given[max(0, rows) :] = np.nan
        source, target = Matrix(kernels, given, lanes + 3), empty(kernels, lanes, lanes, lanes + 16)
        kernels["transpose_square"](rows, *source.pair, *target.pair)
        expected = values.copy()
        expected[max(0, rows) :] = 0
        np.testing.assert_array_equal(target.values, expected.T)
        assert target.intact()
        assert np.isnan(target.rows[:, lanes:]).all()


def test_a_panel_of_a_matrix_that_holds_it_as_columns(kernels_of_each):
    kernels = kernels_of_each
    lanes, rng = kernels.lanes, np.random.default_rng(1)
    for vectors in (1, 2, 3):
        for steps in (1, lanes, 2 * lanes + 3):
            for columns in (1, lanes, vectors * lanes - 1, vectors * lanes):
                if columns > vectors * lanes:
                    continue
                padded = -(-steps // lanes) * lanes
                stored = rng.normal(size=(columns, padded)).astype(kernels.dtype)
                source, target = (
                    Matrix(kernels, stored, padded + 16),
                    empty(kernels, padded, vectors * lanes, vectors * lanes),
                )
                kernels["transpose_panel"](steps, vectors, columns, *source.pair, target.address)
                np.testing.assert_array_equal(target.values[:steps, :columns], stored.T[:steps])
                assert not target.values[:steps, columns:].any()
                assert target.intact()


def test_rows_become_vectors_of_columns_and_come_back(kernels_of_each):
    kernels = kernels_of_each
    lanes, rng = kernels.lanes, np.random.default_rng(2)
    for rows in range(1, lanes + 1):
        for columns in (1, lanes - 1, lanes, 3 * lanes + 2):
            width = -(-columns // lanes) * lanes
            values = rng.normal(size=(rows, columns)).astype(kernels.dtype)
            source, turned = Matrix(kernels, values, width + 16, fill=5.0), empty(kernels, width, lanes, lanes)
            kernels["transpose_rows"](rows, columns, *source.pair, turned.address)
            np.testing.assert_array_equal(turned.values[:columns, :rows], values.T)
            assert not turned.values[:, rows:].any()
            back, square = empty(kernels, rows, columns, width + 16), empty(kernels, lanes, lanes, lanes)
            kernels["transpose_back"](rows, columns, turned.address, square.address, *back.pair)
            np.testing.assert_array_equal(back.values, values)
            assert not back.rows[:, columns:width].any()
            assert np.isnan(back.rows[:, width:]).all()
            assert back.intact()
            assert square.intact()


@pytest.mark.parametrize("vectors", [1, 2, 5])
def test_a_square_of_rows_times_one_row_of_weights(kernels_of_each, vectors):
    """Each in the order in which dot_rows sums a single row: over the lanes, halves first."""
    kernels = kernels_of_each
    lanes, rng = kernels.lanes, np.random.default_rng(3)
    a, w = rng.integers(-9, 9, size=(lanes, vectors * lanes)), rng.integers(-9, 9, size=(1, vectors * lanes))
    rows, weights, target = (
        Matrix(kernels, a, vectors * lanes + 16),
        Matrix(kernels, w),
        empty(kernels, 1, lanes, lanes),
    )
    kernels["dot_square"](vectors, *rows.pair, weights.address, target.address)
    np.testing.assert_array_equal(target.values[0], (a @ w.T)[:, 0])
    assert target.intact()
