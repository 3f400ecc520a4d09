"""The pool of threads that work beside the caller, how Ctrl-C ends their work, and how many processors there are.

They do what Python asks of them; those of the kernels are in workers.  None is started before it is needed, an idle one
waits for the next run, and each run borrows its own, so that any number of runs go on at once.  A forked child begins
with none.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from functools import cache, partial
from queue import SimpleQueue

from fastnn import environment
from fastnn.errors import warn
from fastnn.undisturbed import Task

Work = Callable[[int], object]
"""A function of a thread's number that does that thread's part."""


class _Worker(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="fastnn", daemon=True)
        self.tasks: SimpleQueue[Task[object]] = SimpleQueue()

    def run(self) -> None:
        while True:
            task = self.tasks.get()
            task.do()
            del task  # an idle worker keeps no data alive


_idle: list[_Worker] = []
os.register_at_fork(after_in_child=_idle.clear)


class ThreadPool:
    """The caller and some worker threads, which it borrows for one run from those that idle; a context manager.

    ``size`` counts the caller too.  It may be less than asked for where the system grants no more threads.
    """

    def __init__(self, size: int) -> None:
        self.workers: list[_Worker] = []
        while len(self.workers) < size - 1:
            try:
                worker = _idle.pop()
            except IndexError:
                worker = _Worker()
                try:
                    worker.start()
                except RuntimeError:  # the system's limit
                    break
            self.workers.append(worker)
        self.size = 1 + len(self.workers)

    def __enter__(self) -> ThreadPool:
        return self

    def __exit__(self, *_: object) -> None:
        _idle.extend(self.workers)
        self.workers = []

    def run(self, work: Work, abort: Callable[[], None]) -> None:
        """work(0) here and work(1), work(2) ... in the workers, to the end of all.

        Where one does not come (Ctrl-C, an error), ``abort`` lets those out that wait for it.  Whatever is raised, and
        however often, no task is at work any more when this ends.
        """
        error: BaseException | None = None
        tasks: list[Task[object]] = []
        begun = False
        while True:
            try:
                while True:  # Ctrl-C may come between two turns of a loop, outside of what is tried in it: hence two
                    try:
                        if not begun:
                            begun = True
                            for number, worker in enumerate(self.workers, 1):
                                tasks.append(Task(partial(work, number)))
                                worker.tasks.put(tasks[-1])
                            work(0)
                        if error is not None:
                            abort()
                        for task in tasks:
                            if error is None or not task.claim("caller"):  # after an error: has it begun?
                                task.wait()
                                error = error or task.error
                        break
                    except BaseException as raised:  # the others still have to come home
                        error = raised
                break
            except BaseException as raised:
                error = raised
        if error is not None:
            raise error


def processors() -> int:
    """How many processors this process may use: the least of its affinity, the container's quota and the variables."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if quota := _quota():
        count = min(count, max(1, int(quota)))
    variables = {
        "FASTNN_NUM_THREADS": os.environ.get("FASTNN_NUM_THREADS", ""),
        "OMP_NUM_THREADS": environment.OMP_NUM_THREADS,  # what loky and Dask set in their workers
    }
    for variable, value in variables.items():
        count = min(count, _limit(variable, value) or count)
    return count


@cache
def _limit(variable: str, value: str) -> int | None:
    """How many threads a variable allows; None where it is not set, or to something that is ignored.

    Of OMP_NUM_THREADS, "4,2" is 4, as OpenMP has it; what else it may be is for others to complain about.
    """
    ours = variable.startswith("FASTNN")
    asked = value if ours else value.split(",")[0].strip()
    if re.fullmatch("0*[1-9][0-9]{0,17}", asked):
        return int(asked)
    if ours and value:
        warn(f"{variable} got {value!r}, which is ignored; wants a whole number above 0, in plain digits")
    return None


@cache
def _quota() -> float | None:
    """The control group's processor time a unit of time: 1.5 is one and a half processors."""
    try:
        with open("/proc/self/cgroup", encoding="ascii") as file:
            groups = dict(line.strip().split(":", 2)[1:] for line in file)
    except OSError:
        return None
    limits = []
    path = groups.get("", "/")
    while True:  # each group above may set a limit too
        if text := _read(f"/sys/fs/cgroup{path.rstrip('/')}/cpu.max"):
            limits.append(text.split())
        if path in ("/", ""):
            break
        path = os.path.dirname(path)
    older = ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct")
    limits += [[_read(f"{base}/cpu.cfs_quota_us"), _read(f"{base}/cpu.cfs_period_us")] for base in older]
    ratios = [int(q) / int(p) for q, p in limits if q.isdigit() and p.isdigit() and int(p) > 0]
    return min(ratios, default=None)


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
