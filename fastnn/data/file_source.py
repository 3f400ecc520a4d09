"""Where rows come from that are not in memory: arrays on disk, tables on disk, iterators of batches.

A source is read by one thread at a time, from a beginning to an end, in chunks; what it yields has not been checked.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn.extras import require

__all__ = ["Batches", "Chunk", "Files", "Rows", "chosen", "mapped"]

Array = npt.NDArray[Any]

CHUNK_BYTES = 2**22
"""How much of a file is decoded at a time: what stays in cache until it stands in a block."""
PAGE_BYTES = mmap.PAGESIZE


class Chunk(NamedTuple):
    """Some rows, as the source has them, and how an error is to name them."""

    x: Any
    y: Any = None
    weight: Any = None
    origin: str = ""
    first_row: int = 0

    def named(self, argument: str) -> str:
        return f"{self.origin}: {argument}" if self.origin else argument


def mapped(array: object) -> mmap.mmap | None:
    """The file in memory that an np.memmap, or a part of one, is a view of."""
    while isinstance(array, np.memmap) or (isinstance(array, np.ndarray) and array.base is not None):
        array = array.base
    return array if isinstance(array, mmap.mmap) else None


class Rows:
    """Arrays of any kind that give ranges of their rows: np.memmap, HDF5, Zarr.  Read in any order.

    What the kernels can read where it lies is not copied.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        weight: Any = None,
        first: int = 0,
        last: int | None = None,
        y_known: bool = False,
    ) -> None:
        self.x, self.y, self.weight = x, y, weight
        self.first, self.last = first, len(x) if last is None else last
        self.y_known = y_known  # to be right

    @property
    def rows(self) -> int:
        return self.last - self.first

    @property
    def width(self) -> int:
        return int(self.x.shape[1]) if len(self.x.shape) > 1 else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.x.dtype)
        return dtype

    def identity(self) -> Any:
        """What tells it from others: its shape, and its first and last rows."""
        ends = [self.read(at, at + 1) for at in (0, self.rows - 1)]
        rows = [None if part is None else np.asarray(part, np.float64).tolist() for end in ends for part in end[:3]]
        return self.first, self.last, self.width, rows

    def part(self, first: int, last: int) -> Rows:
        """Some of its rows."""
        return Rows(self.x, self.y, self.weight, self.first + first, self.first + last, self.y_known)

    def read(self, first: int, last: int) -> Chunk:
        first, last = self.first + first, self.first + last
        x, y, weight = (None if part is None else _some(part, first, last) for part in (self.x, self.y, self.weight))
        assert x is not None
        return Chunk(x[:, np.newaxis] if x.ndim == 1 else x, y, weight, first_row=first)

    def touch(self, chunk: Chunk) -> None:
        """Have the system read a chunk of a mapped file, so that the kernels need not wait for it."""
        if mapped(chunk.x) is not None:
            np.add.reduce(chunk.x[:, :: max(1, PAGE_BYTES // self.dtype.itemsize)], axis=None)

    def release(self, chunk: Chunk) -> None:
        """Let the system take back the memory of a chunk of a mapped file; the file keeps what was written."""
        for array in (chunk.x, chunk.y):
            file = mapped(array)
            if file is None or getattr(array, "mode", "c") == "c":  # a copy on write would lose what was written
                continue
            start = np.frombuffer(file, np.uint8).__array_interface__["data"][0]
            low, high = (bound - start for bound in np.lib.array_utils.byte_bounds(array))
            low -= low % PAGE_BYTES
            if hasattr(file, "madvise"):
                file.madvise(mmap.MADV_DONTNEED, low, min(high, len(file)) - low)


def _some(array: Any, first: int, last: int) -> Array:
    some = array[first:last]
    return some if isinstance(some, np.ndarray) else np.asarray(some)


class Batches:
    """Batches from Python: an iterator, something that begins anew whenever it is iterated, or a function that
    returns one of these; or batches by number, as a keras.utils.PyDataset has them."""

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


# --- Files ------------------------------------------------------------------------------------------------------------


class Files:
    """Columns of Parquet or CSV files, through pyarrow.dataset.

    Pieces, which are read in any order, are the row groups of Parquet files, and whole files of CSV.
    """

    def __init__(
        self,
        dataset: Any,
        columns: Sequence[str],
        targets: Sequence[str],
        weight: str | None,
        dtype: str | None,
        classes: Sequence[Any] | None,
    ) -> None:
        self.dataset, self.columns, self.targets, self.weight = dataset, list(columns), list(targets), weight
        self.dtype = dtype
        self.pieces: list[tuple[Any, int | None, int]] = []  # file, row group, number of its first row
        self.rows: int | None = 0
        for fragment in dataset.get_fragments():
            if not hasattr(fragment, "split_by_row_group"):
                self.pieces.append((fragment, None, 0))
                self.rows = None
                continue
            metadata, first = fragment.metadata, 0
            for group in range(metadata.num_row_groups):
                self.pieces.append((fragment, group, first))
                first += metadata.row_group(group).num_rows
            self.rows = None if self.rows is None else self.rows + first
        self.classes: list[Any] | None = None if classes is None else list(classes)
        if classes is None and self.targets and _is_text(dataset.schema.field(self.targets[0]).type):
            self.classes = self._find_classes(self.targets[0])

    def identity(self) -> Any:
        """What tells it from others: the names and sizes of its pieces, and the columns."""
        pieces = [(os.path.basename(file.path), group, first) for file, group, first in self.pieces]
        rows = (
            None if any(group is None for _, group, _ in self.pieces) else self.rows
        )  # which are counted as they come
        return pieces, rows, self.columns, self.targets, self.weight, self.dtype, self.classes

    @property
    def width(self) -> int:
        return len(self.columns)

    def chunks(self, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Some thousand rows after the others; ``order`` shuffles the pieces."""
        pieces = self.pieces
        if order is not None:
            pieces = [pieces[number] for number in order.permutation(len(pieces))]
        names = list(dict.fromkeys([*self.columns, *self.targets, *([self.weight] if self.weight else [])]))
        total = 0
        for file, group, row in pieces:
            for batch in self._scan(file, group, names):
                total += batch.num_rows
                if batch.num_rows:
                    yield self._chunk(batch, os.path.basename(file.path), row)
                row += batch.num_rows
        self.rows = total

    def _scan(self, file: Any, group: int | None, names: Sequence[str]) -> Iterator[Any]:
        """Record batches of a piece, without any thread of pyarrow's own and without its reading ahead."""
        rows = max(256, CHUNK_BYTES // (4 * len(names)) // 256 * 256)
        try:
            if group is not None and set(names) <= set(file.physical_schema.names):
                parquet = require("pyarrow.parquet", "arrow")  # holds half of what the dataset's scanner does
                with file.open() as opened:
                    reader = parquet.ParquetFile(opened, metadata=file.metadata, buffer_size=2**13, pre_buffer=False)
                    yield from reader.iter_batches(rows, row_groups=[group], columns=list(names), use_threads=False)
                return
            piece = file if group is None else file.subset(row_group_ids=[group])
            scanner = piece.scanner(
                schema=self.dataset.schema,
                columns=list(names),
                batch_size=rows,
                batch_readahead=0,
                fragment_readahead=0,
                use_threads=False,
            )
            yield from scanner.to_batches()
        except (require("pyarrow", "arrow").ArrowException, OSError) as error:
            raise ValueError(f"{file.path} cannot be read: {error}") from error

    def _chunk(self, batch: Any, name: str, row: int) -> Chunk:
        def numbers(column: str) -> Array:
            return _numbers(batch.column(column), column, name, row)

        x = np.stack([numbers(column) for column in self.columns]).T
        y: Array | None = None
        if self.targets:
            y = np.stack([self._target(batch, column, name, row) for column in self.targets]).T
        return Chunk(x, y, numbers(self.weight) if self.weight else None, name, row)

    def _target(self, batch: Any, column: str, name: str, row: int) -> Array:
        if self.classes is None:
            return _numbers(batch.column(column), column, name, row)
        pa, compute = require("pyarrow", "arrow"), require("pyarrow.compute", "arrow")
        values = _plain(batch.column(column))
        _refuse_nulls(values, column, name, row)
        index = compute.index_in(values, value_set=pa.array(self.classes, type=values.type))
        if index.null_count:
            at = int(np.argmax(index.is_null().to_numpy(zero_copy_only=False)))
            raise ValueError(
                f"{name}: column {column!r} has {values[at].as_py()!r} in row {row + at}, which is none of the classes"
            )
        return np.asarray(index.to_numpy(zero_copy_only=False), np.int64)

    def _find_classes(self, column: str) -> list[Any]:
        """The different values of a column, sorted; it alone is read."""
        found: set[Any] = set()
        for file, group, _ in self.pieces:
            for batch in self._scan(file, group, [column]):
                found |= set(_plain(batch.column(0)).unique().to_pylist())
        return sorted(found - {None})


def _is_text(kind: Any) -> bool:
    types = require("pyarrow", "arrow").types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_number(kind: Any) -> bool:
    types = require("pyarrow", "arrow").types
    return bool(
        types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_null(kind)
    )


def _plain(column: Any) -> Any:
    """A column without a dictionary."""
    return column.dictionary_decode() if hasattr(column, "dictionary_decode") else column


def _refuse_nulls(column: Any, name: str, file: str, row: int) -> None:
    if column.null_count:
        at = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise ValueError(f"{file}: column {name!r} has no value in row {row + at}; wants a value everywhere")


def _numbers(column: Any, name: str, file: str, row: int) -> Array:
    _refuse_nulls(column, name, file, row)
    values: Array = column.to_numpy(zero_copy_only=False)
    if values.dtype.kind in "bO":  # booleans, decimals
        values = values.astype(np.uint8 if values.dtype.kind == "b" else np.float64)
    return values


def chosen(
    path: Any,
    columns: Sequence[str] | None,
    target: str | Sequence[str] | None,
    weight: str | None,
    dtype: str | None,
    classes: Sequence[Any] | None,
    kind: str | None,
) -> Files:
    """The columns of files that `open` asks for, after a look at the schema."""
    ds = require("pyarrow.dataset", "arrow")
    dataset = path if isinstance(path, ds.Dataset) else _dataset(path, kind)
    schema = dataset.schema
    targets = [] if target is None else [target] if isinstance(target, str) else list(target)
    for argument, names in (
        ("columns", columns or ()),
        ("target", targets),
        ("sample_weight", [weight] if weight else ()),
    ):
        for name in names:
            if name not in schema.names:
                raise ValueError(f"{argument} got {name!r}; the columns are {', '.join(schema.names)}")
    if columns is None:
        columns = [name for name in schema.names if name not in targets and name != weight]
    if not columns:
        raise ValueError("columns got none; wants at least one input")
    for name in [*columns, *([weight] if weight else []), *(targets[1:] if len(targets) > 1 else [])]:
        field = schema.field(name)
        if not _is_number(field.type):
            raise TypeError(
                f"column {name!r} holds {field.type}; wants numbers: leave it out with columns=..., or encode it before"
            )
    if targets and not (_is_number(schema.field(targets[0]).type) or _is_text(schema.field(targets[0]).type)):
        raise TypeError(
            f"target {targets[0]!r} holds {schema.field(targets[0]).type}; wants numbers, or names of classes"
        )
    if len(targets) > 1 and _is_text(schema.field(targets[0]).type):
        raise TypeError(f"target {targets[0]!r} holds names of classes; wants to be the only target then")
    return Files(dataset, columns, targets, weight, dtype, classes)


SUFFIXES = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv"}


def _dataset(path: Any, kind: str | None) -> Any:
    ds, csv, pa = (require(module, "arrow") for module in ("pyarrow.dataset", "pyarrow.csv", "pyarrow"))
    given = [path] if isinstance(path, str | os.PathLike) else list(path)
    files: list[Path] = []
    for each in map(Path, given):
        if each.is_dir():
            files += sorted(file for file in each.rglob("*") if _kind(file) and file.name[0] not in "._")
        elif each.exists():
            files.append(each)
        else:
            raise FileNotFoundError(f"path got {os.fspath(each)!r}, which is not there")
    if not files:
        raise FileNotFoundError(f"path got {path!r}, where no {' or '.join(SUFFIXES)} file is")
    kinds = {kind or _kind(file) for file in files}
    if len(kinds) > 1 or not kinds <= {"parquet", "csv"}:
        raise ValueError(f"path got {path!r}; wants files of one kind, whose names end in {', '.join(SUFFIXES)}")
    names = [os.fspath(file) for file in files]
    try:
        if kinds == {"parquet"}:
            return ds.dataset(names, format="parquet")
        schema = ds.dataset(names, format="csv").schema
        # What looks whole in the beginning may have fractions later.
        types = {field.name: pa.float64() for field in schema if _is_number(field.type) and field.type != pa.bool_()}
        format = ds.CsvFileFormat(convert_options=csv.ConvertOptions(column_types=types))
        return ds.dataset(names, format=format)
    except pa.ArrowException as error:
        raise ValueError(f"path got {path!r}, which cannot be read: {error}") from error


def _kind(file: Path) -> str | None:
    name = file.name.lower()
    return next((kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)), None)
