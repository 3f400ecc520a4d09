"""Rows of batches that come from Python: iterators, generators, and batches by number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from .chunks import Chunk


class BatchSource:
    """Batches of an iterator, of something that begins anew whenever it is iterated, or of what a function returns.

    Or batches by number, as a keras.utils.PyDataset has them.
    """

    kind: ClassVar[str] = "Batches"  # in a stream's repr
    rows = None

    def __init__(self, given: Any) -> None:
        self.given = given
        self.once = hasattr(given, "__next__")
        self.count = 0  # of batches, for errors
        self._begun: Iterator[Any] | None = None
        self._first: list[Any] = []
        if callable(given) and not hasattr(type(given), "__iter__") and not hasattr(type(given), "__getitem__"):
            self._begin: Callable[[], Iterable[Any]] = given
        elif not hasattr(type(given), "__iter__"):
            self._begin = lambda: (given[number] for number in range(len(given)))
        else:
            self._begin = lambda: given

    def identity(self) -> Any:
        """All that is known before they come."""
        return type(self.given).__name__

    @property
    def width(self) -> int:
        """Columns of the first batch, which it takes for that."""
        if not self._first:
            iterator = self.begin()
            try:
                self._first = [next(iterator)]
            except StopIteration:
                raise ValueError(
                    f"{_called(self.given)} yielded no batch; wants (x, y) or (x, y, sample_weight)"
                ) from None
            self._begun = iterator
        shape = np.shape(_parts(self._first[0], self.given)[0])
        return int(shape[1]) if len(shape) > 1 else 1

    def begin(self) -> Iterator[Any]:
        """A beginning; where there is but one, whatever has not been taken yet."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            return begun
        given = self._begin()
        if not hasattr(given, "__iter__"):
            raise TypeError(f"{_called(self.given)} returned a {type(given).__name__}; wants an iterator of batches")
        return iter(given)

    def chunks(self, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Batch after batch, in the order in which they come."""
        iterator = self.begin()
        while True:
            if self._first:
                batch = self._first.pop()
            else:
                try:
                    batch = next(iterator)
                except StopIteration:
                    return
            x, y, weight = _parts(batch, self.given)
            self.count += 1
            yield Chunk(x, y, weight, f"batch {self.count}")


def _called(given: Any) -> str:
    return f"x, a {getattr(given, '__name__', type(given).__name__)},"


def _parts(batch: Any, given: Any) -> tuple[Any, Any, Any]:
    if not isinstance(batch, tuple | list):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(f"{_called(given)} yielded {len(batch)} parts; wants (x, y) or (x, y, sample_weight)")
    x, y, weight = (*batch, None, None)[:3]
    return x, y, weight
