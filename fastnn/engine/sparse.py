"""Sparse inputs as the kernels read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .memory import Array


class SparseRows:
    """Rows of a sparse matrix (rows, inputs): the entries of row r are those from starts[r] up to starts[r + 1].

    Attributes
    ----------
    starts : (rows + 1,) array of int64
    columns : array of int32
        Each entry's column, ascending in a row.
    values : array of float32 or float64
        Each entry's value, of the dtype of the network.
    """

    ndim = 2

    def __init__(self, starts: Array, columns: Array, values: Array, width: int) -> None:
        self.starts, self.columns, self.values = starts, columns, values
        self.shape = (len(starts) - 1, width)

    @classmethod
    def of(cls, matrix: Any, dtype: npt.DTypeLike) -> SparseRows:
        """The rows of a matrix or an array of scipy.sparse, of any format; what can be is not copied."""
        matrix = matrix.tocsr()
        if not matrix.has_canonical_format:  # columns that are not in order, or there twice
            matrix = matrix.copy()
            matrix.sum_duplicates()
        starts, columns = np.asarray(matrix.indptr, np.int64), np.ascontiguousarray(matrix.indices, np.int32)
        return cls(starts, columns, np.ascontiguousarray(matrix.data, dtype), int(matrix.shape[1]))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> SparseRows:
        """Some rows, one behind the other, where they lie."""
        first, end, _ = rows.indices(len(self))
        return SparseRows(self.starts[first : end + 1], self.columns, self.values, self.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.columns.nbytes + self.starts.nbytes

    @property
    def entries(self) -> int:
        """How many there are in these rows."""
        return int(self.starts[-1] - self.starts[0])
