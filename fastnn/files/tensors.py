"""Named arrays in the safetensors format, with checksums of ours among its metadata."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fastnn.errors import ModelFileError
from fastnn.extras import require
from fastnn.typing import Array
from fastnn.undisturbed import undisturbed
from fastnn.version import VERSION
from .atomic import replacing
from .schema import too_large


def save(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write arrays in the safetensors format, with their checksums as metadata."""
    numpy_format = require("safetensors.numpy", "safetensors")
    ordered = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    sums = {f"sha256 {name}": _digest(array) for name, array in ordered.items()}
    content = numpy_format.save(ordered, {"fastnn": VERSION, **sums})

    def write() -> None:
        with replacing(path) as file:
            file.write(content)

    undisturbed(write)


def load(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of a file in the safetensors format; checksums are verified where fastnn wrote it.

    OSError: there is no such file, or it cannot be read.  ModelFileError: it is no such file, or is damaged.
    """
    numpy_format = require("safetensors.numpy", "safetensors")
    content = Path(path).read_bytes()
    try:
        header = content[8 : 8 + int.from_bytes(content[:8], "little")]
        if problem := too_large(header):
            raise ValueError(f"its header {problem}")
        arrays: dict[str, Array] = numpy_format.load(content)  # refuses a header that is not of the file's size
        metadata = json.loads(header).get("__metadata__", {})
        ours = "fastnn" in metadata or any(key.startswith("sha256") for key in metadata)
        for name, array in arrays.items():
            if ours and _digest(array) != metadata.get(f"sha256 {name}"):
                raise ValueError(f"the checksum of {name} does not match (fastnn {metadata.get('fastnn')} wrote it)")
    except Exception as error:
        raise ModelFileError(f"{os.fspath(path)} is no safetensors file, or is damaged: {error}") from error
    return arrays


def _digest(array: Array) -> str:
    """The SHA-256 of an array's dtype, shape and values."""
    kind = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(kind + array.tobytes()).hexdigest()
