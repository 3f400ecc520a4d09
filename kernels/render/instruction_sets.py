"""The instruction sets that kernels are rendered for: vectors, tiles and the compiler's flags."""

import platform
from dataclasses import dataclass


@dataclass(frozen=True)
class InstructionSet:
    """How wide its vectors are (bytes), the tallest and widest tile its registers hold, and the compiler's flags.

    ``halves``: instructions on half a vector may take half the time, so some tiles end in one.
    """

    vector_bytes: int
    tile_rows: int
    tile_vectors: int
    flags: tuple[str, ...]
    halves: bool = False

    def shapes(self) -> dict[int, list[int]]:
        """The tiles that there are: for each height their widths, tallest first.

        A batch of one or two rows is computed in wider tiles, for else too few sums would hide the latency of each.
        """
        widths = {
            height: list(range(1, self.tile_vectors + 1)) for height in (8, 4, 3, 2, 1) if height <= self.tile_rows
        }
        for height in (1, 2):
            widths[height] += [width for width in (4, 8, 16) if width * height <= self.wide_sums]
        return widths

    @property
    def narrow_heights(self) -> tuple[int, ...]:
        """Of the tiles of a vector and a half."""
        return (8, 4) if self.halves else ()

    @property
    def wide_sums(self) -> int:
        """How many sums a tile of one or two rows may have."""
        return 16 if self.tile_rows == 8 else 8


# Without clones of product for each shape: then GCC has a tile inline in it.
COMMON_FLAGS = (
    "-O3",
    "-fno-ipa-cp-clone",
    "-fwrapv",
    "-fno-strict-aliasing",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
)
OF_GCC = ("-fno-ipa-cp-clone", "-fno-schedule-insns")
"""Those of the flags that clang does not know."""


def architecture(machine: str) -> str:
    """One name for what systems name differently."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())


MACHINE = architecture(platform.machine())
BY_MACHINE = {
    # Registers: 8 rows x 3 vectors of sums, 3 vectors of b and one of a fill 28 of 32; 4 x 3 all 16 of AVX2.
    "x86_64": {
        "v4": InstructionSet(64, 8, 3, ("-march=x86-64-v4", "-mprfchw", "-mprefer-vector-width=512"), True),
        "v3": InstructionSet(32, 4, 3, ("-march=x86-64-v3", "-mprfchw")),
        "baseline": InstructionSet(16, 4, 2, ()),
    },
    # Every processor of this kind has NEON, with 32 registers: 8 x 3 sums, 3 of b and one of a.  GCC would bring loads
    # of several steps forward before it counts registers, and then keep sums in memory.
    "aarch64": {"neon": InstructionSet(16, 8, 3, ("-fno-schedule-insns",))},
}
ELSEWHERE = {"baseline": InstructionSet(16, 4, 2, ())}
INSTRUCTION_SETS: dict[str, InstructionSet] = BY_MACHINE.get(MACHINE, ELSEWHERE)
"""For this machine's architecture, widest first."""

ALL = {name: one for sets in (*BY_MACHINE.values(), ELSEWHERE) for name, one in sets.items()}
"""Those of every architecture, by their names."""


def cython_isas(machine: str = MACHINE) -> dict[str, list[str]]:
    """The compiler's flags of each instruction set of an architecture."""
    sets = BY_MACHINE.get(architecture(machine), ELSEWHERE)
    return {name: [*COMMON_FLAGS, *s.flags] for name, s in sets.items()}
