"""Locks that the system takes away with the process that holds them, however it ends; some systems have none."""

from __future__ import annotations

import contextlib
import errno
import os
import weakref
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def lock(file: IO[bytes]) -> bool | None:
    """Lock a file for as long as it is open: False where it is locked already, None where that cannot be known."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


class Claim:
    """A folder that is one user's alone until it is released, by a file .lock in it; where locks are to be had.

    BlockingIOError: it is another one's, of this process or of another.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._file: IO[bytes] | None = None
        while fcntl is not None and self._file is None:
            try:
                file = self._path.open("ab")
            except OSError:  # the folder is read-only, say
                return
            locked = lock(file)
            if locked is None or (locked and self._names(file)):
                self._file = file
                _claims[id(self)] = weakref.ref(self)
                return
            file.close()
            if not locked:
                raise BlockingIOError(
                    errno.EAGAIN, "is in use by another fit that has not ended; wants a folder of its own", str(folder)
                )

    def release(self) -> None:
        """Leave the folder to others."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()  # while it is locked: who waits for it sees that it is gone
            self.drop()

    def drop(self) -> None:
        """Know of it no more; it stays a parent process's."""
        if self._file is not None:
            self._file.close()
            self._file = None
        _claims.pop(id(self), None)

    def _names(self, file: IO[bytes]) -> bool:
        """Whether the file is still there, and was not removed by whom it was locked by before."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False


_claims: dict[int, weakref.ref[Claim]] = {}


def _drop_all() -> None:
    for claim in [known() for known in _claims.values()]:
        if claim is not None:
            claim.drop()


if hasattr(os, "register_at_fork"):  # a child would hold the lock after its parent's death
    os.register_at_fork(after_in_child=_drop_all)
