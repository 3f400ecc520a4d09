"""Sparse inputs: the product with the first layer's weights and the gradient by those, from the entries of rows."""

import ctypes

import numpy as np
import pytest
from kernel_memory import Matrix, empty, job, layer

ROWS, INPUTS = 9, 41
PLACES = [3, 0, 8, 8, 5, 1]  # of the rows of a batch, which has some again


def sparse_rows(rng):
    """Small integers, of which every sum is exact; a row without entries, and one that has all."""
    dense = rng.integers(-4, 5, size=(ROWS, INPUTS)) * (rng.random((ROWS, INPUTS)) < 0.2)
    dense[1], dense[8] = 0, rng.integers(1, 5, INPUTS)
    return dense.astype(float)


class Sparse:
    """Rows in memory, a batch of some of them in a workspace, and the job that names all this."""

    def __init__(self, kernels, dense, **fields):
        self.dense, self.kernels = dense, kernels
        rows, columns = np.nonzero(dense)
        self.columns, self.values = columns.astype(np.int32), dense[rows, columns].astype(kernels.dtype)
        self.starts = np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))]).astype(np.int64)
        self.capacity = 8
        self.workspace = Matrix(kernels, np.zeros((80, self.capacity)), self.capacity)
        self.job, self.place = job(
            data__x=self.values.ctypes.data,
            data__columns=self.columns.ctypes.data,
            data__row_starts=self.starts.ctypes.data,
            data__rows=len(dense),
            memory__capacity=self.capacity,
            memory__places=64,
            **fields,
        )
        self.base = self.workspace.address
        for row, place in enumerate(PLACES):
            self.places[row] = place

    @property
    def places(self):
        """Those that the workspace keeps."""
        address = self.kernels["places_in"](self.place, self.base, 0)
        return (ctypes.c_int64 * self.capacity).from_address(address)


def matrix(kernels, weights, few):
    """A layer's record and its weights, the bias in the last row; stored transposed where it has few units."""
    stored = Matrix(kernels, weights.T if few else weights)
    rows, units = weights.shape
    made, record = layer(
        inputs=INPUTS,
        outputs=units,
        rows=rows,
        bias=INPUTS,
        stored_transposed=few,
        stride=stored.stride,
        height=len(stored.values),
        width=stored.values.shape[1],
        output_stride=-(-units // kernels.lanes) * kernels.lanes,
    )
    return made, record, stored


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_the_product_is_that_of_the_dense_rows(kernels, few, use_bias):
    rng = np.random.default_rng(0)
    for units in (1, 3) if few else (kernels.lanes, 2 * kernels.lanes + 3):
        sparse = Sparse(kernels, sparse_rows(rng))
        weights = rng.integers(-4, 5, size=(INPUTS + use_bias, units)).astype(float)
        made, record, stored = matrix(kernels, weights, few)
        sparse.job.network.parameters = stored.address
        target = empty(kernels, len(PLACES), made.output_stride)
        kernels["sparse_product"](record, sparse.place, sparse.base, 0, len(PLACES), 0, target.address)
        expected = sparse.dense[PLACES] @ weights[:INPUTS] + (weights[INPUTS] if use_bias else 0)
        np.testing.assert_array_equal(target.values[:, :units], expected)
        assert not target.values[:, units:].any()
        assert target.intact()
        some = empty(kernels, 2, made.output_stride)  # the rows of a block behind the first
        kernels["sparse_product"](record, sparse.place, sparse.base, 2, 2, 0, some.address)
        np.testing.assert_array_equal(some.values, target.values[2:4])


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_the_gradient_by_every_panel_is_that_of_the_dense_rows(kernels, few, use_bias):
    rng = np.random.default_rng(1)
    units = 3 if few else 2 * kernels.lanes + 3
    sparse = Sparse(kernels, sparse_rows(rng))
    made, record, _ = matrix(kernels, np.zeros((INPUTS + use_bias, units)), few)
    delta = rng.integers(-4, 5, size=(len(PLACES), units)).astype(float)
    kept = sparse.workspace.rows.ravel()[: len(PLACES) * made.output_stride].reshape(len(PLACES), -1)
    kept[:, :units] = delta
    expected = sparse.dense[PLACES].T @ delta
    if use_bias:
        expected = np.vstack([expected, delta.sum(axis=0)])
    expected = expected.T if few else expected
    height, width = expected.shape
    for rows, vectors in ((height, -(-width // kernels.lanes)), (2 if few else 16, 1)):
        for row in range(0, height, rows):
            for column in range(0, width, vectors * kernels.lanes):
                count = min(rows, height - row)
                target = empty(kernels, count, vectors * kernels.lanes)
                panel = row, count, column, vectors
                kernels["sparse_gradient"](record, sparse.place, sparse.base, len(PLACES), *panel, *target.pair)
                wanted = expected[row : row + count, column : column + vectors * kernels.lanes]
                np.testing.assert_array_equal(target.values[:, : wanted.shape[1]], wanted)
                assert not target.values[:, wanted.shape[1] :].any()
                assert target.intact()


def test_the_first_entry_of_a_panel(kernels):
    sparse = Sparse(kernels, sparse_rows(np.random.default_rng(2)))
    for row in range(ROWS):
        first, end = (int(start) for start in sparse.starts[row : row + 2])
        for column in range(INPUTS + 1):
            wanted = first + np.searchsorted(sparse.columns[first:end], column)
            assert kernels["first_entry"](sparse.place, first, end, column) == wanted


def test_places_in_every_order(kernels):
    order = np.random.default_rng(3).integers(ROWS, size=2 * ROWS)
    targets = empty(kernels, 4, 8)
    sparse = Sparse(kernels, sparse_rows(np.random.default_rng(4)), memory__target_stride=targets.stride)
    for rows, expected in ((0, [3, 4, 5, 6]), (order.ctypes.data, order[ROWS + 3 : ROWS + 7].tolist())):
        sparse.job.order.rows = rows
        kernels["gather_places"](sparse.place, sparse.base, 1, 5, 1, 2, targets.address)
        assert list(sparse.places)[1:5] == expected
        assert [ctypes.c_int64.from_address(targets.at(row)).value for row in range(4)] == expected
        assert targets.intact()


def test_other_layers_and_dense_data_are_not_sparse(kernels):
    sparse = Sparse(kernels, sparse_rows(np.random.default_rng(5)))
    for at, starts, expected in ((0, sparse.starts.ctypes.data, 1), (64, sparse.starts.ctypes.data, 0), (0, 0, 0)):
        _, record = layer(input=at)
        sparse.job.data.row_starts = starts
        assert kernels["is_sparse"](record, sparse.place) == expected
