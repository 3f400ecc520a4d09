"""Formulas of activations as expressions, for those who write them in another language.

A formula is a Python function over the words of `fastnn.kernels.formulas`.  Called with a symbol in place of an array
it tells which words it uses: what comes back is an `Expression`, a graph of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from fastnn.kernels.formulas import ACTIVATIONS

ELEMENTARY = "fastnn.kernels.elementary"  # whose functions are read by compilers and, in `_in_words`, here


class Expression(np.lib.mixins.NDArrayOperatorsMixin):
    """A word and what it is applied to; without operands the symbol x.

    Attributes
    ----------
    word : str
        The name of NumPy's function: "add", "exp", "where", "greater", ...; or one of "x", "normal_tail" and
        "two_to_the".
    operands : tuple of Expression or float
        What is used twice is the same object.
    """

    def __init__(self, word: str, *operands: Any) -> None:
        self.word = word
        self.operands = tuple(each if isinstance(each, Expression) else float(each) for each in operands)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Expression:
        assert method == "__call__"
        assert not options
        return Expression(ufunc.__name__, *operands)

    def __array_function__(self, function: Any, types: Any, operands: Any, options: Any) -> Expression:
        return Expression(function.__name__, *operands)

    def normal_tail(self) -> Expression:
        """What `fastnn.kernels.formulas.arrays.normal_tail` computes, erfc(x / sqrt(2))."""
        return Expression("normal_tail", self)

    def __repr__(self) -> str:
        return f"{self.word}({', '.join(map(repr, self.operands))})" if self.operands else self.word


X = Expression("x")
DTYPES = ["float32", "float64"]  # in the order of elementary's numbers


def value_of(name: str, parameter: float) -> Expression:
    """The value f(x) of an activation with its constant; not of softmax, which is of whole rows."""
    row = ACTIVATIONS[name]
    assert row.value is not None
    found = row.value(X, parameter) if row.parameter else row.value(X)
    assert isinstance(found, Expression)
    return found


def normal_tail_in_words(x: Expression) -> Expression:
    """erfc(x / sqrt(2)) in float64 by the kernels' polynomial, in other words than "normal_tail"."""
    return elementary_in_words("normal_tail", x, "float64")


def elementary_in_words(name: str, x: Expression, dtype: str) -> Expression:
    """One of the kernels' elementary functions, "exp", "expm1", "tanh" or "normal_tail", by its polynomial.

    tanh is made of "expm1"; the words "two_to_the" and "rint" are of whole numbers from -126 to 127 in float32.
    """
    elementary = importlib.import_module(ELEMENTARY)
    place = DTYPES.index(dtype)
    names: dict[str, Any] = {each: numbers[place] for each, numbers in elementary.NUMBERS.items()}
    for word in ("absolute", "copysign", "maximum", "minimum", "reciprocal", "rint", "where"):
        names[word] = getattr(np, word)
    names |= {"fma": lambda a, b, c: a * b + c, "two_to_the": lambda n: Expression("two_to_the", n)}
    names["expm1"] = np.expm1
    for part in ("erfc_of_parts", "exp_polynomial"):
        names[part] = _in_words(getattr(elementary, f"{part}_{dtype}"), names)
    found: Expression = _in_words(getattr(elementary, name), names)(x)
    return found


def _in_words(function: Any, names: dict[str, Any]) -> Callable[..., Any]:
    """A function of elementary's over other words."""
    return FunctionType(function.__code__, names)
