"""What people write first, and the sentence that mends it."""

import zipfile
from decimal import Decimal

import numpy as np
import pytest

import fastnn
from fastnn import optimizers
from fastnn.layers import Dense


def fit(x, y=(0.0, 1.0)):
    model = fastnn.Sequential([Dense(1)])
    model.compile("sgd", "mse", backend="numpy")
    model.fit(x, y, verbose=0)


def frame(**columns):
    return pytest.importorskip("pandas").DataFrame(columns)


COLUMN = {"number": [1.0, 2.0]}
DATES = np.array(["2024-01-01", "2024-01-02"], "datetime64[D]")
MISTAKES = {
    "layers one by one": (lambda: fastnn.Sequential(Dense(8), Dense(1)), TypeError, r"Sequential\(\[Dense\(8\), "),
    "a layer alone": (lambda: fastnn.Sequential(Dense(8)), TypeError, "layers got layers one by one"),
    "a layer's class": (lambda: fastnn.Sequential([Dense]), TypeError, r"wants a layer made of it: Dense\(\.\.\.\)"),
    "a layer's name": (lambda: fastnn.Sequential(["relu"]), TypeError, r"layer got 'relu'; .* Activation\('relu'\)"),
    "lr": (lambda: optimizers.Adam(lr=0.1), TypeError, "Adam got 'lr'; wants learning_rate"),
    "decay": (lambda: optimizers.SGD(0.1, decay=0.1), TypeError, r"wants a schedule: .*InverseTimeDecay"),
    "images": (lambda: fit(np.ones((2, 4, 4))), ValueError, r"x has shape \(2, 4, 4\); .*: x\.reshape\(len\(x\), -1\)"),
    "text": (lambda: fit(np.array([["a"], ["b"]])), TypeError, "column 0 has 'a': fastnn.sklearn.TabularClassifier"),
    "numbers as text": (lambda: fit(np.array([["1"], ["2"]])), TypeError, r"x\.astype\(float\) makes numbers of it"),
    "text beside numbers": (
        lambda: fit(frame(**COLUMN, city=["Rome", "Oslo"])),
        TypeError,
        "column 'city' has 'Rome': fastnn.sklearn",
    ),
    "dates": (lambda: fit(frame(**COLUMN, day=DATES)), TypeError, "column 'day' has .*2024.*: fastnn.sklearn"),
    "dates alone": (lambda: fit(DATES[:, np.newaxis]), TypeError, "dates; wants real numbers, but column 0 has"),
    "decimals": (lambda: fit(np.array([[Decimal(1)], [Decimal(2)]])), TypeError, r"x\.astype\(float\) makes numbers"),
    "class names": (lambda: fit(np.ones((2, 1)), ["yes", "no"]), TypeError, "row 0 has 'yes': np.unique"),
    "class names in a frame": (
        lambda: fit(np.ones((2, 1)), frame(answer=["yes", "no"])),
        TypeError,
        "column 'answer' has 'yes': np.unique",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_error_says_how_to_mend_it(mistake):
    call, kind, message = MISTAKES[mistake]
    with pytest.raises(kind, match=message):
        call()


def test_the_advice_works():
    with pytest.raises(ValueError, match="reshape"):
        fit(images := np.ones((2, 4, 4)))
    fit(images.reshape(len(images), -1))
    fit(np.array([["1"], ["2"]]).astype(float))
    fit(np.ones((2, 1)), np.unique(["yes", "no"], return_inverse=True)[1])
    by_decay = fastnn.schedules.InverseTimeDecay(0.1, 1, 0.5)
    assert by_decay(3) == pytest.approx(0.1 / (1 + 0.5 * 3))  # what Keras's decay meant


def test_keras_s_files_are_known(tmp_path):
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "weights")
    (tmp_path / "model.keras").rename(tmp_path / "model.zip")
    for name, wanted in {"model.h5": "load_weights", "model.zip": "ends in .keras"}.items():
        with pytest.raises(fastnn.ModelFileError, match=f"is a file of Keras's.*; wants .*{wanted}"):
            fastnn.load_model(tmp_path / name)
