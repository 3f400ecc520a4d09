"""The vocabulary of primitives.py in LLVM, for Numba: a vector type, and one intrinsic a primitive.

Nothing here knows a network.  ``vocabulary(dtype, lanes)`` returns the functions for one dtype and one vector
width; rendered kernels take them as globals.  Addresses are int64, indices count elements.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.codegen import JITCPUCodegen
from numba.core.compiler import Compiler
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from .plan import KINDS


class Linked(JITCPUCodegen._library_class):  # type: ignore[misc, name-defined]
    """The code of a function that only other compiled functions call: handed on to them as it is.

    Numba would optimise each function, make machine code of it, and do both again in every function that calls it.
    Here the entry alone is optimised, once, with all it calls in it: a third of the compile time.
    """

    def add_llvm_module(self, module: Any) -> None:
        self._final_module.link_in(module)

    def finalize(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


class Callee(Compiler):
    """Numba's own compiler, into such a library."""

    def define_pipelines(self) -> Any:
        self.state.flags.no_compile = True
        self.state.library = Linked(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return super().define_pipelines()

    def _compile_core(self) -> Any:
        result = super()._compile_core()
        result.library._ensure_finalized()
        entry = object().__sizeof__  # never called: Numba finds a callee by the identity of a built-in function
        result.target_context.insert_user_function(entry, result.fndesc, [result.library])
        return result._replace(entry_point=entry)


OPTIONS: dict[str, Any] = {
    "pipeline_class": Callee,
    "nogil": True,
    "error_model": "numpy",  # the other one checks every division and raises
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""How every function below the entry is compiled."""

INTEGER = ir.IntType(64)
DOUBLE = ir.DoubleType()


class Vector(types.Type):
    """A fixed number of lanes of one scalar type, held in a register."""

    def __init__(self, element: types.Type, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        super().__init__(name=f"vector({element} x {lanes})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, llvm_vector(kind))


def llvm_element(kind: Vector) -> ir.Type:
    return {types.float32: ir.FloatType(), types.float64: DOUBLE, types.boolean: ir.IntType(1)}[kind.element]


def llvm_vector(kind: Vector) -> ir.VectorType:
    return ir.VectorType(llvm_element(kind), kind.lanes)


def _operators() -> None:
    """Teach Numba + - * / and unary minus on vectors."""

    def register(function: Callable, arity: int, lower: Callable) -> None:
        @infer_global(function)
        class Template(AbstractTemplate):
            def generic(self, args: tuple, kws: dict) -> Any:
                if len(args) == arity and isinstance(args[0], Vector) and all(a == args[0] for a in args):
                    return signature(args[0], *args)
                return None

        @lower_builtin(function, *[Vector] * arity)
        def implementation(context: Any, builder: Any, sig: Any, args: tuple) -> Any:
            return lower(builder, *args)

    for function, instruction in [
        (operator.add, "fadd"),
        (operator.sub, "fsub"),
        (operator.mul, "fmul"),
        (operator.truediv, "fdiv"),
    ]:
        register(function, 2, lambda builder, a, b, name=instruction: getattr(builder, name)(a, b))
    register(operator.neg, 1, lambda builder, a: builder.fneg(a))


_operators()


def _primitive(argument_types: list[types.Type], result: types.Type, lower: Callable) -> Callable:
    """An intrinsic of a fixed signature; ``lower(builder, *arguments)`` emits its instructions."""
    names = ", ".join(f"a{i}" for i in range(len(argument_types)))

    def typer(context: Any, *_: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: tuple) -> Any:
            value = lower(builder, *args)
            return context.get_dummy_value() if result is types.void else value

        return result(*argument_types), codegen

    scope: dict[str, Any] = {"typer": typer}
    exec(f"def primitive(context, {names}):\n    return typer(context, {names})", scope)  # Numba wants named arguments
    return intrinsic(scope["primitive"])


def _call(builder: Any, name: str, result: ir.Type, *args: Any) -> Any:
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, [a.type for a in args]), name)
    return builder.call(function, args)


def _pointer(builder: Any, address: Any, index: Any, kind: ir.Type) -> Any:
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [index])


@cache
def vocabulary(dtype: str, lanes: int) -> dict[str, Any]:
    """Every primitive for ``dtype`` ("float32" or "float64") at ``lanes`` values a vector, by name."""
    single = dtype == "float32"
    number = types.float32 if single else types.float64
    vector = Vector(number, lanes)
    mask = Vector(types.boolean, lanes)
    real, wide = llvm_element(vector), llvm_vector(vector)
    bits = ir.IntType(32 if single else 64)
    wide_bits = ir.VectorType(bits, lanes)
    mantissa_bits, bias = (23, 127) if single else (52, 1023)
    size = 4 if single else 8
    suffix = f"v{lanes}{'f32' if single else 'f64'}"
    integer, double, void = types.int64, types.float64, types.void
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
        one = builder.insert_element(ir.Constant(wide, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        return builder.shuffle_vector(one, ir.Constant(wide, ir.Undefined), zeros)

    def load(builder: Any, address: Any, index: Any) -> Any:
        pointer = builder.bitcast(_pointer(builder, address, index, real), wide.as_pointer())
        return builder.load(pointer, align=size)

    def store(builder: Any, address: Any, index: Any, value: Any) -> None:
        pointer = builder.bitcast(_pointer(builder, address, index, real), wide.as_pointer())
        builder.store(value, pointer, align=size)

    def broadcast(builder: Any, address: Any, index: Any) -> Any:
        return fill(builder, builder.load(_pointer(builder, address, index, real), align=size))

    def elementwise(name: str) -> Callable:
        return lambda builder, *args: _call(builder, f"llvm.{name}.{suffix}", wide, *args)

    def shuffled(builder: Any, a: Any, order: list[int]) -> Any:
        indices = ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)
        return builder.shuffle_vector(a, ir.Constant(wide, ir.Undefined), indices)

    def butterfly(combine: Callable) -> Callable:
        def lower(builder: Any, a: Any) -> Any:
            distance = lanes // 2
            while distance:
                a = combine(builder, a, shuffled(builder, a, [i ^ distance for i in range(lanes)]))
                distance //= 2
            return a

        return lower

    def greater(builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", b, a), b, a)

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

    def lanes_below(builder: Any, n: Any) -> Any:
        small = ir.VectorType(INTEGER, lanes)
        one = builder.insert_element(ir.Constant(small, ir.Undefined), n, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        limit = builder.shuffle_vector(one, ir.Constant(small, ir.Undefined), zeros)
        return builder.icmp_signed("<", ir.Constant(small, list(range(lanes))), limit)

    def reader(kind: str, wrap: Callable) -> Callable:
        """Loads one value of a kind (``wrap``: of as many as a vector has lanes) as a real."""

        def lower(builder: Any, address: Any) -> Any:
            value = builder.load(builder.inttoptr(address, wrap(stored(kind)).as_pointer()), align=1)
            if kind in reals:
                if reals[kind] == real:
                    return value
                return (builder.fptrunc if single else builder.fpext)(value, wrap(real))
            return (builder.uitofp if kind.startswith("u") else builder.sitofp)(value, wrap(real))

        return lower

    def integer_reader(kind: str) -> Callable:
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

    def exchange(distance: int, high: bool) -> tuple[list[types.Type], types.Type, Callable]:
        """Rows a and b of a square, ``distance`` apart, with the blocks beside the diagonal exchanged."""

        def source(lane: int) -> int:
            if high:
                return lanes + lane if lane & distance else lane ^ distance
            return lanes + (lane ^ distance) if lane & distance else lane

        order = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [source(lane) for lane in range(lanes)])
        return [vector] * 2, vector, lambda builder, a, b: builder.shuffle_vector(a, b, order)

    def lane_numbers(builder: Any) -> Any:
        return ir.Constant(wide, [ir.Constant(real, float(i)) for i in range(lanes)])

    def compare(sign: str) -> tuple[list[types.Type], types.Type, Callable]:
        return [vector] * 2, mask, lambda builder, a, b: builder.fcmp_ordered(sign, a, b)

    def get(kind: ir.Type) -> Callable:
        return lambda builder, address, index: builder.load(_pointer(builder, address, index, kind))

    def put(kind: ir.Type) -> Callable:
        return lambda builder, address, index, value: builder.store(value, _pointer(builder, address, index, kind))

    table: dict[str, tuple[list[types.Type], types.Type, Callable]] = {
        "load": ([integer, integer], vector, load),
        "store": ([integer, integer, vector], void, store),
        "broadcast": ([integer, integer], vector, broadcast),
        "splat": ([double], vector, lambda builder, value: fill(builder, narrow(builder, value))),
        "first": ([vector], double, lambda b, a: widen(b, b.extract_element(a, ir.Constant(ir.IntType(32), 0)))),
        "sum_lanes": ([vector], vector, butterfly(lambda builder, a, b: builder.fadd(a, b))),
        "max_lanes": ([vector], vector, butterfly(greater)),
        "lanes_below": ([integer], mask, lanes_below),
        "where": ([mask, vector, vector], vector, lambda builder, m, a, b: builder.select(m, a, b)),
        "fma": ([vector] * 3, vector, elementwise("fma")),
        "sqrt": ([vector], vector, elementwise("sqrt")),
        "absolute": ([vector], vector, elementwise("fabs")),
        "copysign": ([vector] * 2, vector, elementwise("copysign")),
        "rint": ([vector], vector, elementwise("rint")),
        "maximum": ([vector] * 2, vector, greater),
        "minimum": (
            [vector] * 2,
            vector,
            lambda builder, a, b: builder.select(builder.fcmp_ordered("<", b, a), b, a),
        ),
        "less": compare("<"),
        "less_equal": compare("<="),
        "greater": compare(">"),
        "greater_equal": compare(">="),
        "equal": compare("=="),
        "lane_numbers": ([], vector, lane_numbers),
        "two_to_the": ([vector], vector, two_to_the),
        "exponent": ([vector], vector, exponent),
        "mantissa": ([vector], vector, mantissa),
        "get": (
            [integer, integer],
            double,
            lambda builder, p, i: widen(builder, builder.load(_pointer(builder, p, i, real))),
        ),
        "put": (
            [integer, integer, double],
            void,
            lambda builder, p, i, v: builder.store(narrow(builder, v), _pointer(builder, p, i, real)),
        ),
        "copy": (
            [integer, integer, integer, integer],
            void,
            lambda builder, p, i, q, j: builder.store(
                builder.load(_pointer(builder, p, i, real)), _pointer(builder, q, j, real)
            ),
        ),
        "write": (
            [integer, integer, number],
            void,
            lambda builder, p, i, v: builder.store(v, _pointer(builder, p, i, real)),
        ),
        "get_integer": ([integer, integer], integer, get(INTEGER)),
        "get_double": ([integer, integer], double, get(DOUBLE)),
        "put_double": ([integer, integer, double], void, put(DOUBLE)),
        "put_integer": ([integer, integer, integer], void, put(INTEGER)),
        "to_double": ([integer], double, lambda builder, value: builder.sitofp(value, DOUBLE)),
        "power": ([double, double], double, lambda b, x, n: _call(b, "llvm.pow.f64", DOUBLE, x, n)),
        "square_root": ([double], double, lambda b, x: _call(b, "llvm.sqrt.f64", DOUBLE, x)),
        "is_finite": (
            [double],
            types.boolean,
            lambda b, x: b.fcmp_ordered("==", b.fsub(x, x), ir.Constant(DOUBLE, 0.0)),
        ),
        **_threading(),
    }
    for distance in (d for d in (1, 2, 4, 8) if d < lanes):
        table[f"exchange_low_{distance}"] = exchange(distance, False)
        table[f"exchange_high_{distance}"] = exchange(distance, True)
    for kind in KINDS:
        table[f"read_{kind}"] = ([integer], number, reader(kind, lambda scalar: scalar))
        table[f"read_vector_{kind}"] = ([integer], vector, reader(kind, lambda s: ir.VectorType(s, lanes)))
        table[f"read_integer_{kind}"] = ([integer], integer, integer_reader(kind))
    functions = {name: _primitive(*entry) for name, entry in table.items()}
    return {"INFINITY": float("inf"), **functions}


def _threading() -> dict[str, tuple[list[types.Type], types.Type, Callable]]:
    """Atomics, a polite wait and the floating-point state: what the barrier and the kernel's entry need."""
    integer, void = types.int64, types.void
    x86, arm = _machine() == "x86_64", _machine() == "aarch64"

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
            _call(builder, "llvm.aarch64.hint", ir.VoidType(), ir.Constant(ir.IntType(32), 1))

    def give_way(builder: Any) -> None:
        if sys.platform == "win32":
            _call(builder, "SwitchToThread", ir.IntType(32))
        else:
            _call(builder, "sched_yield", ir.IntType(32))

    def flush_denormals(builder: Any) -> Any:
        if x86:  # MXCSR: flush to zero (bit 15) and denormals are zero (bit 6)
            slot = cgutils.alloca_once(builder, ir.IntType(32))
            raw = builder.bitcast(slot, ir.IntType(8).as_pointer())
            _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), raw)
            before = builder.load(slot)
            builder.store(builder.or_(before, ir.Constant(ir.IntType(32), 0x8040)), slot)
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), raw)
            return builder.zext(before, INTEGER)
        if arm:  # FPCR: flush to zero (bit 24)
            before = _call(builder, "llvm.aarch64.get.fpcr", INTEGER)
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), builder.or_(before, INTEGER(1 << 24)))
            return before
        return INTEGER(0)

    def restore_denormals(builder: Any, state: Any) -> None:
        if x86:
            slot = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(builder.trunc(state, ir.IntType(32)), slot)
            raw = builder.bitcast(slot, ir.IntType(8).as_pointer())
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), raw)
        elif arm:
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), state)

    def claim(builder: Any, p: Any) -> None:
        flags = [ir.Constant(ir.IntType(32), flag) for flag in (1, 3, 1)]  # to write, into the first level, data
        _call(builder, "llvm.prefetch.p0", ir.VoidType(), builder.inttoptr(p, ir.IntType(8).as_pointer()), *flags)

    return {
        "claim": ([integer], void, claim),
        "atomic_add": ([integer] * 3, integer, atomic_add),
        "atomic_get": ([integer] * 2, integer, atomic_get),
        "atomic_put": ([integer] * 3, void, atomic_put),
        "relax": ([], void, relax),
        "give_way": ([], void, give_way),
        "flush_denormals": ([], integer, flush_denormals),
        "restore_denormals": ([integer], void, restore_denormals),
    }


def _machine() -> str:
    import platform

    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)
