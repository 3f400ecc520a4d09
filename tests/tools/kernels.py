"""Kernels, called one by one, in each of the three ways that they are compiled.

    kernels = whole("float32")
    kernels["softmax_row"](columns, source, target)
    kernels["activate_relu"](rows, columns, stride, 0.0, source, target)

Each way has every rendered function of this processor's instruction set: kernels, those of a table once a row and once
for all rows, formulas, elementary functions and tiles.  Arguments are flat: an integer or a double, the address of a
record in memory or of a vector, and a number for each field of a record of values.  A vector that is returned comes as
an array of its lanes.

- ``alone``: Numba's own function of a kernel, with Numba's types and lowering; only what is asked for is compiled.
- ``whole``: all functions translated into one LLVM module, as the numba backend has them.
- ``extension``: the C extension, built into a folder that is given, quickly rather than well.
"""

import ctypes
import functools
import hashlib
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fastnn.kernels import machine
from fastnn.kernels.program import constants
from fastnn.kernels.render.cython import cython_isas, cython_source
from fastnn.kernels.render.rendered import Rendered, integers
from fastnn.kernels.render.sources import HERE, Source
from fastnn.kernels.render.whole import render

DTYPES = ("float32", "float64")
C_TYPES = {"integer": ctypes.c_int64, "double": ctypes.c_double, None: None}


def of_addresses(function):
    """A function that takes and returns vectors, as one of their addresses; None if there is no vector in it."""
    kinds = [kind for _, kind in function.arguments]
    if "vector" not in (*kinds, function.result):
        return None
    arguments = [(name, "integer" if kind == "vector" else kind) for name, kind in function.arguments]
    passed = ", ".join(f"load({name}, 0)" if kind == "vector" else name for name, kind in function.arguments)
    assert function.result == "vector", function.name
    arguments.append(("result_address", "integer"))
    return Rendered(f"{function.name}_at", arguments, None, f"    store(result_address, 0, {function.name}({passed}))")


MEET = """\
    wrong = 0
    for meeting in range(1, meetings + 1):
        put_integer(words, thread * apart, meeting)
        if barrier(job):
            return -1
        for other in range(threads):
            if get_integer(words, other * apart) != meeting:
                wrong += 1
        if barrier(job):
            return -1
    return wrong
"""
FOR_TESTS = [Rendered("meet", integers("job", "thread", "threads", "meetings", "words", "apart"), "integer", MEET)]
"""Functions that only tests have: without Python between their steps, threads meet as they do in training.

``meet`` counts what a thread does not see of what the others wrote before a barrier.
"""


@functools.cache
def rendered(dtype):
    """Every function of this processor's program, by name."""
    return {f.name: f for f in render(Source(), dtype, machine.instruction_set()[1])}


def further(functions):
    """What is compiled beside a program's functions: those for tests, and those of addresses in place of vectors."""
    return FOR_TESTS + [f for f in map(of_addresses, functions) if f]


class Kernels:
    """The functions of one way and one dtype, by name.  ``find``: from a rendered function to one that Python calls."""

    def __init__(self, way, dtype, find):
        self.way, self.dtype, self._find = way, np.dtype(dtype), find
        self.functions = rendered(dtype) | {f.name: f for f in FOR_TESTS}
        self.constants = constants(dtype, machine.instruction_set()[1])
        self.lanes, self.size = self.constants["LANES"], self.constants["SIZE"]
        self._found = {}

    def __getitem__(self, name):
        if name not in self._found:
            self._found[name] = self._find(self.functions[name])
        return self._found[name]


def through(native, dtype):
    """A function of ``of_addresses`` that returns a vector as an array."""
    lanes = constants(dtype, machine.instruction_set()[1])["LANES"]

    def call(*arguments):
        result = np.empty(lanes, dtype)
        native(*arguments, result.ctypes.data)
        return result

    return call


def at_address(address, function):
    """A function in C's convention."""
    kinds = [C_TYPES[kind] for _, kind in function.arguments]
    return ctypes.CFUNCTYPE(C_TYPES[function.result], *kinds)(address)


# --- Numba, one function at a time ---


@functools.cache
def alone(dtype):
    """Numba's own functions, by their addresses: to compile Python's wrapper of one would take as long again."""
    from numba.core import types

    from fastnn.kernels.numba.compile import program

    compiled = program(dtype)

    def find(function):
        name = function.name
        if "vector" not in [kind for _, kind in function.arguments]:
            return in_numbas_convention(compiled[name], function, dtype)
        by_address = of_addresses(function)
        kinds = [compiled._type(kind) for _, kind in by_address.arguments]
        dispatcher = compiled._jitted(compiled._parsed(by_address), types.void(*kinds), False)
        return through(in_numbas_convention(dispatcher, by_address, dtype), dtype)

    return Kernels("numba", dtype, find)


