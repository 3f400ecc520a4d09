"""Memory for the kernels: vectors that start on a cache line, their addresses, and buffers kept from job to job."""

import ctypes

import numpy as np
import numpy.typing as npt

from fastnn.kernels import tuning
from fastnn.typing import Array

WIDTH_MULTIPLE: int = tuning.WIDTH_MULTIPLE

BYTE, DOUBLE = np.dtype(np.uint8), np.dtype(np.float64)

KEPT_ROWS = 256
"""The least rows that `grown` makes."""


def padded(count: int) -> int:
    """The length of a row of ``count`` values, rounded up to whole vectors of every instruction set."""
    return -(-count // WIDTH_MULTIPLE) * WIDTH_MULTIPLE


def spread(count: int, size: int) -> int:
    """From one row of a matrix to the next, in values: rows whole kilobytes apart crowd into few sets of a cache."""
    stride = padded(count)
    return stride if stride * size % 1024 else stride + WIDTH_MULTIPLE


def aligned(count: int, dtype: npt.DTypeLike) -> Array:
    """A vector of zeros that starts on a cache line."""
    dtype = np.dtype(dtype)
    size = count * dtype.itemsize
    raw = np.zeros(size + 64, BYTE)
    start = -address(raw) % 64
    return raw[start : start + size].view(dtype)


def grown(array: Array, rows: int, most: int) -> Array:
    """The array, or a longer copy whose further rows are zeros, with at least so many rows, of ``most`` in the end."""
    if rows <= len(array):
        return array
    longer = np.zeros((min(most, max(rows, 2 * len(array), KEPT_ROWS)), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


def address(array: Array | None) -> int:
    """Where an array's first value is; 0 for None."""
    if array is None:
        return 0
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # thrice as fast as below
    except (TypeError, ValueError):  # read-only, empty, or not in one piece
        return int(array.__array_interface__["data"][0])


def extent(array: Array) -> int:
    """How many bytes there are from an array's first value to the end of the last one in memory."""
    if array.flags.c_contiguous:
        return array.nbytes
    reach: int = sum(max(0, (n - 1) * stride) for n, stride in zip(array.shape, array.strides, strict=True))
    return reach + array.itemsize


class Buffers(dict[str, Array]):
    """Vectors by name that are kept from job to job, for new memory costs more than filling it."""

    def __init__(self) -> None:
        super().__init__()
        self._addresses: dict[str, tuple[Array | None, int]] = {}  # by name: a vector, and its address
        self._places = 0, 0

    def room(self, name: str, count: int, dtype: npt.DTypeLike) -> Array:
        """The vector of that name, with at least ``count`` values.  A new one is zeros."""
        kept = self.get(name)
        if kept is None or len(kept) < count or kept.dtype != dtype:
            kept = self[name] = aligned(count, dtype)
        return kept

    def place(self, name: str, count: int, dtype: npt.DTypeLike) -> int:
        """The address of that `room`."""
        array = self.room(name, count, dtype)
        known, place = self._addresses.get(name, (None, 0))
        if known is not array:
            place = address(array)
            self._addresses[name] = array, place
        return place

    def workspace(self, capacity: int, row_values: int, threads: int, dtype: npt.DTypeLike) -> int:
        """The address of room for ``capacity`` rows of each thread, the room "workspace".

        The kernels rely on zeros where rows are padded.  These places move with the capacity and with what there is
        beside the outputs, dense inputs or the places of sparse ones, so all is zeroed then.
        """
        count = threads * capacity * row_values
        if self._places != (capacity, row_values):
            self.room("workspace", count, dtype)[:] = 0
            self._places = capacity, row_values
        return self.place("workspace", count, dtype)
