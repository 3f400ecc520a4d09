"""The constants that differ between programs: the reals' type and the instruction set decide them.

Kernels import them by name; what stands here is 0, and is replaced when a program is compiled.
"""

from .records import KINDS
from .render.instruction_sets import InstructionSet
from .tuning import PANEL_COLUMNS, scratch_layout

LANES = 0  # reals in a vector
SIZE = 0  # bytes of a real
OWN_KIND = 0  # code of the reals' type: place in KINDS
TILE_ROWS = TILE_VECTORS = 0  # the tallest tile's rows, the widest one's vectors
WIDE_SUMS = 0  # how many sums a tile of one or two rows may have
HALVES = 0  # 1: there are tiles that end in half a vector
PANEL_VECTORS = 0  # the most vectors of a panel's row

# Where parts of a thread's scratch memory start, in bytes: see tuning.scratch_layout.
STEP = BEFORE = ONE = ROWS_AHEAD = PACK = PACK_INPUTS = PANEL = STATISTICS = 0


def constants(dtype: str, instruction_set: InstructionSet) -> dict[str, int]:
    """All of them for a dtype, "float32" or "float64", by name."""
    size = 4 if dtype == "float32" else 8
    lanes = instruction_set.vector_bytes // size
    return {
        **scratch_layout(size)[0],
        "LANES": lanes,
        "SIZE": size,
        "OWN_KIND": KINDS.index(dtype),
        "TILE_ROWS": instruction_set.tile_rows,
        "TILE_VECTORS": instruction_set.tile_vectors,
        "WIDE_SUMS": instruction_set.wide_sums,
        "HALVES": int(instruction_set.halves),
        "PANEL_VECTORS": PANEL_COLUMNS // lanes,
    }
