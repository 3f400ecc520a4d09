"""Cython's source: the rendered functions of both dtypes for one instruction set, over the words of primitives.h."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from ..records import KINDS
from ..vocabulary import DISTANCES, ELEMENTARY, OF_REALS
from .instruction_sets import CYTHON_ISAS, INSTRUCTION_SETS, InstructionSet
from .rendered import Rendered
from .sources import Signature, Source
from .whole import ENTRY, render

__all__ = ["CYTHON_ISAS", "cython_source"]


def cython_source(isa: str, exposed: Callable[[list[Rendered]], list[Rendered]] | None = None) -> str:
    """A module with ``float32`` and ``float64``, the entries, for one instruction set.

    With ``exposed``, the module has dictionaries of every function's address, ``addresses_float32()``
    ...; and further functions, which ``exposed`` makes of the list of all.
    """
    instruction_set = INSTRUCTION_SETS[isa]
    parts = [
        "# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False\n"
        "# Rendered by fastnn.kernels.render; not to be edited."
    ]
    source = Source()
    real, shared = words(source)
    table = {}
    for dtype in ("float32", "float64"):
        parts.append(cython_declarations(source, dtype, instruction_set))
        rendered = list(render(source, dtype, instruction_set))
        rendered += exposed(rendered) if exposed else []
        table[dtype] = ", ".join(f'"{f.name}": <integer><void *>{f.name}_{dtype}' for f in rendered)
        names = {f.name for f in rendered} | set(real)
        results = {f.name: f.result for f in rendered}
        results |= {name: signature.result for name, signature in (real | shared).items()}
        parts.append(never_inlined([f for f in rendered if f.apart], dtype))
        for f in rendered:
            arguments = ", ".join(f"{cython_type(kind, dtype)} {name}" for name, kind in f.arguments)
            result = cython_type(f.result, dtype) if f.result else "void"
            variables = "".join(
                f"    cdef {cython_type(kind, dtype)} {name}\n" for name, kind in local_types(f, results).items()
            )
            body = rename(f.body, names, dtype)
            head = f"cdef inline {result}" if f.inlined else f"cdef {result}"
            alias = f' "apart_{f.name}_{dtype}"' if f.apart else ""
            parts.append(f"{head} {f.name}_{dtype}{alias}({arguments}) noexcept nogil:\n{variables}{body}")
        parts.append(
            f"def {dtype}(integer layers, integer job, integer thread):\n"
            f"    cdef integer ended\n"
            f"    with nogil:\n        ended = {ENTRY}_{dtype}(layers, job, thread)\n    return ended"
        )
    if exposed:
        parts += [f"def addresses_{dtype}():\n    return {{{places}}}" for dtype, places in table.items()]
    return "\n\n".join(parts) + "\n"


def local_types(function: Rendered, results: dict[str, str | None]) -> dict[str, str]:
    """The type of each local name: that of what is first assigned to it."""
    known = dict(function.arguments)
    found: dict[str, str] = {}

    def kind(node: ast.expr) -> str:
        match node:
            case ast.Constant():
                return "double" if isinstance(node.value, float) else "integer"
            case ast.Name():
                return "double" if node.id == "INFINITY" else known[node.id]
            case ast.Call(func=ast.Name(id=name)):
                return results[name] or "integer"
            case ast.BinOp():
                sides = {kind(node.left), kind(node.right)}
                return next(t for t in ("vector", "double", "integer") if t in sides)
            case ast.UnaryOp():
                return kind(node.operand)
        return "integer"  # comparisons and what is made of them

    def visit(statements: list[ast.stmt]) -> None:
        for node in statements:
            target, value = None, "integer"
            match node:
                case ast.Assign(targets=[ast.Name(id=target)]):
                    value = kind(node.value)
                case ast.For(target=ast.Name(id=target)):
                    pass
            if target and target not in known:
                known[target] = found[target] = value
            for inner in ("body", "orelse"):
                visit(getattr(node, inner, []))

    visit(ast.parse(f"def f():\n{function.body}").body)
    return found


def words(source: Source) -> tuple[dict[str, Signature], dict[str, Signature]]:
    """The vocabulary as primitives.h has it: words of each dtype, and words that both share."""
    real, shared = {}, {}
    for name, signature in source.vocabulary.items():
        if name in ELEMENTARY:
            continue
        if name.startswith("exchange_"):
            kinds = dict(list(signature.arguments.items())[1:])
            real |= {f"{name}_{distance}": Signature(kinds, signature.result) for distance in DISTANCES}
        elif name in OF_REALS or {*signature.arguments.values(), signature.result} - {"integer", "double", None}:
            real[name] = signature
        else:
            shared[name] = signature
    for kind in KINDS:
        at = {"address": "integer"}
        real |= {f"read_{kind}": Signature(at, "real"), f"read_vector_{kind}": Signature(at, "vector")}
        shared[f"read_integer_{kind}"] = Signature(at, "integer")
    return real, shared


def cython_declarations(source: Source, dtype: str, instruction_set: InstructionSet) -> str:
    def declare(declared: dict[str, Signature], suffix: str) -> list[str]:
        return [
            f"    {cython_type(signature.result or 'void', dtype)} {name}{suffix}"
            f"({', '.join(cython_type(kind, dtype) for kind in signature.arguments.values())}) noexcept nogil"
            for name, signature in declared.items()
        ]

    real, shared = words(source)
    lines = []
    if dtype == "float32":
        lines += ["cdef extern from *:", f'    """\n    #define VECTOR_BYTES {instruction_set.vector_bytes}\n    """']
        lines += ['cdef extern from "primitives.h":', '    ctypedef long long integer "int64_t"']
        lines += ["    double INFINITY"]
        lines += declare(shared, "")
    number = "float" if dtype == "float32" else "double"
    lines += ['cdef extern from "primitives.h":']
    lines += [f"    ctypedef {number} {kind}_{dtype}" for kind in ("vector", "half", "real")]
    lines += [f"    ctypedef int mask_{dtype}"]
    lines += declare(real, f"_{dtype}")
    return "\n".join(lines)


def never_inlined(functions: list[Rendered], dtype: str) -> str:
    """Prototypes in C, for Cython has no word for it."""
    types = {"integer": "int64_t", "double": "double", "vector": f"vector_{dtype}", None: "void"}
    prototypes = (
        f"    static {types[f.result]} apart_{f.name}_{dtype}({', '.join(types[kind] for _, kind in f.arguments)})"
        " __attribute__((noinline));\n"
        for f in functions
    )
    return f'cdef extern from *:\n    """\n{"".join(prototypes)}    """'


def cython_type(kind: str, dtype: str) -> str:
    return f"{kind}_{dtype}" if kind in ("vector", "half", "mask", "real") else kind


def rename(body: str, names: set[str], dtype: str) -> str:
    body = re.sub(r"(?<![.\w])(\d{10,})(?![.\w])", r"\1LL", body)  # else a Python integer
    return re.sub(r"\b([a-z]\w*)\(", lambda m: f"{m[1]}_{dtype}(" if m[1] in names else m[0], body)
