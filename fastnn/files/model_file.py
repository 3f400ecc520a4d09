"""A model's file: a ZIP archive, nothing in it compressed or pickled.

fastnn.json holds the version of the format, fastnn's version, the document that describes the model, and the
SHA-256 of every array and of the document; each array is a .npy file. A file appears under its name once it is
complete and on the disk.  Checksums are verified where a file is read, in `_verify_checksum`.
"""

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastnn.errors import ModelFileError
from fastnn.typing import Array
from fastnn.undisturbed import undisturbed
from fastnn.version import VERSION
from .atomic import replacing
from .schema import ANY, Each, check, too_large

FORMAT = 2  # 1 had no checksum of the document
CONTENTS = "fastnn.json"


def save(
    path: str | os.PathLike[str], document: Mapping[str, Any], arrays: Mapping[str, Array], previous: Path | None = None
) -> None:
    """Write a model's file, of a document that JSON can hold and arrays of real numbers; see `atomic.replacing`.

    Ctrl-C is raised when that is done.  TypeError: JSON cannot hold the document.  OSError: the file cannot be written.
    """
    text = _text(document)  # raises before anything is written
    if problem := too_large(json.dumps(document, indent=1, ensure_ascii=False).encode(), len(arrays)):
        raise ValueError(f"the model's description, with its metadata, cannot be saved: it {problem}")

    def write() -> None:
        with replacing(path, previous) as file, zipfile.ZipFile(file, "w") as archive:
            contents = {
                "format": FORMAT,
                "fastnn": VERSION,
                "arrays": {name: _write_array(archive, _member(name), array) for name, array in arrays.items()},
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
                "document": document,
            }
            archive.writestr(zipfile.ZipInfo(CONTENTS), json.dumps(contents, indent=1, ensure_ascii=False))

    undisturbed(write)


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The document and the arrays of a model's file; the arrays are read-only.

    The document is the one that was saved, and "fastnn" in it the version that wrote it.  OSError: there is no such
    file, or it cannot be read.  ModelFileError: it is no model's file, damaged, cut off, or of a newer fastnn.
    """
    with open(path, "rb") as file:
        try:
            return _read(file)
        except _RefusedError as error:
            raise ModelFileError(f"{os.fspath(path)} {error}") from None
        except Exception as error:  # whatever zipfile, json and NumPy make of damaged bytes
            what = str(error) or type(error).__name__
            raise ModelFileError(f"{os.fspath(path)} is damaged or cut off: {what}") from error


_HDF5 = (
    "is a file of Keras's older format; wants one that Keras 3 saved as model.keras, or a model of the same layers, "
    "whose load_weights reads this one"
)
_KERAS = "is a file of Keras's; wants a name that ends in .keras"
_OTHERS = "other formats are known by their endings, .onnx and .keras"


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a model file of fastnn's, sound or not, whatever it is called; OSError: it cannot be read."""
    with open(path, "rb") as file:
        try:
            return CONTENTS in zipfile.ZipFile(file).namelist()
        except Exception:  # whatever zipfile makes of damaged bytes
            return False


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
    if file.read(8) == b"\x89HDF\r\n\x1a\n":
        raise _RefusedError(_HDF5)
    if not zipfile.is_zipfile(file):
        raise _RefusedError(f"is no model file of fastnn's, or is cut off; {_OTHERS}")
    with zipfile.ZipFile(file) as archive:
        _check_members(archive, size)
        text = archive.read(CONTENTS)
        if problem := too_large(text):
            raise _RefusedError(f"is no model file of fastnn's: {CONTENTS} {problem}")
        contents = json.loads(text)
        check(contents, {"format": ANY, "fastnn": str, "arrays": Each(dict, str), "document": dict}, CONTENTS)
        document, writer = _document(contents)
        if contents["format"] > 1:
            check(contents, {"sha256": str}, CONTENTS)
            _verify_checksum(_text(document).encode(), contents["sha256"], CONTENTS, writer)
        arrays = {}
        for name, checksum in contents["arrays"].items():
            data = archive.read(_member(name))
            _verify_checksum(data, checksum, _member(name), writer)
            arrays[name] = _parse_array(data)
        return document | {"fastnn": writer}, arrays


def _verify_checksum(data: bytes, checksum: str, member: str, writer: str) -> None:
    """Refuse a member of the archive whose SHA-256 is not the one that was written down."""
    if hashlib.sha256(data).hexdigest() != checksum:
        raise _RefusedError(f"is damaged: the checksum of {member} does not match (fastnn {writer} wrote it)")


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive that would be larger in memory than its file, of ``size`` bytes."""
    members = {info.filename: info for info in archive.infolist()}
    if CONTENTS not in members and "model.weights.h5" in members:
        raise _RefusedError(_KERAS)
    if CONTENTS not in members:
        raise _RefusedError(f"is no model file of fastnn's: it holds no {CONTENTS}; {_OTHERS}")
    for info in members.values():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise _RefusedError(f"is no model file of fastnn's: {info.filename} is compressed")
    if sum(info.file_size for info in members.values()) > size:
        raise _RefusedError("is damaged: its members are larger than the file")


def _document(contents: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The document, and the version of fastnn that wrote it, if this one can read its format."""
    writer = contents["fastnn"]
    if not (isinstance(contents["format"], int) and contents["format"] >= 1):
        raise _RefusedError("is damaged: its format has no number")
    if contents["format"] > FORMAT:
        raise _RefusedError(
            f"was written by fastnn {writer}; this is fastnn {VERSION}, which cannot read it: upgrade fastnn"
        )
    return contents["document"], writer


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
