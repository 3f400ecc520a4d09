"""A .keras file: a ZIP archive of metadata.json, config.json and model.weights.h5, none of them compressed."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from typing import IO, Any

from fastnn.files.schema import too_large
from fastnn.version import VERSION

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"


def read(file: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """The configuration of a model and its weights' file; ValueError and others: it is damaged, or no such archive.

    Both are read to the end, and so their CRC-32 are verified, before anything is made of them.
    """
    size = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        names = [info.filename for info in members]
        for info in members:
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise ValueError(f"{info.filename} is compressed, as Keras writes none")
        if len(set(names)) < len(names) or sum(info.file_size for info in members) > size:
            raise ValueError("its members are larger than the file, or there are two of a name")
        for name in (CONFIG, WEIGHTS):
            if name not in names:
                raise ValueError(f"it lacks {name}")
        text, weights = archive.read(CONFIG), archive.read(WEIGHTS)
    if problem := too_large(text):
        raise ValueError(f"{CONFIG} {problem}")
    config = json.loads(text)
    if not isinstance(config, dict):
        raise ValueError(f"{CONFIG} describes no model")
    return config, weights


def content(config: Mapping[str, Any], weights: bytes) -> bytes:
    """The file of a model: the same for the same model, with all members dated 1980."""
    members = {
        METADATA: json.dumps({"written_by": f"fastnn {VERSION}"}).encode(),
        CONFIG: json.dumps(config, indent=1, ensure_ascii=False).encode(),
        WEIGHTS: weights,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()
