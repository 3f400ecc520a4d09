"""The one clock, which is pytest-benchmark's, and how things that are compared take turns at it.

A `Clock` holds a function. The function is called once, which is not counted, for what is compiled or allocated the
first time. Then pytest-benchmark's `benchmark` fixture finds out how many calls make a block that is long enough to be
timed. From then on a turn is as many such blocks as fill its seconds, and gives pytest-benchmark's Stats of them, in
seconds a call: min is the best block, median the middle one.

Turns. Company on the machine comes and goes within seconds, so things that are compared are measured within the same
second: in each round everything has one turn, one after the other. Functions of one library do so in one process
(`by_turns`). Libraries get a process each (`Worker`, `in_turn`), with a limit on the threads of all that they load, so
that no library's threads spin beside those of another. A process lives as long as the run, keeps what it made and its
clocks, and is idle while others have their turns. A figure is the median over the rounds of the best block of a turn.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from importlib.machinery import PathFinder
from inspect import signature
from math import ceil
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parent.parent

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What tells NumPy's BLAS, PyTorch, the peers of peers.py and fastnn how many threads they may use."""

BLOCK = 5e-3
"""Seconds of a block of calls, which is what the clock is read around."""

Key = TypeVar("Key")


def _fixture(timer: Callable[[], float] | None, block: float = BLOCK) -> Any:
    """pytest-benchmark's fixture outside of a test; like the one in a test it measures once."""
    from pytest_benchmark.fixture import BenchmarkFixture
    from pytest_benchmark.timers import default_timer

    def ignore(*_: Any, **__: Any) -> None:
        """Nothing is logged, and no session collects results."""

    options = {
        "node": SimpleNamespace(name="", nodeid=""),
        "timer": SimpleNamespace(target=timer or default_timer),
        "min_rounds": 1,
        "min_time": block,
        "max_time": 0.0,
        "calibration_precision": 100,
        "warmup_iterations": 0,
        "add_stats": ignore,
        "logger": SimpleNamespace(debug=ignore, info=ignore, warning=ignore),
    }
    return BenchmarkFixture(**{name: options.get(name) for name in signature(BenchmarkFixture).parameters})


class Clock:
    """Times a function, many calls at once, again and again."""

    def __init__(
        self, function: Callable[[], Any], block: float = BLOCK, timer: Callable[[], float] | None = None
    ) -> None:
        function()
        calibrated = _fixture(timer, block)
        calibrated(function)
        self._function, self._timer = function, timer
        self._calls = calibrated.stats.iterations
        self._block = calibrated.stats.stats.min * self._calls

    def turn(self, seconds: float) -> Any:
        """pytest-benchmark's Stats of so many seconds, but of one block at least; they are in seconds a call."""
        fixture = _fixture(self._timer)
        fixture.pedantic(self._function, rounds=max(1, ceil(seconds / self._block)), iterations=self._calls)
        stats = fixture.stats.stats
        self._block = min(self._block, stats.min * self._calls)
        return stats


def least(function: Callable[[], Any], seconds: float) -> float:
    """Seconds of a call in the best block."""
    return Clock(function).turn(seconds).min


