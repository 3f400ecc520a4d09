"""Rows for training, evaluating and predicting that need not be in memory.

A thread reads the next block of rows while the kernels train on the one before (prefetch).  It alone calls the source
(array_source, batch_source, file_source), which yields chunks.  It checks them (requirements, arrays) and makes blocks
of whole batches of them (blocks).  What the kernels cannot read where it lies it copies into one of two buffers, and
waits where none is free: so much memory, and no more, is taken.  Which rows make a block, and in which order they are
visited, follows from the source, the sizes and the seed; never from who was faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from fastnn.typing import Array
from . import arrays, checks
from .array_source import ArraySource
from .batch_source import BatchSource
from .chunks import Chunk
from .file_source import FileSource, open_files

Source = ArraySource | BatchSource | FileSource

BLOCK_BYTES = 2**24
WHOLE_BYTES = 2**26
"""Arrays on disk of up to this size are read whole."""


class Stream:
    """Rows that are read one block at a time; `open` and `stream` return it.

    `Sequential.fit`, `evaluate` and `predict` take it for x.  Iterating yields tuples of a block's arrays, (x,), (x, y)
    or (x, y, sample_weight), from the beginning each time where the source has one.

    Attributes
    ----------
    shape : (rows, inputs)
        Rows are None where that is not known before they have been read.
    columns : list of str or None
        The inputs' names, of a table.
    classes : list or None
        What class number i stands for, where the target's values are names.
    block_bytes : int
    """

    def __init__(self, source: Source, block_bytes: int = BLOCK_BYTES) -> None:
        self.source = source
        self.block_bytes = checks.positive_integer(block_bytes, "block_bytes")
        self.columns: list[str] | None = getattr(source, "columns", None)
        self.classes: list[Any] | None = getattr(source, "classes", None)

    @property
    def shape(self) -> tuple[int | None, int]:
        return self.source.rows, self.source.width

    def __len__(self) -> int:
        if self.source.rows is None:
            raise TypeError("the number of rows is not known before they have been read")
        return self.source.rows

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        if isinstance(self.source, ArraySource):
            size = max(1, self.block_bytes // (self.source.width * self.source.dtype.itemsize))
            chunks: Iterator[Chunk] = (
                self.source.read(at, min(at + size, len(self))) for at in range(0, len(self), size)
            )
        else:
            chunks = self.source.chunks()
        for chunk in chunks:
            yield tuple(np.asarray(part) for part in (chunk.x, chunk.y, chunk.weight) if part is not None)

    def __repr__(self) -> str:
        return f"<Stream of {self.source.rows or '?'} rows from {self.source.kind}>"


def open(
    path: Any,
    *,
    target: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    sample_weight: str | None = None,
    dtype: str | None = None,
    classes: Sequence[Any] | None = None,
    format: str | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Stream:
    """Rows of Parquet or CSV files, which need not fit into memory.  Takes ``pip install "fastnn-cpu[arrow]"``.

    Parameters
    ----------
    path : path, list of paths, or pyarrow.dataset.Dataset
        A folder stands for all Parquet or CSV files in it.
    target : str or list of str, optional
        The columns of y; for prediction none.  Where it holds text, y is the number of each value in ``classes``.
    columns : list of str, optional
        The inputs, in this order: numbers or booleans.  Otherwise all but target and sample_weight.
    sample_weight : str, optional
    dtype : {"float32", "float64"}, optional
        Of the inputs in memory; otherwise the model's.
    classes : list, optional
        The target's values, in the order of their numbers.  Otherwise those that a column of text holds, sorted, for
        which that column is read once.
    format : {"parquet", "csv"}, optional
        Otherwise what the files' names end in.
    block_bytes : int
        Two blocks of this size are held, and beside them what pyarrow needs for a page of each column: small row
        groups, of 10 to 50 MB, keep that small.

    Returns
    -------
    Stream

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError
    TypeError, ValueError
        A column that is not there, or is not of numbers; files of several kinds, or damaged ones.
    """
    if dtype is not None and np.dtype(dtype).name not in ("float32", "float64"):
        raise ValueError(f"dtype got {dtype!r}; wants 'float32' or 'float64'")
    return Stream(open_files(path, columns, target, sample_weight, dtype, classes, format), block_bytes)


def stream(x: Any, y: Any = None, sample_weight: Any = None, *, block_bytes: int = BLOCK_BYTES) -> Stream:
    """What fit makes of an np.memmap, of arrays that are read by rows, or of batches, with a block size to choose.

    Parameters
    ----------
    x : (rows, inputs) array of any kind, or batches
        An array, an np.memmap, or whatever has ``shape``, ``dtype``, ``len`` and ranges of rows ``x[first:last]``.
        Without y also batches (x, y) or (x, y, sample_weight): an iterator, something that can be iterated again and
        again, a function that returns such, or something with ``len`` and ``x[number]``.
    y, sample_weight : arrays of any kind, optional
    block_bytes : int

    Returns
    -------
    Stream

    Raises
    ------
    TypeError, ValueError
        Arrays that do not fit together.
    """
    found = _batches(x) if y is None else None
    if found is not None:
        if sample_weight is not None:
            raise ValueError("sample_weight got an array beside batches; wants it as their third part")
        return Stream(found, block_bytes)
    if len(getattr(x, "shape", ())) not in (1, 2) or not hasattr(x, "__getitem__"):
        raise TypeError(f"x got a {type(x).__name__}; wants an array with rows and columns, or batches")
    parts = {"y": y, "sample_weight": sample_weight}
    for name, part in parts.items():
        if part is None:
            continue
        if not arrays.read_by_rows(part):
            part = parts[name] = part if isinstance(part, np.memmap) else arrays.as_array(part, name)
        if len(part) != len(x):
            raise ValueError(f"{name} has {len(part)} rows, but x has {len(x)}; wants as many")
    if not len(x):
        raise ValueError(f"x is empty, of shape {x.shape}")
    return Stream(ArraySource(x, parts["y"], parts["sample_weight"]), block_bytes)


def _batches(x: Any) -> BatchSource | None:
    """x as batches; None where it is some kind of array."""
    kind = type(x)
    array_like = ("shape", "dtypes", "__array__", "__array_interface__", "__dataframe__", "to_numpy")
    if x is None or isinstance(x, Sequence | Mapping | Set | bytearray) or any(hasattr(x, name) for name in array_like):
        return None
    numbered = hasattr(kind, "__getitem__") and hasattr(kind, "__len__")
    if hasattr(kind, "__iter__") or numbered or (callable(x) and not isinstance(x, type)):
        return BatchSource(x)
    return None


def find(x: Any, y: Any, sample_weight: Any) -> Stream | None:
    """x as a stream; None where it is in memory, or is best read whole."""
    if type(x) is np.ndarray:
        return None
    batches = _batches(x) if y is None and not isinstance(x, Stream) else None
    found = x if isinstance(x, Stream) else None if batches is None else Stream(batches)
    if found is None:
        if isinstance(x, np.memmap) or arrays.read_by_rows(x):
            size = int(np.prod(x.shape)) * np.dtype(x.dtype).itemsize
            return stream(x, y, sample_weight) if size > WHOLE_BYTES else None
        return None
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(f"{name} got a {type(value).__name__} beside a stream; wants None, for x brings its own")
    return found