def in_numbas_convention(dispatcher, function, dtype):
    """Arguments: where the result goes, where an exception would, the function's own.  Returns 0 if all went well."""
    (made,) = dispatcher.overloads.values()
    address = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
    kinds = [C_TYPES[kind] for _, kind in function.arguments]
    native = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *kinds)(address)
    lanes = constants(dtype, machine.instruction_set()[1])["LANES"]
    kind = {"vector": np.dtype(dtype), "double": np.dtype(np.float64)}.get(function.result, np.dtype(np.int64))

    def call(*arguments):
        room = np.zeros(192, np.uint8)  # a vector is written to where a vector may start
        result = room[-room.ctypes.data % 64 :][:64].view(kind)
        error = ctypes.c_void_p()
        status = native(result.ctypes.data, ctypes.addressof(error), *arguments)
        assert status == 0, f"{function.name} raised"
        if function.result is None:
            return None
        return result[:lanes] if function.result == "vector" else result[0].item()

    call.dispatcher = dispatcher  # which keeps the code
    return call


# --- The whole program, translated ---


@contextmanager
def full_optimisation():
    """Numba's usual level, whatever NUMBA_OPT says: what is compiled for users is under test."""
    from numba.core import config

    level = config.OPT
    config.OPT = config._OptLevel(3)
    try:
        yield
    finally:
        config.OPT = level


@functools.cache
def whole(dtype):
    """The translation of every function, in one module."""
    from llvmlite import ir
    from numba.core.codegen import JITCPUCodegen
    from numba.core.compiler_lock import global_compiler_lock

    from fastnn.kernels.numba.translate import translate

    functions = list(rendered(dtype).values())
    functions += further(functions)
    module = ir.Module("kernels")
    for function in translate(module, functions, dtype, machine.instruction_set()[1]).values():
        function.linkage = "external"
    with full_optimisation(), global_compiler_lock:
        codegen = JITCPUCodegen("kernels")
        library = codegen.create_library("kernels")
        library.add_ir_module(module)
        library.finalize()

    def find(function):
        by_address = of_addresses(function)
        place = library.get_pointer_to_function(f"fastnn_{(by_address or function).name}")
        native = at_address(place, by_address or function)
        native.library = library  # which keeps the code
        return through(native, dtype) if by_address else native

    return Kernels("whole", dtype, find)


# --- The extension ---


@functools.cache
def extension(dtype, folder):
    """The functions of the extension, built in a subfolder of its own unless it has been.  Raises ImportError."""
    module = _built(Path(folder))
    addresses = getattr(module, f"addresses_{dtype}")()

    def find(function):
        by_address = of_addresses(function)
        native = at_address(addresses[(by_address or function).name], by_address or function)
        return through(native, dtype) if by_address else native

    return Kernels("cython", dtype, find)


@functools.cache
def _built(folder):
    isa = machine.instruction_set()[0]
    text = cython_source(isa, further)
    headers = "".join(path.read_text() for path in sorted(HERE.glob("*.h")))
    name = f"kernels_{isa}"
    digest = hashlib.sha256(f"{text}{headers}{sys.version}".encode()).hexdigest()[:16]
    path = folder / digest / f"{name}{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:  # another process may be at the same
            os.replace(_build(Path(place), name, text, [*cython_isas()[isa], "-O1", "-g0", "-w"]), path)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _build(place, name, text, flags):
    """Translate and compile; returns the extension's path.  Raises ImportError where that cannot be done."""
    try:
        from Cython.Build import cythonize
        from setuptools import Distribution, Extension
        from setuptools.errors import CCompilerError, ExecError, PlatformError
    except ImportError as error:
        raise ImportError(f"the extension cannot be built: {error}") from error
    source = place / f"{name}.pyx"
    source.write_text(text)
    one = Extension(name, [str(source)], include_dirs=[str(HERE)], extra_compile_args=flags)
    command = Distribution({"ext_modules": cythonize([one], quiet=True)}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(place), str(place / "objects")
    command.ensure_finalized()
    try:
        command.run()
    except (CCompilerError, ExecError, PlatformError) as error:
        raise ImportError(f"the extension cannot be built: {error}") from error
    return command.get_ext_fullpath(name)
