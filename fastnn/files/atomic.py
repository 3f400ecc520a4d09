"""Writing a file whole or not at all."""

import contextlib
import errno
import glob
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fastnn.locks import lock


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], previous: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write, which gets its name once it is complete and on the disk; until then the one that had it stays.

    That one is then kept under the name ``previous``, in the same folder, if there is such a name.  The new file has
    its rights, and where there was none those of any new file; a link stays one, and what it leads to is replaced.
    OSError: the file cannot be written, or what has the name is none; the error names it, and the reason.
    """
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"cannot be written, for there is no folder {path.parent}", str(path))
    try:
        before = _rights(path)
        with _aside(path, before) as (part, file, locked):
            yield file
            file.flush()
            os.fsync(file.fileno())
            if not locked:
                file.close()  # some systems rename no open file
            if previous is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.replace(path, previous)
            os.replace(part, path)
            _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot be written: {reason}", str(path)) from error


def _rights(path: Path) -> os.stat_result | None:
    """Mode and owner of the file that is to be replaced; None where there is none.  OSError: it is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
        raise OSError(errno.EINVAL, f"it is {kinds.get(stat.S_IFMT(found.st_mode), 'a device')}, and no file")
    return found


@contextlib.contextmanager
def _aside(path: Path, before: os.stat_result | None) -> Iterator[tuple[Path, IO[bytes], bool]]:
    """A new file beside another, and whether it is locked while it is open.

    What processes that were killed have left is not, and is removed.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.part"):
        with contextlib.suppress(OSError), left.open("r+b") as file:
            if lock(file):
                left.unlink()
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with open(part, "xb", opener=_private if before is not None else None) as file:
                if before is not None and hasattr(os, "fchmod"):
                    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                        with contextlib.suppress(OSError):  # who may not keep the owner becomes it
                            os.fchown(file.fileno(), before.st_uid, before.st_gid)
                    os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode) & 0o777)
                locked = lock(file)
                if locked is None or (locked and part.exists()):  # and was not taken for one that was left
                    yield part, file, bool(locked)
                    return
        finally:
            with contextlib.suppress(OSError):  # where the folder is gone, so is the file
                part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else can read before it has its rights."""
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """See to it that a new name is on the disk, too; some systems have no need or no way."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
