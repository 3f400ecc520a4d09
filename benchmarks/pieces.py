"""Single functions of the kernels, compiled by Numba for this machine, to be measured by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from fastnn.kernels import render
from fastnn.kernels.machine import instruction_set
from fastnn.kernels.numba_primitives import OPTIONS, vocabulary

ISA, INSTRUCTION_SET = instruction_set()
LANES = INSTRUCTION_SET.vector_bytes // 4
"""float32 values a vector."""


def compiled(entry: str, *names: str) -> Callable[[int, int, int], int]:
    """The source of ``entry(a, b, c)``, all integers, which may call the vocabulary and the kernels of these names."""
    scope: dict[str, Any] = vocabulary("float32", LANES).copy()
    for function in render.render(render.Source(), "float32", INSTRUCTION_SET):
        if function.name in names:
            arguments = ", ".join(name for name, _ in function.arguments)
            exec(f"def {function.name}({arguments}):\n{function.body}", scope)
            scope[function.name] = numba.njit(**OPTIONS)(scope[function.name])
    exec(entry, scope)
    run: Callable[[int, int, int], int] = numba.njit("int64(int64, int64, int64)", nogil=True, error_model="numpy")(
        scope["entry"]
    )
    return run
