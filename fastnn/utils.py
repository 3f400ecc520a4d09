"""Seeds, one-hot rows, and data that is read by batches."""

from __future__ import annotations

import random
import secrets

import numpy as np
from numpy.typing import ArrayLike

from .data import PyDataset, positive_integer
from .names import custom_object_scope, publish
from .typing import Array

__all__ = ["PyDataset", "Sequence", "custom_object_scope", "new_seed", "set_random_seed", "to_categorical"]

Sequence = PyDataset
"""Keras's older name."""

_generator: np.random.Generator | None = None


def set_random_seed(seed: int) -> None:
    """Seed what a training script draws from: Python's `random`, NumPy's global generator, and fastnn.

    Models made after it without a seed of their own draw theirs from here: each differs from the one before,
    and a second run of the script makes the same ones.

    Parameters
    ----------
    seed : int
        From 0 to 2^32 - 1.
    """
    global _generator
    seed = positive_integer(seed, "seed", least=0)
    if seed >= 2**32:
        raise ValueError(f"seed got {seed}; wants an integer below 2**32")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - Keras does so, and scripts count on it
    _generator = np.random.default_rng(seed)


def new_seed() -> int:
    """A seed for a model that has none of its own: `set_random_seed`'s next number, else a random one."""
    return secrets.randbits(63) if _generator is None else int(_generator.integers(2**63 - 1))


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> Array:
    """Write class numbers as one-hot rows, of float64, as in Keras.

    Parameters
    ----------
    x : array-like of integers
        Of any shape; a last axis of length 1 is dropped.  Floats that are whole numbers count as integers.
    num_classes : int, optional
        Default: the largest number and one.

    Returns
    -------
    ndarray, x's shape and (num_classes,)

    Raises
    ------
    TypeError, ValueError
        x holds something else than whole numbers from 0 to num_classes - 1.

    Examples
    --------
    >>> from fastnn.utils import to_categorical
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    given = np.asarray(x)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"x got {given.dtype} values; wants class numbers, whole numbers from 0")
    shape = given.shape[:-1] if given.ndim > 1 and given.shape[-1] == 1 else given.shape
    if given.size == 0 and num_classes is None:
        raise ValueError("x got no class number, and num_classes got None; wants one of the two")
    classes = int(given.max()) + 1 if num_classes is None else positive_integer(num_classes, "num_classes")
    wrong = (given != np.floor(given)) | (given < 0) | (given >= classes)
    if wrong.any():
        raise ValueError(
            f"x got {given[wrong].flat[0]} among its class numbers; wants whole numbers from 0 to {classes - 1}"
        )
    rows = np.zeros((given.size, classes))
    rows[np.arange(given.size), given.astype(np.int64).ravel()] = 1
    return rows.reshape(*shape, classes)


publish(__name__)
