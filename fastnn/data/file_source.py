"""Rows of tables on disk, Parquet and CSV, through pyarrow."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fastnn.extras import require
from fastnn.typing import Array
from .chunks import CHUNK_BYTES, Chunk


class FileSource:
    """Columns of Parquet or CSV files, through pyarrow.dataset.

    Pieces, which are read in any order, are the row groups of Parquet files, and whole files of CSV.
    """

    kind: ClassVar[str] = "Files"  # in a stream's repr

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
        counted_as_they_come = any(group is None for _, group, _ in self.pieces)
        rows = None if counted_as_they_come else self.rows
        return pieces, rows, self.columns, self.targets, self.weight, self.dtype, self.classes

    @property
    def width(self) -> int:
        return len(self.columns)

    def only(self, pieces: list[tuple[Any, int | None, int]]) -> FileSource:
        """Some of its pieces."""
        source = copy.copy(self)
        source.pieces, source.rows = pieces, None
        return source

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
            alone = {"batch_readahead": 0, "fragment_readahead": 0, "use_threads": False}
            yield from piece.scanner(self.dataset.schema, columns=list(names), batch_size=rows, **alone).to_batches()
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
    tests = types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_null
    return any(test(kind) for test in tests)


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


def open_files(
    path: Any,
    columns: Sequence[str] | None,
    target: str | Sequence[str] | None,
    weight: str | None,
    dtype: str | None,
    classes: Sequence[Any] | None,
    kind: str | None,
) -> FileSource:
    """The columns of files that `open` asks for, after a look at the schema."""
    ds = require("pyarrow.dataset", "arrow")
    dataset = path if isinstance(path, ds.Dataset) else _dataset(path, kind)
    schema = dataset.schema
    targets = [] if target is None else [target] if isinstance(target, str) else list(target)
    weights = [weight] if weight else []
    for argument, names in (("columns", columns or ()), ("target", targets), ("sample_weight", weights)):
        for name in names:
            if name not in schema.names:
                raise ValueError(f"{argument} got {name!r}; the columns are {', '.join(schema.names)}")
    if columns is None:
        columns = [name for name in schema.names if name not in targets and name != weight]
    if not columns:
        raise ValueError("columns got none; wants at least one input")
    for name in [*columns, *weights, *targets[1:]]:
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
    return FileSource(dataset, columns, targets, weight, dtype, classes)


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
