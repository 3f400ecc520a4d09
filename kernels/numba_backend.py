"""The kernels through Numba: one function of a file in the cache folder, compiled once, loaded from then on.

The file's folder is named by a digest of everything its machine code follows from, so a kernel that is stale after an
upgrade or an edit is never found; Numba itself looks at the processor.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .machine import instruction_set
from .render import ENTRY, HERE, InstructionSet, Rendered, Source, render

Run = Callable[[int, int, int], int]


def cache_folder() -> Path:
    """FASTNN_CACHE_DIR, or fastnn/ in the user's cache folder."""
    if chosen := os.environ.get("FASTNN_CACHE_DIR"):
        return Path(chosen)
    return _own_folder()


def _own_folder() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fastnn"


SOURCES = (
    "language",
    "records",
    "tuning",
    "formulas",
    "elementary",
    "network",
    "render",
    "llvm",
    "llvm_primitives",
    "numba_backend",
)

MODULE = """\
# Written by fastnn: Numba keeps what it makes of this file beside it.
from numba import njit
from fastnn.kernels.numba_backend import intrinsic_for

kernels = intrinsic_for("{dtype}")


@njit("int64(int64, int64, int64)", nogil=True, cache=True, error_model="numpy")
def run(layers, job, thread):
    return kernels(layers, job, thread)
"""


def intrinsic_for(dtype: str) -> Any:
    """The kernels' entry as a Numba intrinsic."""
    chosen = instruction_set()[1]
    return as_intrinsic(lambda: render(Source(), dtype, chosen), ENTRY, dtype, chosen)


def as_intrinsic(rendered: Callable[[], Iterable[Rendered]], entry: str, dtype: str, chosen: InstructionSet) -> Any:
    """One of some rendered functions, of three integers, as an intrinsic, which brings all of them along."""
    from numba.core import types
    from numba.extending import intrinsic

    from .llvm import translate

    def call(context: Any, layers: Any, job: Any, thread: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.call(translate(builder.module, rendered(), dtype, chosen)[entry], arguments)

        return types.int64(types.int64, types.int64, types.int64), emit

    return intrinsic(call)


def load(dtype: str) -> Run:
    """The kernels' entry for "float32" or "float64", compiled if the cache does not hold it.  Raises ImportError."""
    import llvmlite
    import numba

    text = MODULE.format(dtype=dtype)
    sources = (HERE / f"{name}.py" for name in SOURCES)
    versions = f"{numba.__version__} {llvmlite.__version__} {sys.version} {instruction_set()[0]}"
    parts = [text, versions, *(source.read_text(encoding="utf-8") for source in sources)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    path = _write(digest, f"{dtype}.py", text)
    name = f"fastnn_{dtype}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba's cache finds a function's module there
    try:
        spec.loader.exec_module(module)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        raise ImportError(f"Numba: {error}; FASTNN_CACHE_DIR names another folder") from error
    run: Run = module.run
    return run


def _folders() -> Iterator[Path]:
    """Where the source may go, the best first; the last one is private, and goes when the process ends."""
    yield cache_folder()
    yield _own_folder()
    folder = tempfile.mkdtemp(prefix="fastnn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    yield Path(folder)


def _write(digest: str, name: str, text: str) -> Path:
    """The rendered source as a file, where Numba can keep what it makes of it."""
    try:
        for base in _folders():
            path = base / digest / name
            try:
                cache = path.parent / "__pycache__"
                cache.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=cache).close()  # Numba takes no folder that it cannot write to
                if path.exists() and path.read_text(encoding="utf-8") == text:
                    return path
                with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
                    file.write(text)
                os.chmod(file.name, 0o644)  # others may use the folder
                os.replace(file.name, path)  # another process may be writing the same
            except OSError:
                continue
            return path
    except OSError:  # of mkdtemp
        pass
    raise ImportError(f"no folder to put Numba's kernels in: {cache_folder()} cannot be written; set FASTNN_CACHE_DIR")
