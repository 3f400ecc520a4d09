"""The machine: what it is, the two rates that a network is measured against, and what threads cost on it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from .internals import (
    ISA,
    TILE_ROWS,
    TILE_VECTORS,
    AllRun,
    address,
    aligned,
    compiled,
    lanes,
    meeting,
    on_threads,
    processors,
)
from .timing import least

DEPTH, REPEATS = 64, 10_000
PACKAGES = ("fastnn-cpu", "numpy", "numba", "cython", "scikit-learn", "torch", "jax", "jaxlib", "optax", "keras")

MEETINGS = 20_000
HANDED = (16 * 2**10, 256 * 2**10)
"""Bytes of the two amounts by which handing over is measured."""

MEET = f"""
def entry(job, a, b):
    for _ in range({MEETINGS}):
        barrier(job)
    return 0
"""

# Two threads, number 0 and 1, in turn: each adds 1 to all values, which the other one wrote last, then passes the turn
# on.  With a number of 2, one thread does the work of both.
HAND = f"""
def entry(record, number, turns):
    buffer = get_integer(record, 0)
    count = get_integer(record, 1)
    flag = get_integer(record, 2)
    for turn in range(turns):
        if number == 2 or turn % 2 == number:
            if number < 2:
                while atomic_get(flag, 0) != turn:
                    spin_pause()
            for at in range(0, count, {lanes()}):
                store(buffer, at, load(buffer, at) + splat(1.0))
            if number < 2:
                atomic_put(flag, 0, turn + 1)
    return 0
"""


@contextmanager
def tiles(threads: int = 1) -> Iterator[tuple[Callable[[], object], int]]:
    """A function that has each of so many threads compute with the largest tile, all it reads in the nearest cache.

    And how many operations that is, of all threads together.
    """
    rows, columns = TILE_ROWS, TILE_VECTORS * lanes()
    tile = f"tile_{rows}x{TILE_VECTORS}"
    run = compiled(
        f"""
def entry(a, b, c):
    for _ in range({REPEATS}):
        {tile}({DEPTH}, a, {DEPTH}, 1, b, {columns}, 0, c, {columns})
    return 0
""",
        tile,
    )
    counts = (rows * DEPTH, DEPTH * columns, rows * columns)
    memory = [[aligned(count, np.float32) for count in counts] for _ in range(threads)]
    places = [tuple(address(array) for array in arrays) for arrays in memory]
    operations = threads * REPEATS * 2 * rows * columns * DEPTH
    if threads == 1:
        yield lambda: run(*places[0]), operations
    else:
        with on_threads(threads) as all_run:
            yield lambda: all_run(lambda number: run(*places[number])), operations


def fma_rate(seconds: float = 1.0, threads: int = 1) -> float:
    """GFLOP/s of so many cores at once in the largest tile."""
    with tiles(threads) as (run, operations):
        return operations / least(run, seconds) / 1e9


def blas_rate(seconds: float = 1.0) -> float:
    """GFLOP/s of NumPy's product of two 2048 x 2048 float32 matrices, on as many threads as it takes."""
    size = 2048
    a, b, c = (np.ones((size, size), np.float32) for _ in range(3))
    return 2 * size**3 / least(lambda: np.dot(a, b, out=c), seconds) / 1e9


def barriers(counts: list[int], seconds: float) -> dict[int, float]:
    """Seconds of one meeting at the kernels' barrier, by the number of threads."""
    run, found = compiled(MEET, "barrier"), {}
    for threads in counts:
        with meeting(run, threads) as meet:
            found[threads] = least(meet, seconds) / MEETINGS
    return found


def handing(seconds: float) -> dict[int, float]:
    """Seconds by which touching memory that another core wrote takes longer than touching one's own, by bytes."""
    run = compiled(HAND)
    flag, found = aligned(8, np.int64), {}
    for size in HANDED:
        buffer, turns = aligned(size // 4, np.float32), 2 * max(10, 2**26 // size // 2)
        record = np.array([address(buffer), size // 4, address(flag)])
        place = address(record)

        alone = least(lambda place=place, turns=turns: run(place, 2, turns), seconds)
        with on_threads(2) as all_run:

            def both(place: int = place, turns: int = turns, all_run: AllRun = all_run) -> None:
                flag[0] = 0
                all_run(lambda number: run(place, number, turns))

            found[size] = (least(both, seconds) - alone) / turns
    return found


def bandwidth(handed: dict[int, float]) -> float:
    """Bytes a second from core to core: what the larger amount takes more than the smaller one."""
    small, large = sorted(handed)
    return (large - small) / max(handed[large] - handed[small], 1e-12)


def facts(packages: tuple[str, ...] = PACKAGES) -> dict[str, Any]:
    """What the machine is, and the versions of packages."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "cpu": cpu_model(),
        "cores": processors(),
        "isa": ISA,
        "python": platform.python_version(),
        "packages": found,
    }


def name() -> str:
    """What stands above a table."""
    return f"{processors()} cores of {cpu_model()}"


def cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        fields = {key.strip(): value.strip() for key, value in lines.items()}
        family = f"family {fields['cpu family']}, model {fields['model']}"
        return f"{fields['model name']} ({family})"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()
