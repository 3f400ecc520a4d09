"""Work that no Ctrl-C may cut in two: another thread does it, for Python handles signals in the main one alone."""

from __future__ import annotations

import threading
from _thread import start_new_thread
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Task", "undisturbed"]

Result = TypeVar("Result")


class Task(Generic[Result]):
    """Work for another thread.  All that the caller does with it may be done twice, for Ctrl-C may come between."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self.work = work
        self.owner: dict[str, str] = {}
        self.results: list[Result] = []
        self.error: BaseException | None = None
        self.ended = False
        self.end = threading.Lock()  # taken until the work has ended
        self.end.acquire()

    def claim(self, who: str) -> bool:
        """Whether it is theirs to decide if the work is done: the first's who asks, "caller" or "thread"."""
        return self.owner.setdefault("owner", who) == who

    def do(self) -> None:
        """What the other thread does with it: the work, unless the caller has claimed it."""
        if self.claim("thread"):
            try:
                self.results.append(self.work())
            except BaseException as error:  # the caller raises it
                self.error = error
            self.ended = True
        self.end.release()

    def wait(self) -> None:
        """Until it has ended; not to be called for one that the caller has claimed."""
        while not self.ended:
            self.end.acquire()


def undisturbed(work: Callable[[], Result]) -> Result:
    """The result of work(), which is done wholly or not at all: where Ctrl-C comes, it is raised after that."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    task, raised, begun = Task(work), None, False
    while True:
        try:
            while True:  # Ctrl-C may come between two turns of a loop, outside of what is tried in it: hence two
                try:
                    if not begun:
                        begun = True
                        start_new_thread(task.do, ())
                    if raised is None or not task.claim("caller"):  # after an error: has it begun?
                        task.wait()
                    break
                except BaseException as error:
                    raised = error
            break
        except BaseException as error:
            raised = error
    raised = raised or task.error
    if raised is not None:
        raise raised
    return task.results[0]
