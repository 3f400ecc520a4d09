"""HDF5 files through h5py: groups and plain arrays, in and out, and nothing that reaches beyond the file.

Soft and external links, external storage, virtual, chunked and compressed datasets are refused: Keras writes none, and
with them a small file can claim any amount of memory, or what lies in other files.
"""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import io
import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from fastnn.extras import require
from fastnn.typing import Array
from .attributes import Texts

CHECKSUM = "fastnn_sha256"
"""The attribute of the root that holds the SHA-256 of the arrays, in files of fastnn's."""


class Store:
    """What may be read of an open file: no more bytes of arrays than the file has."""

    def __init__(self, h5py: Any, file: Any, raw: IO[bytes], size: int) -> None:
        self._h5py, self.root, self._left, self._texts = h5py, file, size, Texts(raw)
        self._taken: list[tuple[int, int]] = []  # from where to where arrays are

    def has(self, group: Any, name: str) -> bool:
        """Whether there is something of that name in a group."""
        return bool(group.id.links.exists(name.encode()))

    def group(self, group: Any, path: str) -> Any:
        """A group below another, by its path."""
        for name in path.split("/"):
            group = self._member(group, name, self._h5py.Group)
        return group

    def array(self, group: Any, path: str) -> Array:
        """A plain array below a group, by its path."""
        *above, name = path.split("/")
        found = self._member(self.group(group, "/".join(above)) if above else group, name, self._h5py.Dataset)
        kind, how = found.dtype, found.id.get_create_plist()
        if kind.kind not in "iuf" or kind.itemsize > 8:
            raise ValueError(f"{found.name} holds {kind}; wants numbers")
        plain = (self._h5py.h5d.COMPACT, self._h5py.h5d.CONTIGUOUS)
        if how.get_layout() not in plain or how.get_nfilters() or how.get_external_count():
            raise ValueError(f"{found.name} is chunked, compressed, virtual or elsewhere; wants a plain array")
        if not found.id.get_type().equal(self._h5py.h5t.py_create(kind.newbyteorder("<"))):
            raise ValueError(f"{found.name} holds numbers of a layout of its own")
        size = math.prod(found.shape) * kind.itemsize
        self._left -= size
        self._take(found, size)
        if self._left < 0 or found.id.get_storage_size() < size:
            raise ValueError(f"{found.name} says that it is larger than the file")
        values: Array = np.empty(found.shape, kind.newbyteorder("="))
        if size:
            found.read_direct(values)
        return values

    def _take(self, found: Any, size: int) -> None:
        """Note where an array is; no other may be there."""
        start = found.id.get_offset()  # None of a small one in its header
        if start is not None and size:
            place = bisect.bisect(self._taken, (start, start))
            before, after = self._taken[max(place - 1, 0) : place], self._taken[place : place + 1]
            if any(end > start for _, end in before) or any(first < start + size for first, _ in after):
                raise ValueError(f"{found.name} is where another array is")
            self._taken.insert(place, (start, start + size))

    def _member(self, group: Any, name: str, kind: type) -> Any:
        """What a group holds itself by that name: a group, or a dataset."""
        if not name or not self.has(group, name):
            raise ValueError(f"{group.name} lacks {name!r}")
        if group.id.links.get_info(name.encode()).type != self._h5py.h5l.TYPE_HARD:
            raise ValueError(
                f"{group.name} has a link by the name of {name!r}, which leads elsewhere; wants a {kind.__name__}"
            )
        found = group[name]
        if not isinstance(found, kind):
            raise ValueError(f"{found.name} is a {type(found).__name__}; wants a {kind.__name__}")
        return found

    def texts(self, group: Any) -> dict[str, list[str] | None]:
        """A group's attributes, by name; None for what is no text."""
        return self._texts.read(self._h5py.h5o.get_info(group.id).addr)

    def names(self, group: Any, name: str) -> list[str]:
        """An attribute that lists names; where it was too long for one, it is in name0, name1, ..."""
        known, found = self.texts(group), []
        numbers = itertools.takewhile(known.__contains__, (f"{name}{number}" for number in itertools.count()))
        for each in [name] if name in known else list(numbers):
            listed = known[each]
            found += listed or []
        return found

    def checksum(self) -> str | None:
        """The checksum that fastnn wrote; None in files of others."""
        found = self.texts(self.root)
        return "".join(found[CHECKSUM] or []) if CHECKSUM in found else None


@contextlib.contextmanager
def opened(file: IO[bytes]) -> Iterator[Store]:
    """An HDF5 file to read, given as it lies on the disk or in memory."""
    h5py = require("h5py", "keras")
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with h5py.File(file, "r") as found:
        yield Store(h5py, found, file, size)


def content(groups: Mapping[str, tuple[str, Sequence[Array]]], checksum: str = "") -> bytes:
    """An HDF5 file as Keras 3 lays it out, of groups by their paths, each with its object's name and variables."""
    h5py = require("h5py", "keras")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("vars")
        for path, (name, arrays) in groups.items():
            variables = file.create_group(f"{path}/vars")
            variables.attrs["name"] = name
            for number, array in enumerate(arrays):
                variables[str(number)] = array
        if checksum:
            file.attrs[CHECKSUM] = np.bytes_(checksum)
    return buffer.getvalue()


def digest(arrays: Iterable[Array]) -> str:
    """The SHA-256 of arrays, of their dtypes and shapes too."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return found.hexdigest()
