"""The thread that reads a block of rows while the kernels train on the one before."""

from __future__ import annotations

import os
import threading
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Self

import numpy as np

from fastnn.engine import Data
from fastnn.typing import Array

BLOCKS = 2
"""How many blocks there are at a time: one is trained on, one is read."""
CLOSING_SECONDS = 5.0
"""How long the end of a run waits for a source that does not answer."""


class Buffer:
    """Room for the rows of a block; its memory is used again and again."""

    def __init__(self) -> None:
        self.x = self.y = self.weight = np.empty(0)
        self.filled = 0
        self.weighted = self.labels = self.target = False
        self.release: Callable[[], None] | None = None

    def empty(self) -> None:
        self.filled, self.weighted = 0, False
        if self.release is not None:
            self.release()
        self.release = None

    def put(self, data: Data, capacity: int, dtype: np.dtype[Any]) -> None:
        """Append rows; for ``capacity`` in all there is room, or is made."""
        first, last = self.filled, self.filled + len(data)
        self.x = self._room(self.x, data.x, capacity, dtype)
        self.x[first:last] = data.x
        if data.y is not None:
            self.y = self._room(self.y, data.y, capacity, np.dtype(np.int64) if data.labels else dtype)
            self.y[first:last] = data.y
        if data.weight is not None and not self.weighted:
            self.weight = self._room(self.weight, data.weight, capacity, np.dtype(np.float64))
            self.weight[:first], self.weighted = 1, True
        if self.weighted:
            self.weight[first:last] = 1 if data.weight is None else data.weight
        self.filled, self.labels, self.target = last, data.labels, data.y is not None

    @staticmethod
    def _room(held: Array, wanted: Array, rows: int, dtype: np.dtype[Any]) -> Array:
        if len(held) >= rows and held.shape[1:] == wanted.shape[1:] and held.dtype == dtype:
            return held
        return np.empty((rows, *wanted.shape[1:]), dtype)  # the system gives memory as it is filled

    def data(self) -> Data:
        """The rows that it holds."""
        x, y, weight = (part[: self.filled] for part in (self.x, self.y, self.weight))
        return Data(x, y if self.target else None, self.labels, weight if self.weighted else None)


@dataclass
class Block:
    """Rows to train on, in steps of ``batch_size``."""

    data: Data
    batch_size: int
    buffer: Buffer
    seed: int = 0


@dataclass
class End:
    """Of an epoch."""

    ran_out: bool
    """No more rows will ever come."""


class _Closed(Exception):
    """Nobody wants to have more blocks."""


class Reader:
    """A thread that is a block ahead; a context manager, which ends it.

    ``produce`` takes a function that waits for a free buffer, and returns an iterator of blocks.  Whoever reads looks
    at a block, and says when it has noted it: so none is lost where Ctrl-C comes between.
    """

    def __init__(self, produce: Callable[[Callable[[], Buffer]], Iterator[Block | End]]) -> None:
        self._free: SimpleQueue[Buffer | None] = SimpleQueue()
        self._ready: deque[Block | End | BaseException] = deque()
        self._news: SimpleQueue[None] = SimpleQueue()  # at least one for each of these
        self._closed = False
        self.busy = True  # and not waiting for a buffer
        self._process = os.getpid()
        self._buffers = [Buffer() for _ in range(BLOCKS)]
        for buffer in self._buffers:
            self._free.put(buffer)
        self._produce = produce
        self._thread: int | None = None
        self._over = False
        self._end = threading.Lock()  # taken until the thread has ended
        self._end.acquire()

    def start(self) -> None:
        """Begin.  Not before somebody holds it who will close it: Ctrl-C may come at once."""
        self._thread = start_new_thread(self._run, ())

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.close()
        finally:  # Ctrl-C may have cut that short
            self.close()

    def _run(self) -> None:
        try:
            for block in self._produce(self._take):
                self._put(block)
        except _Closed:
            pass
        except BaseException as error:  # the caller raises it
            self._put(error)
        finally:
            del self._produce  # and what it holds
            self.busy, self._over = False, True
            self._end.release()

    def _put(self, item: Block | End | BaseException) -> None:
        self._ready.append(item)
        self._news.put(None)

    def _take(self) -> Buffer:
        self.busy = False
        buffer = self._free.get()
        self.busy = True
        if buffer is None or self._closed:
            raise _Closed
        buffer.empty()
        return buffer

    def get(self) -> Block | End:
        """The next block, or the end of an epoch: the same one until `took`; raises what the source has raised."""
        if os.getpid() != self._process:
            raise RuntimeError("the process was forked while it read a stream: the child has no reader; call fit there")
        while not self._ready:
            self._news.get()
        item = self._ready[0]
        if isinstance(item, BaseException):
            raise item
        return item

    def took(self) -> None:
        """Say that what `get` has returned is noted."""
        self._ready.popleft()

    def give(self, buffer: Buffer) -> None:
        """Give back the room of a block that is done with."""
        self._free.put(buffer)

    def close(self) -> None:
        """End the thread.  One that waits for its source, for ever maybe, ends when that answers."""
        self._closed = True
        self._free.put(None)
        if os.getpid() == self._process and self._thread is not None:
            if not self._over:
                self._end.acquire(timeout=CLOSING_SECONDS)
            if self._over:
                for buffer in self._buffers:
                    buffer.empty()
