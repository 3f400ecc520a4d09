"""Numba's types for vectors, masks and records, with their operators and fields."""

import operator
from functools import cache
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import lower_builtin, lower_getattr_generic

from .. import records, values
from ..render.sources import SCALARS, places
from .lanes import DOUBLE, INTEGER, vector_type
from .words import vocabulary


class LanesType(types.Type):
    """A vector, half a vector, a mask, or a single real of a program, by what it is in LLVM."""

    def __init__(self, kind: str, dtype: str, lanes: int) -> None:
        self.kind, self.dtype, self.lanes = kind, dtype, lanes
        wide = vector_type(dtype, lanes if kind != "half" else lanes // 2)
        self.llvm = {"mask": ir.VectorType(ir.IntType(1), lanes), "real": wide.element}.get(kind, wide)
        super().__init__(name=f"{kind}({dtype} x {lanes})")


class RecordType(types.Type):
    """A record in memory, or one of its groups: an address."""

    def __init__(self, record: str, group: str = "") -> None:
        self.record, self.group = record, group
        super().__init__(name=f"{record}{'.' * bool(group)}{group}")


@register_default(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: LanesType) -> None:
        super().__init__(manager, kind, kind.llvm)


@register_default(RecordType)
class _RecordModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: RecordType) -> None:
        super().__init__(manager, kind, INTEGER)


@cache
def type_of(annotation: str | None, dtype: str, lanes: int) -> Any:
    """Numba's type for the name of a type in a kernel's annotations."""
    if annotation in (None, "None"):
        return types.void
    if annotation == "bool":
        return types.boolean
    kind = SCALARS.get(annotation, annotation)
    if kind in ("integer", "double"):
        return types.int64 if kind == "integer" else types.float64
    if kind in ("vector", "half", "mask", "real"):
        return LanesType(kind, dtype, lanes)
    fields = getattr(getattr(values, annotation, None), "_fields", None)
    if fields is None:
        return RecordType(annotation)
    kinds = [type_of(k.__forward_arg__, dtype, lanes) for k in getattr(values, annotation).__annotations__.values()]
    return types.BaseTuple.from_types(kinds, getattr(values, annotation))


# --- Operators -------------------------------------------------------------------------------------------------------

PLACES = {"Layer": places(records.Layer), "Job": places(records.Job)}
ARITHMETIC = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv"}
COMPARISONS = {operator.lt: "less", operator.le: "less_equal", operator.gt: "greater", operator.ge: "greater_equal"}
WORDS = {**COMPARISONS, operator.eq: "equal"}


def _declare(symbol: Any) -> None:
    @infer_global(symbol)
    class Operator(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            vectors = [a for a in args if isinstance(a, LanesType)]
            if not vectors or not all(isinstance(a, (LanesType, types.Float)) for a in args):
                return None
            kind = vectors[0]
            result = LanesType("mask", kind.dtype, kind.lanes) if symbol in WORDS else kind
            return signature(result, *(kind if isinstance(a, LanesType) else types.float64 for a in args))

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = next(a for a in sig.args if isinstance(a, LanesType))
        words = vocabulary(kind.dtype, kind.lanes)
        wide = [
            v if isinstance(a, LanesType) else words["splat"](builder, v) for a, v in zip(sig.args, args, strict=True)
        ]
        if symbol is operator.neg:
            return builder.fneg(*wide)
        if symbol in WORDS:
            return words[WORDS[symbol]](builder, *wide)
        return getattr(builder, ARITHMETIC[symbol])(*wide)

    if symbol is operator.neg:
        lower_builtin(symbol, LanesType)(lower)
    else:
        for pair in ((LanesType, LanesType), (LanesType, types.Float), (types.Float, LanesType)):
            lower_builtin(symbol, *pair)(lower)


for _symbol in (*ARITHMETIC, *WORDS, operator.neg):
    _declare(_symbol)


# --- Fields ----------------------------------------------------------------------------------------------------------


@infer_getattr
class _Fields(AttributeTemplate):
    key = RecordType

    def generic_resolve(self, record: RecordType, name: str) -> Any:
        path = f"{record.group}.{name}".lstrip(".")
        if path in PLACES[record.record]:
            return types.float64 if PLACES[record.record][path][0] == "double" else types.int64
        if any(known.startswith(path + ".") for known in PLACES[record.record]):
            return RecordType(record.record, path)
        return None


@lower_getattr_generic(RecordType)
def _field(context: Any, builder: Any, record: RecordType, value: Any, name: str) -> Any:
    path = f"{record.group}.{name}".lstrip(".")
    if path not in PLACES[record.record]:
        return value
    kind, place = PLACES[record.record][path]
    address = builder.inttoptr(value, (DOUBLE if kind == "double" else INTEGER).as_pointer())
    return builder.load(cgutils.gep_inbounds(builder, address, place))
