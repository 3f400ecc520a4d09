"""Small datasets, each with Keras's ``load_data``.  Nothing is downloaded.

``digits``, ``iris``, ``wine``, ``breast_cancer`` and ``diabetes`` come with scikit-learn (extra ``sklearn``).
``mnist``, ``boston_housing`` and ``california_housing`` are read where Keras keeps them, if they are there already.

>>> from fastnn import datasets
>>> (x_train, y_train), (x_test, y_test) = datasets.digits.load_data()
>>> x_train.shape, x_test.shape
((1437, 8, 8), (360, 8, 8))
"""

from __future__ import annotations

import os
import zipfile

import numpy as np

from .data import positive_integer, real_number
from .extras import require
from .names import lookup, publish
from .typing import Array

__all__ = ["boston_housing", "breast_cancer", "california_housing", "diabetes", "digits", "iris", "mnist", "wine"]

Split = tuple[tuple[Array, Array], tuple[Array, Array]]
"""(x_train, y_train), (x_test, y_test)."""


def _split(x: Array, y: Array, test_split: float, seed: int) -> Split:
    """Rows in an order that the seed decides, and the last of them for tests: the rows that Keras takes."""
    seed = positive_integer(seed, "seed", least=0)
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)  # Keras's order
    first = int(len(x) * (1 - real_number(test_split, "test_split", least=0, below=1)))
    train, test = order[:first], order[first:]
    return (x[train], y[train]), (x[test], y[test])


class _Installed:
    """One of scikit-learn's own datasets."""

    def __init__(self, name: str, shape: tuple[int, ...] = ()) -> None:
        self.name, self.shape = name, shape

    def load_data(self, test_split: float = 0.2, seed: int = 113) -> Split:
        """Rows to train on and rows to test with: (x_train, y_train), (x_test, y_test).

        Parameters
        ----------
        test_split : float
            The fraction of the rows to test with.
        seed : int
            Of the order of the rows.

        Raises
        ------
        ModuleNotFoundError
            scikit-learn is not installed.
        """
        x, y = getattr(require("sklearn.datasets", "sklearn"), f"load_{self.name}")(return_X_y=True)
        return _split(x.reshape(len(x), *self.shape) if self.shape else x, y, test_split, seed)

    def __repr__(self) -> str:
        return f"<fastnn.datasets.{self.name}: load_data()>"


class _Kept:
    """A dataset of Keras's that somebody has put into its folder."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _arrays(self, path: str | os.PathLike[str] | None, names: tuple[str, ...]) -> list[Array]:
        home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
        file = os.path.join(home, "datasets", f"{self.name}.npz" if path is None else os.fspath(path))
        try:
            with np.load(file, allow_pickle=False) as found:
                return [found[name] for name in names]
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.name} is not at {file}, and fastnn downloads nothing: put Keras's {self.name}.npz there, or "
                "take what comes with scikit-learn, such as fastnn.datasets.digits"
            ) from None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{file} is not Keras's {self.name}.npz: {error}") from error

    def __repr__(self) -> str:
        return f"<fastnn.datasets.{self.name}: load_data()>"


class _KeptTable(_Kept):
    def load_data(self, path: str | os.PathLike[str] | None = None, test_split: float = 0.2, seed: int = 113) -> Split:
        """Rows to train on and rows to test with, the same as Keras's: (x_train, y_train), (x_test, y_test).

        Parameters
        ----------
        path : path
            Of the file; a relative one begins at ~/.keras/datasets.
        test_split : float
        seed : int

        Raises
        ------
        FileNotFoundError
            The file is not there.
        """
        x, y = self._arrays(path, ("x", "y"))
        return _split(x, y, test_split, seed)


class _California(_Kept):
    def load_data(
        self,
        version: str = "large",
        path: str | os.PathLike[str] | None = None,
        test_split: float = 0.2,
        seed: int = 113,
    ) -> Split:
        """Rows to train on and rows to test with, the same as Keras's: (x_train, y_train), (x_test, y_test).

        Parameters
        ----------
        version : {"large", "small"}
            All rows, or the first 600.
        path : path
            Of the file; a relative one begins at ~/.keras/datasets.
        test_split : float
        seed : int

        Raises
        ------
        FileNotFoundError
            The file is not there.
        """
        rows = lookup(version, {"large": None, "small": 600}, "version")
        x, y = self._arrays(path, ("x", "y"))
        return _split(x[:rows], y[:rows], test_split, seed)


class _KeptImages(_Kept):
    def load_data(self, path: str | os.PathLike[str] | None = None) -> Split:
        """Images (rows, 28, 28) of bytes, and their classes: (x_train, y_train), (x_test, y_test).

        Parameters
        ----------
        path : path
            Of the file; a relative one begins at ~/.keras/datasets.

        Raises
        ------
        FileNotFoundError
            The file is not there.
        """
        x_train, y_train, x_test, y_test = self._arrays(path, ("x_train", "y_train", "x_test", "y_test"))
        return (x_train, y_train), (x_test, y_test)


digits = _Installed("digits", (8, 8))
iris, wine = _Installed("iris"), _Installed("wine")
breast_cancer, diabetes = _Installed("breast_cancer"), _Installed("diabetes")
mnist = _KeptImages("mnist")
boston_housing, california_housing = _KeptTable("boston_housing"), _California("california_housing")

publish(__name__)
