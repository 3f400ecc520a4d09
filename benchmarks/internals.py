"""Single functions of the kernels, compiled by Numba for this machine, to be measured by themselves."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numba

from fastnn.kernels import render
from fastnn.kernels.machine import instruction_set
from fastnn.kernels.numba_backend import as_intrinsic

ISA, INSTRUCTION_SET = instruction_set()
LANES = INSTRUCTION_SET.vector_bytes // 4
"""float32 values a vector."""


def lanes(dtype: str) -> int:
    """Values a vector."""
    return INSTRUCTION_SET.vector_bytes // (4 if dtype == "float32" else 8)


def compiled(entry: str, *names: str, dtype: str = "float32") -> Callable[[int, int, int], int]:
    """The source of ``entry(a, b, c)``, all integers, which may call the vocabulary and the kernels of these names."""
    (function,) = render.functions(ast.parse(entry)).values()
    arguments = [(argument.arg, "integer") for argument in function.args.args]
    own = render.Rendered("entry", arguments, "integer", render.text(function.body))
    kernels = [f for f in render.render(render.Source(), dtype, INSTRUCTION_SET) if f.name in names]
    call = as_intrinsic(lambda: [*kernels, own], "entry", dtype, INSTRUCTION_SET)

    @numba.njit("int64(int64, int64, int64)", nogil=True, error_model="numpy")
    def run(a, b, c):
        return call(a, b, c)

    return run
