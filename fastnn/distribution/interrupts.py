"""Ctrl-C on one rank, or SIGTERM, as mpiexec and Slurm send it: told to all with the next message."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """For the length of a fit, signals are noted, and raised on all ranks after the same step.

    A second one of the same kind does at once what it always does.

    Attributes
    ----------
    came : bool
        One came here.
    told : bool
        All ranks know of one, here or elsewhere.
    """

    def __init__(self) -> None:
        self.came = self.told = False
        self._number = 0  # of the signal
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._number and (self._number == signal.SIGTERM or not self.told):
            os.kill(os.getpid(), self._number)  # it came too late for a step, or asks for more than the end of a fit

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came, self._number = True, number
        signal.signal(number, self._before.get(number) or signal.SIG_DFL)

    def check(self) -> None:
        """Raise KeyboardInterrupt if all know of one."""
        if self.told:
            raise KeyboardInterrupt
