"""A model's file: a ZIP archive, nothing in it compressed or pickled.

fastnn.json holds the version of the format, fastnn's version, the document that describes the model, and the
SHA-256 of every array and of the document; each array is a .npy file. A file appears under its name once it is
complete and on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import io
import json
import math
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.errors import ModelFileError
from fastnn.extras import require
from fastnn.locks import lock

__all__ = ["load", "load_tensors", "replacing", "save", "save_tensors"]

Array = NDArray[Any]

FORMAT = 2  # 1 had no checksum of the document
CONTENTS = "fastnn.json"


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], previous: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write, which gets its name once it is complete and on the disk; until then the one that had it stays.

    Parameters
    ----------
    path : str or path
    previous : path, optional
        Keep the file that had the name under this one, in the same folder.

    Raises
    ------
    OSError
        The file cannot be written: the error names it, and the reason.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"cannot be written, for there is no folder {path.parent}", str(path))
    try:
        with _aside(path) as (part, file, locked):
            yield file
            file.flush()
            os.fsync(file.fileno())
            if not locked:
                file.close()  # some systems rename no open file
            if previous is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.replace(path, previous)
            os.replace(part, path)
            _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot be written: {reason}", str(path)) from error


@contextlib.contextmanager
def _aside(path: Path) -> Iterator[tuple[Path, IO[bytes], bool]]:
    """A new file beside another, and whether it is locked while it is open.

    What processes that were killed have left is not, and is removed.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.part"):
        with contextlib.suppress(OSError), left.open("r+b") as file:
            if lock(file):
                left.unlink()
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                locked = lock(file)
                if locked is None or (locked and part.exists()):  # and was not taken for one that was left
                    yield part, file, bool(locked)
                    return
        finally:
            with contextlib.suppress(OSError):  # where the folder is gone, so is the file
                part.unlink(missing_ok=True)


def save(
    path: str | os.PathLike[str],
    document: Mapping[str, Any],
    arrays: Mapping[str, Array],
    previous: Path | None = None,
) -> None:
    """Write a model's file; one that stood there is replaced once all is written.

    Parameters
    ----------
    path : str or path
    document : mapping
        What JSON can hold.
    arrays : mapping of str to ndarray
        Of real numbers.
    previous : path, optional
        See `replacing`.

    Raises
    ------
    TypeError
        JSON cannot hold the document.
    OSError
        The file cannot be written.
    """
    text = _text(document)  # raises before anything is written
    with replacing(path, previous) as file, zipfile.ZipFile(file, "w") as archive:
        contents = {
            "format": FORMAT,
            "fastnn": version("fastnn"),
            "arrays": {name: _write_array(archive, _member(name), array) for name, array in arrays.items()},
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "document": document,
        }
        archive.writestr(zipfile.ZipInfo(CONTENTS), json.dumps(contents, indent=1, ensure_ascii=False))


