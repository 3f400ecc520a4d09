"""Work that no Ctrl-C may cut in two: another thread does it, for Python handles signals in the main one alone."""

from __future__ import annotations

import threading
from _thread import start_new_thread
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["undisturbed"]

Result = TypeVar("Result")


class _Task(Generic[Result]):
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
        if self.claim("thread"):
            try:
                self.results.append(self.work())
            except BaseException as error:  # the caller raises it
                self.error = error
            self.ended = True
        self.end.release()

    def wait(self) -> None:
        while not self.ended:
            self.end.acquire()


def undisturbed(work: Callable[[], Result]) -> Result:
    """The result of work(), which is done wholly or not at all: where Ctrl-C comes, it is raised after that."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    task, raised = _Task(work), None
    try:
        start_new_thread(task.do, ())
        task.wait()
    except BaseException as error:
        raised = error
    if raised is not None and not task.claim("caller"):  # it has begun
        task.wait()
    if raised is not None:
        raise raised
    if task.error is not None:
        raise task.error
    return task.results[0]
