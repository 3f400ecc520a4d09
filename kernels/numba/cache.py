"""Machine code on the disk: read from where nobody else can have written it, and checked before it is used.

What is kept is run, so it is taken only from a folder that is the user's own and that nobody else can write to, and
from a file of the same kind.  A file holds the key it was made for and the SHA-256 of all: one that is damaged, cut off
or another's is not found, and is written anew.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAGIC = b"fastnn kernels 1"
ENDING = ".kernels"
OURS = re.compile(rf"(float32|float64)-\w+-[0-9a-f]{{20}}{re.escape(ENDING)}|\.[\w.-]+\.([0-9a-f]{{8}}\.part|lock)")
LARGEST = 1 << 28  # bytes; a kernel's are some millions
VARIABLE = "FASTNN_CACHE_DIR"
LONGEST = 120.0  # seconds to wait for another process: it may have been stopped

_told = False  # once is enough


class Unsafe(OSError):
    """A folder or file that somebody else may have written to."""


def cache_folder() -> Path | None:
    """FASTNN_CACHE_DIR, or fastnn/ in the user's cache folder; None where the user has none."""
    return next(_folders(), None)


def _folders() -> Iterator[Path]:
    """Where kernels may be, the best first."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        yield Path(chosen).absolute()
    own = _own_folder()
    if own is not None:
        yield own


def _own_folder() -> Path | None:
    """fastnn/ in the user's cache folder; None of a user who has no home."""
    named = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_CACHE_HOME")
    within = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    base = Path(os.environ.get(named, "") if named else "")
    if not base.is_absolute():
        try:
            base = Path.home() / within
        except RuntimeError:  # neither HOME nor an entry in passwd
            return None
    return base / "fastnn" if base.is_absolute() else None


# --- Reading and writing ----------------------------------------------------------------------------------------------


def read(name: str, key: bytes) -> bytes | None:
    """What was kept under a name for a key; None where there is no such thing, or it is damaged."""
    problem = ""
    for folder in _folders():
        try:
            with _opened(folder, name, os.O_RDONLY) as descriptor:
                content = _read_all(descriptor)
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = problem or _reason(error, folder)
            continue
        found = _unsealed(content, key)
        if found is not None:
            _tell(problem, f"{folder} serves instead")
            return found
    return None


def write(name: str, key: bytes, content: bytes) -> Path | None:
    """Keep something under a name, for a key; where it is now, None where no folder takes it."""
    problem = ""
    for folder in _folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _put(folder, name, _sealed(content, key))
        except OSError as error:  # no room, no right, another's
            problem = problem or _reason(error, folder)
            continue
        _tell(problem, f"{folder} serves instead")
        return folder / name
    _tell(problem or "this user has no home folder", "so each process compiles them again")
    return None


def _sealed(content: bytes, key: bytes) -> bytes:
    head = MAGIC + hashlib.sha256(key).digest()
    return head + hashlib.sha256(head + content).digest() + content


def _unsealed(sealed: bytes, key: bytes) -> bytes | None:
    """The content; None where a bit of it, or of what stands before it, is not what `_sealed` wrote for this key."""
    content = sealed[len(MAGIC) + 64 :]
    return content if sealed == _sealed(content, key) else None


def _put(folder: Path, name: str, content: bytes) -> None:
    """Write a file whole or not at all: another process may be reading it, or writing the same."""
    part = f".{name}.{secrets.token_hex(4)}.part"
    try:
        with _opened(folder, part, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
        os.replace(folder / part, folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(folder / part)
        raise


@contextlib.contextmanager
def _opened(folder: Path, name: str, flags: int) -> Iterator[int]:
    """Open a file of a folder, both of them the user's own; Unsafe where they are not."""
    with contextlib.ExitStack() as stack:
        place: dict[str, int] = {}
        path: Path | str = folder / name
        if os.open in os.supports_dir_fd:  # the folder that was looked at is the one that is read
            place["dir_fd"] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, place["dir_fd"])
            _check(os.fstat(place["dir_fd"]), folder)
            path = name
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600, **place)
        stack.callback(os.close, descriptor)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Unsafe(f"{folder / name} is no file")
        _check(found, folder / name)
        yield descriptor


def _check(found: os.stat_result, path: Path) -> None:
    if not hasattr(os, "geteuid"):  # Windows, whose rights are others
        return
    if found.st_uid != os.geteuid():
        raise Unsafe(f"{path} belongs to another user, who could have put anything there")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unsafe(f"others can write to {path}: chmod go-w mends it")


def _read_all(descriptor: int) -> bytes:
    if os.fstat(descriptor).st_size > LARGEST:
        return b""
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(LARGEST)


# --- One process at a time ---


@contextlib.contextmanager
def turn(name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Wait until no other process has a turn at what is kept under a name; where locks are to be had.

    ``waiting`` is called if there is one.  A process that dies loses its turn.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # the folder is read-only, another's, or knows no locks
            folder = next(_folders(), None)
            if folder is not None and fcntl is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                part = f".{name}.lock"
                descriptor = stack.enter_context(_opened(folder, part, os.O_RDWR | os.O_CREAT))
                _lock(descriptor, waiting)
                stack.callback(_remove, folder / part)  # while it is locked: who waits looks first whether it is needed
        yield


def _lock(descriptor: int, waiting: Callable[[], None]) -> None:
    """Lock a file, but go on without after LONGEST."""
    end = time.monotonic() + LONGEST
    told = False
    while time.monotonic() < end:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                told = True
                waiting()
            time.sleep(0.05)
    return None


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


# --- What is said of it -----------------------------------------------------------------------------------------------


def _reason(error: OSError, folder: Path) -> str:
    return str(error) if isinstance(error, Unsafe) else f"{folder}: {error.strerror or error}"


def _tell(problem: str, consequence: str) -> None:
    """Warn, once, that kernels are not kept where they should be."""
    global _told
    if problem and not _told:
        _told = True
        warnings.warn(
            f"fastnn cannot keep its compiled kernels where it should ({problem}), {consequence}; "
            f"{VARIABLE} names another folder",
            stacklevel=2,
        )


# --- Looking and clearing ---------------------------------------------------------------------------------------------


def entries() -> list[tuple[Path, int]]:
    """Every file of ours in the folders, and its size."""
    found: list[tuple[Path, int]] = []
    for folder in dict.fromkeys(_folders()):
        with contextlib.suppress(OSError):
            ours = [path for path in sorted(folder.iterdir()) if OURS.fullmatch(path.name) and path.is_file()]
            found += [(path, path.stat().st_size) for path in ours]
    return found


def clear() -> list[tuple[Path, int]]:
    """Remove every file of ours, and no other; returns those that are gone.  OSError: one cannot be removed."""
    found = entries()
    for path, _ in found:
        path.unlink(missing_ok=True)
    return found
