"""Which rows of each batch are a rank's: parts of batches of the same rows, or of rows of its own."""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastnn.data import Feed, FileSource
from fastnn.engine import Data, Engine, address, epoch_order
from fastnn.engine.parts import part_starts
from fastnn.typing import Array
from .data_parallel import DataParallel


class Place(NamedTuple):
    """A rank's rows of a step.

    Attributes
    ----------
    step : int
        By which the kernels find the batch's first row.
    starts : list of int
        Where the rank's parts start, from there, and where the last one ends.
    rows : int
        Of the whole batch.
    batch_row : int
        The number in it of the row that ``starts`` counts from.
    """

    step: int
    starts: list[int]
    rows: int
    batch_row: int

    @property
    def own(self) -> slice:
        """This rank's rows, by their numbers in the batch."""
        return slice(self.batch_row + self.starts[0], self.batch_row + self.starts[-1])


class SameRows:
    """All ranks have the same rows, and take parts of the batches that one process would take.

    Attributes
    ----------
    data : Data
        What is in memory here.
    rows, steps : int
        Of an epoch, of all ranks together.
    largest : int
        The rows of the largest part, here or elsewhere.
    fingerprint : str
        A digest of all ranks' rows.
    """

    def __init__(self, data: Data, batch_size: int, plan: DataParallel, shuffle: bool, seed: int) -> None:
        self.data, self.batch_size, self.plan, self.shuffle, self.seed = data, batch_size, plan, shuffle, seed
        self.rows, self.fingerprint = len(data), data.fingerprint()
        self.steps = math.ceil(self.rows / batch_size)
        self.largest = max(np.diff(part_starts(batch_size, plan.all_parts)).tolist())

    def rows_before(self, step: int) -> int:
        """Rows of all ranks in an epoch's steps up to one."""
        return min(step * self.batch_size, self.rows)

    def place(self, epoch: int, step: int) -> Place:
        """A step of an epoch, by its number in it."""
        rows, parts = min(self.batch_size, self.rows - step * self.batch_size), self.plan.own_parts
        starts = part_starts(rows, self.plan.all_parts)
        return Place(epoch * self.steps + step, starts[parts.start : parts.stop + 1], rows, 0)

    def order(self, engine: Engine, epoch: int) -> Any:
        """How the kernels find the rows of an epoch: a group of a job."""
        order = type(engine.blank.order).from_buffer_copy(engine.blank.order)
        order.seed = self.seed
        if self.shuffle:
            bits = (self.rows - 1).bit_length()
            order.shuffle, order.mask, order.shift = 1, (1 << bits) - 1, max(1, bits // 2)
        return order

    def visited(self, epoch: int, step: int) -> Array | slice:
        """The rows of the data that are this rank's in a step."""
        starts = self.place(epoch, step).starts
        first = step * self.batch_size
        if self.shuffle:
            return epoch_order(self.rows, self.seed, epoch, first + starts[0], first + starts[-1])
        return slice(first + starts[0], first + starts[-1])


class OwnRows:
    """Each rank has rows of its own, and each part of a batch comes from a part of them: the attributes of `SameRows`.

    A part's rows are shuffled among themselves, and spread evenly over the steps.  ``sizes`` are the rows of this
    rank's parts, which lie one after another in ``data``.
    """

    def __init__(
        self, data: Data, batch_size: int, plan: DataParallel, shuffle: bool, seed: int, sizes: list[int]
    ) -> None:
        self.data, self.batch_size, self.plan, self.shuffle, self.seed = data, batch_size, plan, shuffle, seed
        self.sizes = np.array([size for told in plan.ranks.gather(sizes) for size in told], np.int64)
        self.rows, self.fingerprint = int(self.sizes.sum()), fingerprint_of(data, sizes, plan)
        self.steps = max(1, math.ceil(self.rows / batch_size))
        self.largest = int((-(-self.sizes // self.steps)).max())
        self._own = self.sizes[plan.own_parts.start : plan.own_parts.stop]
        self._ends = self._own[:, np.newaxis] * np.arange(self.steps + 1) // self.steps  # (parts, steps + 1)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def rows_before(self, step: int) -> int:
        return int((self.sizes * step // self.steps).sum())

    def place(self, epoch: int, step: int) -> Place:
        before = int(self._ends[:, step].sum())
        counts = np.diff(self._ends[:, step : step + 2], axis=1)[:, 0]
        all_counts = self.sizes * (step + 1) // self.steps - self.sizes * step // self.steps
        starts = [before, *(before + np.cumsum(counts)).tolist()]
        lower = int(all_counts[: self.plan.own_parts.start].sum())
        return Place(0, starts, int(all_counts.sum()), lower - before)

    def order(self, engine: Engine, epoch: int) -> Any:
        order = type(engine.blank.order).from_buffer_copy(engine.blank.order)
        order.seed, order.rows = self.seed, address(self._rows_of(epoch))
        return order

    def visited(self, epoch: int, step: int) -> Array:
        starts = self.place(epoch, step).starts
        return self._rows_of(epoch)[starts[0] : starts[-1]]

    def _rows_of(self, epoch: int) -> Array:
        """This rank's rows in the order of an epoch: by step, then by part."""
        if self._epoch != epoch:
            found, steps, first = [], [], 0
            for part, size in zip(self.plan.own_parts, self._own.tolist(), strict=True):
                rows = epoch_order(size, self.seed + part, epoch, 0, size) if self.shuffle and size else np.arange(size)
                found.append(first + rows)
                steps.append(np.repeat(np.arange(self.steps), np.diff(self._ends[len(found) - 1])))
                first += size
            self._epoch = epoch
            self._order = np.concatenate(found)[np.argsort(np.concatenate(steps), kind="stable")]
            self._order = np.ascontiguousarray(self._order, np.int64)
            if not len(self._order):
                self._order = np.zeros(1, np.int64)  # an address for the kernels, which read nothing there
        return self._order


Share = SameRows | OwnRows


def read_parts(feed: Feed, source: FileSource, own: range, parts: int, dtype: str) -> tuple[Data, list[int]]:
    """The rows of this rank's parts of a table, in memory, and how many each has.

    Every ``parts``-th row group, or file, is of the same part, whatever the number of ranks.
    """
    found, sizes = [], []
    for part in own:
        chunks = [] if part >= len(source.pieces) else source.only(source.pieces[part::parts]).chunks()
        rows = [feed.requirements.data(chunk).block(slice(None), dtype) for chunk in chunks]
        found += rows
        sizes.append(sum(map(len, rows)))
    if not found:
        asked = feed.requirements
        shape, kind = ((0,), "int64") if asked.labels else ((0, asked.outputs), dtype)
        y: Array = np.empty(shape, kind)
        weighed = source.weight is not None or asked.class_weight is not None
        return Data(np.empty((0, feed.width), dtype), y, asked.labels, np.empty(0) if weighed else None), sizes
    columns = [[getattr(rows, name) for rows in found] for name in ("x", "y", "weight")]
    joined = [None if arrays[0] is None else np.concatenate(arrays) for arrays in columns]
    return Data(np.ascontiguousarray(joined[0]), joined[1], found[0].labels, joined[2]), sizes


def fingerprint_of(data: Data, sizes: list[int], plan: DataParallel) -> str:
    """A digest of all ranks' rows, from those of their parts: the same for any number of ranks."""
    found, first = [], 0
    for size in sizes:
        found.append(data.part(slice(first, first + size)).fingerprint() if size else "")
        first += size
    every = [digest for of_rank in plan.ranks.gather(found) for digest in of_rank]
    return hashlib.sha256("".join(every).encode()).hexdigest()


def even_parts(rows: int, parts: int) -> list[int]:
    """So many rows in as many parts."""
    ends = [rows * part // parts for part in range(parts + 1)]
    return [last - first for first, last in pairwise(ends)]
