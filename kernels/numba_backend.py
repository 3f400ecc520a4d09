"""The kernels through Numba: rendered into a file of the cache folder, compiled there once, loaded from then on.

The file's folder is named by a digest of everything its machine code follows from, so a kernel that is stale after an
upgrade or an edit is never found; Numba itself looks at the processor.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .machine import instruction_set
from .render import HERE, numba_source

Run = Callable[[int, int, int], int]


def cache_folder() -> Path:
    """FASTNN_CACHE_DIR, or fastnn/ in the user's cache folder."""
    if chosen := os.environ.get("FASTNN_CACHE_DIR"):
        return Path(chosen)
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
    spec.loader.exec_module(module)
    run: Run = module.run
    return run


def _write(digest: str, name: str, text: str) -> Path:
    """The rendered source as a file, where it can be cached; in a temporary folder where nothing can be kept."""
    for base in (cache_folder(), Path(tempfile.gettempdir()) / f"fastnn-{os.getpid()}"):
        path = base / digest / name
        try:
            if path.exists() and path.read_text(encoding="utf-8") == text:
                return path
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
                file.write(text)
            os.replace(file.name, path)  # another process may be writing the same
        except OSError:
            continue
        return path
    raise ImportError(f"no folder to put Numba's kernels in: {cache_folder()} cannot be written; set FASTNN_CACHE_DIR")
