"""Every function of a program, rendered: for one dtype and one instruction set."""

from collections.abc import Iterator

from ..program import constants
from .formulas import formulas, optimizers
from .instruction_sets import InstructionSet
from .lowering import lowered
from .rendered import Rendered
from .sources import Source
from .tables import dispatcher
from .tiles import shapes

ENTRY = "run"


def render(source: Source, dtype: str, instruction_set: InstructionSet) -> Iterator[Rendered]:
    """Formulas, what is written out for the instruction set, and the kernels."""
    fixed = constants(dtype, instruction_set)
    values = source.constants | fixed
    yield from formulas(source, dtype)
    yield from optimizers(source, fixed["LANES"])
    yield from shapes(source, instruction_set, fixed["LANES"], fixed["SIZE"])
    for name, kernel in source.kernels.items():
        if not kernel.table:
            yield lowered(source, kernel, values)
            continue
        rows = source.tables[kernel.table]
        found = [lowered(source, source.rows[f"{name}_{row.name}"], values) for row in rows]
        yield from found
        if kernel.chosen:
            yield dispatcher(name, rows, found[0].arguments, found[0].result)
