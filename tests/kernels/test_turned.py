"""Predictions with a vector for one unit of several rows: the same bits as row by row."""

import numpy as np
from kernel_memory import Matrix, empty, job, layer

from fastnn.kernels.records import KINDS


def turned(kernels, values):
    """Columns as rows, as wide as whole vectors of them."""
    return Matrix(kernels, np.ascontiguousarray(values.T))


def test_a_unit_of_a_layer_stored_transposed_is_summed_as_by_row(kernels_of_each):
    kernels, rng = kernels_of_each, np.random.default_rng(0)
    lanes = kernels.lanes
    for depth in (1, 2, lanes // 2, lanes // 2 + 1, lanes, lanes + 1, 3 * lanes + 2):
        rows = 2 * lanes
        a = rng.normal(size=(rows, depth)).astype(kernels.dtype)
        weights = rng.normal(size=(1, depth)).astype(kernels.dtype)
        width = -(-depth // lanes) * lanes
        _, place = layer(rows=depth, inputs=depth, outputs=1, stride=width, stored_transposed=1)
        by_row, scratch = empty(kernels, rows, lanes), empty(kernels, 8, lanes)
        source, w = Matrix(kernels, a), Matrix(kernels, weights)
        kernels["dot_rows"](place, rows, *source.pair, w.address, scratch.address, *by_row.pair)
        found, scratch = empty(kernels, 1, rows), empty(kernels, max(1, lanes // 2), lanes)
        kernels["dot_turned"](depth, 2, w.address, *turned(kernels, a).pair, scratch.address, found.address)
        np.testing.assert_array_equal(found.values[0], by_row.values[:, 0])
        assert found.intact()
        assert scratch.intact()


def test_softmax_is_that_of_the_rows(kernels_of_each):
    kernels, rng = kernels_of_each, np.random.default_rng(1)
    rows = 2 * kernels.lanes
    for columns in (1, 2, 10, 40):
        logits = (3 * rng.normal(size=(rows, columns))).astype(kernels.dtype)
        by_row, scratch = empty(kernels, rows, columns, 48), empty(kernels, 64, kernels.lanes)
        _, place = job(data__rows=rows)
        source = Matrix(kernels, logits, 48)
        kernels["softmax"](place, rows, columns, 48, source.address, by_row.address, scratch.address)
        found, scratch = turned(kernels, logits), empty(kernels, columns, kernels.lanes)
        kernels["softmax_turned"](columns, 2, scratch.address, *found.pair)
        np.testing.assert_array_equal(found.values.T, by_row.values)
        assert found.intact()
        assert scratch.intact()


def test_rows_of_any_kind_and_order_are_read_with_ones_behind_and_zeros_to_the_end(kernels):
    rng, lanes = np.random.default_rng(2), kernels.lanes
    for dtype in KINDS:
        for count in (1, lanes, lanes + 1):
            for order in ("C", "F"):
                x = np.asarray(rng.integers(0, 200, (count + 4, 3)).astype(dtype), order=order)[::2][:count]
                _, place = job(data__x=x.ctypes.data, data__x_row=x.strides[0], data__x_column=x.strides[1])
                width = -(-count // lanes) * lanes
                target = empty(kernels, 4, width)
                kernels[f"gather_turned_{dtype}"](3, place, len(x), 0, *target.pair)
                np.testing.assert_array_equal(target.values[:3, : len(x)], x.T)
                used = -(-len(x) // lanes) * lanes
                assert not target.values[:3, len(x) : used].any()
                assert (target.values[3, :used] == 1).all()
                assert target.intact()
