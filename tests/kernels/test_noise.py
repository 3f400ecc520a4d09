"""Noise: its numbers are those of the reference, wherever in a batch a row is, and on the way back."""

import naive
import numpy as np
import pytest
from kernel_memory import Matrix, empty, layer, within

from fastnn.kernels.records import DROPOUT, GAUSSIAN_NOISE

SEED, UPDATE = 11, 5
KEY = naive.hashed(SEED + naive.hashed(UPDATE))
RATE = 0.375  # of which float32 has the exact value
DROPPING = {"threshold": RATE, "scale": 1 / (1 - RATE)}


def noised(kernels, values, first=0, **fields):
    """What noise makes of rows of a batch, the first of which is number ``first``."""
    rows, columns = values.shape
    matrix = Matrix(kernels, values, -(-(columns + 1) // 16) * 16)
    _, record = layer(outputs=columns, output_stride=matrix.stride, seed=3, **fields)
    kernels["add_noise"](record, rows, first, KEY, matrix.address)
    assert matrix.intact()
    assert (matrix.rows[:, columns] == 1).all()  # what the bias is multiplied by
    return matrix.values


@pytest.mark.parametrize("columns", [1, 16, 37])
def test_dropout(kernels_of_each, columns):
    kernels = kernels_of_each
    x = np.random.default_rng(0).normal(size=(9, columns)).astype(kernels.dtype)
    numbers = naive.uniform(SEED, UPDATE, 3, 9, columns)
    found = noised(kernels, x, kind=DROPOUT, **DROPPING)
    expected = np.where(numbers < RATE, 0, x / (1 - RATE))
    np.testing.assert_allclose(found, expected, rtol=within(kernels, 2))
    np.testing.assert_array_equal(found == 0, numbers < RATE)


def test_dropout_of_another_value_and_a_shift(kernels_of_each):
    kernels = kernels_of_each
    x = np.random.default_rng(1).normal(size=(5, 20)).astype(kernels.dtype)
    found = noised(kernels, x, kind=DROPOUT, threshold=RATE, scale=0.5, shift=2.0, dropped=-7.0)
    numbers = naive.uniform(SEED, UPDATE, 3, 5, 20)
    np.testing.assert_allclose(found, np.where(numbers < RATE, -7, x / 2 + 2), rtol=0, atol=within(kernels))


def test_gaussian_noise(kernels_of_each):
    kernels = kernels_of_each
    x = np.random.default_rng(2).normal(size=(9, 37)).astype(kernels.dtype)
    numbers = naive.uniform(SEED, UPDATE, 3, 9, 37)
    expected = naive.gaussian_noise(0.5, numbers)(x.astype(float), None)
    found = noised(kernels, x, kind=GAUSSIAN_NOISE, deviation=0.5)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fields", [{"kind": DROPOUT, **DROPPING}, {"kind": GAUSSIAN_NOISE, "deviation": 1.0}])
def test_a_row_has_the_same_noise_in_whatever_part_of_the_batch_it_comes(kernels_of_each, fields):
    kernels = kernels_of_each
    x = np.random.default_rng(3).normal(size=(20, 21)).astype(kernels.dtype)
    whole = noised(kernels, x, **fields).copy()
    for first, end in ((0, 1), (1, 8), (8, 20)):
        np.testing.assert_array_equal(noised(kernels, x[first:end], first, **fields), whole[first:end])


def test_the_way_back_draws_the_same_numbers_again(kernels_of_each):
    kernels = kernels_of_each
    d = np.random.default_rng(4).normal(size=(7, 37)).astype(kernels.dtype)
    source = Matrix(kernels, d, 48)
    target = empty(kernels, 7, 37, 48)
    _, record = layer(outputs=37, output_stride=48, seed=3, **DROPPING)
    kernels["through_noise"](record, 7, 2, KEY, source.address, target.address)
    dropped = naive.uniform(SEED, UPDATE, 3, 9, 37)[2:] < RATE
    np.testing.assert_allclose(target.values, np.where(dropped, 0, d / (1 - RATE)), rtol=within(kernels, 2))
    assert target.intact()


def test_layers_updates_and_rows_have_keys_of_their_own(kernels_of_each):
    keys = set()
    for seed in range(5):
        _, record = layer(seed=seed)
        for update in range(5):
            key = naive.hashed(update)
            keys |= {kernels_of_each["noise_key"](record, key, row) for row in range(20)}
    assert len(keys) == 5 * 5 * 20
