"""Attributes of texts in HDF5, read here and not by libhdf5, which a damaged heap of texts makes loop without an end.

The layout is that of the HDF5 file format specification: object headers of version 1, which h5py writes unless it is
asked for another, attribute messages, and global heaps, where texts of any length are.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import IO, NamedTuple

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ATTRIBUTE, CONTINUATION = 0x000C, 0x0010
STRING, VARIABLE = 3, 9  # classes of datatypes
MOST_BLOCKS = 1000  # of a header


class _Message(NamedTuple):
    """A part of an object's header."""

    kind: int
    shared: bool
    data: bytes


class Texts:
    """Attributes that are texts, of the objects of a file; at most twice as many bytes are copied as it has."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._size = file, file.seek(0, os.SEEK_END)
        self._left = 2 * self._size  # heaps, and texts of theirs
        self._heaps: dict[int, dict[int, bytes]] = {}
        start = self._read(0, 16)
        sizes = start[13:15] if start[8] < 2 else start[9:11]
        if start[:8] != SIGNATURE or sizes != b"\x08\x08":
            raise ValueError("it has no HDF5 signature, or addresses of another size than 8 bytes")

    def read(self, address: int) -> dict[str, list[str] | None]:
        """The attributes of the object whose header is at an address, by name; None for what is no text."""
        found: dict[str, list[str] | None] = {}
        for message in self._messages(address):
            if message.kind == ATTRIBUTE:
                if message.shared:
                    raise ValueError("an attribute is described elsewhere in the file")
                name, texts = self._attribute(message.data)
                found[name] = texts
        return found

    def _messages(self, address: int) -> Iterator[_Message]:
        version, _, count, _, size = _numbers(self._read(address, 12), 1, 1, 2, 4, 4)
        if version != 1:
            raise ValueError("a group has a header of another version than 1")
        blocks = [(address + 16, size)]
        for number, (start, length) in enumerate(blocks):
            if number == MOST_BLOCKS:
                raise ValueError("a group's header does not end")
            data, at = self._read(start, length), 0
            while at + 8 <= length and count:
                kind, size, flags = _numbers(data[at : at + 5], 2, 2, 1)
                body = data[at + 8 : at + 8 + size]
                if len(body) < size:
                    raise ValueError("a group's header is cut off")
                at, count = at + 8 + size, count - 1
                if kind == CONTINUATION:
                    blocks.append(_two(body))
                yield _Message(kind, bool(flags & 2), body)

    def _attribute(self, data: bytes) -> tuple[str, list[str] | None]:
        version, flags, *sizes = _numbers(data, 1, 1, 2, 2, 2)
        if version not in (1, 2, 3) or (version > 1 and flags):
            raise ValueError("an attribute is of a version that is not known")
        at, parts = 9 if version == 3 else 8, []
        for size in sizes:
            parts.append(data[at : at + size])
            at += -(-size // 8) * 8 if version == 1 else size
        name, kind, space = parts
        return name.rstrip(b"\0").decode(), self._texts(kind, _count(space), data[at:])

    def _texts(self, kind: bytes, count: int, data: bytes) -> list[str] | None:
        sort, bits, _, size = _numbers(kind, 1, 1, 2, 4)
        if sort & 15 not in (STRING, VARIABLE) or (sort & 15 == VARIABLE and (bits & 15 != 1 or size != 16)):
            return None
        if count * size > len(data):
            raise ValueError("an attribute holds fewer texts than it says")
        each = [data[at : at + size] for at in range(0, count * size, size)] if size else []
        if sort & 15 == STRING:
            return [text.split(b"\0", 1)[0].decode() for text in each]
        return [self._long(text).decode() for text in each]

    def _long(self, reference: bytes) -> bytes:
        """The text in a heap that a length, an address and a number refer to."""
        length, address, number = _numbers(reference, 4, 8, 4)
        if not length:
            return b""
        if address not in self._heaps:
            self._heaps[address] = self._heap(address)
        text = self._heaps[address].get(number, b"")[:length]
        self._left -= length
        if len(text) < length or self._left < 0:
            raise ValueError("an attribute refers to a text that is not there")
        return text

    def _heap(self, address: int) -> dict[int, bytes]:
        """The texts of a global heap, by their numbers."""
        start = self._read(address, 16)
        if start[:4] != b"GCOL":
            raise ValueError("an attribute refers to what is no heap")
        size = int.from_bytes(start[8:], "little")
        self._left -= size
        if self._left < 0:
            raise ValueError("its heaps are larger than the file")
        data, at, found = self._read(address, size), 16, {}
        while at + 16 <= size:
            number, _, _, length = _numbers(data[at : at + 16], 2, 2, 4, 8)
            if not number:
                break
            found[number] = data[at + 16 : at + 16 + length]
            at += 16 + -(-length // 8) * 8
        return found

    def _read(self, address: int, size: int) -> bytes:
        if address + size > self._size:
            raise ValueError("it is cut off, or refers to what is beyond its end")
        place = self._file.tell()
        self._file.seek(address)
        data = self._file.read(size)
        self._file.seek(place)
        return data


def _numbers(data: bytes, *sizes: int) -> list[int]:
    """Numbers without a sign that follow one another, of so many bytes each."""
    if len(data) < sum(sizes):
        raise ValueError("it is cut off")
    found, at = [], 0
    for size in sizes:
        found.append(int.from_bytes(data[at : at + size], "little"))
        at += size
    return found


def _two(data: bytes) -> tuple[int, int]:
    address, length = _numbers(data, 8, 8)
    return address, length


def _count(space: bytes) -> int:
    """How many elements a dataspace has."""
    version, rank = _numbers(space, 1, 1)
    sizes = space[8:] if version == 1 else space[4:]
    return math.prod(_numbers(sizes, *[8] * rank))
