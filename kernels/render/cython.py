"""Cython's source: the rendered functions of both dtypes for one instruction set, over the words of primitives.h."""

import ast
import re
from collections.abc import Callable

from ..vocabulary import ELEMENTARY, OF_REALS
from .instruction_sets import ALL, OF_GCC, InstructionSet, cython_isas
from .rendered import Rendered
from .sources import Signature, Source, digest
from .whole import ENTRY, render

__all__ = ["OF_GCC", "cython_isas", "cython_source"]

OF_TYPES = ("vector", "half", "mask", "real")
"""Types that are others for float32 and float64."""


def cython_source(isa: str, exposed: Callable[[list[Rendered]], list[Rendered]] | None = None) -> str:
    """A module with ``float32`` and ``float64``, the entries, for one instruction set.

    With ``exposed``, the module has dictionaries of every function's address, ``addresses_float32()``
    ...; and further functions, which ``exposed`` makes of the list of all.
    """
    instruction_set = ALL[isa]
    parts = [
        "# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False\n"
        "# Rendered by fastnn.kernels.render; not to be edited.\n"
        f'source_digest = "{digest()}"'
    ]
    source = Source()
    real, _ = words(source)
    table = {}
    for dtype in ("float32", "float64"):
        parts.append(cython_declarations(source, dtype, instruction_set))
        rendered = list(render(source, dtype, instruction_set))
        rendered += exposed(rendered) if exposed else []
        table[dtype] = ", ".join(f'"{f.name}": <integer><void *>{f.name}_{dtype}' for f in rendered)
        names = {f.name for f in rendered} | set(real)
        parts.append(never_inlined([f for f in rendered if f.apart], dtype))
        for f in rendered:
            arguments = ", ".join(f"{cython_type(kind, dtype)} {name}" for name, kind in f.arguments)
            result = cython_type(f.result, dtype) if f.result else "void"
            declared = (f"    cdef {cython_type(kind, dtype)} {name}\n" for name, kind in variables(f).items())
            body = rename(f.body, names, dtype)
            head = f"cdef inline {result}" if f.inlined else f"cdef {result}"
            alias = f' "apart_{f.name}_{dtype}"' if f.apart else ""
            parts.append(f"{head} {f.name}_{dtype}{alias}({arguments}) noexcept nogil:\n{''.join(declared)}{body}")
        parts.append(
            f"def {dtype}(integer layers, integer job, integer thread):\n"
            f"    cdef integer ended\n"
            f"    with nogil:\n        ended = {ENTRY}_{dtype}(layers, job, thread)\n    return ended"
        )
    if exposed:
        parts += [f"def addresses_{dtype}():\n    return {{{places}}}" for dtype, places in table.items()]
    return "\n\n".join(parts) + "\n"


def variables(function: Rendered) -> dict[str, str]:
    """The type of each of a function's variables, in the order in which they are first assigned."""
    nodes = list(ast.walk(ast.parse(f"def f():\n{function.body}")))
    counters = {n.target.id: "integer" for n in nodes if isinstance(n, ast.For) and isinstance(n.target, ast.Name)}
    assigned = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    names = dict.fromkeys(n.id for n in sorted(assigned, key=lambda n: (n.lineno, n.col_offset)))
    kinds = counters | function.kinds
    return {n: kinds.get(n, function.other) for n in names if n not in dict(function.arguments)}


def words(source: Source) -> tuple[dict[str, Signature], dict[str, Signature]]:
    """The vocabulary as primitives.h has it: words of each dtype, and words that both share."""
    real: dict[str, Signature] = {}
    shared: dict[str, Signature] = {}
    for name, signature in source.vocabulary.items():
        if name not in ELEMENTARY:
            of_reals = {*signature.arguments.values(), signature.result} & {*OF_TYPES}
            (real if of_reals or name in OF_REALS else shared)[name] = signature
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
    return f"{kind}_{dtype}" if kind in OF_TYPES else {"bool": "integer"}.get(kind, kind)


def rename(body: str, names: set[str], dtype: str) -> str:
    body = re.sub(r"(?<![.\w])(\d{10,})(?![.\w])", r"\1LL", body)  # else a Python integer
    return re.sub(r"\b([a-z]\w*)\(", lambda m: f"{m[1]}_{dtype}(" if m[1] in names else m[0], body)
