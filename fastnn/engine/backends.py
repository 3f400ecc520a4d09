"""The backends, the compiled ones and NumPy: loading one, compiling all beforehand, and what is active and why."""

import importlib
import os
import threading
import warnings
from collections.abc import Iterator
from functools import cache

from fastnn.undisturbed import undisturbed
from fastnn.version import VERSION
from .thread_pool import processors
from .workers import Entry

BACKENDS = ("numba", "cython", "numpy")
DTYPES = ("float32", "float64")

_lock = threading.RLock()


def _renew_lock() -> None:
    """In a forked child no other thread lives that would ever release it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@cache
def _load(backend: str, dtype: str) -> Entry:
    module = importlib.import_module(f"fastnn.kernels.backends.{backend}")
    entry: Entry = module.load(dtype, undisturbed) if backend == "numpy" else module.load(dtype)
    return entry


def load(backend: str, dtype: str) -> tuple[str, Entry]:
    """The backend's name and its entry; "auto" takes the first of `preferred` that can be had.  Raises ImportError."""
    with _lock:
        return (backend, _load(backend, dtype)) if backend != "auto" else _auto(dtype)


def preferred(dtype: str) -> dict[str, str]:
    """The backends as "auto" tries them, each with the reason for its place.

    The compiled ones give the same bits at the same speed, so what is ready goes before what has to be compiled.
    """
    from fastnn.kernels.backends import cython, numba

    reasons = {}
    try:
        if numba.kept(dtype):
            reasons["numba"] = "its kernels are in the cache"
    except ImportError:  # no Numba, or no llvmlite that can be loaded
        pass
    if cython.fits():
        reasons.setdefault("cython", "it is built for this processor, so there is nothing to compile first")
    reasons.setdefault("numba", "it compiles for this processor, once")
    reasons.setdefault("cython", "it is built, if not for all that this processor can do")
    reasons["numpy"] = "neither Numba nor fastnn's Cython extension is here"
    return reasons


@cache  # what is chosen stays chosen, and what failed is not tried again
def _auto(dtype: str) -> tuple[str, Entry]:
    failures = []
    for name, reason in preferred(dtype).items():
        try:
            if name == "numpy":
                warnings.warn(
                    f"{reason}, so plain NumPy runs, many times slower; "
                    "`pip install numba` mends it, and backend='numpy' accepts it",
                    stacklevel=2,
                )
            found = name, _load(name, dtype)
        except ImportError:
            continue
        except Exception as error:  # of Numba or LLVM: another backend does as well
            if name == "numpy":
                raise
            failures.append(f"{name} failed: {type(error).__name__}: {error}")
            continue
        break
    if failures:
        warnings.warn(f"{'; '.join(failures)}; the backend {found[0]!r} runs instead", stacklevel=2)
    return found


def describe() -> dict[str, str]:
    """What runs here and why: backends, instruction set, tile, threads, cache folder."""
    from importlib.metadata import version

    from fastnn.kernels import machine

    facts = {"fastnn": VERSION}
    available = []
    for name in BACKENDS:
        try:
            if name == "numba":
                importlib.import_module(name)
                facts["numba"] = version("numba")
            else:
                _load(name, "float32")
            available.append(name)
        except ImportError as error:
            facts[name] = f"not here: {error}"
    isa, instruction_set = machine.instruction_set()
    for dtype in DTYPES:
        chosen, reason = next((n, r) for n, r in preferred(dtype).items() if n in available)
        facts[f"backend, {dtype}"] = f"{chosen}: {reason}"
    facts["backends here"] = ", ".join(available)
    reason = "forced by FASTNN_ISA" if os.environ.get(machine.VARIABLE) else "the widest this processor offers"
    facts["instruction set"] = f"{isa} ({reason}; offered: {', '.join(machine.supported())})"
    lanes = instruction_set.vector_bytes // 4
    facts["tile"] = f"{instruction_set.tile_rows} rows x {instruction_set.tile_vectors} vectors of {lanes} float32"
    facts["threads"] = f"up to {processors()} (affinity, container quota, FASTNN_NUM_THREADS, OMP_NUM_THREADS)"
    facts["cache folder"] = _cache_folder()
    return facts


def describe_cache(clear: bool = False) -> Iterator[str]:
    """Where compiled kernels are kept, each with its size, and the sum; ``clear`` removes them."""
    from fastnn.kernels.numba import cache

    found = cache.clear() if clear else cache.entries()
    yield f"folder {_cache_folder()}"
    for path, size in found:
        yield f"  {size / 1e6:5.1f} MB  {path.name if path.parent == cache.cache_folder() else path}"
    what = "removed" if clear else "kept"
    yield f"{len(found)} file{'s' * (len(found) != 1)} {what}, {sum(size for _, size in found) / 1e6:.1f} MB"


def _cache_folder() -> str:
    from fastnn.kernels.numba import cache

    return str(cache.cache_folder() or "none: this user has no home; FASTNN_CACHE_DIR names one")


def warmup() -> Iterator[str]:
    """Compile every kernel into the cache; yields what is ready."""
    for backend in BACKENDS[:2]:
        for dtype in DTYPES:
            try:
                _load(backend, dtype)
                yield f"{backend} {dtype}: ready"
            except ImportError as error:
                yield f"{backend} {dtype}: not here ({error})"
