"""Every function of a program, rendered: for one dtype and one instruction set."""

from __future__ import annotations

from collections.abc import Iterator

from ..program import constants
from .formulas import dispatcher, formulas, optimizers
from .instruction_sets import InstructionSet
from .lowering import lowered
from .rendered import Rendered
from .sources import Kernel, Source
from .tiles import dots, tiles, transposition

ENTRY = "run"


def render(source: Source, dtype: str, instruction_set: InstructionSet) -> Iterator[Rendered]:
    """Formulas, what is written out for the instruction set, and the kernels."""
    fixed = constants(dtype, instruction_set)
    values = source.constants | fixed
    yield from formulas(source, dtype)
    yield from optimizers(source, fixed["LANES"])
    yield from tiles(source, instruction_set, fixed["LANES"], fixed["SIZE"])
    yield transposition(source, fixed["LANES"])
    yield dots(source, fixed["LANES"])
    for kernel in source.kernels.values():
        yield from rendered(source, kernel, values)


def rendered(source: Source, kernel: Kernel, values: dict[str, int]) -> Iterator[Rendered]:
    """A kernel; of a table, one for each row, and the one that chooses among them."""
    if not kernel.table:
        yield lowered(source, kernel, values, None)
        return
    rows = source.tables[kernel.table]
    found = [lowered(source, kernel, values, row) for row in rows]
    yield from found
    if kernel.chosen:
        yield dispatcher(kernel.function.name, rows, found[0].arguments, found[0].result)
