"""Which instruction set the kernels are rendered for, or picked from."""

import os

from .render.instruction_sets import INSTRUCTION_SETS, MACHINE, InstructionSet

VARIABLE = "FASTNN_ISA"


def supported() -> list[str]:
    """The names in INSTRUCTION_SETS that this processor can run, widest first."""
    if MACHINE != "x86_64":
        return list(INSTRUCTION_SETS)
    from numpy._core._multiarray_umath import __cpu_features__ as features  # what NumPy itself dispatches on

    wanted = {"v4": ("AVX512F", "AVX512CD", "AVX512_SKX", "FMA3"), "v3": ("AVX2", "FMA3"), "baseline": ()}
    return [name for name in INSTRUCTION_SETS if all(features.get(f, False) for f in wanted[name])]


def instruction_set() -> tuple[str, InstructionSet]:
    """The widest one, or what FASTNN_ISA asks for."""
    names = supported()
    forced = os.environ.get(VARIABLE, "")
    if forced and forced not in names:
        raise ValueError(f"{VARIABLE} got {forced!r}; this processor offers {', '.join(names)}")
    name = forced or names[0]
    return name, INSTRUCTION_SETS[name]
