"""The order of an epoch's rows."""

import naive
import numpy as np
import pytest
from kernel_memory import job

from fastnn.kernels.backends import numpy as twin

KEYS = (0, 1, 0x2BCDEF0123456789, 2**62 - 1)
LARGE = (1000, 4095, 4096, 4097, 30011)


def bits_of(rows):
    """The mask and the shift that the engine gives for so many rows."""
    bits = (rows - 1).bit_length()
    return (1 << bits) - 1, max(1, bits // 2)


def shuffled(kernels, rows, key):
    visit, (mask, shift) = kernels["shuffled"], bits_of(rows)
    return np.array([visit(position, rows, mask, shift, key) for position in range(rows)])


def test_small_epochs_visit_each_row_once(kernels_of_each):
    for rows in range(1, 201):
        order = shuffled(kernels_of_each, rows, KEYS[rows % 4])
        assert sorted(order) == list(range(rows)), rows


@pytest.mark.parametrize("rows", LARGE)
def test_large_epochs_visit_each_row_once(kernels_of_each, rows):
    order = shuffled(kernels_of_each, rows, KEYS[2])
    assert np.array_equal(np.sort(order), np.arange(rows))
    assert np.count_nonzero(order == np.arange(rows)) < 20  # few stay where they were
    assert np.abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.15


@pytest.mark.parametrize("key", KEYS)
def test_the_order_is_that_of_the_plain_numpy_backend(kernels_of_each, key):
    for rows in (1, 2, 3, 17, 200, 1025):
        mask, shift = bits_of(rows)
        expected = twin.shuffled(np.arange(rows), rows, mask, shift, np.array([key]))
        np.testing.assert_array_equal(shuffled(kernels_of_each, rows, key), expected)


def test_other_keys_give_other_orders(kernels_of_each):
    orders = {tuple(shuffled(kernels_of_each, 100, key)) for key in range(1, 60)}
    assert len(orders) == 59


@pytest.mark.parametrize("value", [0, 1, -1, 2**62 - 1, 123456789, -(2**63), 2**63 - 1])
def test_the_hash_is_that_of_the_reference(kernels_of_each, value):
    assert kernels_of_each["mixed"](value) == naive.hashed(value)


def test_place_of_a_row_in_order_shuffled_and_written_down(kernels_of_each):
    kernels, rows = kernels_of_each, 37
    mask, shift = bits_of(rows)
    made, address = job(data__rows=rows, data__origin=2, order__mask=mask, order__shift=shift, order__seed=9)
    assert kernels["order_key"](address, 3) == 0
    assert [kernels["place_of_row"](address, position, 0) for position in (2, 3, 36)] == [0, 1, 34]
    made.order.shuffle, made.data.origin = 1, 0
    key = kernels["order_key"](address, 3)
    assert key == naive.hashed(9 + naive.hashed(3))
    found = [kernels["place_of_row"](address, position, key) for position in range(rows)]
    np.testing.assert_array_equal(found, shuffled(kernels, rows, key))
    order = np.random.default_rng(0).permutation(2 * rows)
    made.order.rows, made.run.first_epoch = order.ctypes.data, 5
    assert kernels["order_key"](address, 6) == rows
    found = [kernels["place_of_row"](address, position, rows) for position in range(rows)]
    np.testing.assert_array_equal(found, order[rows:])