def save_tensors(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write arrays in the safetensors format, with their checksums as metadata."""
    numpy_format = require("safetensors.numpy", "safetensors")
    ordered = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    sums = {f"sha256 {name}": _digest(array) for name, array in ordered.items()}
    content = numpy_format.save(ordered, {"fastnn": version("fastnn"), **sums})
    with replacing(path) as file:
        file.write(content)


def load_tensors(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of a file in the safetensors format; checksums are verified where fastnn wrote it.

    Raises
    ------
    FileNotFoundError, OSError
        There is no such file, or it cannot be read.
    ModelFileError
        It is no such file, or is damaged.
    """
    numpy_format = require("safetensors.numpy", "safetensors")
    content = Path(path).read_bytes()
    try:
        arrays: dict[str, Array] = numpy_format.load(content)  # refuses a header that is not of the file's size
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.get("__metadata__", {})
        ours = "fastnn" in metadata or any(key.startswith("sha256") for key in metadata)
        for name, array in arrays.items():
            if ours and _digest(array) != metadata.get(f"sha256 {name}"):
                raise ValueError(f"the checksum of {name} does not match (fastnn {metadata.get('fastnn')} wrote it)")
    except Exception as error:
        raise ModelFileError(f"{os.fspath(path)} is no safetensors file, or is damaged: {error}") from error
    return arrays


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The document and the arrays of a model's file; the arrays are read-only.

    The document is the one that was saved, and "fastnn" in it the version that wrote it.

    Raises
    ------
    FileNotFoundError, OSError
        There is no such file, or it cannot be read.
    ModelFileError
        It is no model's file, is damaged or cut off, or was written by a newer fastnn.
    """
    with open(path, "rb") as file:
        try:
            return _read(file)
        except _RefusedError as error:
            raise ModelFileError(f"{os.fspath(path)} {error}") from None
        except Exception as error:  # whatever zipfile, json and NumPy make of damaged bytes
            what = str(error) or type(error).__name__
            raise ModelFileError(f"{os.fspath(path)} is damaged or cut off: {what}") from error


class _RefusedError(Exception):
    """What is wrong with a file, but for its name."""


class _Hashing(io.RawIOBase):
    """Passes bytes on, and takes their SHA-256."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sum = file, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sum.update(data)
        return self.file.write(data)


def _text(document: Mapping[str, Any]) -> str:
    """The document as its checksum is taken of: the same for the same values."""
    return json.dumps(document, sort_keys=True)


def _sync_folder(folder: Path) -> None:
    """See to it that a new name is on the disk, too; some systems have no need or no way."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _digest(array: Array) -> str:
    """The SHA-256 of an array's dtype, shape and values."""
    kind = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(kind + array.tobytes()).hexdigest()


def _member(name: str) -> str:
    return f"{name}.npy"


def _write_array(archive: zipfile.ZipFile, member: str, array: Array) -> str:
    """Write a member, and return its SHA-256."""
    # All entries are dated 1980, the earliest that ZIP knows: the same model makes the same file.
    with archive.open(zipfile.ZipInfo(member), "w", force_zip64=array.nbytes >= 2**30) as file:
        hashing = _Hashing(file)
        np.lib.format.write_array(hashing, np.asarray(array), version=(1, 0), allow_pickle=False)
        return hashing.sum.hexdigest()


def _read(file: IO[bytes]) -> tuple[dict[str, Any], dict[str, Array]]:
    size = os.fstat(file.fileno()).st_size
    if not zipfile.is_zipfile(file):
        raise _RefusedError("is no model file of fastnn's, or is cut off")
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if CONTENTS not in members:
            raise _RefusedError(f"is no model file of fastnn's: it holds no {CONTENTS}")
        for info in members.values():  # nothing is larger in memory than in the file
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise _RefusedError(f"is no model file of fastnn's: {info.filename} is compressed")
        if sum(info.file_size for info in members.values()) > size:
            raise _RefusedError("is damaged: its members are larger than the file")
        contents = json.loads(archive.read(CONTENTS))
        writer = contents["fastnn"]
        if not (isinstance(contents["format"], int) and contents["format"] >= 1):
            raise _RefusedError("is damaged: its format has no number")
        if contents["format"] > FORMAT:
            raise _RefusedError(
                f"was written by fastnn {writer}; this is fastnn {version('fastnn')}, which cannot read it: "
                "upgrade fastnn"
            )
        document = contents["document"]
        if not isinstance(document, dict) or not isinstance(writer, str):
            raise _RefusedError("is damaged: it describes no model")
        if contents["format"] > 1 and hashlib.sha256(_text(document).encode()).hexdigest() != contents["sha256"]:
            raise _RefusedError(f"is damaged: the checksum of {CONTENTS} does not match (fastnn {writer} wrote it)")
        arrays = {}
        for name, checksum in contents["arrays"].items():
            data = archive.read(_member(name))
            if hashlib.sha256(data).hexdigest() != checksum:
                raise _RefusedError(
                    f"is damaged: the checksum of {_member(name)} does not match (fastnn {writer} wrote it)"
                )
            arrays[name] = _parse_array(data)
        return document | {"fastnn": writer}, arrays


def _parse_array(data: bytes) -> Array:
    """The array in a .npy file; nothing is allocated on the word of its header."""
    header = io.BytesIO(data)
    if np.lib.format.read_magic(header) != (1, 0):
        raise ValueError("an array is in another version of the .npy format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(header)
    if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != len(data) - header.tell():
        raise ValueError("an array does not have the size that its header says")
    array = np.frombuffer(data, dtype, offset=header.tell()).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
