"""Words of numbers, between threads, and of the floating-point state in LLVM: each function emits the word of its name.

The barrier and the kernels' entry are made of most of them.
"""

import sys
import time
from typing import Any

from llvmlite import ir

from ..render.instruction_sets import MACHINE
from .lanes import DOUBLE, INDEX, INTEGER, Lower, call, pointer

X86, ARM = MACHINE == "x86_64", MACHINE == "aarch64"
FUTEX = (202 if X86 else 98 if ARM else 0) if sys.platform == "linux" else 0
"""The number of Linux's call to sleep at a word; 0: there is none, or it is not known."""
FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE = 128, 129


def to_double(builder: Any, value: Any) -> Any:
    return builder.sitofp(value, DOUBLE)


def power(builder: Any, x: Any, n: Any) -> Any:
    return call(builder, "llvm.pow.f64", DOUBLE, x, n)


def square_root(builder: Any, x: Any) -> Any:
    return call(builder, "llvm.sqrt.f64", DOUBLE, x)


def is_finite(builder: Any, x: Any) -> Any:
    return builder.fcmp_ordered("==", builder.fsub(x, x), DOUBLE(0.0))


def opaque(builder: Any, i: Any) -> Any:
    return builder.asm(ir.FunctionType(INTEGER, [INTEGER]), "", "=r,0", [i], side_effect=False)


def atomic_add(builder: Any, address: Any, index: Any, value: Any) -> Any:
    return builder.atomic_rmw("add", pointer(builder, address, index, INTEGER), value, "seq_cst")


def atomic_get(builder: Any, address: Any, index: Any) -> Any:
    return builder.load_atomic(pointer(builder, address, index, INTEGER), "acquire", 8)


def atomic_put(builder: Any, address: Any, index: Any, value: Any) -> None:
    builder.store_atomic(value, pointer(builder, address, index, INTEGER), "release", 8)


def spin_pause(builder: Any) -> None:
    if X86:
        call(builder, "llvm.x86.sse2.pause", ir.VoidType())
    elif ARM:
        call(builder, "llvm.aarch64.isb", ir.VoidType(), INDEX(15))  # tens of cycles; its yield is none


def short_sleep(builder: Any) -> None:
    if sys.platform == "win32":
        call(builder, "SwitchToThread", INDEX)
    else:
        call(builder, "usleep", INDEX, INDEX(1))


def _in_frame(builder: Any, *values: Any) -> Any:
    """The address of two integers on the stack, which a loop does not make grow."""
    with builder.goto_entry_block():
        slot = builder.alloca(INTEGER, size=INDEX(2))
    for number, value in enumerate(values):
        builder.store(INTEGER(value), builder.gep(slot, [INDEX(number)]))
    return slot


def _futex(builder: Any, address: Any, index: Any, operation: int, value: Any, most: Any) -> None:
    name, place = "syscall", builder.ptrtoint(pointer(builder, address, index, INTEGER), INTEGER)
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(INTEGER, [INTEGER], var_arg=True), name)
    builder.call(function, [INTEGER(FUTEX), place, INDEX(operation), value, most, INTEGER(0), INTEGER(0)])


def sleep_while(builder: Any, address: Any, index: Any, value: Any) -> None:
    if FUTEX:
        most = builder.ptrtoint(_in_frame(builder, 0, 1_000_000), INTEGER)
        _futex(builder, address, index, FUTEX_WAIT_PRIVATE, builder.trunc(value, INDEX), most)
    else:
        short_sleep(builder)


def wake(builder: Any, address: Any, index: Any) -> None:
    if FUTEX:
        _futex(builder, address, index, FUTEX_WAKE_PRIVATE, INDEX(2**31 - 1), INTEGER(0))


def _nanoseconds(builder: Any, which: int | None) -> Any:
    if which is None:
        return INTEGER(0)
    slot = _in_frame(builder)
    call(builder, "clock_gettime", INDEX, INDEX(which), slot)
    seconds, rest = (builder.load(builder.gep(slot, [INDEX(number)])) for number in (0, 1))
    return builder.add(builder.mul(seconds, INTEGER(10**9)), rest)


def wall_clock(builder: Any) -> Any:
    return _nanoseconds(builder, getattr(time, "CLOCK_MONOTONIC", None))


def thread_clock(builder: Any) -> Any:
    return _nanoseconds(builder, getattr(time, "CLOCK_THREAD_CPUTIME_ID", None))


def flush_denormals(builder: Any) -> Any:
    if X86:  # MXCSR: flush to zero (bit 15) and denormals are zero (bit 6)
        slot = builder.alloca(INDEX)
        raw = builder.bitcast(slot, ir.IntType(8).as_pointer())
        call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), raw)
        before = builder.load(slot)
        builder.store(builder.or_(before, INDEX(0x8040)), slot)
        call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), raw)
        return builder.zext(before, INTEGER)
    if ARM:  # FPCR: flush to zero (bit 24)
        before = call(builder, "llvm.aarch64.get.fpcr", INTEGER)
        call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), builder.or_(before, INTEGER(1 << 24)))
        return before
    return INTEGER(0)


def restore_denormals(builder: Any, state: Any) -> None:
    if X86:
        slot = builder.alloca(INDEX)
        builder.store(builder.trunc(state, INDEX), slot)
        raw = builder.bitcast(slot, ir.IntType(8).as_pointer())
        call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), raw)
    elif ARM:
        call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), state)


def call_function(builder: Any, address: Any, *args: Any) -> Any:
    kind = ir.FunctionType(INTEGER, [INTEGER] * len(args))
    return builder.call(builder.inttoptr(address, kind.as_pointer()), args)


WORDS: dict[str, Lower] = {
    word.__name__: word
    for word in (to_double, power, square_root, is_finite, opaque, atomic_add, atomic_get, atomic_put)
    + (
        spin_pause,
        short_sleep,
        sleep_while,
        wake,
        wall_clock,
        thread_clock,
        flush_denormals,
        restore_denormals,
        call_function,
    )
}
