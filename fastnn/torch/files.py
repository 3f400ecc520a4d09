"""Weights as .pt files: state dicts as ``torch.save(module.state_dict(), path)`` writes them.

Such a file is a ZIP archive: a pickle says which tensors there are, and each record has the numbers of some.  The
pickle is not run, see `fastnn.torch.pickled`; the names and shapes in it must be the model's before a record is read,
so that what is allocated is as large as the file and the model.  ZIP's checksums find what is damaged.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping

import numpy as np
import torch

from fastnn.errors import ModelFileError
from fastnn.files.atomic import replacing
from fastnn.models import Sequential
from fastnn.typing import Array
from fastnn.undisturbed import undisturbed
from . import pickled
from .pickled import Storage, Stored
from .state import Entry, check_names, entries, state, take_state

KINDS = {"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BFloat16Storage": "u2", "LongStorage": "i8"}
"""NumPy's dtypes of what storages hold; bfloat16 is the upper half of a float32."""

OTHER_MEMBERS = 16
"""Beside a record for each tensor: the pickle, a version, and the like."""


def save_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Write the weights of a model as a state dict, with the names of `fastnn.torch.to_module`, whole or not at all.

    Raises
    ------
    ValueError
        The model is not built, or a layer has weights that no module of torch.nn has.
    FloatingPointError
        A weight is NaN or infinite.
    OSError
        The file cannot be written.
    """
    model._built()
    arrays = state(model, entries(model))
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise FloatingPointError("a weight is NaN or infinite, and no file holds such; wants a model that is finite")
    content = io.BytesIO()
    torch.save({key: torch.from_numpy(array) for key, array in arrays.items()}, content)

    def write() -> None:
        with replacing(path) as file:
            file.write(content.getbuffer())

    if model._writes:
        undisturbed(write)


def load_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Set the weights of a model to those of a state dict in a file, all or none.  No code in the file is run.

    Raises
    ------
    ModelFileError
        It is no file of PyTorch's with a state dict, it is damaged, or it holds other names, shapes or dtypes than the
        model's, or values that are not finite.
    OSError
        It cannot be read.
    """
    model._built()
    wanted = entries(model)
    with open(path, "rb") as file:
        content = file.read()
    try:
        take_state(model, _read(content, model, wanted))
    except Exception as error:  # whatever zipfile and NumPy make of damaged bytes, too
        what = str(error) or type(error).__name__
        raise ModelFileError(f"{os.fspath(path)} holds no weights of this model: {what[:500]}") from error


def _read(content: bytes, model: Sequential, wanted: list[Entry]) -> dict[str, Array]:
    """The tensors of a file's content, whose names and shapes are the model's."""
    if not content.startswith(b"PK"):
        raise ValueError("it is no ZIP archive, as PyTorch 1.6 and later ones write; wants it saved anew by such a one")
    if content.count(b"PK\x01\x02") > len(wanted) + OTHER_MEMBERS:
        raise ValueError("it has many more members than the model has weights")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size for info in members):
            raise ValueError("it is compressed, which PyTorch's are not")
        if sum(info.file_size for info in members) > len(content):
            raise ValueError("its members are larger than the file")
        pickles = [info for info in members if info.filename.endswith("/data.pkl") and info.filename.count("/") == 1]
        if len(pickles) != 1:
            raise ValueError("it has no data.pkl, as PyTorch's have")
        folder = pickles[0].filename.removesuffix("data.pkl")
        found = pickled.parse(archive.read(pickles[0]), len(wanted))
        if wrong := [name for name, value in found.items() if not isinstance(value, Stored)]:
            raise ValueError(f"{wrong[0][:80]!r} in it is no tensor; wants torch.save(module.state_dict(), path)")
        check_names(model, {name: tensor.shape for name, tensor in found.items()})
        swapped = f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") == b"big"
        records: dict[Storage, Array] = {}
        for tensor in found.values():
            if tensor.storage not in records:
                records[tensor.storage] = _record(archive, folder, tensor.storage, swapped)
        return _tensors(found, records)


def _record(archive: zipfile.ZipFile, folder: str, storage: Storage, swapped: bool) -> Array:
    """The numbers of a storage."""
    if storage.kind not in KINDS:
        raise ValueError(f"it has a {storage.kind[:80]}; wants numbers of {', '.join(KINDS)}")
    dtype = np.dtype(KINDS[storage.kind]).newbyteorder(">" if swapped else "<")
    data = archive.read(f"{folder}data/{storage.record}")
    if len(data) != storage.values * dtype.itemsize:
        raise ValueError(f"the record {storage.record[:80]!r} has {len(data)} bytes; wants {storage.values} values")
    array = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="), copy=False)
    if storage.kind == "BFloat16Storage":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array


def _tensors(found: Mapping[str, Stored], records: Mapping[Storage, Array]) -> dict[str, Array]:
    """Each tensor as a view of its record."""
    arrays = {}
    for name, tensor in found.items():
        record = records[tensor.storage]
        last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
        if tensor.offset + last >= len(record):
            raise ValueError(f"{name[:80]!r} goes beyond its record")
        if record.dtype.kind != "f" and tensor.shape:
            raise ValueError(f"{name[:80]!r} is of {record.dtype}; wants floating-point numbers")
        steps = [stride * record.itemsize for stride in tensor.strides]
        arrays[name] = np.lib.stride_tricks.as_strided(record[tensor.offset :], tensor.shape, steps, writeable=False)
    return arrays
