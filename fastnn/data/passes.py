"""Rows in memory whose epochs are shorter than a pass over them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastnn.engine import Data, epoch_order
from .chunks import CHUNK_BYTES
from .prefetch import Block, Buffer, End


class Passes:
    """Rows in memory of which an epoch takes some batches: the next one goes on with those that follow.

    As in Keras, an epoch ends with the pass, if that has fewer batches left, and each pass has an order of its own.
    Without shuffling, or with it, a pass visits the rows as an epoch over all of them does.
    """

    as_they_come = True  # rows of a block are visited in the order that they have there

    def __init__(self, data: Data, batch_size: int, steps: int) -> None:
        self.data, self.batch_size, self.steps_per_epoch = data, batch_size, steps
        self.width = data.width

    def __len__(self) -> int:
        return len(self.data)

    @property
    def epochs_a_pass(self) -> int:
        return -(-len(self.data) // (self.batch_size * self.steps_per_epoch))

    def check_backup(self, every_n_steps: int | None = None) -> None:
        """Refuse backups within an epoch."""
        if every_n_steps is not None:
            raise ValueError(f"save_freq got {every_n_steps} beside steps_per_epoch; wants 'epoch'")

    def fingerprint(self) -> str:
        """A digest of what says which rows come in which order."""
        what = self.data.fingerprint(), self.batch_size, self.steps_per_epoch
        return hashlib.sha256(repr(what).encode()).hexdigest()

    def blocks(
        self,
        take: Callable[[], Buffer],
        epochs: int,
        dtype: np.dtype[Any],
        shuffle: bool = False,
        seed: int = 0,
        first: int = 0,
    ) -> Iterator[Block | End]:
        """The blocks of epoch after epoch, from ``first`` on, with the end of each."""
        count = self.steps_per_epoch * self.batch_size
        size = max(1, CHUNK_BYTES // (self.width * dtype.itemsize) // self.batch_size) * self.batch_size
        for epoch in range(first, epochs):
            number, part = divmod(epoch, self.epochs_a_pass)
            end = min((part + 1) * count, len(self.data))
            for start in range(part * count, end, size):
                last = min(start + size, end)
                rows = epoch_order(len(self.data), seed, number, start, last) if shuffle else slice(start, last)
                buffer = take()
                yield Block(self.data.block(rows, dtype), self.batch_size, buffer, seed)
            yield End(ran_out=False)
