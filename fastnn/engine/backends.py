"""The backends, the compiled ones and NumPy: loading one, compiling all beforehand, and what is active and why."""

import importlib
import os
import threading
import warnings
from collections.abc import Iterator
from functools import cache

from fastnn.version import VERSION
from .standby import Entry
from .thread_pool import processors

BACKENDS = ("numba", "cython", "numpy")
DTYPES = ("float32", "float64")

_lock = threading.Lock()


def _renew_lock() -> None:
    """In a forked child no other thread lives that would ever release it."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@cache
def _load(backend: str, dtype: str) -> Entry:
    entry: Entry = importlib.import_module(f"fastnn.kernels.backends.{backend}").load(dtype)
    return entry


def load(backend: str, dtype: str) -> tuple[str, Entry]:
    """The backend's name and its entry; "auto" takes the first that is there.  Raises ImportError."""
    with _lock:
        if backend != "auto":
            return backend, _load(backend, dtype)
        for name in BACKENDS[:2]:
            try:
                return name, _load(name, dtype)
            except ImportError:
                continue
        warnings.warn(
            "neither Numba nor fastnn's Cython extension is here, so plain NumPy runs, many times slower; "
            "`pip install numba` mends it, and backend='numpy' accepts it",
            stacklevel=2,
        )
        return "numpy", _load("numpy", dtype)


def describe() -> dict[str, str]:
    """What runs here and why: backends, instruction set, tile, threads, cache folder."""
    from importlib.metadata import version

    from fastnn.kernels import machine
    from fastnn.kernels.numba.cache import cache_folder

    facts = {"fastnn": VERSION}
    available = []
    for name in BACKENDS:
        try:
            if name == "numba":
                facts["numba"] = version("numba")
            else:
                _load(name, "float32")
            available.append(name)
        except ImportError as error:
            facts[name] = f"not here: {error}"
    isa, instruction_set = machine.instruction_set()
    facts["backend"] = f"{available[0]} (the first that is here of {', '.join(BACKENDS)})"
    facts["backends here"] = ", ".join(available)
    reason = "forced by FASTNN_ISA" if os.environ.get(machine.VARIABLE) else "the widest this processor offers"
    facts["instruction set"] = f"{isa} ({reason}; offered: {', '.join(machine.supported())})"
    lanes = instruction_set.vector_bytes // 4
    facts["tile"] = f"{instruction_set.tile_rows} rows x {instruction_set.tile_vectors} vectors of {lanes} float32"
    facts["threads"] = f"up to {processors()} (affinity, container quota, FASTNN_NUM_THREADS, OMP_NUM_THREADS)"
    facts["cache folder"] = str(cache_folder())
    return facts


def warmup() -> Iterator[str]:
    """Compile every kernel into the cache; yields what is ready."""
    for backend in BACKENDS[:2]:
        for dtype in DTYPES:
            try:
                _load(backend, dtype)
                yield f"{backend} {dtype}: ready"
            except ImportError as error:
                yield f"{backend} {dtype}: not here ({error})"
