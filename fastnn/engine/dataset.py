"""Data: rows of inputs, with their targets and weights, and how the job points at them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.kernels import records
from fastnn.kernels.records import JobRecord
from .memory import Array, address, extent
from .sparse import SparseRows

KIND_CODES = {np.dtype(kind): code for code, kind in enumerate(records.KINDS)}

CONVERTED_BYTES = 2**20
"""How much of data that the kernels cannot read as it lies is converted at a time."""

_Group = dict(JobRecord._fields_)["data"]


@dataclass
class Data:
    """Rows of inputs and what goes with them.  x and y are of KINDS, in any memory order, and finite.

    Attributes
    ----------
    x : (rows, inputs) array; or sparse rows, of the dtype of the network
    y : (rows, outputs) array, or (rows,) array of int or of one output; or None
    labels : bool
        y holds class numbers.
    weight : (rows,) array of float64, or None
    """

    x: Any
    y: Array | None = None
    labels: bool = False
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def direct(self) -> bool:
        """Whether the kernels can read it where it lies."""
        return self.x.dtype in KIND_CODES and (self.y is None or self.y.dtype in KIND_CODES)

    @property
    def width(self) -> int:
        return int(self.x.shape[1])

    def split(self, count: int) -> tuple[Data, Data]:
        """The first rows, and the others."""
        return self.part(slice(0, count)), self.part(slice(count, None))

    def part(self, rows: slice) -> Data:
        """Some rows, where they lie."""
        y = None if self.y is None else self.y[rows]
        return Data(self.x[rows], y, self.labels, None if self.weight is None else self.weight[rows])

    def block(self, rows: slice | Array, dtype: npt.DTypeLike) -> Data:
        """Some rows, converted to the dtype of a network."""
        y = None if self.y is None else np.asarray(self.y[rows], np.int64 if self.labels else dtype)
        weight = None if self.weight is None else self.weight[rows]
        return Data(np.asarray(self.x[rows], dtype), y, self.labels, weight)

    def fingerprint(self) -> str:
        """A digest of the shapes and of some rows: cheap, and other data have another one, in all likelihood."""
        digest = hashlib.sha256(repr((self.x.shape, None if self.y is None else self.y.shape)).encode())
        rows = np.linspace(0, len(self) - 1, min(len(self), 64)).astype(np.int64)
        for array in (self.x, self.y, self.weight):
            if array is not None:
                digest.update(np.asarray(array[rows], np.float64).tobytes())
        return digest.hexdigest()


def point_at(data: Data, batch_size: int = 0) -> Any:
    """The group of a job that points at the data, which must live as long as the job reads it."""
    x, y = data.x, data.y
    values = x.values if isinstance(x, SparseRows) else x
    start = address(values)
    group = _Group(x=start, x_kind=KIND_CODES[x.dtype], x_end=start + extent(values))
    if isinstance(x, SparseRows):
        group.row_starts, group.columns = address(x.starts), address(x.columns)
    else:
        group.x_row, group.x_column = x.strides
    if y is not None:
        group.y = start = address(y)
        group.y_kind, group.y_labels, group.y_end = KIND_CODES[y.dtype], data.labels, start + extent(y)
        group.y_row, group.y_column = y.strides[0], y.itemsize if y.ndim == 1 else y.strides[1]
    group.sample_weight, group.rows, group.batch_size = address(data.weight), len(x), batch_size
    return group
