"""What data cost: shuffled epochs beside those in order, and training from disk beside training in memory."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fastnn
from fastnn.layers import Dense, Input
from . import machine
from .cases import SHUFFLED, chosen
from .peers import Fastnn
from .report import line, number, titles
from .timing import apart, by_turns, filling, once

SECONDS = 0.5
"""How long a turn of epochs takes, about."""


def shuffling(cases: str = "*", backend: str = "auto", threads: int | None = None, rounds: int = 5) -> None:
    """What a shuffled epoch costs beside one in order, where the data are a few rows and where no cache holds them.

    In a shuffled epoch each row is read from a place of its own.  Both take turns in one process; a figure is the best
    of the rounds.
    """
    print(f"On {machine.name()}, microseconds a step\n")
    print("\n".join(titles(["network, batch", "MB of inputs", "in order", "shuffled", "ratio"])))
    for case in chosen(cases, list(SHUFFLED)):
        rows = SHUFFLED[case]
        x, y = case.rows(rows)
        fit = partial(Fastnn(case, backend, threads).model.fit, x, y, batch_size=case.batch, verbose=0)
        epochs = filling(lambda passes, fit=fit: fit(epochs=passes, shuffle=True), SECONDS)
        turns = by_turns({mixed: partial(fit, epochs=epochs, shuffle=mixed) for mixed in (False, True)}, rounds, 0)
        steps = epochs * rows / case.batch
        times = [min(turn.min for turn in turns[mixed]) / steps * 1e6 for mixed in (False, True)]
        cells = [f"{x.nbytes / 1e6:.2f}", *map(number, times), f"{times[1] / times[0]:.2f}"]
        print(line([case.name, *cells]), flush=True)


COLUMNS = 200
WRITTEN_ROWS = 2**15
"""Rows that are written at a time; a row group of the Parquet file."""
NAMES = [f"c{number}" for number in range(COLUMNS)]


def write(folder: Path, rows: int, kinds: tuple[str, ...]) -> None:
    """The same rows in each format: inputs, and a target that depends on them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    direction = rng.standard_normal(COLUMNS).astype(np.float32) / np.float32(COLUMNS**0.5)
    x = np.memmap(folder / "x.raw", np.float32, "w+", shape=(rows, COLUMNS))
    y = np.memmap(folder / "y.raw", np.float32, "w+", shape=(rows, 1))
    schema = pa.schema([(name, pa.float32()) for name in [*NAMES, "target"]])
    writer = pq.ParquetWriter(folder / "table.parquet", schema, use_dictionary=False) if "parquet" in kinds else None
    for first in range(0, rows, WRITTEN_ROWS):
        part = rng.standard_normal((min(WRITTEN_ROWS, rows - first), COLUMNS), dtype=np.float32)
        target = np.tanh(part @ direction)
        x[first : first + len(part)], y[first : first + len(part), 0] = part, target
        if writer is not None:
            writer.write_table(pa.table([*np.ascontiguousarray(part.T), target], schema=schema))
    if writer is not None:
        writer.close()


def peak_megabytes() -> float:
    """The most memory that this process has had, mapped files included."""
    for entry in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if entry.startswith("VmHWM"):
            return int(entry.split()[1]) / 1e3
    return float("nan")


def streamed(kind: str, folder: Path, hidden: tuple[str, ...], options: dict[str, Any]) -> dict[str, float]:
    """One way of reading the rows; what it does to this process."""
    network = [Input((COLUMNS,)), *(Dense(int(units), activation="relu") for units in hidden), Dense(1)]
    model = fastnn.Sequential(network, seed=0)
    model.compile("adam", "mse", backend=options["backend"])
    batch, block_bytes = options["batch"], options["block_mb"] * 2**20
    few = np.zeros((batch, COLUMNS), np.float32)
    model.fit(few, few[:, 0], batch_size=batch, verbose=0)
    x = np.memmap(folder / "x.raw", np.float32, "r").reshape(-1, COLUMNS)
    y = np.memmap(folder / "y.raw", np.float32, "r").reshape(-1, 1)
    rows = len(x)
    given: tuple[object, ...]
    if kind == "memory":
        rows = min(rows, int(options["memory_gb"] * 1e9 / (4 * COLUMNS)))
        given = np.array(x[:rows]), np.array(y[:rows])
    elif kind == "memmap":
        given = (fastnn.data.stream(x, y, block_bytes=block_bytes),)
    else:
        given = (fastnn.data.open(folder / "table.parquet", target="target", block_bytes=block_bytes),)
    del x, y
    seconds, history = once(lambda: model.fit(*given, batch_size=batch, verbose=0))
    return {"rows_a_second": rows / seconds, "peak_mb": peak_megabytes(), "loss": history.history["loss"][0]}


def streaming(
    gb: float = 4.0,
    memory_gb: float = 1.0,
    hidden: list[tuple[str, ...]] | None = None,
    batch: int = 256,
    block_mb: int = 16,
    backend: str = "auto",
    rounds: int = 2,
    kinds: tuple[str, ...] = ("memory", "memmap", "parquet"),
    folder: str | None = None,
) -> None:
    """Training from disk beside training in memory: rows a second and peak memory, each in a process of its own.

    Writes a file of 200 float32 columns, raw and as Parquet, into a temporary folder, and removes it afterwards.  In
    memory is as much of it as --memory-gb says; streamed is all of it, once.  The ways take turns;
    the best round counts.
    """
    options = {"memory_gb": memory_gb, "batch": batch, "block_mb": block_mb, "backend": backend}
    place = Path(tempfile.mkdtemp(prefix="fastnn-streaming-", dir=folder))
    try:
        need = gb * 1e9 * (2.2 if "parquet" in kinds else 1.1)
        if shutil.disk_usage(place).free < need:
            raise SystemExit(f"{place} has no room for {need / 1e9:.1f} GB: choose --gb or --folder")
        write(place, int(gb * 1e9 / (4 * COLUMNS)), kinds)
        for units in hidden or [("256", "128")]:
            best: dict[str, dict[str, float]] = {}
            for _ in range(rounds):
                for kind in kinds:
                    found = apart(streamed, kind, place, units, options)
                    if kind not in best or found["rows_a_second"] > best[kind]["rows_a_second"]:
                        best[kind] = found
            print(f"{COLUMNS}-{'-'.join(units)}-1, batch {batch}, {gb:g} GB")
            for kind, found in best.items():
                ratio = found["rows_a_second"] / best[kinds[0]]["rows_a_second"]
                print(
                    f"  {kind:8} {found['rows_a_second']:12,.0f} rows/s  {ratio:5.2f} of {kinds[0]}"
                    f"  peak {found['peak_mb']:5.0f} MB  loss {found['loss']:.5f}",
                    flush=True,
                )
    finally:
        shutil.rmtree(place)
