"""The kernels through Numba: one function, compiled once on a machine, from then on loaded from the cache folder."""

import contextlib
import hashlib
import importlib.metadata
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..machine import instruction_set
from ..numba import cache
from ..render.instruction_sets import InstructionSet
from ..render.rendered import Rendered
from ..render.sources import HERE, Source
from ..render.whole import ENTRY, render

Run = Callable[[int, int, int], int]

SIGNATURE = "int64(int64, int64, int64)"
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
HEEDED = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")  # of the environment, by Numba's code generator
SECONDS = "10 to 20 s"  # that compiling takes, or so


def load(dtype: str) -> Run:
    """The kernels' entry for "float32" or "float64", compiled if the cache does not hold it.  Raises ImportError."""
    from numba import njit

    key = _key(dtype)
    run: Any = njit(**OPTIONS)(_function(dtype, key))
    run._cache = kept_before = _Kept(dtype, key)
    with kept_before.turn, kept_before.announced:
        entry: Run = run.compile(SIGNATURE)  # called as it is: Numba would look at the arguments' types first
    return entry


def kept(dtype: str) -> bool:
    """Whether the cache holds what `load` needs, so that it takes no time.  Imports no Numba.  Raises ImportError."""
    key = _key(dtype)
    return cache.read(_name(dtype, key), key) is not None


def _function(dtype: str, key: bytes) -> Run:
    """What Numba compiles; its name is that of no other program, for names of machine code are one world."""
    kernels = intrinsic_for(dtype)

    def run(layers: int, job: int, thread: int) -> int:
        result: int = kernels(layers, job, thread)
        return result

    run.__annotations__ = {}
    run.__name__ = run.__qualname__ = f"run_{dtype}_{_digest(key)}"
    return run


def _key(dtype: str) -> bytes:
    """All that the machine code follows from: what is stale after an upgrade or an edit is never found."""
    from llvmlite import binding

    numba, llvmlite = importlib.metadata.version("numba"), importlib.metadata.version("llvmlite")
    features = ",".join(f"{name}{on:d}" for name, on in sorted(binding.get_host_cpu_features().items()))
    parts = [dtype, instruction_set()[0], numba, llvmlite, sys.version, str(OPTIONS)]
    parts += [binding.get_process_triple(), binding.get_host_cpu_name(), features]
    parts += [os.environ.get(name, "") for name in HEEDED]
    parts += [path.read_text(encoding="utf-8") for path in sorted(HERE.rglob("*.py"))]
    return "\0".join(parts).encode()


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:20]


def _name(dtype: str, key: bytes) -> str:
    return f"{dtype}-{instruction_set()[0]}-{_digest(key)}{cache.ENDING}"


class _Kept:
    """What Numba asks for what it has compiled, in place of its own cache, which trusts any file that it finds."""

    cache_path = None

    def __init__(self, dtype: str, key: bytes) -> None:
        self.name, self.key = _name(dtype, key), key
        self.announced, self.turn = contextlib.ExitStack(), contextlib.ExitStack()

    def load_overload(self, signature: Any, target: Any) -> Any:
        """What was compiled before; None where it has to be compiled, which is said."""
        found = self._found(target)
        if found is None:  # workers that start at the same time do not all compile
            self.turn.enter_context(cache.turn(self.name, _tell_waiting))
            found = self._found(target)
        if found is None:
            self.announced.enter_context(_announcement())
        return found

    def _found(self, target: Any) -> Any:
        from numba.core.compiler import CompileResult

        content = cache.read(self.name, self.key)
        if content is not None:
            with contextlib.suppress(Exception):  # what cannot be made of it is compiled
                target.refresh()
                return CompileResult._rebuild(target, *pickle.loads(content))
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        from numba.core.serialize import dumps

        self.announced.close()
        cache.write(self.name, self.key, dumps(result._reduce()))

    def enable(self) -> None: ...

    def disable(self) -> None: ...

    def flush(self) -> None: ...


@contextlib.contextmanager
def _announcement() -> Iterator[None]:
    """Say on standard error that kernels are being compiled, and to who sits before it how long it took."""

    terminal = sys.stderr is not None and sys.stderr.isatty()
    _say(f"fastnn: compiling kernels for this processor (once, {SECONDS}) ..." + "\n" * (not terminal))
    start = time.perf_counter()
    try:
        yield
    finally:
        if terminal:
            _say(f" took {time.perf_counter() - start:.0f} s\n")


def _tell_waiting() -> None:
    _say("fastnn: another process compiles the kernels; waiting for it ...\n")


def _say(text: str) -> None:
    with contextlib.suppress(Exception):  # None, closed, or full
        print(text, end="", file=sys.stderr, flush=True)


def intrinsic_for(dtype: str) -> Any:
    """The kernels' entry as a Numba intrinsic."""
    chosen = instruction_set()[1]
    return as_intrinsic(lambda: render(Source(), dtype, chosen), ENTRY, dtype, chosen)


def as_intrinsic(rendered: Callable[[], Iterable[Rendered]], entry: str, dtype: str, chosen: InstructionSet) -> Any:
    """One of some rendered functions, of three integers, as an intrinsic, which brings all of them along."""
    from numba.core import types
    from numba.extending import intrinsic

    from ..numba.translate import translate

    def call(context: Any, layers: Any, job: Any, thread: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.call(translate(builder.module, rendered(), dtype, chosen)[entry], arguments)

        return types.int64(types.int64, types.int64, types.int64), emit

    return intrinsic(call)
