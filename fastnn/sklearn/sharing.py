"""Members of an ensemble, trained by MPI's ranks: each rank has some, and at the ends of cycles all know of all."""

from __future__ import annotations

import math
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from fastnn.distribution import DataParallel
from fastnn.distribution.interrupts import Interrupts
from fastnn.distribution.ranks import Ranks
from fastnn.engine import describe
from fastnn.typing import Array
from .columns import TableEncoder
from .reading import Column

T = TypeVar("T")

PATIENCE = 10.0
"""How many times as long as the last cycle on the slowest rank the next one, of twice as many epochs, may take."""


class Sharing:
    """A fit of an estimator by the ranks of a plan, or, without one, by this process: a context manager.

    Ranks other than the first neither print nor warn: the first warns of what happens in their training.  A signal is
    noted, and ends training on all ranks with the cycle.

    Raises
    ------
    TypeError, ValueError
        The plan is none, or has rows of its own on each rank, or steps, which members do not share.
    """

    def __init__(self, plan: DataParallel | None) -> None:
        if plan is not None and not isinstance(plan, DataParallel):
            raise TypeError(f"distribution got {plan!r}; wants a fastnn.distribution.DataParallel, or None")
        if plan is not None and (plan.shard or plan.sync_every > 1):
            raise ValueError(
                f"distribution got {plan!r}, but ranks share networks, each of which sees all rows and takes its own "
                "steps; wants shard=False and sync_every=1"
            )
        self.plan = plan
        self.ranks: Ranks | None = None if plan is None else plan.ranks
        self._interrupts = Interrupts()
        self._stack = ExitStack()
        self._longest = math.inf  # seconds of the last cycle on the slowest rank
        self._caught: list[warnings.WarningMessage] = []

    def __enter__(self) -> Self:
        if self.ranks is not None:
            assert self.plan is not None
            self._stack.callback(setattr, self.ranks, "timeout", self.ranks.timeout)
            self._stack.enter_context(self._interrupts)
            if not self.ranks.first:
                self._caught = self._stack.enter_context(warnings.catch_warnings(record=True))
                warnings.simplefilter("always")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self._stack.close()
        if self.ranks is not None and kind is not None and not issubclass(kind, Exception):
            self.ranks.leave(f"{kind.__name__}: {error}")  # the others would wait for this one

    # --- Before training ---

    def together(self, function: Callable[[], T]) -> T:
        """Call a function; where it raises on one rank, all raise."""
        return function() if self.ranks is None else self.ranks.together(function)

    def encoded(self, encoder: TableEncoder, table: list[Column], weight: Array | None) -> tuple[TableEncoder, Array]:
        """The encoder, fitted, and the table, encoded.  The first rank fits: components of texts may differ by bits."""
        ranks = self.ranks
        if ranks is None:
            return encoder, encoder.fit_transform(table, weight)
        x = ranks.together(lambda: encoder.fit_transform(table, weight) if ranks.first else None)
        encoder = ranks.from_first(encoder)
        return encoder, ranks.together(lambda: encoder.transform(table) if x is None else x)

    def from_first(self, value: T) -> T:
        """What the first rank says."""
        return value if self.ranks is None else self.ranks.from_first(value)

    def agree(self, parameters: Mapping[str, Any], arrays: Iterable[Array | None]) -> None:
        """Raise RankError, on all ranks, where they differ in parameters, in what they compute with, or in values."""
        if self.ranks is None:
            return
        facts = describe()
        numpy = "numpy" in (parameters["backend"], facts["backend, float32"].partition(":")[0])
        alike: dict[str, Any] = {
            "fastnn's version": facts["fastnn"],
            "the instruction set": facts["instruction set"].split()[0],
            "the backend's arithmetic": "numpy" if numpy else "compiled",
            **{name: repr(value) for name, value in parameters.items()},
        }
        for name, array in zip(("X", "y", "sample_weight", "X_val", "y_val"), arrays, strict=True):
            alike[f"the shape of {name}"] = None if array is None else array.shape
            alike[f"the values of {name} (by a digest)"] = None if array is None else _digest(array)
        self.ranks.agree(alike, "fit")

    # --- Training ---

    def threads(self, limit: int | None) -> int | None:
        """How many threads this process may have; ``limit`` is what the user, or joblib, says."""
        return limit if limit is not None or self.ranks is None else self.ranks.processors

    def is_own(self, number: int) -> bool:
        """Whether a member is this process's to train."""
        return self.ranks is None or number % self.ranks.count == self.ranks.number

    @property
    def interrupted(self) -> bool:
        """Whether a signal has come to this rank."""
        return self._interrupts.came

    def cycle(self, train: Callable[[], None]) -> None:
        """Train this rank's members to the end of a cycle, where ranks wait for each other.

        They wait for the first end as long as it takes, for later ones not much longer than the last cycle took.
        """
        ranks = self.ranks
        if ranks is None:
            train()
            return
        assert self.plan is not None
        ranks.timeout, begun = self.plan.timeout + PATIENCE * self._longest, time.monotonic()

        def timed() -> float:
            train()
            return time.monotonic() - begun

        self._longest = max(ranks.gather(ranks.together(timed)))

    def stopped(self, stopped: bool) -> bool:
        """Whether training has been stopped, or a signal has come, on any rank."""
        if self.ranks is not None:
            stopped = self._interrupts.told = self.ranks.any(stopped or self.interrupted)
        return stopped

    def everyones(self, own: dict[int, T]) -> dict[int, T]:
        """What each rank says of its members, by their numbers."""
        if self.ranks is None:
            return own
        return {number: value for told in self.ranks.gather(own) for number, value in told.items()}

    def tell_warnings(self) -> None:
        """Have the first rank warn of what the others would have warned of."""
        if self.ranks is None:
            return
        told = self.ranks.gather([(str(one.message), one.category) for one in self._caught])
        if self.ranks.first:
            for text, category in dict.fromkeys(one for of_rank in told for one in of_rank):
                warnings.warn(text, category, stacklevel=4)

    def forget_warnings(self) -> None:
        """Forget what the first rank has warned of as well."""
        self._caught.clear()


def _digest(array: Array) -> int:
    if array.dtype.hasobject:
        array = np.asarray(array, str)
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)