def once(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one single call, the first one, and what it returned."""
    fixture = _fixture(None)
    returned = fixture.pedantic(function)
    return fixture.stats.stats.min, returned


def filling(run: Callable[[int], Any], seconds: float) -> int:
    """How many passes of `run(passes)` take so many seconds, after a pass that is not counted."""
    run(1)
    return max(1, round(seconds / once(lambda: run(1))[0]))


def by_turns(functions: Mapping[Key, Callable[[], Any]], rounds: int, seconds: float) -> dict[Key, list[Any]]:
    """The Stats of each function's turns."""
    clocks = {key: Clock(function) for key, function in functions.items()}
    found: dict[Key, list[Any]] = {key: [] for key in clocks}
    for _ in range(rounds):
        for key, clock in clocks.items():
            found[key].append(clock.turn(seconds))
    return found


class Timing(NamedTuple):
    """Seconds of a step: the best block, the middle one and the mean of all."""

    least: float
    middle: float
    mean: float


def _timing(stats: Any, steps: int) -> Timing:
    return Timing(stats.min / steps, stats.median / steps, stats.mean / steps)


class _Checkout:
    """Imports fastnn with all that it consists of from a folder, whatever is installed."""

    def __init__(self, root: Path) -> None:
        self.folders = {"fastnn": root / "fastnn", "fastnn.kernels": root / "kernels"}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if folder := self.folders.get(name):
            init = folder / "__init__.py"
            return importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
        if not name.startswith("fastnn."):
            return None
        if found := PathFinder.find_spec(name, path):
            return found
        raise ModuleNotFoundError(f"No module named {name!r} in {self.folders['fastnn'].parent}", name=name)


def serve(descriptor: int, checkout: str) -> None:
    """A worker's life: (arguments of make, method, seconds, block) comes in, a Timing or an error's text goes out.

    What make returned and the clocks of its methods are kept while the arguments are the same. What it made may say in
    `steps`, by method, of how many steps a call consists.
    """
    if checkout:
        sys.meta_path.insert(0, _Checkout(Path(checkout)))
    pipe = Connection(descriptor)
    make = pipe.recv()
    made: Any = None
    kept: Any = None
    clocks: dict[str, Clock] = {}
    with suppress(EOFError, KeyboardInterrupt):  # whoever asked is gone
        while True:
            arguments, method, seconds, block = pipe.recv()
            try:
                if kept != arguments:
                    clocks.clear()
                    made = kept = None  # the old one's memory first
                    made = make(*arguments)
                    kept = arguments
                if method not in clocks:
                    clocks[method] = Clock(getattr(made, method), block)
                steps = getattr(made, "steps", {}).get(method, 1)
                pipe.send(_timing(clocks[method].turn(seconds), steps))
            except Exception as error:
                pipe.send(f"{type(error).__name__}: {error}")


class Worker:
    """A process that measures what ``make`` makes, with a limit on the threads of all libraries; a context manager.

    Another ``checkout`` of fastnn, and another interpreter, may be given; benchmarks are those of this checkout.
    """

    CODE = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from benchmarks.timing import serve; serve(int(sys.argv[2]), sys.argv[3])"
    )

    def __init__(
        self, name: str, make: Callable[..., Any], threads: int, checkout: str = "", python: str = sys.executable
    ) -> None:
        self.name, self.threads = name, threads
        self._pipe, other = multiprocessing.Pipe()
        number = other.fileno()
        self._process = subprocess.Popen(
            [python, "-c", self.CODE, str(ROOT), str(number), checkout],
            env={**os.environ, **dict.fromkeys(VARIABLES, str(threads))},
            pass_fds=[number],
        )
        other.close()
        with suppress(OSError):  # a process that has ended already is told of when it is asked
            self._pipe.send(make)

    def ask(self, arguments: tuple[Any, ...], method: str, seconds: float, block: float = BLOCK) -> Timing | str:
        """A Timing, or why there is none."""
        try:
            self._pipe.send((arguments, method, seconds, block))
            answer: Timing | str = self._pipe.recv()
        except (EOFError, OSError):
            answer = f"{self.name} ended with code {self._process.wait()}"
        return answer

    def close(self) -> None:
        self._pipe.close()
        self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def workers(makers: Mapping[str, Callable[..., Any]], counts: Sequence[int]) -> Iterator[list[Worker]]:
    """A worker of each maker for each number of threads."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(Worker(name, make, threads))
            for name, make in makers.items()
            for threads in sorted(set(counts))
        ]


class Question(NamedTuple):
    """What is asked of the workers of a name, and the column that the answers go to."""

    column: str
    worker: str
    method: str


Found = dict[str, dict[str, float]]
"""Of one case: column, threads, microseconds; the shape of `report.Times`."""


def in_turn(
    workers: Sequence[Worker],
    arguments: tuple[Any, ...],
    questions: Sequence[Question],
    rounds: int,
    seconds: float,
    block: float = BLOCK,
) -> tuple[Found, Found, dict[str, str]]:
    """The medians over the rounds of each one's least and of its middle block, and why some columns are missing."""
    timings: dict[tuple[str, str], list[Timing]] = {}
    missing: dict[str, str] = {}
    for _ in range(rounds):
        for question in questions:
            for worker in workers:
                if worker.name != question.worker or question.column in missing:
                    continue
                answer = worker.ask(arguments, question.method, seconds, block)
                if isinstance(answer, str):
                    missing[question.column] = answer
                else:
                    timings.setdefault((question.column, str(worker.threads)), []).append(answer)
    least: Found = {}
    middle: Found = {}
    for (column, threads), found in timings.items():
        if column not in missing:
            least.setdefault(column, {})[threads] = _microseconds([timing.least for timing in found])
            middle.setdefault(column, {})[threads] = _microseconds([timing.middle for timing in found])
    return least, middle, missing


def _microseconds(seconds: Sequence[float]) -> float:
    return round(median(seconds) * 1e6, 4)


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a fresh process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
