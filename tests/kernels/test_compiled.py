"""Numba's function of one kernel, that Python calls with numbers and addresses."""

import numpy as np
import pytest
from kernel_memory import Matrix, empty, job

from fastnn.kernels.source import activation, barrier, clipping, softmax, transposing

pytest.importorskip("numba")
from fastnn.kernels.numba.compile import compiled, program


class Size:
    """What Matrix wants to know of kernels."""

    def __init__(self, dtype):
        self.dtype, self.lanes = np.dtype(dtype), program(dtype).lanes
        self.size = self.dtype.itemsize


@pytest.fixture
def sizes(dtype):
    return Size(dtype)


def test_a_double(dtype):
    assert compiled(clipping.scale_to, dtype)(16.0, 1.0) == 0.25


def test_a_record_by_its_address(dtype):
    _, place = job()
    assert compiled(barrier.barrier, dtype)(place) == 0


def test_a_record_of_values_field_by_field(dtype, sizes):
    source, target = Matrix(sizes, np.arange(8).reshape(2, 4), 48), empty(sizes, 4 + sizes.lanes, sizes.lanes)
    compiled(transposing.transpose_rows, dtype)(2, 4, *source.pair, target.address)
    np.testing.assert_array_equal(target.values[:4, :2], source.values.T)


def test_a_vector_by_its_address_and_one_that_is_returned_by_its_first_lane(dtype, sizes):
    columns = Matrix(sizes, np.zeros((3, sizes.lanes)))
    largest, target = Matrix(sizes, np.log(np.arange(1, sizes.lanes + 1))), empty(sizes, 3, sizes.lanes)
    found = compiled(softmax.exponentials_of_columns, dtype)(3, largest.address, columns.address, target.address)
    assert found == 3.0
    np.testing.assert_allclose(target.values, np.tile(1 / np.arange(1, sizes.lanes + 1), (3, 1)), rtol=1e-6)


def test_a_row_of_a_table_by_its_code(dtype, sizes):
    from fastnn.kernels.formulas.activations import ACTIVATIONS

    output, source = Matrix(sizes, [[-1.0, 0.0, 2.0]]), Matrix(sizes, [[3.0, 4.0, 5.0]])
    for name, expected in (("relu", [0, 0, 5]), ("linear", [3, 4, 5])):
        target = empty(sizes, 1, 3)
        code = list(ACTIVATIONS).index(name)
        places = output.address, source.address, target.address
        compiled(activation.scale_by_derived, dtype)(code, 1, 3, 16, 0.0, *places)
        np.testing.assert_array_equal(target.values[0], expected)


def test_a_kernel_is_not_called_as_it_stands():
    with pytest.raises(TypeError, match=r"compiled\(scale_to, 'float32'\)"):
        clipping.scale_to(16.0, 1.0)
