"""What is rendered from the kernels' source, for Numba and for Cython."""

import importlib
import re

import pytest

from fastnn.kernels.render.cython import cython_source
from fastnn.kernels.render.instruction_sets import INSTRUCTION_SETS
from fastnn.kernels.render.sources import Source
from fastnn.kernels.render.whole import render


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
def test_both_translations_of_the_kernels_have_the_same_functions(dtype, isa):
    """And each the same arguments in the same order, of the types that the common subset gives them."""
    ir = pytest.importorskip("llvmlite.ir")
    llvm = importlib.import_module("fastnn.kernels.numba.translate")
    instruction_set = INSTRUCTION_SETS[isa]
    rendered = {f.name: f for f in render(Source(), dtype, instruction_set)}
    functions = llvm.translate(ir.Module(), rendered.values(), dtype, instruction_set)
    lanes = instruction_set.vector_bytes // (4 if dtype == "float32" else 8)
    real = "float" if dtype == "float32" else "double"
    llvm_types = {"integer": "i64", "double": "double", "vector": f"<{lanes} x {real}>", None: "void"}
    assert {
        name: [str(f.function_type.return_type), *(str(a.type) for a in f.args)] for name, f in functions.items()
    } == {name: [llvm_types[f.result], *(llvm_types[kind] for _, kind in f.arguments)] for name, f in rendered.items()}
    pattern = rf'^cdef (?:inline )?(\w+) (\w+)_{dtype}(?: "\w+")?\((.*)\) noexcept nogil:$'
    found = re.findall(pattern, cython_source(isa), re.MULTILINE)
    types = {"vector": f"vector_{dtype}", None: "void"}
    assert {name: (result, arguments.split(", ")) for result, name, arguments in found} == {
        name: (types.get(f.result, f.result), [f"{types.get(kind, kind)} {argument}" for argument, kind in f.arguments])
        for name, f in rendered.items()
    }
    assert {"forward", "backward", "run"} < set(rendered)
