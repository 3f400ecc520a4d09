"""A program: every kernel as a Numba function, for one dtype and this processor's instruction set.

Numba compiles each kernel by itself, from the function as it stands in its module; the names in it mean what they mean
in this program: words of the vocabulary are intrinsics, LANES is a number, another kernel is that kernel compiled.
Only formulas and kernels of a table are rewritten first: numbers become vectors, and the table's row is put in.
"""

from __future__ import annotations

import ast
import builtins
import copy
import dis
import importlib
from collections.abc import Callable
from functools import cache, cached_property
from math import inf
from types import FunctionType
from typing import Any

import numba
from numba.core import types
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import (
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode
from numba.extending import intrinsic

from .. import records, values
from ..language import Kernel
from ..machine import instruction_set
from ..program import constants
from ..render import formulas, tiles
from ..render.lowering import CASTS
from ..render.rendered import Rendered
from ..render.sources import VALUES, Source
from ..render.tables import dispatcher
from .lanes import INTEGER, Lower
from .translate import translate
from .types import RecordType, type_of
from .words import vocabulary as words


class Lean(CompilerBase):
    """Numba's pipeline less what kernels have no need of: closures, rewritten arrays, inlined overloads, objects."""

    def define_pipelines(self) -> list[PassManager]:
        passes = PassManager("kernels")
        passes.add_pass(TranslateByteCode, "analyzing bytecode")
        passes.add_pass(FixupArgs, "fix up args")
        passes.add_pass(IRProcessing, "processing IR")
        passes.add_pass(ReconstructSSA, "ssa")
        passes.add_pass(NopythonTypeInference, "type inference")
        passes.add_pass(PreLowerStripPhis, "remove phis nodes")
        passes.add_pass(IRLegalization, "ensure IR is legal prior to lowering")
        passes.add_pass(NativeLowering, "native lowering")
        passes.add_pass(NoPythonBackend, "nopython mode backend")
        passes.finalize()
        return [passes]


OPTIONS = {"nogil": True, "error_model": "numpy", "pipeline_class": Lean}


def compiled(kernel: Kernel[Any, Any], dtype: str) -> Any:
    """A kernel that Python can call, for "float32" or "float64" and this processor: see Program.compiled."""
    return program(dtype).compiled(kernel)


@cache
def program(dtype: str) -> Program:
    """The program for "float32" or "float64"."""
    return Program(dtype)


class Program:
    """Kernels by name, compiled when they are first asked for."""

    def __init__(self, dtype: str) -> None:
        self.dtype, self.instruction_set = dtype, instruction_set()[1]
        self.source = Source()
        self.constants = self.source.constants | constants(dtype, self.instruction_set)
        self.lanes = self.constants["LANES"]
        self.words = words(dtype, self.lanes)
        self.found: dict[str, Any] = {"inf": inf, "INFINITY": inf}

    def compiled(self, kernel: Kernel[Any, Any]) -> Any:
        """A kernel that Python can call: with integers, doubles, a number for each field of a record of values.

        A record in memory is its address, a vector the address of its reals; a vector that is returned, its first lane.
        A kernel of a table takes the row's code.
        """
        return entry(self, kernel.__name__, self[kernel.__name__])

    def __getitem__(self, name: str) -> Any:
        """What a name means in this program."""
        if name not in self.found:
            self.found[name] = self._made(name)
        return self.found[name]

    def _made(self, name: str) -> Any:
        if name in self.constants:
            return self.constants[name]
        if name in VALUES:
            return getattr(values, name)
        if name in CASTS or name == "layer_at":
            return self._cast(name)
        if name in self.words:
            return self._word(name)
        if name in self.source.kernels or name in self.source.rows:
            return self._kernel(name)
        if name in self.formulas:
            return self._formula(name)
        if name in self.shapes:
            return self._shape(name)
        raise NameError(f"{name!r} is no kernel, no formula and no word of the vocabulary")

    # --- Kernels ---

    def _kernel(self, name: str) -> Any:
        if name in self.source.rows:
            read = self.source.rows[name]
            return self._jitted(self._function(copy.deepcopy(read.function)), self._signature(name), read.inline)
        read, stub = self.source.kernels[name], self.source.signatures[name]
        if read.table:
            names = [(argument, "") for argument in list(stub.arguments)[1:]]
            choice = dispatcher(name, self.source.tables[read.table], names, stub.result)
            return self._jitted(self._parsed(choice), self._signature(name), False)
        (module,) = (m for m, tree in self.source.modules.items() if read.function in tree.body)
        function = getattr(importlib.import_module(f"..source.{module}", __package__), name).function
        return self._jitted(function, self._signature(name), read.inline)

    def _jitted(self, function: Callable[..., Any], sig: Any, inline: bool) -> Any:
        """Numba's function, of which the names mean what they mean here."""
        code = function.__code__
        names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"} - set(dir(builtins))
        own = {name: self[name] for name in names}
        return numba.njit(sig, forceinline=inline, **OPTIONS)(FunctionType(code, own, function.__name__))

    def _signature(self, name: str) -> Any:
        stub = self.source.signatures[name]
        return self._type(stub.result)(*(self._type(kind) for kind in stub.arguments.values()))

    # --- What is written out: formulas, tiles, squares, the choice among a table's rows ---

    @cached_property
    def formulas(self) -> dict[str, Rendered]:
        made = (*formulas.formulas(self.source, self.dtype), *formulas.optimizers(self.source, self.lanes))
        return {f.name: f for f in made}

    @cached_property
    def shapes(self) -> dict[str, Rendered]:
        """Tiles and squares: of whole vectors in registers, for this instruction set."""
        lanes, size = self.lanes, self.constants["SIZE"]
        return {f.name: f for f in tiles.shapes(self.source, self.instruction_set, lanes, size)}

    def _formula(self, name: str) -> Any:
        rendered = self.formulas[name]
        kinds = [self._type(kind) for _, kind in rendered.arguments]
        return self._jitted(self._parsed(rendered), self._type(rendered.result)(*kinds), rendered.inlined)

    def _shape(self, name: str) -> Any:
        """What is written out for an instruction set, straight in LLVM; records of values are taken apart before."""
        parts = [
            f for f in self.shapes.values() if f.name == name or f.name.removeprefix("narrow_").startswith(f"{name}_")
        ]

        def lower(builder: Any, *values: Any) -> Any:
            found = builder.module.globals.get(f"fastnn_{name}")
            if found is None:
                found = translate(builder.module, parts, self.dtype, self.instruction_set)[name]
            return builder.call(found, values)

        rendered, stub = self.shapes[name], self.source.signatures[name]
        result = self._type(rendered.result)
        self.found[f"{name}_flat"] = word(lower, result, [self._type(kind) for _, kind in rendered.arguments])
        passed = [f"{a}.{f}" if f else a for a, k in stub.arguments.items() for f in VALUES.get(k, [""])]
        text = f"    return {name}_flat({', '.join(passed)})"
        function = self._parsed(Rendered(name, [(a, "") for a in stub.arguments], rendered.result, text))
        return self._jitted(function, result(*(self._type(k) for k in stub.arguments.values())), True)

    def _type(self, kind: str | None) -> Any:
        return type_of(kind, self.dtype, self.lanes)

    def _parsed(self, rendered: Rendered) -> Callable[..., Any]:
        names = ", ".join(name for name, _ in rendered.arguments)
        (tree,) = ast.parse(f"def {rendered.name}({names}):\n{rendered.body}").body
        return self._function(tree)

    def _function(self, tree: Any) -> Callable[..., Any]:
        for a in tree.args.args:
            a.annotation = None
        tree.returns, tree.decorator_list = None, []
        namespace: dict[str, Any] = {}
        code = compile(ast.fix_missing_locations(ast.Module([tree], [])), f"<{tree.name}>", "exec")
        exec(code, namespace)
        made: Callable[..., Any] = namespace[tree.name]
        return made

    # --- Words of the vocabulary ---

    def _word(self, name: str) -> Any:
        stub = self.source.vocabulary[name]
        return word(self.words[name], self._type(stub.result), [self._type(kind) for kind in stub.arguments.values()])

    def _cast(self, name: str) -> Any:
        if name == "layer_at":
            size = records.LAYER_SIZE

            def lower(builder: Any, layers: Any, number: Any) -> Any:
                return builder.add(layers, builder.mul(number, INTEGER(size)))

            return word(lower, RecordType("Layer"), [RecordType("Layers"), types.int64])
        return word(lambda builder, address: address, RecordType(CASTS[name]), [types.int64])


def word(lower: Lower, result: Any, kinds: list[Any]) -> Any:
    """A word as a Numba intrinsic."""

    def typing(context: Any, *given: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            value = lower(builder, *values)
            return context.get_dummy_value() if result == types.void else value

        return result(*kinds), emit

    # Numba wants to see as many arguments as there are.
    names = ", ".join(f"a{i}" for i in range(len(kinds)))
    namespace = {"typing": typing}
    exec(f"def call(context{', ' * bool(names)}{names}):\n    return typing(context)", namespace)
    return intrinsic(namespace["call"])


def entry(program: Program, name: str, function: Any) -> Any:
    """A function that Python can call: see Program.compiled."""
    stub = program.source.signatures[name]
    flat, passed = [], []
    for argument, kind in stub.arguments.items():
        names = [f"{argument}_{field}" for field in VALUES[kind]] if kind in VALUES else [argument]
        flat += names
        if kind in VALUES:
            passed.append(f"{kind}({', '.join(names)})")
        elif kind == "vector":
            passed.append(f"load({argument}, 0)")
        elif kind in CASTS.values():
            passed.append(f"{next(cast for cast, record in CASTS.items() if record == kind)}({argument})")
        else:
            passed.append(argument)
    call = f"function({', '.join(passed)})"
    call = f"first_lane({call})" if stub.result == "vector" else call
    text = f"def {name}({', '.join(flat)}):\n    return {call}"
    namespace: dict[str, Any] = {"function": function}
    namespace |= {n: program[n] for n in (*CASTS, *VALUES, "load", "first_lane")}
    exec(text, namespace)
    return numba.njit(**OPTIONS)(namespace[name])
