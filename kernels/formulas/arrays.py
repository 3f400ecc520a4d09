"""The words that formulas use, on NumPy arrays.

Formulas are plain Python over these names.  The NumPy backend runs them as they stand; rendered, each name is a word of
the kernels' vocabulary or an elementary function (vocabulary.py, elementary.py).

``reciprocal`` and ``sqrt`` are within an ulp, of finite numbers that are not denormal; ``sqrt`` of 0 too.
``maximum`` and ``minimum`` let a NaN in the first argument through, so that divergence is never hidden.
"""

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
reciprocal = np.reciprocal
rint = np.rint
sqrt = np.sqrt
tanh = np.tanh
where = np.where
power = math.pow
square_root = math.sqrt


def fma(a: Array, b: Array | float, c: Array | float) -> Array:
    """a * b + c with one rounding, or nearly: through the next wider type."""
    wide: Any = np.float64 if a.dtype == np.float32 else np.longdouble
    return np.asarray(a.astype(wide) * b + c, a.dtype)


def normal_tail(x: Array) -> Array:
    """erfc(x / sqrt(2)): twice the chance that a normal variable exceeds x."""
    if not isinstance(x, np.ndarray):
        return x.normal_tail()  # a symbol, of whom asks what a formula is made of
    exact = x.astype(np.longdouble) * np.sqrt(np.longdouble(0.5))
    near = exact.astype(float)
    slope = -2.0 / math.sqrt(math.pi) * np.exp(-near * near)  # what rounding the argument lost is worth
    return np.asarray(_erfc(near) + slope * (exact - near), x.dtype)


_erfc = np.vectorize(math.erfc, otypes=[float])


def random_lanes(key: Array, columns: int) -> Array:
    """Uniform numbers, multiples of 2**-23 in [0, 1): a row for each key (rows,), a number for each column.

    A hash of the key's two halves and the column in 32 bits (C. Wellons's lowbias32, its constants), the same on every
    backend and for both dtypes.
    """
    key = np.asarray(key)[..., np.newaxis]
    x = np.arange(columns, dtype=np.uint32) + key.astype(np.uint32)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = ((x ^ (x >> np.uint32(15))) + (key >> 31).astype(np.uint32)) * np.uint32(0x846CA68B)
    return ((x ^ (x >> np.uint32(16))) >> np.uint32(9)) * 2.0**-23
