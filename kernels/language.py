"""The words that kernels are written in, apart from what they compute with (vocabulary.py): types and decorators.

A kernel is a function over 64-bit integers, doubles, vectors of reals, and records in memory.  What a thing is stands
in the annotations of a kernel's arguments and result, and follows from there for all that is made of them.

One text serves float32 and float64, and vectors of any width: the reals' type and LANES, how many of them a vector
holds, are the same throughout a program.  So Numba compiles a kernel for a program: numba/compile.py has
``compiled(softmax_row, "float32")``, numba.njit of the function with the vocabulary of that type.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")

Integer = int
"""A signed integer of 64 bits."""

Address = int
"""An Integer that says where in memory something stands, in bytes."""

Double = float
"""A real of 64 bits."""

Real = Any
"""One real of the program's type."""

Row = Any
"""The row of a table, in a kernel that is called by kernels of the same table alone, with their own row."""

Code = Any
"""The place of a row in a table, an Integer; in a kernel of that table, the row, with its formulas as attributes."""


class Mask:
    """A truth value for each lane of a vector."""


class Vector:
    """LANES reals, in a register.  Operators act on each lane; comparisons, false on NaN, give a Mask."""

    def __neg__(self) -> Vector: ...
    def __add__(self, other: Vector | float) -> Vector: ...
    def __radd__(self, other: float) -> Vector: ...
    def __sub__(self, other: Vector | float) -> Vector: ...
    def __rsub__(self, other: float) -> Vector: ...
    def __mul__(self, other: Vector | float) -> Vector: ...
    def __rmul__(self, other: float) -> Vector: ...
    def __truediv__(self, other: Vector | float) -> Vector: ...
    def __rtruediv__(self, other: float) -> Vector: ...
    def __lt__(self, other: Vector | float) -> Mask: ...
    def __le__(self, other: Vector | float) -> Mask: ...
    def __gt__(self, other: Vector | float) -> Mask: ...
    def __ge__(self, other: Vector | float) -> Mask: ...
    def __eq__(self, other: Vector | float) -> Mask: ...  # type: ignore[override]


class Half:
    """Half a vector, where the instruction set has an advantage of that."""


class Record:
    """Base of the records in memory, which kernels are given by address: a field is read where it stands."""


class Kernel(Generic[P, R]):
    """A function that is compiled.

    Attributes
    ----------
    function : the function as it is written
    inline : to be made part of whatever calls it
    apart : never to be made part of what calls it: most networks do not need it, and it would be in the way
    each : a table; the kernel is compiled once for each row, and a call chooses by its first argument
    written : the body is written out when a program is rendered
    """

    def __init__(
        self,
        function: Callable[P, R],
        inline: bool = False,
        apart: bool = False,
        each: Collection[str] | None = None,
        written: bool = False,
    ) -> None:
        self.function, self.inline, self.apart, self.each, self.written = function, inline, apart, each, written
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        raise TypeError(f"{self.__name__} is a kernel, for Numba to compile: compiled({self.__name__}, 'float32')")


@overload
def kernel(function: Callable[P, R], /) -> Kernel[P, R]: ...
@overload
def kernel(
    *, inline: bool = False, apart: bool = False, each: Collection[str] | None = None
) -> Callable[[Callable[P, R]], Kernel[P, R]]: ...
def kernel(
    function: Any = None, /, *, inline: bool = False, apart: bool = False, each: Collection[str] | None = None
) -> Any:
    """Declare a kernel; ``each``: one for each row of a table."""
    if function is not None:
        return Kernel(function)
    return lambda function: Kernel(function, inline, apart, each)


def written(function: Callable[P, R]) -> Kernel[P, R]:
    """Declare a kernel that is written out when a program is rendered; its body here is empty."""
    return Kernel(function, written=True)
