"""A program's vectors in LLVM: their types, constants of them, and how lanes are filled and moved."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

Lower = Callable[..., Any]
"""Takes an LLVM builder and the arguments' values, and returns the result's."""

INTEGER = ir.IntType(64)
DOUBLE = ir.DoubleType()
INDEX = ir.IntType(32)
REALS = {"float32": ir.FloatType(), "float64": DOUBLE}


def vector_type(dtype: str, lanes: int) -> ir.VectorType:
    return ir.VectorType(REALS[dtype], lanes)


def call(builder: Any, name: str, result: ir.Type, *args: Any) -> Any:
    """Call a function of LLVM's or of the C library's."""
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(result, [a.type for a in args]), name)
    return builder.call(function, args)


def pointer(builder: Any, address: Any, index: Any, kind: ir.Type) -> Any:
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [index])


class Lanes:
    """Vectors of ``lanes`` reals of ``dtype``, "float32" or "float64".

    Attributes
    ----------
    real, bits : the type of a real, and that of integers of its size
    wide, wide_bits, half : those of vectors of them, and of half a vector
    size : bytes of a real
    suffix : of the names of LLVM's functions of such vectors
    """

    def __init__(self, dtype: str, lanes: int) -> None:
        self.lanes, self.single = lanes, dtype == "float32"
        self.real, self.size = REALS[dtype], 4 if self.single else 8
        self.bits = ir.IntType(8 * self.size)
        self.wide, self.wide_bits = vector_type(dtype, lanes), ir.VectorType(self.bits, lanes)
        self.half = vector_type(dtype, lanes // 2)
        self.mantissa_bits, self.bias = (23, 127) if self.single else (52, 1023)
        self.suffix = "f32" if self.single else "f64"

    def words(self) -> dict[str, Lower]:
        """The methods of a class of words, by name: each emits the word of its name."""
        return {name: getattr(self, name) for name in vars(type(self)) if not name.startswith("_")}

    def constant(self, value: float) -> ir.Constant:
        return ir.Constant(self.wide, [ir.Constant(self.real, value)] * self.lanes)

    def constant_bits(self, value: int) -> ir.Constant:
        return ir.Constant(self.wide_bits, [ir.Constant(self.bits, value)] * self.lanes)

    def narrow(self, builder: Any, value: Any) -> Any:
        """A double as a real."""
        return builder.fptrunc(value, self.real) if self.single else value

    def widen(self, builder: Any, value: Any) -> Any:
        """A real as a double."""
        return builder.fpext(value, DOUBLE) if self.single else value

    def fill(self, builder: Any, scalar: Any) -> Any:
        """A vector with the scalar in every lane."""
        kind = ir.VectorType(scalar.type, self.lanes)
        one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, INDEX(0))
        return self.shuffle(builder, one, [0] * self.lanes)

    def shuffle(self, builder: Any, a: Any, order: list[int], b: Any = None) -> Any:
        """Lane i is lane order[i] of a, or of b behind it."""
        b = ir.Constant(a.type, ir.Undefined) if b is None else b
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INDEX, len(order)), order))

    def elementwise(self, builder: Any, name: str, *args: Any) -> Any:
        """A function of LLVM's, of whole vectors."""
        return call(builder, f"llvm.{name}.v{self.lanes}{self.suffix}", self.wide, *args)
