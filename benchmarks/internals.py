"""All that benchmarks know of fastnn's private modules: whoever moves something there mends this file alone."""

from __future__ import annotations

import ast
import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from fastnn.engine import ACTIVATIONS, JobRecord, ThreadPool, address, aligned, processors
from fastnn.engine.memory import WIDTH_MULTIPLE
from fastnn.kernels.machine import instruction_set
from fastnn.kernels.records import SYNCHRONISATION_WORDS
from fastnn.kernels.render.instruction_sets import INSTRUCTION_SETS
from .scaling_model import Work

__all__ = ["ACTIVATIONS", "address", "aligned", "processors"]

ISA, INSTRUCTION_SET = instruction_set()
ISAS = tuple(INSTRUCTION_SETS)
TILE_ROWS, TILE_VECTORS = INSTRUCTION_SET.tile_rows, INSTRUCTION_SET.tile_vectors


def lanes(dtype: str = "float32") -> int:
    """Values a vector."""
    return int(INSTRUCTION_SET.vector_bytes // np.dtype(dtype).itemsize)


def compiled(entry: str, *names: str, dtype: str = "float32") -> Callable[[int, int, int], int]:
    """The source of ``entry(a, b, c)``, all integers, which may call the vocabulary and the kernels of these names."""
    import numba

    from fastnn.kernels.backends.numba import as_intrinsic
    from fastnn.kernels.render.rendered import Rendered, integers, text
    from fastnn.kernels.render.sources import Source, functions
    from fastnn.kernels.render.whole import render

    (function,) = functions(ast.parse(entry)).values()
    arguments = integers(*(argument.arg for argument in function.args.args))
    own = Rendered("entry", arguments, "integer", text(function.body))
    kernels = [f for f in render(Source(), dtype, INSTRUCTION_SET) if f.name in names]
    call = as_intrinsic(lambda: [*kernels, own], "entry", dtype, INSTRUCTION_SET)

    @numba.njit("int64(int64, int64, int64)", nogil=True, error_model="numpy")
    def run(a, b, c):
        return call(a, b, c)

    return run


@contextmanager
def meeting(run: Callable[[int, int, int], int], threads: int) -> Iterator[Callable[[], None]]:
    """A function that has threads call ``run(job, 0, 0)`` at once, where job is one whose barrier they can meet at."""
    synchronisation = aligned(SYNCHRONISATION_WORDS, np.int64)
    with ThreadPool(threads) as pool:
        job = JobRecord()
        job.run.threads, job.run.synchronisation = pool.size, address(synchronisation)
        place = ctypes.addressof(job)
        yield lambda: pool.run(lambda _: run(place, 0, 0), _none)


AllRun = Callable[[Callable[[int], Any]], None]
"""Has each of some threads call a function with its number."""


@contextmanager
def on_threads(threads: int) -> Iterator[AllRun]:
    """So many threads, number 0 the caller's own."""
    with ThreadPool(threads) as pool:
        yield lambda run: pool.run(run, _none)


def _none() -> None:
    """Nobody is let out early: every thread meets every other one."""


def update_of(model: Any) -> Callable[[], Any]:
    """An update of all parameters of a compiled model by the same small gradient, which has no public name."""
    engine = model._engine
    gradient = np.full(engine.parameter_count, 1e-6, engine.dtype)
    return lambda: engine.update(gradient)


def chosen_threads(model: Any, batch: int) -> int:
    """How many threads fastnn takes for a step."""
    costs = model._engine.costs
    count: int = costs.training_threads(batch, costs.chunks(batch) or batch)
    return count


def threads_now(model: Any) -> int:
    """How many threads the last steps of a model were taken on."""
    count: int = model._engine.job.run.threads
    return count


def work_of(model: Any, batch: int, seconds: float) -> Work:
    """A training step of a model, of so many seconds on one thread, as the model of threads sees it."""
    engine = model._engine
    size = engine.dtype.itemsize
    outputs = [record.output_stride for record in engine.layers]
    first = engine.layers[0]
    return Work(
        seconds=seconds,
        batch=batch,
        chunks=engine.costs.chunks(batch),
        tile_rows=TILE_ROWS,
        parameter_bytes=engine.parameter_count * size,
        transposed_bytes=len(engine.parameters.transposed) * size,
        delta_bytes=batch * sum(outputs) * size,
        input_bytes=batch * (engine.layout.input_stride + sum(outputs[:-1])) * size,
        first_bytes=first.height * first.stride * size,
        first_input_bytes=batch * engine.layout.input_stride * size,
        first_output_bytes=batch * outputs[0] * size,
        by_columns=frozenset(threads for threads in range(2, 65) if _divides_columns(engine, batch, threads)),
    )


def _divides_columns(engine: Any, batch: int, threads: int) -> bool:
    """Whether that many threads, each on a processor of its own, share out the first matrix's columns."""
    costs = replace(engine.costs, processors=threads)
    return not costs.chunks(batch) and costs.takes_data(batch) and costs.columns_pay(batch, threads, WIDTH_MULTIPLE)
