"""The page of the format, and its JSON Schema, are true of the files that are written."""

import json
import re
import zipfile
from pathlib import Path

import pytest

import fastnn
from fastnn.files import model_file
from fastnn.layers import BatchNormalization, Dense, Flatten, Input

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def schema():
    if not (path := DOCS / "model-file.schema.json").exists():
        pytest.skip("an sdist has no docs")
    return json.loads(path.read_text())


def models():
    plain = fastnn.Sequential([Input((3,)), Dense(2)])
    plain.build()
    trained = fastnn.Sequential([Dense(4, "relu", kernel_regularizer="l2"), BatchNormalization(), Dense(2, "softmax")])
    rate = fastnn.schedules.ExponentialDecay(0.01, 10, 0.9)
    trained.compile(fastnn.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    trained.fit([[1.0, 2.0], [2.0, 1.0]], [0, 1], verbose=0)
    images = fastnn.Sequential([Input((2, 2)), Flatten(), fastnn.Sequential([Dense(3), Dense(1)])])
    images.compile("lbfgs", "mse", dtype="float64", weighted_metrics=["mae"])
    images.build()
    return {"plain": plain, "trained": trained, "images": images}


@pytest.mark.parametrize("name", ["plain", "trained", "images"])
def test_files_fit_the_schema(name, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    models()[name].save(tmp_path / "m.fastnn", metadata={"a": [1, None]} if name == "trained" else None)
    with zipfile.ZipFile(tmp_path / "m.fastnn") as archive:
        contents = json.loads(archive.read("fastnn.json"))
        assert {f"{each}.npy" for each in contents["arrays"]} | {"fastnn.json"} == set(archive.namelist())
    validator = jsonschema.Draft202012Validator(schema())
    validator.validate(contents)
    assert not set(contents) - set(schema()["properties"])
    assert not set(contents["document"]) - set(schema()["$defs"]["document"]["properties"])
    contents["document"]["dtype"] = "float16"
    del contents["sha256"]
    assert len(list(validator.iter_errors(contents))) == 2


def test_the_page_names_this_format():
    assert schema()["properties"]["format"] == {"const": model_file.FORMAT}
    said = re.search(r"describes format (\d+)", (DOCS / "format.md").read_text())
    assert int(said[1]) == model_file.FORMAT
