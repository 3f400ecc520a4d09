"""Memory and records for a kernel that a test calls: matrices with guards around them, records filled by hand."""

import ctypes

import numpy as np

from fastnn.kernels import records

GUARD = 128
"""Values before and behind a matrix, which nothing may write to."""


class Matrix:
    """Rows of reals, the first at an address that a vector may start at, with guards.

    Attributes
    ----------
    address, stride : what the kernels are given: the first row, and the values from one row to the next
    values : array, (rows, columns)
    rows : array, (rows, stride): with what pads them
    """

    def __init__(self, kernels, values, stride=None, fill=0.0):
        values = np.atleast_2d(np.asarray(values))
        count, columns = values.shape
        self.stride = -(-columns // kernels.lanes) * kernels.lanes if stride is None else stride
        dtype = kernels.dtype
        raw = np.empty((count * self.stride + 2 * GUARD) * dtype.itemsize + 64, np.uint8)
        start = -raw.ctypes.data % 64
        whole = raw[start : start + (count * self.stride + 2 * GUARD) * dtype.itemsize].view(dtype)
        whole[:] = 12345.0
        self._guards = whole[:GUARD], whole[-GUARD:]
        self.rows = whole[GUARD:-GUARD].reshape(count, self.stride)
        self.rows[:] = fill
        self.values = self.rows[:, :columns]
        self.values[:] = values
        self.address = self.rows.ctypes.data

    def at(self, row, column=0):
        """The address of a value."""
        return self.address + (row * self.stride + column) * self.rows.itemsize

    @property
    def pair(self):
        """The fields of Rows."""
        return self.address, self.stride

    def intact(self):
        """Whether nothing was written around it."""
        return all((guard == 12345.0).all() for guard in self._guards)


def empty(kernels, rows, columns, stride=None, fill=np.nan):
    """A matrix to be written, of NaN."""
    return Matrix(kernels, np.full((rows, columns), fill), stride, fill)


def doubles(count):
    """Some doubles, and where they are."""
    array = np.full(count, np.nan)
    return array, array.ctypes.data


_records = []  # none goes while its address may be in use


def record(kind, /, **fields):
    """A record, all 0 but for some fields: "data.x" is written data__x."""
    made = kind()
    _records.append(made)
    for path, value in fields.items():
        *groups, field = path.split("__")
        owner = made
        for group in groups:
            owner = getattr(owner, group)
        setattr(owner, field, value)
    return made


def layer(**fields):
    """A layer's record and its address."""
    made = record(records.LayerRecord, **fields)
    return made, ctypes.addressof(made)


def job(**fields):
    """A job's record, of one thread and no changes to the targets, and its address."""
    made = record(records.JobRecord, **{"run__threads": 1, "loss__target_scale": 1.0, "loss__scale": 1.0, **fields})
    return made, ctypes.addressof(made)


def within(kernels, ulps=8.0):
    """Of results of the size of 1: so many units in the last place."""
    return ulps * float(np.finfo(kernels.dtype).eps)
