"""Words of vectors in LLVM: each method emits the word of its name."""

from functools import partial
from typing import Any

from llvmlite import ir

from ..render.instruction_sets import MACHINE
from ..vocabulary import DISTANCES
from .lanes import INDEX, INTEGER, Lanes, Lower, call

COMPARISONS = {"less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "=="}


class VectorWords(Lanes):
    """What is made of vectors in registers, and the masks."""

    def splat(self, builder: Any, value: Any) -> Any:
        return self.fill(builder, self.narrow(builder, value))

    def splat_half(self, builder: Any, value: Any) -> Any:
        return self.shuffle(builder, self.splat(builder, value), [0] * (self.lanes // 2))

    def first_lane(self, builder: Any, a: Any) -> Any:
        return self.widen(builder, builder.extract_element(a, INDEX(0)))

    def lane_numbers(self, builder: Any) -> Any:
        return ir.Constant(self.wide, [ir.Constant(self.real, float(i)) for i in range(self.lanes)])

    def sum_lanes(self, builder: Any, a: Any) -> Any:
        return self._over_lanes(builder, a, builder.fadd)

    def max_lanes(self, builder: Any, a: Any) -> Any:
        return self._over_lanes(builder, a, partial(self.maximum, builder))

    def _over_lanes(self, builder: Any, a: Any, combine: Lower) -> Any:
        """Halves are combined, then quarters ...: the result is in every lane."""
        distance = self.lanes // 2
        while distance:
            a = combine(a, self.shuffle(builder, a, [i ^ distance for i in range(self.lanes)]))
            distance //= 2
        return a

    def fma(self, builder: Any, a: Any, b: Any, c: Any) -> Any:
        return self.elementwise(builder, "fma", a, b, c)

    def accumulated(self, builder: Any, a: Any, b: Any, c: Any) -> Any:
        total = self.fma(builder, a, b, c)
        if MACHINE != "aarch64":
            return total
        # Here LLVM orders the multiply-adds of several steps anew, and then moves half of a tile's sums about.
        return builder.asm(ir.FunctionType(self.wide, [self.wide]), "", "=w,0", [total], side_effect=False)

    def accumulated_half(self, builder: Any, a: Any, b: Any, c: Any) -> Any:
        half = self.lanes // 2
        low = self.shuffle(builder, a, list(range(half)))
        return call(builder, f"llvm.fma.v{half}{self.suffix}", self.half, low, b, c)

    def in_register(self, builder: Any, a: Any) -> Any:
        return builder.asm(ir.FunctionType(self.wide, [self.wide]), "", "=v,0", [a], side_effect=False)

    def absolute(self, builder: Any, a: Any) -> Any:
        return self.elementwise(builder, "fabs", a)

    def copysign(self, builder: Any, a: Any, sign: Any) -> Any:
        return self.elementwise(builder, "copysign", a, sign)

    def rint(self, builder: Any, a: Any) -> Any:
        return self.elementwise(builder, "rint", a)

    def where(self, builder: Any, condition: Any, a: Any, b: Any) -> Any:
        return builder.select(condition, a, b)

    def maximum(self, builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", b, a), b, a)

    def minimum(self, builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", b, a), b, a)

    def lanes_below(self, builder: Any, n: Any) -> Any:
        limit = self.fill(builder, builder.trunc(n, INDEX))
        return builder.icmp_signed("<", ir.Constant(limit.type, list(range(self.lanes))), limit)

    @property
    def _approximates(self) -> bool:
        """Whether there are instructions for 14 bits of a reciprocal and of a root."""
        return self.lanes * self.size == 64 and MACHINE == "x86_64"

    def _approximate(self, builder: Any, name: str, a: Any) -> Any:
        """rcp14 or rsqrt14: 14 bits, which each of Newton's steps doubles."""
        mask = ir.IntType(max(8, self.lanes))
        kind = f"llvm.x86.avx512.{name}.{'ps' if self.single else 'pd'}.512"
        return call(builder, kind, self.wide, a, ir.Constant(self.wide, ir.Undefined), mask(-1))

    def reciprocal(self, builder: Any, a: Any) -> Any:
        if not self._approximates:
            return builder.fdiv(self.constant(1.0), a)
        r = self._approximate(builder, "rcp14", a)
        for _ in range(1 if self.single else 2):
            r = self.fma(builder, r, self.fma(builder, builder.fneg(a), r, self.constant(1.0)), r)
        return r

    def sqrt(self, builder: Any, a: Any) -> Any:
        if not self._approximates:
            return self.elementwise(builder, "sqrt", a)
        smallest = self.constant(2.0 ** (1 - self.bias))  # that is not a denormal
        inverse = self._approximate(builder, "rsqrt14", self.maximum(builder, a, smallest))
        root, half = builder.fmul(a, inverse), builder.fmul(inverse, self.constant(0.5))
        for _ in range(1 if self.single else 2):
            error = self.fma(builder, builder.fneg(root), half, self.constant(0.5))
            root, half = (self.fma(builder, x, error, x) for x in (root, half))
        return root

    def two_to_the(self, builder: Any, n: Any) -> Any:
        # n + bias in the low bits of a large number: no conversion, whose result on NaN would be undefined.
        large = self.constant(1.5 * 2.0**self.mantissa_bits + self.bias)
        low = builder.bitcast(builder.fadd(n, large), self.wide_bits)
        return builder.bitcast(builder.shl(low, self.constant_bits(self.mantissa_bits)), self.wide)

    def exponent(self, builder: Any, a: Any) -> Any:
        raw = builder.lshr(builder.bitcast(a, self.wide_bits), self.constant_bits(self.mantissa_bits))
        return builder.sitofp(builder.sub(raw, self.constant_bits(self.bias)), self.wide)

    def mantissa(self, builder: Any, a: Any) -> Any:
        fraction = builder.and_(builder.bitcast(a, self.wide_bits), self.constant_bits((1 << self.mantissa_bits) - 1))
        return builder.bitcast(builder.or_(fraction, self.constant_bits(self.bias << self.mantissa_bits)), self.wide)

    def random_lanes(self, builder: Any, key: Any, column: Any) -> Any:
        """A 32-bit hash, see formulas/arrays.py; in lanes of 64 bits the upper halves stay 0."""
        constant = self.constant_bits

        def fitted(value: Any) -> Any:
            return self.fill(builder, builder.trunc(value, self.bits) if self.single else value)

        def low(value: Any) -> Any:
            return value if self.single else builder.and_(value, constant(0xFFFFFFFF))

        def folded(value: Any, shift: int) -> Any:
            return builder.xor(value, builder.lshr(value, constant(shift)))

        lane = ir.Constant(self.wide_bits, [ir.Constant(self.bits, i) for i in range(self.lanes)])
        x = low(builder.add(lane, fitted(builder.add(column, key))))
        x = low(builder.mul(folded(x, 16), constant(0x7FEB352D)))
        second = low(fitted(builder.lshr(key, INTEGER(31))))
        x = low(builder.mul(low(builder.add(folded(x, 15), second)), constant(0x846CA68B)))
        x = builder.shl(builder.lshr(folded(x, 16), constant(9)), constant(self.mantissa_bits - 23))
        above_one = builder.bitcast(builder.or_(x, constant(self.bias << self.mantissa_bits)), self.wide)
        return builder.fsub(above_one, self.constant(1.0))


def exchange_words(lanes: Lanes) -> dict[str, Lower]:
    """Rows a and b of a square, so many apart, with the blocks beside the diagonal exchanged: one word for each."""

    def exchange(distance: int, high: bool) -> Lower:
        def source(lane: int) -> int:
            if high:
                return lanes.lanes + lane if lane & distance else lane ^ distance
            return lanes.lanes + (lane ^ distance) if lane & distance else lane

        order = [source(lane) for lane in range(lanes.lanes)]
        return lambda builder, a, b: lanes.shuffle(builder, a, order, b)

    sides = {"low": False, "high": True}.items()
    distances = [d for d in DISTANCES if d < lanes.lanes]
    return {f"exchange_{side}_{d}": exchange(d, high) for d in distances for side, high in sides}


def comparison_words() -> dict[str, Lower]:
    def compare(sign: str, builder: Any, a: Any, b: Any) -> Any:
        return builder.fcmp_ordered(sign, a, b)

    return {word: partial(compare, sign) for word, sign in COMPARISONS.items()}
