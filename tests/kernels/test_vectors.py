"""Runs of whole vectors, and sums of several threads' gradients and scores."""

import itertools

import numpy as np
import pytest
from kernel_memory import Matrix, doubles, empty

COUNTS = (1, 2, 7)  # of vectors


def reals(kernels, rows, vectors, seed=0):
    return Matrix(kernels, np.random.default_rng(seed).normal(size=(rows, vectors * kernels.lanes)))


def test_vectors_that_hold_some_columns(kernels_of_each):
    lanes = kernels_of_each.lanes
    for columns in (0, 1, lanes - 1, lanes, lanes + 1, 10 * lanes):
        assert kernels_of_each["vectors_for"](columns) == -(-columns // lanes)


@pytest.mark.parametrize("vectors", COUNTS)
def test_copied_added_and_scaled(kernels_of_each, vectors):
    kernels, count = kernels_of_each, vectors * kernels_of_each.lanes
    source, target = reals(kernels, 1, vectors), reals(kernels, 1, vectors, 1)
    before = target.values.copy()
    kernels["add_vectors"](count, source.address, target.address)
    np.testing.assert_array_equal(target.values, before + source.values)
    kernels["scale_vectors"](count, 0.5, target.address)
    np.testing.assert_array_equal(target.values, (before + source.values) / 2)
    kernels["copy_vectors"](vectors, source.address, target.address)
    np.testing.assert_array_equal(target.values, source.values)
    assert target.intact()


def test_the_padding_of_a_row_is_cleared(kernels_of_each):
    kernels, lanes = kernels_of_each, kernels_of_each.lanes
    for columns in (1, lanes - 1, lanes, 2 * lanes + 3):
        matrix = reals(kernels, 3, 4)
        before = matrix.values.copy()
        kernels["clear_behind"](3, columns, *matrix.pair)
        before[:, columns : -(-columns // lanes) * lanes] = 0
        np.testing.assert_array_equal(matrix.values, before)


@pytest.mark.parametrize("vectors", COUNTS)
def test_a_value_that_is_not_finite_is_found_wherever_it_is(kernels_of_each, vectors):
    kernels, count = kernels_of_each, vectors * kernels_of_each.lanes
    matrix = reals(kernels, 1, vectors)
    matrix.values[0, 0] = np.finfo(kernels.dtype).max
    assert kernels["all_finite"](count, matrix.address) == 1
    for place, value in itertools.product(range(1, count), (np.nan, np.inf, -np.inf)):
        kept = matrix.values[0, place]
        matrix.values[0, place] = value
        assert kernels["all_finite"](count, matrix.address) == 0
        matrix.values[0, place] = kept


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_threads_gradients_are_summed_alike_in_place_and_elsewhere(kernels, parts):
    """Neighbours first: the same tree of sums in add_parts and in sum_parts, to the bit."""
    vectors = 5
    count = vectors * kernels.lanes
    gradients = reals(kernels, parts, vectors)
    g, size = gradients.values.copy(), gradients.stride * kernels.size
    target = empty(kernels, 1, count)
    kernels["sum_parts"](parts, size, count, gradients.address, target.address)
    np.testing.assert_array_equal(gradients.values, g)
    expected = g[0] + g[1] if parts > 1 else g[0]
    if parts > 2:
        expected = expected + (g[2] + g[3] if parts > 3 else g[2])
    np.testing.assert_array_equal(target.values[0], expected)
    kernels["add_parts"](parts, size, 1, vectors, gradients.address, count)
    np.testing.assert_array_equal(gradients.values[0], expected)


@pytest.mark.parametrize("parts", [5, 6, 7, 8])
def test_gradients_of_more_threads(kernels, parts):
    """Of integers: every sum is exact."""
    rows, vectors = 3, 2
    width = vectors * kernels.lanes
    values = np.random.default_rng(2).integers(-9, 9, size=(parts * rows, width))
    gradients = Matrix(kernels, values, width + 16, fill=4.0)
    kernels["add_parts"](parts, rows * gradients.stride * kernels.size, rows, vectors, *gradients.pair)
    np.testing.assert_array_equal(gradients.values[:rows], values.reshape(parts, rows, width).sum(axis=0))
    assert (gradients.rows[:, width:] == 4.0).all()


def test_scores_are_summed_in_four_chains(kernels_of_each):
    for rows in range(1, 14):
        scores, place = doubles(3 * rows)
        scores[:] = np.random.default_rng(rows).normal(size=3 * rows)
        column = scores[1::3]
        whole = rows // 4 * 4
        chains = [column[start:whole:4].cumsum()[-1] if whole else 0.0 for start in range(4)]
        for value in column[whole:]:
            chains[0] += value
        expected = (chains[0] + chains[1]) + (chains[2] + chains[3])
        assert kernels_of_each["sum_of_scores"](rows, 3, place + 8) == expected
