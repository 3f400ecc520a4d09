"""The vocabulary that formulas are written in, on NumPy arrays.

formulas.py is plain Python over these names.  The NumPy backend runs it as it stands; render.py turns the same text
into vector code, where each name is an instruction or a few (llvm_primitives.py, primitives.h, elementary.py).

``maximum`` and ``minimum`` let a NaN in the first argument through, so that divergence is never hidden.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

absolute = np.abs
copysign = np.copysign
exp = np.exp
expm1 = np.expm1
log = np.log
log1p = np.log1p
maximum = np.maximum
minimum = np.minimum
rint = np.rint
sqrt = np.sqrt
tanh = np.tanh
where = np.where
power = math.pow
square_root = math.sqrt


def fma(a: Array, b: Array, c: Array) -> Array:
    """a * b + c (compiled: with one rounding)."""
    return a * b + c


def erfc(x: Array) -> Array:
    """The complementary error function, 2 / sqrt(pi) times the integral of exp(-t^2) from x to infinity."""
    return np.asarray(_erfc(x.astype(float)), dtype=x.dtype)


_erfc = np.vectorize(math.erfc, otypes=[float])
