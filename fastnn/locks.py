"""Locks that the system takes away with the process that holds them, however it ends; some systems have none."""

from __future__ import annotations

from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["lock"]


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
