"""Rows of arrays on disk, and of any arrays that give ranges of their rows: np.memmap, HDF5, Zarr."""

from __future__ import annotations

import mmap
from typing import Any, ClassVar

import numpy as np

from fastnn.typing import Array
from .chunks import Chunk

PAGE_BYTES = mmap.PAGESIZE


def mapped(array: object) -> mmap.mmap | None:
    """The file in memory that an np.memmap, or a part of one, is a view of."""
    while isinstance(array, np.memmap) or (isinstance(array, np.ndarray) and array.base is not None):
        array = array.base
    return array if isinstance(array, mmap.mmap) else None


class ArraySource:
    """Arrays of any kind that give ranges of their rows: np.memmap, HDF5, Zarr.  Read in any order.

    What the kernels can read where it lies is not copied.
    """

    kind: ClassVar[str] = "Rows"  # in a stream's repr

    def __init__(
        self, x: Any, y: Any = None, weight: Any = None, first: int = 0, last: int | None = None, y_known: bool = False
    ) -> None:
        self.x, self.y, self.weight = x, y, weight
        self.first, self.last = first, len(x) if last is None else last
        self.y_known = y_known  # to be right

    @property
    def rows(self) -> int:
        return self.last - self.first

    @property
    def width(self) -> int:
        return int(self.x.shape[1]) if len(self.x.shape) > 1 else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.x.dtype)
        return dtype

    def identity(self) -> Any:
        """What tells it from others: its shape, and its first and last rows."""
        ends = [self.read(at, at + 1) for at in (0, self.rows - 1)]
        rows = [None if part is None else np.asarray(part, np.float64).tolist() for end in ends for part in end[:3]]
        return self.first, self.last, self.width, rows

    def part(self, first: int, last: int) -> ArraySource:
        """Some of its rows."""
        return ArraySource(self.x, self.y, self.weight, self.first + first, self.first + last, self.y_known)

    def read(self, first: int, last: int) -> Chunk:
        first, last = self.first + first, self.first + last
        x, y, weight = (None if part is None else _some(part, first, last) for part in (self.x, self.y, self.weight))
        assert x is not None
        return Chunk(x[:, np.newaxis] if x.ndim == 1 else x, y, weight, first_row=first)

    def touch(self, chunk: Chunk) -> None:
        """Have the system read a chunk of a mapped file, so that the kernels need not wait for it."""
        if mapped(chunk.x) is not None:
            np.add.reduce(chunk.x[:, :: max(1, PAGE_BYTES // self.dtype.itemsize)], axis=None)

    def release(self, chunk: Chunk) -> None:
        """Let the system take back the memory of a chunk of a mapped file; the file keeps what was written."""
        for array in (chunk.x, chunk.y):
            file = mapped(array)
            if file is None or getattr(array, "mode", "c") == "c":  # a copy on write would lose what was written
                continue
            start = np.frombuffer(file, np.uint8).__array_interface__["data"][0]
            low, high = (bound - start for bound in np.lib.array_utils.byte_bounds(array))
            low -= low % PAGE_BYTES
            if hasattr(file, "madvise"):
                file.madvise(mmap.MADV_DONTNEED, low, min(high, len(file)) - low)


def _some(array: Any, first: int, last: int) -> Array:
    some = array[first:last]
    return some if isinstance(some, np.ndarray) else np.asarray(some)
