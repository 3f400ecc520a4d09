"""The kernels through Numba: rendered into a file of the cache folder, compiled there once, loaded from then on.

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
from collections.abc import Callable, Iterator
from pathlib import Path

from .machine import instruction_set
from .render import HERE, numba_source

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


def load(dtype: str) -> Run:
    """The kernels' entry for "float32" or "float64", compiled if the cache does not hold it.  Raises ImportError."""
    import llvmlite
    import numba

    text = numba_source(dtype, instruction_set()[1])
    primitives = (HERE / "numba_primitives.py").read_text(encoding="utf-8")
    versions = f"{numba.__version__} {llvmlite.__version__} {sys.version}"
    digest = hashlib.sha256("\0".join((text, primitives, versions)).encode()).hexdigest()[:20]
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
