"""Folders for what Numba compiles: the best one that can be written to.

A folder is named by a digest of everything that its machine code follows from, so a kernel that is stale after an
upgrade or an edit is never found; Numba itself looks at the processor.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


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


def _folders() -> Iterator[Path]:
    """Where the source may go, the best first; the last one is private, and goes when the process ends."""
    yield cache_folder()
    yield _own_folder()
    folder = tempfile.mkdtemp(prefix="fastnn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    yield Path(folder)


def write(digest: str, name: str, text: str) -> Path:
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
