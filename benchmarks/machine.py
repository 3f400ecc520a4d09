"""The machine: what it is, and the two rates that a network is measured against."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from pieces import INSTRUCTION_SET, ISA, LANES, compiled

from fastnn.engine import address, aligned, processors

DEPTH, REPEATS = 64, 10_000
PACKAGES = ("fastnn", "numpy", "numba", "cython", "scikit-learn", "torch", "jax", "jaxlib", "optax")


def best_seconds(function: Callable[[], Any], budget: float) -> float:
    """The least time that a call took within a budget of seconds, after one that is not counted."""
    function()
    best, end = float("inf"), time.perf_counter() + budget
    while time.perf_counter() < end:
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def fma_rate(budget: float = 1.0) -> float:
    """GFLOP/s of the largest tile on one core, all it reads in the nearest cache."""
    rows, columns = INSTRUCTION_SET.tile_rows, INSTRUCTION_SET.tile_vectors * LANES
    tile = f"tile_{rows}x{INSTRUCTION_SET.tile_vectors}"
    run = compiled(
        f"""
def entry(a, b, c):
    for _ in range({REPEATS}):
        {tile}({DEPTH}, a, {DEPTH}, 1, b, {columns}, 0, c, {columns})
    return 0
""",
        tile,
    )
    a, b, c = (aligned(count, np.float32) for count in (rows * DEPTH, DEPTH * columns, rows * columns))
    seconds = best_seconds(lambda: run(address(a), address(b), address(c)), budget)
    return REPEATS * 2 * rows * columns * DEPTH / seconds / 1e9


def blas_rate(budget: float = 1.0) -> float:
    """GFLOP/s of NumPy's product of two 2048 x 2048 float32 matrices, on as many threads as it takes."""
    size = 2048
    a, b, c = (np.ones((size, size), np.float32) for _ in range(3))
    return 2 * size**3 / best_seconds(lambda: np.dot(a, b, out=c), budget) / 1e9


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


def cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        fields = {key.strip(): value.strip() for key, value in lines.items()}
        family = f"family {fields['cpu family']}, model {fields['model']}"
        return f"{fields['model name']} ({family})"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()
