"""Rows of x, y and their weights, as a batch takes them from the user's arrays."""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import records
from ...formulas.arrays import Array
from .memory import array_at
from .shuffle import Integers, mixed, shuffled

Index = slice | Integers


class SparseRows:
    """A batch of sparse rows: the number of rows; of each entry its row, its column and its value."""

    def __init__(self, count: int, rows: Integers, columns: Array, values: Array) -> None:
        self.count, self.rows, self.columns, self.values = count, rows, columns, values

    def times(self, matrix: Array) -> Array:
        """The product with a matrix (inputs, units)."""
        product = np.zeros((self.count, matrix.shape[1]), matrix.dtype)
        np.add.at(product, self.rows, self.values[:, np.newaxis] * matrix[self.columns])
        return product

    def transposed_times(self, delta: Array, product: Array) -> None:
        """The transposed rows' product with a matrix (rows, units), into (inputs, units)."""
        product[:] = 0
        np.add.at(product, self.columns, self.values[:, np.newaxis] * delta[self.rows])


class Data:
    """The arrays that a job names; ``inputs`` and ``outputs`` are the columns of x and of y."""

    def __init__(self, job: Any, inputs: int, outputs: int, dtype: npt.DTypeLike) -> None:
        self.job, self.inputs, self.outputs, self.dtype = job, inputs, outputs, dtype

    def rows(self, epoch: int, position: int, count: int) -> Index:
        """The rows at so many positions of an epoch."""
        job = self.job
        start = position - job.data.origin
        if job.order.rows:
            start += (epoch - job.run.first_epoch) * job.data.rows
            return array_at(job.order.rows + 8 * start, (count,), np.int64)
        if not job.order.shuffle:
            return slice(start, start + count)
        key = mixed(job.order.seed + mixed(np.array([epoch])))
        return shuffled(np.arange(position, position + count), job.data.rows, job.order.mask, job.order.shift, key)

    @cached_property
    def row_count(self) -> int:
        """Rows of x and y: an order may leave some out."""
        job = self.job
        if not job.order.rows:
            return int(job.data.rows)
        epochs = (job.run.last_step - 1) // job.run.steps_per_epoch - job.run.first_epoch + 1
        return int(array_at(job.order.rows, (epochs * job.data.rows,), np.int64).max()) + 1

    @cached_property
    def all_x(self) -> Array:
        data = self.job.data
        shape, strides = (self.row_count, self.inputs), (data.x_row, data.x_column)
        return array_at(data.x, shape, records.KINDS[data.x_kind], strides)

    @cached_property
    def all_y(self) -> Array:
        data = self.job.data
        shape, strides = (self.row_count, self.outputs), (data.y_row, data.y_column)
        columns = 1 if data.y_labels else 2
        return array_at(data.y, shape[:columns], records.KINDS[data.y_kind], strides[:columns])

    @cached_property
    def all_weights(self) -> Array | None:
        address = self.job.data.sample_weight
        return array_at(address, (self.row_count,), np.float64) if address else None

    def x(self, rows: Index) -> Any:
        """Inputs (rows, inputs), or sparse rows."""
        if self.job.data.row_starts:
            return self.sparse(rows)
        return np.require(self.all_x[rows], self.dtype, ["C", "A"])

    def sparse(self, rows: Index) -> SparseRows:
        """The entries of sparse rows, one row's after another's."""
        data = self.job.data
        starts = array_at(data.row_starts, (self.row_count + 1,), np.int64)
        first, count = starts[:-1][rows], np.diff(starts)[rows]
        own = np.repeat(np.arange(len(count)), count)
        entries = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
        end = (int(starts[-1]),)
        columns, values = array_at(data.columns, end, np.int32), array_at(data.x, end, self.dtype)
        return SparseRows(len(count), own, columns[entries], values[entries])

    def y(self, rows: Index) -> Array:
        """Targets (rows, outputs); of class numbers, 1 in the class's column."""
        y = self.all_y[rows]
        if not self.job.data.y_labels:
            return y.astype(self.dtype, copy=False)
        target = np.zeros((len(y), self.outputs), self.dtype)
        target[np.arange(len(y)), y] = 1
        return target

    def sample_weight(self, rows: Index, count: int) -> Array:
        return np.ones(count, self.dtype) if self.all_weights is None else self.all_weights[rows].astype(self.dtype)
