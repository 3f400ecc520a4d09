"""Reading the data: each type, any order in memory, and nothing behind its end."""

import ctypes

import numpy as np
import pytest
from kernel_memory import Matrix, empty, job, layer

from fastnn.kernels import records

KINDS = records.KINDS
CODES = {kind: code for code, kind in enumerate(KINDS)}
WIDTHS = (1, 3, 8, 15, 16, 17, 33)


def numbers(kind, *shape):
    rng = np.random.default_rng(0)
    if kind.startswith("float"):
        return rng.normal(size=shape).astype(kind)
    info = np.iinfo(kind)
    return rng.integers(max(info.min, -(2**40)), min(info.max, 2**40), size=shape, endpoint=True).astype(kind)


def end_of(array):
    return (
        array.ctypes.data + sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)) + array.itemsize
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_each_type_and_zeros_behind_it(kernels, guarded, kind):
    """Wherever the row ends: far from the end of the data, a vector or less before it, or right at it."""
    for count in (*range(1, 2 * kernels.lanes + 2), 5 * kernels.lanes - 1):
        for behind in (0, 1, kernels.lanes - 1, kernels.lanes):
            data = guarded(numbers(kind, count + behind))
            end = data.ctypes.data + data.nbytes
            target = Matrix(kernels, np.full((1, count), np.nan), -(-count // kernels.lanes) * kernels.lanes)
            kernels[f"read_row_{kind}"](count, data.ctypes.data, data.itemsize, end, target.address)
            np.testing.assert_array_equal(target.values[0], data[:count].astype(kernels.dtype))
            assert not target.rows[0, count:].any()
            assert target.intact()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_strided_values(kernels, guarded, kind):
    for count in (1, 5, 2 * kernels.lanes + 1):
        for step in (2, -1, 3):
            data = guarded(numbers(kind, count * abs(step)))
            part = data[::step][:count] if step < 0 else data[step - 1 :: step]  # the last value is the last byte's
            target = Matrix(kernels, np.zeros((1, count)))
            end = data.ctypes.data + data.nbytes
            kernels[f"read_row_{kind}"](count, part.ctypes.data, part.strides[0], end, target.address)
            np.testing.assert_array_equal(target.values[0], part.astype(kernels.dtype))
            assert not target.rows[0, count:].any()
            assert target.intact()


def job_of(x, y=None, weight=None, labels=0, **fields):
    """A job that reads these arrays in order."""
    found = {
        "data__x": x.ctypes.data,
        "data__x_row": x.strides[0],
        "data__x_column": x.strides[1],
        "data__x_end": end_of(x),
        "data__x_kind": CODES[x.dtype.name],
        "data__rows": len(x),
        "data__batch_size": len(x),
        "data__y_labels": labels,
    }
    if y is not None:
        found |= {
            "data__y": y.ctypes.data,
            "data__y_row": y.strides[0],
            "data__y_column": y.strides[1] if y.ndim > 1 else y.itemsize,
            "data__y_end": end_of(y),
            "data__y_kind": CODES[y.dtype.name],
            "data__sample_weight": 0 if weight is None else weight.ctypes.data,
        }
    return job(**found, **fields)


def orders(values):
    """The same rows and columns, laid out in memory in other ways; each ends where the copy given to it does."""
    yield "C", lambda put: put(values)
    yield "Fortran", lambda put: put(np.ascontiguousarray(values.T)).T
    yield "backwards", lambda put: put(values[::-1])[::-1]
    yield "each other column", lambda put: put(np.repeat(values, 2, axis=1))[:, 1::2]


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_of_each_type_and_order_in_memory(kernels, guarded, kind):
    """Rows, a 1 behind each, and where each stands in its row of targets; nothing behind the end of the data."""
    rows = 5
    for width in WIDTHS:
        values = numbers(kind, rows, width)
        for name, laid in orders(values):
            x = laid(guarded)
            np.testing.assert_array_equal(x, values, name)
            inputs = empty(kernels, rows + 2, width + 1, -(-(width + 1) // 16) * 16)
            targets = empty(kernels, rows, 4, 16)
            made, place = job_of(x, memory__input_stride=inputs.stride, memory__target_stride=16)
            first = 2  # a row of the batch, as a thread has it
            kernels["gather_inputs"](
                made.data.x_kind, width, place, inputs.address, first, first + rows, 0, -first, targets.address
            )
            np.testing.assert_array_equal(inputs.values[first:, :width], values.astype(kernels.dtype), name)
            assert (inputs.values[first:, width] == 1).all()
            assert np.isnan(inputs.rows[:first]).all()
            assert inputs.intact()
            assert places_of(targets) == list(range(rows))


def test_inputs_in_the_order_of_a_shuffle_and_of_a_list(kernels):
    rows, width = 37, 6
    x = numbers("float32", rows, width)
    inputs = empty(kernels, 10, width + 1)
    settings = {"memory__input_stride": inputs.stride, "order__mask": 63, "order__shift": 3, "order__seed": 5}
    made, place = job_of(x, **settings, order__shuffle=1)
    kernels["gather_inputs"](CODES["float32"], width, place, inputs.address, 0, 10, 2, 20, 0)
    key = kernels["order_key"](place, 2)
    visited = [kernels["shuffled"](position, rows, 63, 3, key) for position in range(20, 30)]
    np.testing.assert_array_equal(inputs.values[:, :width], x[visited])
    order = np.random.default_rng(1).integers(rows, size=3 * rows)
    made.order.rows = order.ctypes.data
    kernels["gather_inputs"](CODES["float32"], width, place, inputs.address, 0, 10, 2, 20, 0)
    np.testing.assert_array_equal(inputs.values[:, :width], x[order[2 * rows + 20 : 2 * rows + 30]])


def places_of(targets):
    """What gather_inputs leaves for gather_targets: a row's place, as an integer at its beginning."""
    return [ctypes.c_int64.from_address(targets.at(row)).value for row in range(len(targets.rows))]


def put_places(targets, places):
    for row, place in enumerate(places):
        ctypes.c_int64.from_address(targets.at(row)).value = place


@pytest.mark.parametrize("kind", KINDS)
def test_targets_of_each_type_and_their_weights(kernels, guarded, kind):
    places = [3, 0, 4, 4]
    for outputs in WIDTHS:
        values = numbers(kind, 5, outputs)
        for name, laid in orders(values):
            y, weight = laid(guarded), guarded(np.linspace(1, 2, 5))
            for given in (weight, None):
                stride = -(-(outputs + 1) // kernels.lanes) * kernels.lanes
                targets = empty(kernels, len(places), outputs + 1, stride)
                _, place = job_of(np.zeros((5, 1)), y, given, memory__target_stride=stride)
                put_places(targets, places)
                kernels["gather_targets"](CODES[kind], outputs, place, len(places), targets.address)
                np.testing.assert_array_equal(targets.values[:, :outputs], values[places].astype(kernels.dtype), name)
                expected = np.ones(4) if given is None else weight[places].astype(kernels.dtype)
                np.testing.assert_array_equal(targets.values[:, outputs], expected)
                assert targets.intact()


@pytest.mark.parametrize("kind", KINDS)
def test_class_numbers_become_rows_of_one_1(kernels, guarded, kind):
    """Those that are none, which the array may have come to hold since it was checked, rows of zeros."""
    numbers_given = [2, 0, 16, 20, 100, 21] + ([-1, -7] if not kind.startswith("u") else [])
    y, outputs = guarded(np.array(numbers_given).astype(kind)), 21
    targets = empty(kernels, len(y), outputs + 1, 32)
    _, place = job_of(np.zeros((len(y), 1)), y, None, 1, memory__target_stride=32)
    put_places(targets, range(len(y)))
    kernels["gather_targets"](CODES[kind], outputs, place, len(y), targets.address)
    expected = [[float(column == number) for column in range(outputs)] for number in numbers_given]
    np.testing.assert_array_equal(targets.values[:, :outputs], expected)
    assert (targets.values[:, outputs] == 1).all()
    assert targets.intact()


# --- NaN and infinity in the data ---


def found_by(kernels, x, lazy=1, epoch=0):
    words = np.zeros(records.SYNCHRONISATION_WORDS, np.int64)
    _, place = job(data__lazy_nan_check=lazy, run__synchronisation=words.ctypes.data)
    kernels["check_finite"](x.values.shape[1], place, len(x.values), *x.pair, epoch, 40)
    return int(words[records.NOT_FINITE])


def test_a_single_value_that_is_not_finite_is_found_wherever_it_is(kernels):
    for width in (1, 3, kernels.lanes, 4 * kernels.lanes - 1, 4 * kernels.lanes, 4 * kernels.lanes + 3):
        for rows in (1, 2, 5):
            x = Matrix(kernels, np.full((rows, width), 1e30))
            assert found_by(kernels, x) == 0
            for row in range(rows):
                for column in range(width):
                    kept = x.values[row, column]
                    x.values[row, column] = (np.nan, np.inf, -np.inf)[column % 3]
                    assert found_by(kernels, x) == 41, (width, row, column)
                    x.values[row, column] = kept


def test_nobody_looks_after_the_first_epoch_or_where_somebody_has(kernels):
    x = Matrix(kernels, np.full((2, 3), np.nan))
    assert found_by(kernels, x) == 41
    assert found_by(kernels, x, epoch=1) == 0
    assert found_by(kernels, x, lazy=0) == 0


def test_what_can_be_read_where_it_lies(kernels):
    """Rows of the program's own type, of 64 columns or more, one behind the other, on the type's boundaries."""
    size = kernels.size

    def readable(width=64, kind=None, **fields):
        fields = {"data__x_column": size, "data__x_row": 80 * size, "data__x": 16 * size, **fields}
        made, place = job(**fields)
        made.data.x_kind = CODES[kind or kernels.dtype.name]
        _, record = layer(inputs=width, outputs=5)
        return kernels["readable_in_place"](record, place)

    assert readable() == 1
    assert readable(63) == 0
    assert readable(kind="int32") == 0
    assert readable(data__x_column=2 * size) == 0
    assert readable(data__x=16 * size + 1) == 0
    assert readable(data__x_row=80 * size + 2) == 0
