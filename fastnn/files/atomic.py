"""Writing a file whole or not at all."""

import contextlib
import errno
import glob
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fastnn.locks import lock


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], previous: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write, which gets its name once it is complete and on the disk; until then the one that had it stays.

    That one is then kept under the name ``previous``, in the same folder, if there is such a name.  OSError: the file
    cannot be written; the error names it, and the reason.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"cannot be written, for there is no folder {path.parent}", str(path))
    try:
        with _aside(path) as (part, file, locked):
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


@contextlib.contextmanager
def _aside(path: Path) -> Iterator[tuple[Path, IO[bytes], bool]]:
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
            with part.open("xb") as file:
                locked = lock(file)
                if locked is None or (locked and part.exists()):  # and was not taken for one that was left
                    yield part, file, bool(locked)
                    return
        finally:
            with contextlib.suppress(OSError):  # where the folder is gone, so is the file
                part.unlink(missing_ok=True)


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
