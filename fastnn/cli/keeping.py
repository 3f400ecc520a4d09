"""A fitted tabular estimator in a model's file: plain data of a few known classes, no pickle.

What is no plain value is a dict of one key, which says what it is: {"array": name}, {"object": class, "state": ...}.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.errors import ModelFileError
from fastnn.extras import require
from fastnn.files import model_file
from fastnn.files.schema import Each, Optional, check
from fastnn.models import Sequential, saving
from fastnn.typing import Array

SMALL = 64  # an array of as many values stands among the others
TABLE = {
    "columns": Each(list, {"name": str, "kind": str}),
    "target": {"name": str, "task": str, "floats": bool},
    "csv": {"decimal": str, "thousands": Optional(str), "missing": Each(list, str)},
    "estimator": dict,
}
"""What a file says of the table that a model was trained on."""


def save(path: Path, table: Mapping[str, Any], estimator: Any) -> None:
    """Write a model's file, with what is said of the table in ``table``."""
    arrays: dict[str, Array] = {}
    packed = _pack(estimator, arrays, "estimator")
    model_file.save(path, {"table": {**table, "estimator": packed}}, arrays)


def load(path: Path) -> tuple[dict[str, Any], Any]:
    """What the file says of the table, and the estimator.  ModelFileError: it is not what `save` writes."""
    document, arrays = model_file.load(path)
    if "table" not in document:
        raise ModelFileError(f"{path} says nothing of a table: predict takes models that `fastnn train` saved")
    try:
        check(document["table"], TABLE, "table")
        estimator = _unpack(document["table"]["estimator"], arrays)
        if not isinstance(estimator, tuple(_estimators().values())):
            raise ValueError(f"its estimator is a {type(estimator).__name__}")
    except Exception as error:  # whatever is made of what somebody wrote by hand
        what = str(error) or type(error).__name__
        raise ModelFileError(
            f"{path}, which fastnn {document['fastnn']} wrote, holds no table's model: {what}"
        ) from error
    return document["table"], estimator


def holds_table(path: Path) -> bool:
    """Whether `save` wrote the file, or `Sequential.save`.  ModelFileError: neither did."""
    return "table" in model_file.load(path)[0]


def _estimators() -> dict[str, type]:
    require("sklearn", "cli")
    from fastnn.sklearn import TabularClassifier, TabularRegressor

    return {kind.__name__: kind for kind in (TabularClassifier, TabularRegressor)}


def _classes() -> dict[str, type]:
    """The classes that a file may hold."""
    from fastnn.sklearn import columns

    found = {columns.TableEncoder, columns.ColumnEncoder, *columns.ColumnEncoder.__subclasses__()}
    return {kind.__name__: kind for kind in found} | _estimators()


def _pack(value: Any, arrays: dict[str, Array], name: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            return {"texts": value.tolist(), "dtype": value.dtype.str.lstrip("<>|=")}
        if value.size <= SMALL:
            return {"values": value.ravel().tolist(), "dtype": value.dtype.name, "shape": list(value.shape)}
        arrays[name] = value
        return {"array": name}
    if isinstance(value, list | tuple):
        parts = [_pack(part, arrays, f"{name}/{i}") for i, part in enumerate(value)]
        return {"tuple": parts} if isinstance(value, tuple) else parts
    if isinstance(value, Mapping):
        return {"dict": [[str(k), _pack(v, arrays, f"{name}/{i}")] for i, (k, v) in enumerate(value.items())]}
    kind = type(value).__name__
    if isinstance(value, Sequential):
        document, own = saving.contents(value)
        arrays |= {f"{name}/{key}": array for key, array in own.items()}
        return {"model": document, "arrays": {key: f"{name}/{key}" for key in own}}
    if kind == "TfidfVectorizer":
        words = {word: int(place) for word, place in value.vocabulary_.items()}
        return {"words": words, "frequencies": _pack(value.idf_, arrays, f"{name}/idf")}
    if kind == "TruncatedSVD":
        return {"components": _pack(value.components_, arrays, f"{name}/components")}
    if kind not in _classes():
        raise TypeError(f"{name} is a {kind}, which a model's file cannot hold")
    return {"object": kind, "state": _pack(vars(value), arrays, name)}


def _unpack(value: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(value, list):
        return [_unpack(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "values" in value:
        return np.array(value["values"], np.dtype(value["dtype"]).newbyteorder("=")).reshape(value["shape"])
    if "texts" in value:
        return np.array(value["texts"], value["dtype"])
    if "tuple" in value:
        return tuple(_unpack(value["tuple"], arrays))
    if "dict" in value:
        return {key: _unpack(part, arrays) for key, part in value["dict"]}
    if "model" in value:
        own = {key: arrays[name] for key, name in value["arrays"].items()}
        return saving.rebuilt(Sequential, value["model"], own, "auto", None)
    if "words" in value:
        vectorizer = require("sklearn.feature_extraction.text", "cli").TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32, vocabulary=value["words"]
        )
        vectorizer.idf_ = _unpack(value["frequencies"], arrays)
        return vectorizer
    if "components" in value:
        components = _unpack(value["components"], arrays)
        decomposition = require("sklearn.decomposition", "cli").TruncatedSVD(len(components))
        decomposition.components_, decomposition.n_features_in_ = components, components.shape[1]
        return decomposition
    kind = _classes()[value["object"]]
    made: Any = object.__new__(kind)
    vars(made).update(_unpack(value["state"], arrays))
    return made
