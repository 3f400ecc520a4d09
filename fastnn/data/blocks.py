"""A stream as a model trains on it: what it wants of the rows, in which blocks they come, and a run over those."""

from __future__ import annotations

import copy
import hashlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn.engine import KIND_CODES, Data, Engine, Training
from fastnn.team import processors

from . import arrays as checks
from .file_source import CHUNK_BYTES, Batches, Chunk, Files, Rows
from .prefetch import Block, End, Reader, Slot
from .streams import Stream

__all__ = ["Feed", "StreamTraining", "Wanted", "evaluate"]

Array = npt.NDArray[Any]

SHARED_SECONDS = 0.004
"""How long the kernels leave a processor to a reader that has work, before they look whether it still does."""


class Wanted(NamedTuple):
    """What a model wants of rows."""

    inputs: int | None = None
    outputs: int = 0
    dtype: str = "float64"
    labels: bool = False
    domain: str = ""  # see data.targets, as outputs_a_target
    outputs_a_target: int = 1
    class_weight: Mapping[int, float] | str | None = None
    target: bool = True  # y and the weights

    def data(self, chunk: Chunk, x_known: bool = False, y_known: bool = False, x_finite: bool = False) -> Data:
        """Rows as the kernels take them, checked but for what is known to be right."""
        if x_known:
            x = checks.as_array(chunk.x, "x")
        else:
            x = checks.features(chunk.x, self.inputs, chunk.named("x"), self.dtype, not x_finite, chunk.first_row)
        if not self.target:
            return Data(x)
        rows, outputs = len(x), self.outputs or x.shape[1]
        if y_known:
            y = checks.as_array(chunk.y, "y").reshape((rows,) if self.labels else (rows, -1))
            if self.labels and (y.dtype.kind not in "iu" or not y.dtype.isnative):
                y = y.astype(np.int64)
            if not self.labels and y.shape[1] != outputs:
                y = np.repeat(y, self.outputs_a_target, axis=1)
        else:
            y = self.targets(chunk.y, rows, outputs, chunk.named("y"), chunk.first_row)
        name = chunk.named("sample_weight")
        weight = checks.weights(chunk.weight, self.class_weight, y, rows, name, chunk.first_row)
        return Data(x, y, self.labels, weight)

    def targets(self, y: Any, rows: int, outputs: int, name: str, first_row: int = 0) -> Array:
        """y, checked."""
        return checks.targets(
            y, rows, outputs, self.labels, name, self.dtype, self.domain, self.outputs_a_target, first_row
        )

    def look(self, chunk: Chunk) -> None:
        """Check x a piece after the other: more than one thread would disturb those that train."""
        count = max(1, CHUNK_BYTES // (chunk.x.itemsize * chunk.x.shape[1]))
        for first in range(0, len(chunk.x), count):
            piece = chunk.x[first : first + count]
            checks.features(piece, self.inputs, chunk.named("x"), self.dtype, first_row=chunk.first_row + first)


class Feed:
    """A stream and what a model wants of it.

    Parameters
    ----------
    stream : Stream
    wanted : Wanted
    batch_size : int, optional
        None: 32 rows, but batches of an iterator as they come.
    steps : int, optional
        Batches of an epoch; otherwise all that come.
    """

    def __init__(
        self,
        stream: Stream,
        wanted: Wanted,
        batch_size: int | None = None,
        steps: int | None = None,
        name: str = "",
    ) -> None:
        self.stream, self.source, self.steps, self.name = stream, stream.source, steps, name
        self.as_they_come = isinstance(stream.source, Batches) and batch_size is None
        self.batch_size = checks.batch_size(batch_size)
        self.width = self.source.width
        if wanted.inputs not in (None, self.width):
            raise ValueError(f"{self._named('x')} has {self.width} columns, but the model has {wanted.inputs} inputs")
        self.wanted = wanted._replace(inputs=self.width, outputs=wanted.outputs or self.width)
        if isinstance(self.source, Rows):
            self._check_targets(self.source)
        elif wanted.class_weight == "balanced":
            raise ValueError("class_weight got 'balanced' for a stream, whose classes are not counted; wants a dict")
        self._endless: Iterator[Chunk] | None = None
        self._rest: Data | None = None

    def _named(self, argument: str) -> str:
        return f"{self.name}: {argument}" if self.name else argument

    def _check_targets(self, source: Rows) -> None:
        """Check y where it is in memory, before anything is changed."""
        wanted, name = self.wanted, self._named("y")
        if not wanted.target:
            return
        if source.y is None:
            raise TypeError(f"{name} got None; wants an array")
        if isinstance(source.y, np.memmap) or checks.read_by_rows(source.y):
            if wanted.class_weight == "balanced":
                raise ValueError(f"class_weight got 'balanced' for {name} on disk, which is not counted; wants a dict")
            return
        rows = source.rows
        y = wanted.targets(source.y, rows, wanted.outputs, name)
        weight = checks.weights(source.weight, wanted.class_weight, y, rows, self._named("sample_weight"))
        self.source = Rows(source.x, y, weight, y_known=True)
        self.wanted = wanted._replace(class_weight=None)

    def __len__(self) -> int:
        return len(self.stream)

    def check_backup(self, every_n_steps: int | None = None) -> None:
        """Refuse backups that no other run could go on from."""
        if every_n_steps is not None:
            raise ValueError(f"save_freq got {every_n_steps} for a stream, which goes on with an epoch; wants 'epoch'")
        if isinstance(self.source, Batches) and (self.source.once or self.steps is not None):
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
        assert isinstance(self.source, Rows)
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

    # --- What the reader's thread runs ---

    def blocks(
        self,
        take: Callable[[], Slot],
        epochs: int,
        dtype: np.dtype[Any],
        shuffle: bool = False,
        seed: int = 0,
        first: int = 0,
    ) -> Iterator[Block | End]:
        """The blocks of epoch after epoch, from ``first`` on, with the end of each.

        Shuffled, the source's pieces come in another order each epoch, and each block has a seed by which its rows are
        visited.  Noise follows from the seed too, and from the number of the update.
        """
        dtype = np.dtype(getattr(self.source, "dtype", None) or dtype) if isinstance(self.source, Files) else dtype
        largest = 1
        for epoch in range(first, epochs):
            order = np.random.default_rng([seed, epoch]) if shuffle and not self.as_they_come else None
            known = epoch > first and self.steps is None and not isinstance(self.source, Batches)
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
        self, take: Callable[[], Slot], dtype: np.dtype[Any], order: np.random.Generator | None, known: bool
    ) -> Iterator[Block]:
        if isinstance(self.source, Rows):
            return self._ranges(self.source, take, dtype, order, known)
        if self.as_they_come:
            return self._batches(take, dtype)
        return self._filled(take, dtype, order, known)

    def _block_rows(self, row_bytes: int, batch_size: int) -> int:
        """Whole batches that fit into a block; at least one."""
        rows = max(1, self.stream.block_bytes // row_bytes // batch_size) * batch_size
        return rows if self.source.rows is None else min(rows, -(-self.source.rows // batch_size) * batch_size)

    def _ranges(
        self,
        source: Rows,
        take: Callable[[], Slot],
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
            slot = take()
            chunk = source.read(first, last)
            slot.release = partial(source.release, chunk)
            if known:
                source.touch(chunk)
            else:
                self.wanted.look(chunk)
            data = self.wanted.data(chunk, x_known=True, y_known=known or source.y_known)
            if not data.direct:
                slot.put(data, size, dtype)
                data = slot.data()
            yield Block(data, self.batch_size, slot)

    def _filled(
        self, take: Callable[[], Slot], dtype: np.dtype[Any], order: np.random.Generator | None, known: bool
    ) -> Iterator[Block]:
        """Blocks of as many whole batches as fit, whatever chunks they come in."""
        size = self._block_rows(self.source.width * dtype.itemsize, self.batch_size)
        left = None if self.steps is None else self.steps * self.batch_size
        slot: Slot | None = None
        for data in self._pieces(order, known):
            at = 0
            while at < len(data) and left != 0:
                slot = slot or take()
                count = min(size - slot.filled, len(data) - at, len(data) if left is None else left)
                slot.put(data.part(slice(at, at + count)), size, dtype)
                at += count
                left = None if left is None else left - count
                if slot.filled == size:
                    yield Block(slot.data(), self.batch_size, slot)
                    slot = None
            if left == 0:
                self._rest = data.part(slice(at, None)) if at < len(data) else None
                break
        if slot is not None:
            yield Block(slot.data(), self.batch_size, slot)

    def _pieces(self, order: np.random.Generator | None, known: bool) -> Iterator[Data]:
        """Checked chunks, beginning with what the last epoch left of one."""
        if self._rest is not None and isinstance(self.source, Batches):
            yield self._rest
        self._rest = None
        for chunk in self._chunks(order):
            yield self.wanted.data(chunk, x_known=known, y_known=known)

    def _batches(self, take: Callable[[], Slot], dtype: np.dtype[Any]) -> Iterator[Block]:
        """Blocks of batches that are of one size, but for a smaller one at a block's end."""
        slot: Slot | None = None
        rows = size = 0
        for chunk in islice(self._chunks(None), self.steps):
            data = self.wanted.data(chunk)
            if slot is not None and (slot.filled % rows or len(data) > rows or slot.filled + len(data) > size):
                yield Block(slot.data(), rows, slot)
                slot = None
            if len(data) > rows:
                rows = len(data)
                size = max(1, min(self.stream.block_bytes, CHUNK_BYTES) // (data.x.shape[1] * dtype.itemsize) // rows)
                size *= rows
            slot = slot or take()
            slot.put(data, size, dtype)
        if slot is not None:
            yield Block(slot.data(), rows, slot)

    def _chunks(self, order: np.random.Generator | None) -> Iterator[Chunk]:
        """Those of an epoch; of all epochs, where an epoch is a number of batches."""
        source = self.source
        assert not isinstance(source, Rows)
        if self.steps is None or isinstance(source, Files):
            return source.chunks(order)
        if self._endless is None:
            self._endless = _again(source)
        return self._endless

    # --- What a model asks for ---

    def evaluate(self, engine: Engine) -> Array:
        """The means over the rows of the loss and of each metric."""
        parts = self._each(engine, lambda data: (engine.evaluate(data) * len(data), len(data)))
        means: Array = np.sum([sums for sums, _ in parts], axis=0) / sum(rows for _, rows in parts)
        return means

    def predict(self, engine: Engine) -> Array:
        """The network's output for each row: (rows, units of the last layer)."""
        return np.concatenate(self._each(engine, engine.predict))

    def _each(self, engine: Engine, use: Callable[[Data], Any]) -> list[Any]:
        found = []
        with Reader(lambda take: self.blocks(take, 1, engine.dtype)) as reader:
            while isinstance(block := reader.get(), Block):
                found.append(use(block.data))
                reader.give(block.slot)
        return found


def evaluate(engine: Engine, rows: Data | Feed) -> Array:
    """The means over rows, in memory or not, of the loss and of each metric."""
    return rows.evaluate(engine) if isinstance(rows, Feed) else engine.evaluate(rows)


def _again(source: Batches) -> Iterator[Chunk]:
    """Chunks without an end, from something that has a beginning each time."""
    while True:
        count = source.count
        yield from source.chunks()
        if source.once or source.count == count:
            return


class StreamTraining:
    """A training run over a stream: a `Training` for each block.

    Attributes
    ----------
    step : int
        Steps that it has taken.
    epoch : int
        Epochs that have ended.
    steps_per_epoch : int or None
        None as long as it is not known.
    results : (epochs, 1 + metrics) array
        Sums over the rows of loss and metrics, an epoch a row.
    rows : (epochs,) array of int
        Rows that these are sums over.
    diverged : int
        Number of the first epoch that was not finite, from 1; 0 while all is well.
    finished : bool
    batch_size : int or None
        None: as they come.
    """

    def __init__(self, engine: Engine, feed: Feed, epochs: int, shuffle: bool, seed: int) -> None:
        self.engine, self.feed, self.shuffle, self.seed = engine, feed, shuffle and not feed.as_they_come, seed
        self.batch_size = None if feed.as_they_come else feed.batch_size
        self.step = self.epoch = self.diverged = 0
        self.steps_per_epoch = feed.steps_per_epoch
        self.finished = epochs == 0
        self.results = np.zeros((epochs, 1 + len(engine.metrics)))
        self.rows = np.zeros(epochs, np.int64)
        self.seconds_a_step = engine.guessed_seconds(feed.batch_size)
        self.good = 0  # the step to which a run that diverged goes back
        self._epoch_step = 0  # at which this epoch began
        self._block: Block | None = None
        self._run: Training | None = None
        self._reader: Reader | None = None

    def _begin(self) -> Reader:
        """Begin to read, with the epoch at hand."""
        first, epochs, dtype = self.epoch, len(self.rows), self.engine.dtype
        return Reader(lambda take: self.feed.blocks(take, epochs, dtype, self.shuffle, self.seed, first))

    def close(self) -> None:
        """End the reader."""
        if self._run is not None:
            self._run.close()
        if self._reader is not None:
            self._reader.close()

    def get_state(self) -> dict[str, Any]:
        """Where the run is, at the end of an epoch."""
        state = {name: getattr(self, name) for name in ("step", "epoch", "steps_per_epoch", "seed")}
        return {**state, "sums": None}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `get_state` was called, with the blocks that were to come then."""
        self.step, self.epoch, self.seed = state["step"], state["epoch"], state["seed"]
        self.steps_per_epoch = state["steps_per_epoch"]
        self._epoch_step = self.good = self.step
        self.finished = self.epoch >= len(self.rows)

    @property
    def resumable(self) -> bool:
        """Whether another run can go on from here, as at the end of an epoch."""
        return self._run is None and self.step == self._epoch_step

    @property
    def finite(self) -> bool:
        """Whether all is well with what training has made so far."""
        return not self.diverged and self.engine.finite

    def end_of(self, epochs: int) -> int:
        """``advance`` stops of itself where an epoch ends."""
        return sys.maxsize

    def means(self, epoch: int) -> Array:
        """Loss and metrics of an epoch, or of as much of it as there has been."""
        means: Array = self.results[epoch] / max(1, self.rows[epoch])
        return means

    def samples(self, epoch: int) -> int:
        """Rows of an epoch."""
        return int(self.rows[epoch])

    def place(self) -> tuple[int, int]:
        """The epoch of the last step, and how many of its steps there have been."""
        if self.epoch and self.step == self._epoch_step:
            return self.epoch - 1, self.steps_per_epoch or 0
        return self.epoch, self.step - self._epoch_step

    def keep_good(self) -> None:
        """Keep the weights as they are now as the last good ones; a new block does so itself."""
        if self._run is not None:
            self._run.keep_good()
            self.good = self.step

    def restore_good(self) -> None:
        """Back to the weights before the block at hand, if what is there is not finite."""
        if self._run is not None:
            self._run.restore_good()

    def advance(self, last: int) -> None:
        """Take the steps up to ``last``, or to the end of the epoch, or to where the run diverged."""
        if self._reader is None:
            self._reader = self._begin()
            self._reader.start()
        reader = self._reader
        while self.step < last and not self.diverged:
            if self._run is None:
                item = reader.get()
                if isinstance(item, End):
                    self._end(item)
                    return
                self._block = item
                self._run = Training(self.engine, item.data, item.batch_size, 1, self.shuffle, item.seed)
                self._before = self.step, self.rows[self.epoch], self.results[self.epoch].copy()
                self.good = self.step
                self._threads = self._run.threads
                self._makes_room = self.engine.threads is None and 1 < self._threads == processors()
            run = self._run
            stop = min(run.steps, run.step + last - self.step)
            run.threads = self._threads
            if self._makes_room and reader.busy:
                run.threads -= 1
                stop = min(stop, run.step + max(1, int(SHARED_SECONDS / self.seconds_a_step)))
            try:
                run.advance(stop)
            finally:  # Ctrl-C strikes when the kernel has returned: see what it did
                self._take_stock(run)

    def _take_stock(self, run: Training) -> None:
        assert self._block is not None
        assert self._reader is not None
        step, rows, results = self._before
        self.step = step + run.step
        self.rows[self.epoch] = rows + min(run.step * run.batch_size, len(run.data))
        self.results[self.epoch] = results + run.results[0]
        if run.diverged:
            self.diverged = self.epoch + 1
        elif run.step == run.steps:
            run.close()
            self._run = None
            self._reader.give(self._block.slot)

    def _end(self, end: End) -> None:
        if end.ran_out:
            self.finished = True
            warnings.warn(
                f"x ran out of batches after {self.epoch} of {len(self.rows)} epochs, and training ends; wants "
                "what begins anew each epoch, as a function that returns a generator does, or fewer epochs",
                stacklevel=8,
            )
            return
        self.epoch += 1
        self.steps_per_epoch = self.step - self._epoch_step
        self._epoch_step = self.step
        self.finished = self.epoch == len(self.rows)
