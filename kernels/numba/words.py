"""The vocabulary in LLVM: what emits the instructions of each word."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from ..records import KINDS
from ..render.instruction_sets import MACHINE

Lower = Callable[..., Any]
"""Takes an LLVM builder and the arguments' values, and returns the result's."""

INTEGER = ir.IntType(64)
DOUBLE = ir.DoubleType()
INDEX = ir.IntType(32)


def vector_type(dtype: str, lanes: int) -> ir.VectorType:
    return ir.VectorType(ir.FloatType() if dtype == "float32" else DOUBLE, lanes)


def _call(builder: Any, name: str, result: ir.Type, *args: Any) -> Any:
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(result, [a.type for a in args]), name)
    return builder.call(function, args)


def _pointer(builder: Any, address: Any, index: Any, kind: ir.Type) -> Any:
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [index])


def vocabulary(dtype: str, lanes: int) -> dict[str, Lower]:
    """Every primitive for ``dtype`` ("float32" or "float64") at ``lanes`` values a vector, by name."""
    single = dtype == "float32"
    wide = vector_type(dtype, lanes)
    real = wide.element
    bits = ir.IntType(32 if single else 64)
    wide_bits = ir.VectorType(bits, lanes)
    mantissa_bits, bias = (23, 127) if single else (52, 1023)
    smallest = 2.0 ** (1 - bias)  # that is not a denormal
    size = 4 if single else 8
    suffix = f"v{lanes}{'f32' if single else 'f64'}"
    reals = {"float32": ir.FloatType(), "float64": DOUBLE}

    def constant(value: Any) -> ir.Constant:
        return ir.Constant(wide, [ir.Constant(real, value)] * lanes)

    def constant_bits(value: int) -> ir.Constant:
        return ir.Constant(wide_bits, [ir.Constant(bits, value)] * lanes)

    def narrow(builder: Any, value: Any) -> Any:
        return builder.fptrunc(value, real) if single else value

    def widen(builder: Any, value: Any) -> Any:
        return builder.fpext(value, DOUBLE) if single else value

    def fill(builder: Any, scalar: Any) -> Any:
        one = builder.insert_element(ir.Constant(wide, ir.Undefined), scalar, ir.Constant(INDEX, 0))
        zeros = ir.Constant(ir.VectorType(INDEX, lanes), [0] * lanes)
        return builder.shuffle_vector(one, ir.Constant(wide, ir.Undefined), zeros)

    def load(builder: Any, address: Any, index: Any) -> Any:
        pointer = builder.bitcast(_pointer(builder, address, index, real), wide.as_pointer())
        return builder.load(pointer, align=size)

    def store(builder: Any, address: Any, index: Any, value: Any) -> None:
        pointer = builder.bitcast(_pointer(builder, address, index, real), wide.as_pointer())
        builder.store(value, pointer, align=size)

    def broadcast(builder: Any, address: Any, index: Any) -> Any:
        return fill(builder, builder.load(_pointer(builder, address, index, real), align=size))

    half = vector_type(dtype, lanes // 2)

    def load_half(builder: Any, address: Any, index: Any) -> Any:
        pointer = builder.bitcast(_pointer(builder, address, index, real), half.as_pointer())
        return builder.load(pointer, align=size)

    def accumulated_half(builder: Any, a: Any, b: Any, c: Any) -> Any:
        order = ir.Constant(ir.VectorType(INDEX, lanes // 2), list(range(lanes // 2)))
        low = builder.shuffle_vector(a, ir.Constant(wide, ir.Undefined), order)
        return _call(builder, f"llvm.fma.v{lanes // 2}{'f32' if single else 'f64'}", half, low, b, c)

    def store_half(builder: Any, address: Any, index: Any, value: Any) -> None:
        """With zeros behind it."""
        zeros = ir.Constant(half, [ir.Constant(real, 0.0)] * (lanes // 2))
        order = ir.Constant(ir.VectorType(INDEX, lanes), list(range(lanes)))
        store(builder, address, index, builder.shuffle_vector(value, zeros, order))

    def held(builder: Any, a: Any) -> Any:
        return builder.asm(ir.FunctionType(wide, [wide]), "", "=v,0", [a], side_effect=False)

    def splat_half(builder: Any, value: Any) -> Any:
        order = ir.Constant(ir.VectorType(INDEX, lanes // 2), [0] * (lanes // 2))
        return builder.shuffle_vector(fill(builder, narrow(builder, value)), ir.Constant(wide, ir.Undefined), order)

    def elementwise(name: str) -> Lower:
        return lambda builder, *args: _call(builder, f"llvm.{name}.{suffix}", wide, *args)

    def shuffled(builder: Any, a: Any, order: list[int]) -> Any:
        indices = ir.Constant(ir.VectorType(INDEX, lanes), order)
        return builder.shuffle_vector(a, ir.Constant(wide, ir.Undefined), indices)

    def butterfly(combine: Lower) -> Lower:
        def lower(builder: Any, a: Any) -> Any:
            distance = lanes // 2
            while distance:
                a = combine(builder, a, shuffled(builder, a, [i ^ distance for i in range(lanes)]))
                distance //= 2
            return a

        return lower

    def greater(builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", b, a), b, a)

    def rough(builder: Any, name: str, a: Any) -> Any:
        """rcp14 or rsqrt14: 14 bits, which each of Newton's steps doubles."""
        mask = ir.IntType(max(8, lanes))
        kind = f"llvm.x86.avx512.{name}.{'ps' if single else 'pd'}.512"
        return _call(builder, kind, wide, a, ir.Constant(wide, ir.Undefined), mask(-1))

    def reciprocal(builder: Any, a: Any) -> Any:
        if lanes * size < 64 or MACHINE != "x86_64":
            return builder.fdiv(constant(1.0), a)
        r = rough(builder, "rcp14", a)
        for _ in range(1 if single else 2):
            r = elementwise("fma")(builder, r, elementwise("fma")(builder, builder.fneg(a), r, constant(1.0)), r)
        return r

    def sqrt(builder: Any, a: Any) -> Any:
        if lanes * size < 64 or MACHINE != "x86_64":
            return elementwise("sqrt")(builder, a)
        inverse = rough(builder, "rsqrt14", greater(builder, a, constant(smallest)))
        root, half = builder.fmul(a, inverse), builder.fmul(inverse, constant(0.5))
        for _ in range(1 if single else 2):
            error = elementwise("fma")(builder, builder.fneg(root), half, constant(0.5))
            root, half = (elementwise("fma")(builder, x, error, x) for x in (root, half))
        return root

    def two_to_the(builder: Any, n: Any) -> Any:
        # n + bias in the low bits of a large number: no conversion, whose result on NaN would be undefined.
        low = builder.bitcast(builder.fadd(n, constant(1.5 * 2.0**mantissa_bits + bias)), wide_bits)
        return builder.bitcast(builder.shl(low, constant_bits(mantissa_bits)), wide)

    def exponent(builder: Any, a: Any) -> Any:
        raw = builder.lshr(builder.bitcast(a, wide_bits), constant_bits(mantissa_bits))
        return builder.sitofp(builder.sub(raw, constant_bits(bias)), wide)

    def mantissa(builder: Any, a: Any) -> Any:
        fraction = builder.and_(builder.bitcast(a, wide_bits), constant_bits((1 << mantissa_bits) - 1))
        return builder.bitcast(builder.or_(fraction, constant_bits(bias << mantissa_bits)), wide)

    def random_lanes(builder: Any, key: Any, at: Any) -> Any:
        def fitted(value: Any) -> Any:
            return fill_bits(builder, builder.trunc(value, bits) if single else value)

        def low(value: Any) -> Any:
            return value if single else builder.and_(value, constant_bits(0xFFFFFFFF))

        def folded(value: Any, shift: int) -> Any:
            return builder.xor(value, builder.lshr(value, constant_bits(shift)))

        lane = ir.Constant(wide_bits, [ir.Constant(bits, i) for i in range(lanes)])
        x = low(builder.add(lane, fitted(builder.add(at, key))))
        x = low(builder.mul(folded(x, 16), constant_bits(0x7FEB352D)))
        second = low(fitted(builder.lshr(key, ir.Constant(INTEGER, 31))))
        x = low(builder.mul(low(builder.add(folded(x, 15), second)), constant_bits(0x846CA68B)))
        x = builder.shl(builder.lshr(folded(x, 16), constant_bits(9)), constant_bits(mantissa_bits - 23))
        return builder.fsub(builder.bitcast(builder.or_(x, constant_bits(bias << mantissa_bits)), wide), constant(1.0))

    def fill_bits(builder: Any, scalar: Any) -> Any:
        one = builder.insert_element(ir.Constant(wide_bits, ir.Undefined), scalar, ir.Constant(INDEX, 0))
        zeros = ir.Constant(ir.VectorType(INDEX, lanes), [0] * lanes)
        return builder.shuffle_vector(one, ir.Constant(wide_bits, ir.Undefined), zeros)

    def lanes_below(builder: Any, n: Any) -> Any:
        small = ir.VectorType(INDEX, lanes)
        one = builder.insert_element(ir.Constant(small, ir.Undefined), builder.trunc(n, INDEX), ir.Constant(INDEX, 0))
        zeros = ir.Constant(ir.VectorType(INDEX, lanes), [0] * lanes)
        limit = builder.shuffle_vector(one, ir.Constant(small, ir.Undefined), zeros)
        return builder.icmp_signed("<", ir.Constant(small, list(range(lanes))), limit)

    def reader(kind: str, wrap: Lower) -> Lower:
        """Loads one value of a kind (``wrap``: of as many as a vector has lanes) as a real."""

        def lower(builder: Any, address: Any) -> Any:
            value = builder.load(builder.inttoptr(address, wrap(stored(kind)).as_pointer()), align=1)
            if kind in reals:
                if reals[kind] == real:
                    return value
                return (builder.fptrunc if single else builder.fpext)(value, wrap(real))
            return (builder.uitofp if kind.startswith("u") else builder.sitofp)(value, wrap(real))

        return lower

    def integer_reader(kind: str) -> Lower:
        def lower(builder: Any, address: Any) -> Any:
            value = builder.load(builder.inttoptr(address, stored(kind).as_pointer()), align=1)
            if kind in reals:
                return builder.fptosi(value, INTEGER)
            if value.type == INTEGER:
                return value
            return (builder.zext if kind.startswith("u") else builder.sext)(value, INTEGER)

        return lower

    def stored(kind: str) -> ir.Type:
        return reals[kind] if kind in reals else ir.IntType(int(kind.removeprefix("u").removeprefix("int")))

    def exchange(distance: int, high: bool) -> Lower:
        """Rows a and b of a square, ``distance`` apart, with the blocks beside the diagonal exchanged."""

        def source(lane: int) -> int:
            if high:
                return lanes + lane if lane & distance else lane ^ distance
            return lanes + (lane ^ distance) if lane & distance else lane

        order = ir.Constant(ir.VectorType(INDEX, lanes), [source(lane) for lane in range(lanes)])
        return lambda builder, a, b: builder.shuffle_vector(a, b, order)

    def lane_numbers(builder: Any) -> Any:
        return ir.Constant(wide, [ir.Constant(real, float(i)) for i in range(lanes)])

    def compare(sign: str) -> Lower:
        return lambda builder, a, b: builder.fcmp_ordered(sign, a, b)

    def get(kind: ir.Type) -> Lower:
        return lambda builder, address, index: builder.load(_pointer(builder, address, index, kind))

    def put(kind: ir.Type) -> Lower:
        return lambda builder, address, index, value: builder.store(value, _pointer(builder, address, index, kind))

    table: dict[str, Lower] = {
        "load": load,
        "store": store,
        "in_register": held,
        "load_half": load_half,
        "store_half": store_half,
        "splat_half": splat_half,
        "accumulated_half": accumulated_half,
        "broadcast": broadcast,
        "splat": lambda builder, value: fill(builder, narrow(builder, value)),
        "first_lane": lambda b, a: widen(b, b.extract_element(a, ir.Constant(INDEX, 0))),
        "sum_lanes": butterfly(lambda builder, a, b: builder.fadd(a, b)),
        "max_lanes": butterfly(greater),
        "lanes_below": lanes_below,
        "where": lambda builder, m, a, b: builder.select(m, a, b),
        "fma": elementwise("fma"),
        "accumulated": elementwise("fma"),
        "reciprocal": reciprocal,
        "sqrt": sqrt,
        "absolute": elementwise("fabs"),
        "copysign": elementwise("copysign"),
        "rint": elementwise("rint"),
        "maximum": greater,
        "minimum": lambda builder, a, b: builder.select(builder.fcmp_ordered("<", b, a), b, a),
        "less": compare("<"),
        "less_equal": compare("<="),
        "greater": compare(">"),
        "greater_equal": compare(">="),
        "equal": compare("=="),
        "lane_numbers": lane_numbers,
        "random_lanes": random_lanes,
        "two_to_the": two_to_the,
        "exponent": exponent,
        "mantissa": mantissa,
        "get": lambda builder, p, i: widen(builder, builder.load(_pointer(builder, p, i, real))),
        "put": lambda builder, p, i, v: builder.store(narrow(builder, v), _pointer(builder, p, i, real)),
        "copy": lambda builder, p, i, q, j: builder.store(
            builder.load(_pointer(builder, p, i, real)), _pointer(builder, q, j, real)
        ),
        "write": lambda builder, p, i, v: builder.store(v, _pointer(builder, p, i, real)),
        "get_integer": get(INTEGER),
        "get_double": get(DOUBLE),
        "put_double": put(DOUBLE),
        "put_integer": put(INTEGER),
        "to_double": lambda builder, value: builder.sitofp(value, DOUBLE),
        "power": lambda b, x, n: _call(b, "llvm.pow.f64", DOUBLE, x, n),
        "square_root": lambda b, x: _call(b, "llvm.sqrt.f64", DOUBLE, x),
        "is_finite": lambda b, x: b.fcmp_ordered("==", b.fsub(x, x), ir.Constant(DOUBLE, 0.0)),
        **_threading(),
    }
    for distance in (d for d in (1, 2, 4, 8) if d < lanes):
        table[f"exchange_low_{distance}"] = exchange(distance, False)
        table[f"exchange_high_{distance}"] = exchange(distance, True)
    for kind in KINDS:
        table[f"read_{kind}"] = reader(kind, lambda scalar: scalar)
        table[f"read_vector_{kind}"] = reader(kind, lambda s: ir.VectorType(s, lanes))
        table[f"read_integer_{kind}"] = integer_reader(kind)
    return table


