"""A signal at every place where Python handles signals: it is pending all the time, and its handler sees every place.

Python runs signal handlers in the main thread between two instructions, but only where it looks for signals: as a
function begins, as a loop goes back, after most calls.  A handler whose last act is to make its own signal pending
again is therefore called at each of these places, one after the other, and may raise at any of them.  How often it is
called does not depend on any clock, so that the place number n is the same in every run of the same code.
"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple


class Place(NamedTuple):
    """Where a handler was called: what is raised in it is raised there."""

    file: str
    function: str
    line: int
    instruction: int  # its offset

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function} +{self.instruction}"


class _Trip:
    """trip[signal.SIGINT] makes the signal pending, by an instruction after which Python does not look for signals."""

    __getitem__ = ctypes.pythonapi.PyErr_SetInterruptEx


class Storm:
    """The signal SIGINT, pending all the time while ``call`` runs; ``raise_at`` is the place to raise at, from 1.

    Attributes
    ----------
    places : list of Place
        Where the handler has been called.
    raised : bool
        Whether it has come to the place to raise at.
    """

    def __init__(self, raise_at: int = 0) -> None:
        self.raise_at, self.raised = raise_at, False
        self.places: list[Place] = []
        self._count, self._blows = 0, False
        self._trip = _Trip()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._blows or frame is None:
            return
        code = frame.f_code
        if code.co_filename != __file__:
            self._count += 1
            if not self.raise_at:
                self.places.append(Place(code.co_filename, code.co_qualname, frame.f_lineno or 0, frame.f_lasti))
            elif self._count == self.raise_at:
                self._blows, self.raised = False, True
                raise KeyboardInterrupt
        self._trip[number]

    def run(self, call: Callable[[], object]) -> object:
        """Call it in the storm, which ends with it."""
        before = signal.signal(signal.SIGINT, self._handle)
        try:
            self._blows = True
            self._trip[signal.SIGINT]
            return call()
        finally:
            self._blows = False
            signal.signal(signal.SIGINT, before)
