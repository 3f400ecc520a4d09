"""Rows of batches that come from Python: iterators, generators, and batches by number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from .chunks import Chunk


class PyDataset:
    """Base of data that is read a batch at a time, by number, as in Keras: derive from it, and define two methods.

    ``len(dataset)`` is the number of batches, and ``dataset[number]`` is one: x, (x, y) or (x, y, sample_weight).
    `Sequential.fit` takes the batches in another order each epoch, unless ``shuffle=False``.  A thread reads them ahead
    of training, so `on_epoch_end` of one epoch may be called while its last batches are trained on.

    Parameters
    ----------
    workers, use_multiprocessing, max_queue_size
        As Keras has them; they change nothing here: one thread reads ahead.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.utils import PyDataset
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 10
    ...
    ...     def __getitem__(self, number):
    ...         x = np.linspace(number, number + 1, 32)[:, None]
    ...         return x, x**2
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    @property
    def num_batches(self) -> int:
        """How many batches there are; Keras's name for the length."""
        return len(self)

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__; wants one: the number of batches")

    def __getitem__(self, number: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__; wants one: the batch of a number")

    def on_epoch_begin(self) -> None:
        """Called before the first batch of an epoch is read."""

    def on_epoch_end(self) -> None:
        """Called when the last batch of an epoch has been read."""


class BatchSource:
    """Batches of an iterator, of something that begins anew whenever it is iterated, or of what a function returns.

    Or batches by number, as a `PyDataset` has them, or a Keras one.
    """

    kind: ClassVar[str] = "Batches"  # in a stream's repr
    rows = None

    def __init__(self, given: Any) -> None:
        self.given = given
        self.once = hasattr(given, "__next__")
        self.shuffled = hasattr(type(given), "on_epoch_end") and hasattr(type(given), "__getitem__")
        self.count = 0  # of batches, for errors
        self.shaping: Callable[[Chunk], Chunk] | None = None  # what makes rows of numbers, where a model takes images
        self._begun: Iterator[Any] | None = None
        self._first: list[Any] = []
        if callable(given) and not hasattr(type(given), "__iter__") and not hasattr(type(given), "__getitem__"):
            self._begin: Callable[[], Iterable[Any]] = given
        elif self.shuffled or not hasattr(type(given), "__iter__"):
            self._begin = self._by_number
        else:
            self._begin = lambda: given

    def identity(self) -> Any:
        """All that is known before they come."""
        return type(self.given).__name__

    @property
    def width(self) -> int:
        """Columns of the first batch, which it takes for that."""
        if self.shuffled:
            return self._numbered_width
        if not self._first:
            iterator = self.begin()
            try:
                self._first = [next(iterator)]
            except StopIteration:
                raise self._empty() from None
            self._begun = iterator
        return self._width_of(self._first[0])

    @cached_property
    def _numbered_width(self) -> int:
        if not len(self.given):
            raise self._empty()
        return self._width_of(self.given[0])

    def _width_of(self, batch: Any) -> int:
        shape = np.shape(self._chunk(batch).x)
        return int(shape[1]) if len(shape) > 1 else 1

    def _empty(self) -> ValueError:
        return ValueError(f"{_called(self.given)} yielded no batch; wants (x, y) or (x, y, sample_weight)")

    def begin(self) -> Iterator[Any]:
        """A beginning; where there is but one, whatever has not been taken yet."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            return begun
        given = self._begin()
        if not hasattr(given, "__iter__"):
            raise TypeError(f"{_called(self.given)} returned a {type(given).__name__}; wants an iterator of batches")
        return iter(given)

    def _by_number(self, order: np.random.Generator | None = None) -> Iterator[Any]:
        """The batches of an epoch, in their order or in another one."""
        self._call("on_epoch_begin")
        for number in range(len(self.given)) if order is None else order.permutation(len(self.given)).tolist():
            yield self.given[number]
        self._call("on_epoch_end")

    def _call(self, hook: str) -> None:
        getattr(self.given, hook, lambda: None)()

    def chunks(self, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Batch after batch, in the order in which they come; or in another one, where they have numbers."""
        iterator = self._by_number(order) if self.shuffled else self.begin()
        while True:
            if self._first:
                batch = self._first.pop()
            else:
                try:
                    batch = next(iterator)
                except StopIteration:
                    return
            self.count += 1
            yield self._chunk(batch, f"batch {self.count}")

    def _chunk(self, batch: Any, origin: str = "") -> Chunk:
        chunk = Chunk(*_parts(batch, self.given), origin)
        return chunk if self.shaping is None else self.shaping(chunk)


def _called(given: Any) -> str:
    return f"x, a {getattr(given, '__name__', type(given).__name__)},"


def _parts(batch: Any, given: Any) -> tuple[Any, Any, Any]:
    if not isinstance(batch, tuple | list):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(f"{_called(given)} yielded {len(batch)} parts; wants (x, y) or (x, y, sample_weight)")
    x, y, weight = (*batch, None, None)[:3]
    return x, y, weight