def _threading() -> dict[str, Lower]:
    """Atomics, a polite wait and the floating-point state: what the barrier and the kernel's entry need."""
    x86, arm = MACHINE == "x86_64", MACHINE in ("aarch64", "arm64")

    def atomic_add(builder: Any, p: Any, i: Any, value: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, p, i, INTEGER), value, "seq_cst")

    def atomic_get(builder: Any, p: Any, i: Any) -> Any:
        return builder.load_atomic(_pointer(builder, p, i, INTEGER), "acquire", 8)

    def atomic_put(builder: Any, p: Any, i: Any, value: Any) -> None:
        builder.store_atomic(value, _pointer(builder, p, i, INTEGER), "release", 8)

    def relax(builder: Any) -> None:
        if x86:
            _call(builder, "llvm.x86.sse2.pause", ir.VoidType())
        elif arm:
            _call(builder, "llvm.aarch64.hint", ir.VoidType(), ir.Constant(INDEX, 1))

    def rest(builder: Any) -> None:
        if sys.platform == "win32":
            _call(builder, "SwitchToThread", INDEX)
        else:
            _call(builder, "usleep", INDEX, ir.Constant(INDEX, 1))

    def flush_denormals(builder: Any) -> Any:
        if x86:  # MXCSR: flush to zero (bit 15) and denormals are zero (bit 6)
            slot = builder.alloca(INDEX)
            raw = builder.bitcast(slot, ir.IntType(8).as_pointer())
            _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), raw)
            before = builder.load(slot)
            builder.store(builder.or_(before, ir.Constant(INDEX, 0x8040)), slot)
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), raw)
            return builder.zext(before, INTEGER)
        if arm:  # FPCR: flush to zero (bit 24)
            before = _call(builder, "llvm.aarch64.get.fpcr", INTEGER)
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), builder.or_(before, INTEGER(1 << 24)))
            return before
        return INTEGER(0)

    def restore_denormals(builder: Any, state: Any) -> None:
        if x86:
            slot = builder.alloca(INDEX)
            builder.store(builder.trunc(state, INDEX), slot)
            raw = builder.bitcast(slot, ir.IntType(8).as_pointer())
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), raw)
        elif arm:
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), state)

    def call_function(builder: Any, address: Any, *args: Any) -> Any:
        kind = ir.FunctionType(INTEGER, [INTEGER] * len(args))
        return builder.call(builder.inttoptr(address, kind.as_pointer()), args)

    def fetch(builder: Any, p: Any, to_write: int) -> None:
        flags = [ir.Constant(INDEX, flag) for flag in (to_write, 3, 1)]  # into the first level, data
        _call(builder, "llvm.prefetch.p0", ir.VoidType(), builder.inttoptr(p, ir.IntType(8).as_pointer()), *flags)

    def claim(builder: Any, p: Any) -> None:
        fetch(builder, p, 1)

    def unforeseen(builder: Any, i: Any) -> Any:
        return builder.asm(ir.FunctionType(INTEGER, [INTEGER]), "", "=r,0", [i], side_effect=False)

    def prefetch(builder: Any, p: Any) -> None:
        fetch(builder, p, 0)

    return {
        "call_function": call_function,
        "prefetch_write": claim,
        "prefetch": prefetch,
        "opaque": unforeseen,
        "atomic_add": atomic_add,
        "atomic_get": atomic_get,
        "atomic_put": atomic_put,
        "spin_pause": relax,
        "short_sleep": rest,
        "flush_denormals": flush_denormals,
        "restore_denormals": restore_denormals,
    }
