"""A stream as a model reads it: blocks of whole batches, checked, with what a model wants of the rows."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from fastnn.engine import KIND_CODES, Data, Engine
from fastnn.typing import Array
from . import arrays, checks
from .array_source import ArraySource
from .batch_source import BatchSource
from .chunks import CHUNK_BYTES, Chunk
from .class_weights import by_class, class_weights
from .file_source import FileSource
from .prefetch import Block, Buffer, End, Reader
from .requirements import Requirements
from .streams import Stream


class Feed:
    """A stream and what a model wants of it.

    ``batch_size`` None stands for 32 rows, but for batches of an iterator as they come.  ``steps`` is the batches of an
    epoch; None: all that come.
    """

    def __init__(
        self,
        stream: Stream,
        requirements: Requirements,
        batch_size: int | None = None,
        steps: int | None = None,
        name: str = "",
    ) -> None:
        self.stream, self.source, self.steps, self.name = stream, stream.source, steps, name
        self.as_they_come = isinstance(stream.source, BatchSource) and batch_size is None
        self.batch_size = checks.batch_size(batch_size)
        self.width = self.source.width
        if requirements.inputs not in (None, self.width):
            raise ValueError(
                f"{self._named('x')} has {self.width} columns, but the model has {requirements.inputs} inputs"
            )
        self.requirements = requirements._replace(inputs=self.width, outputs=requirements.outputs or self.width)
        if isinstance(self.source, ArraySource):
            self._check_targets(self.source)
        self._endless: Iterator[Chunk] | None = None
        self._rest: Data | None = None

    def _named(self, argument: str) -> str:
        return f"{self.name}: {argument}" if self.name else argument

    def _check_targets(self, source: ArraySource) -> None:
        """Check y where it is in memory, before anything is changed."""
        requirements, name = self.requirements, self._named("y")
        if not requirements.target:
            return
        if source.y is None:
            raise TypeError(f"{name} got None; wants an array")
        if isinstance(source.y, np.memmap) or arrays.read_by_rows(source.y):
            return
        rows = source.rows
        y = requirements.targets(source.y, rows, requirements.outputs, name)
        weight = arrays.weights(source.weight, rows, self._named("sample_weight"))
        self.source = ArraySource(source.x, y, weight, y_known=True)

    def weighed(self, class_weight: Any) -> Feed:
        """The rows with the weights of their classes; ``class_weight`` is what `class_weights` takes."""
        asked = class_weights(class_weight)
        if asked is None:
            return self
        found, source = copy.copy(self), self.source
        if isinstance(source, ArraySource) and source.y_known:
            part = slice(source.first, source.last)
            weight = np.ones(len(source.y))
            weight[part] = by_class(source.y[part], asked, None if source.weight is None else source.weight[part])
            found.source = ArraySource(source.x, source.y, weight, source.first, source.last, y_known=True)
        elif isinstance(asked, str):
            raise ValueError("class_weight got 'balanced' for a stream, whose classes are not counted; wants a dict")
        else:
            found.requirements = self.requirements._replace(class_weight=asked)
        return found

    def __len__(self) -> int:
        return len(self.stream)

    def check_backup(self, every_n_steps: int | None = None) -> None:
        """Refuse backups that no other run could go on from."""
        if every_n_steps is not None:
            raise ValueError(f"save_freq got {every_n_steps} for a stream, which goes on with an epoch; wants 'epoch'")
        if isinstance(self.source, BatchSource) and (self.source.once or self.steps is not None):
            raise ValueError(
                f"callbacks got a backup, but {self._named('x')} has no beginning of an epoch to go on with; wants "
                "what begins anew each epoch, as a function that returns a generator does, without a number of steps"
            )

    def fingerprint(self) -> str:
        """A digest of what says which rows come in which order: cheap, and of other data another one, most likely."""
        what = self.source.identity(), self.steps, self.stream.block_bytes
        return hashlib.sha256(repr(what).encode()).hexdigest()

    def split(self, count: int) -> tuple[Feed, Feed]:
        """The first rows, and the others; of arrays only."""
        assert isinstance(self.source, ArraySource)
        parts = copy.copy(self), copy.copy(self)
        parts[0].source, parts[1].source = self.source.part(0, count), self.source.part(count, self.source.rows)
        return parts

    @property
    def steps_per_epoch(self) -> int | None:
        """Where it is known."""
        if self.source.rows is None:
            return self.steps
        steps = -(-self.source.rows // self.batch_size)
        return steps if self.steps is None else min(steps, self.steps)

    @property
    def _has_order(self) -> bool:
        """Whether it can come in another order."""
        return not self.as_they_come or (isinstance(self.source, BatchSource) and self.source.shuffled)

    # --- What the reader's thread runs ---

    def blocks(
        self,
        take: Callable[[], Buffer],
        epochs: int,
        dtype: np.dtype[Any],
        shuffle: bool = False,
        seed: int = 0,
        first: int = 0,
    ) -> Iterator[Block | End]:
        """The blocks of epoch after epoch, from ``first`` on, with the end of each.

        Shuffled, the source's pieces come in another order each epoch, and each block has a seed by which its rows are
        visited.  Of batches as they come only those that have numbers are shuffled, and their rows are not.  Noise
        follows from the seed too, and from the number of the update.
        """
        dtype = np.dtype(getattr(self.source, "dtype", None) or dtype) if isinstance(self.source, FileSource) else dtype
        largest = 1
        for epoch in range(first, epochs):
            order = np.random.default_rng([seed, epoch]) if shuffle and self._has_order else None
            known = epoch > first and self.steps is None and not isinstance(self.source, BatchSource)
            count = 0
            for block in self._of_epoch(take, dtype, order, known):
                rows = len(block.data)
                count, largest = count + rows, max(largest, rows)
                block.batch_size = min(block.batch_size, largest)
                block.seed = seed if order is None else int(order.integers(2**61))
                yield block
            if epoch == first and count == 0:
                raise ValueError(f"{self._named('x')} got a stream without any row left; wants at least one")
            yield End(ran_out=count == 0)

    def _of_epoch(
        self, take: Callable[[], Buffer], dtype: np.dtype[Any], order: np.random.Generator | None, known: bool
    ) -> Iterator[Block]:
        if isinstance(self.source, ArraySource):
            return self._ranges(self.source, take, dtype, order, known)
        if self.as_they_come:
            return self._batches(take, dtype, order)
        return self._filled(take, dtype, order, known)

    def _block_rows(self, row_bytes: int, batch_size: int) -> int:
        """Whole batches that fit into a block; at least one."""
        rows = max(1, self.stream.block_bytes // row_bytes // batch_size) * batch_size
        return rows if self.source.rows is None else min(rows, -(-self.source.rows // batch_size) * batch_size)

    def _ranges(
        self,
        source: ArraySource,
        take: Callable[[], Buffer],
        dtype: np.dtype[Any],
        order: np.random.Generator | None,
        known: bool,
    ) -> Iterator[Block]:
        """Blocks in any order, each of whole batches; what is less than a batch comes last."""
        rows, direct = source.rows, source.dtype in KIND_CODES
        size = self._block_rows(source.width * (source.dtype if direct else dtype).itemsize, self.batch_size)
        whole = rows - rows % self.batch_size
        places = [(first, min(first + size, whole)) for first in range(0, whole, size)]
        if order is not None:
            places = [places[number] for number in order.permutation(len(places))]
        if whole < rows:
            places.append((whole, rows))
        left = rows if self.steps is None else self.steps * self.batch_size
        for first, last in places:
            last = min(last, first + left)
            left -= last - first
            if first == last:
                return
            buffer = take()
            chunk = source.read(first, last)
            buffer.release = partial(source.release, chunk)
            if known:
                source.touch(chunk)
            else:
                self.requirements.check_features(chunk)
            data = self.requirements.data(chunk, x_known=True, y_known=known or source.y_known)
            if not data.direct:
                buffer.put(data, size, dtype)
                data = buffer.data()
            yield Block(data, self.batch_size, buffer)

    def _filled(
        self, take: Callable[[], Buffer], dtype: np.dtype[Any], order: np.random.Generator | None, known: bool
    ) -> Iterator[Block]:
        """Blocks of as many whole batches as fit, whatever chunks they come in."""
        size = self._block_rows(self.source.width * dtype.itemsize, self.batch_size)
        left = None if self.steps is None else self.steps * self.batch_size
        buffer: Buffer | None = None
        for data in self._pieces(order, known):
            at = 0
            while at < len(data) and left != 0:
                buffer = buffer or take()
                count = min(size - buffer.filled, len(data) - at, len(data) if left is None else left)
                buffer.put(data.part(slice(at, at + count)), size, dtype)
                at += count
                left = None if left is None else left - count
                if buffer.filled == size:
                    yield Block(buffer.data(), self.batch_size, buffer)
                    buffer = None
            if left == 0:
                self._rest = data.part(slice(at, None)) if at < len(data) else None
                break
        if buffer is not None:
            yield Block(buffer.data(), self.batch_size, buffer)

    def _pieces(self, order: np.random.Generator | None, known: bool) -> Iterator[Data]:
        """Checked chunks, beginning with what the last epoch left of one."""
        if self._rest is not None and isinstance(self.source, BatchSource):
            yield self._rest
        self._rest = None
        for chunk in self._chunks(order):
            yield self.requirements.data(chunk, x_known=known, y_known=known)

    def _batches(
        self, take: Callable[[], Buffer], dtype: np.dtype[Any], order: np.random.Generator | None
    ) -> Iterator[Block]:
        """Blocks of batches that are of one size, but for a smaller one at a block's end."""
        buffer: Buffer | None = None
        rows = size = 0
        for chunk in islice(self._chunks(order), self.steps):
            data = self.requirements.data(chunk)
            if buffer is not None and (buffer.filled % rows or len(data) > rows or buffer.filled + len(data) > size):
                yield Block(buffer.data(), rows, buffer)
                buffer = None
            if len(data) > rows:
                rows = len(data)
                size = max(1, min(self.stream.block_bytes, CHUNK_BYTES) // (data.x.shape[1] * dtype.itemsize) // rows)
                size *= rows
            buffer = buffer or take()
            buffer.put(data, size, dtype)
        if buffer is not None:
            yield Block(buffer.data(), rows, buffer)

    def _chunks(self, order: np.random.Generator | None) -> Iterator[Chunk]:
        """Those of an epoch; of all epochs, where an epoch is a number of batches."""
        source = self.source
        assert not isinstance(source, ArraySource)
        if self.steps is None or isinstance(source, FileSource):
            return source.chunks(order)
        if self._endless is None:
            self._endless = _again(source, order)
        return self._endless

    # --- What a model asks for ---

    def evaluate(self, engine: Engine) -> Array:
        """The means over the rows of the loss and of each metric."""
        return self.means(engine, lambda data, batch_size: engine.evaluate(data))

    def means(self, engine: Engine, use: Callable[[Data, int], Array]) -> Array:
        """The means over the rows of what a function makes of each block's, in batches: means over those."""
        parts = self._each(engine, lambda b: (use(b.data, b.batch_size) * len(b.data), len(b.data)))
        return np.asarray(np.sum([sums for sums, _ in parts], axis=0) / sum(rows for _, rows in parts))

    def predict(self, engine: Engine) -> Array:
        """The network's output for each row: (rows, units of the last layer)."""
        return np.concatenate(self._each(engine, lambda block: engine.predict(block.data)))

    def _each(self, engine: Engine, use: Callable[[Block], Any]) -> list[Any]:
        found = []
        with Reader(lambda take: self.blocks(take, 1, engine.dtype)) as reader:
            while isinstance(block := reader.get(), Block):
                reader.took()
                found.append(use(block))
                reader.give(block.buffer)
        return found


def batches(rows: Data | Feed, batch_size: int, dtype: np.dtype[Any]) -> Iterator[Data]:
    """The rows of each batch; those of a stream are batches of its own."""
    if isinstance(rows, Data):
        for first in range(0, len(rows), batch_size):
            yield rows.part(slice(first, first + batch_size))
        return
    with Reader(lambda take: rows.blocks(take, 1, dtype)) as reader:
        while isinstance(block := reader.get(), Block):
            reader.took()
            yield from batches(block.data, block.batch_size, dtype)
            reader.give(block.buffer)


def evaluate(engine: Engine, rows: Data | Feed) -> Array:
    """The means over rows, in memory or not, of the loss and of each metric."""
    return rows.evaluate(engine) if isinstance(rows, Feed) else engine.evaluate(rows)


def _again(source: BatchSource, order: np.random.Generator | None) -> Iterator[Chunk]:
    """Chunks without an end, from something that has a beginning each time."""
    while True:
        count = source.count
        yield from source.chunks(order)
        if source.once or source.count == count:
            return
