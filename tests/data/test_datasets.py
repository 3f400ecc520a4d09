"""Datasets with Keras's load_data: scikit-learn's own, and Keras's where its files are there already."""

import numpy as np
import pytest

from fastnn import backend, datasets


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("digits", (1797, 8, 8), 10),
        ("iris", (150, 4), 3),
        ("wine", (178, 13), 3),
        ("breast_cancer", (569, 30), 2),
        ("diabetes", (442, 10), None),
    ],
)
def test_scikit_learn_s_datasets_are_split(name, shape, classes):
    pytest.importorskip("sklearn")
    (x_train, y_train), (x_test, y_test) = getattr(datasets, name).load_data(test_split=0.25)
    assert len(x_train) == len(y_train) == int(shape[0] * 0.75)
    assert (len(x_train) + len(x_test), *x_test.shape[1:]) == shape
    if classes is not None:
        assert set(y_train) == set(y_test) == set(range(classes))
    again = getattr(datasets, name).load_data(test_split=0.25)
    np.testing.assert_array_equal(again[1][0], x_test)
    other = getattr(datasets, name).load_data(test_split=0.25, seed=1)
    assert not np.array_equal(other[1][0], x_test)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    return tmp_path / "datasets"


def test_keras_s_files_are_read_where_they_are(folder):
    images = {"x_train": np.ones((6, 28, 28), "u1"), "y_train": np.arange(6), "x_test": np.ones((2, 28, 28), "u1")}
    np.savez(folder / "mnist.npz", **images, y_test=np.arange(2))
    (x_train, y_train), (x_test, _) = datasets.mnist.load_data()
    assert x_train.shape == (6, 28, 28)
    assert y_train.tolist() == [0, 1, 2, 3, 4, 5]
    assert x_test.shape == (2, 28, 28)


def test_tables_are_shuffled_as_keras_shuffles_them(folder):
    x = np.arange(1000.0)[:, None]
    np.savez(folder / "boston_housing.npz", x=x, y=x[:, 0])
    np.savez(folder / "california_housing.npz", x=x, y=x[:, 0])
    (x_train, y_train), (x_test, _) = datasets.boston_housing.load_data()
    assert x_train[:5, 0].tolist() == [641.0, 987.0, 187.0, 779.0, 848.0]  # Keras 3.15's
    assert (len(x_train), len(x_test)) == (800, 200)
    np.testing.assert_array_equal(y_train, x_train[:, 0])
    (x_train, _), (x_test, _) = datasets.california_housing.load_data(version="small", test_split=0.5)
    assert (len(x_train), len(x_test), x_train.max() < 600) == (300, 300, True)


def test_what_is_not_there_says_where_it_should_be(folder):
    with pytest.raises(FileNotFoundError, match=r"mnist is not at .*mnist\.npz, and fastnn downloads nothing"):
        datasets.mnist.load_data()
    (folder / "mnist.npz").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"mnist\.npz is not Keras's mnist\.npz"):
        datasets.mnist.load_data()
    with pytest.raises(ValueError, match="version got 'tiny'"):
        datasets.california_housing.load_data("tiny")
    for wrong in (1, -0.1, "a"):
        with pytest.raises((TypeError, ValueError), match="test_split got"):
            datasets.iris.load_data(test_split=wrong)


def test_the_backend_s_functions_are_keras_s():
    assert backend.clear_session() is None
    assert (backend.floatx(), backend.epsilon(), backend.backend()) == ("float32", 1e-7, "fastnn")
