"""Training from disk beside training in memory: rows a second and peak memory, each in a process of its own.

Writes a file of 200 float32 columns, raw and as Parquet, into a temporary folder, and removes it afterwards.  In memory
is as much of it as --memory-gb says; streamed is all of it, once.  The rounds alternate, and the best counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastnn
from fastnn.layers import Dense, Input

COLUMNS = 200
WRITTEN_ROWS = 2**15
"""Rows that are written at a time; a row group of the Parquet file."""
NAMES = [f"c{number}" for number in range(COLUMNS)]


def write(folder: Path, rows: int, kinds: list[str]) -> None:
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
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1e3
    return float("nan")


def child(options: argparse.Namespace) -> None:
    """One way, in this process; prints what it found."""
    folder = Path(options.folder)
    model = fastnn.Sequential(
        [Input((COLUMNS,)), *(Dense(int(units), activation="relu") for units in options.hidden.split(",")), Dense(1)],
        seed=0,
    )
    model.compile("adam", "mse", backend=options.backend)
    few = np.zeros((options.batch, COLUMNS), np.float32)
    model.fit(few, few[:, 0], batch_size=options.batch, verbose=0)
    x = np.memmap(folder / "x.raw", np.float32, "r").reshape(-1, COLUMNS)
    y = np.memmap(folder / "y.raw", np.float32, "r").reshape(-1, 1)
    given: tuple[object, ...]
    if options.child == "memory":
        rows = min(len(x), int(options.memory_gb * 1e9 / (4 * COLUMNS)))
        given = np.array(x[:rows]), np.array(y[:rows])
    elif options.child == "memmap":
        rows, given = len(x), (fastnn.data.stream(x, y, block_bytes=options.block_mb * 2**20),)
    else:
        rows = len(x)
        table = folder / "table.parquet"
        given = (fastnn.data.open(table, target="target", block_bytes=options.block_mb * 2**20),)
    del x, y
    begin = time.perf_counter()
    history = model.fit(*given, batch_size=options.batch, verbose=0)
    seconds = time.perf_counter() - begin
    found = {"rows_a_second": rows / seconds, "peak_mb": peak_megabytes(), "loss": history.history["loss"][0]}
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=4.0, help="of the raw file")
    parser.add_argument("--memory-gb", type=float, default=1.0, help="of it that is trained on in memory")
    parser.add_argument(
        "--hidden", action="append", help="units of the hidden layers (default 256,128); may be repeated"
    )
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--block-mb", type=int, default=16)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kinds", default="memory,memmap,parquet")
    parser.add_argument("--folder", help="where the temporary folder is made")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        options.hidden = options.hidden[0]
        child(options)
        return
    kinds = options.kinds.split(",")
    folder = Path(tempfile.mkdtemp(prefix="fastnn-streaming-", dir=options.folder))
    try:
        need = options.gb * 1e9 * (2.2 if "parquet" in kinds else 1.1)
        if shutil.disk_usage(folder).free < need:
            sys.exit(f"{folder} has no room for {need / 1e9:.1f} GB: choose --gb or --folder")
        write(folder, int(options.gb * 1e9 / (4 * COLUMNS)), kinds)
        for hidden in options.hidden or ["256,128"]:
            best: dict[str, dict[str, float]] = {}
            for _ in range(options.rounds):
                for kind in kinds:
                    arguments = [sys.executable, __file__, *sys.argv[1:], "--child", kind, "--folder", str(folder)]
                    keep = [a for a in arguments if a != "--hidden" and a not in (options.hidden or [])]
                    output = subprocess.run([*keep, "--hidden", hidden], check=True, capture_output=True, text=True)
                    found = json.loads(output.stdout)
                    if kind not in best or found["rows_a_second"] > best[kind]["rows_a_second"]:
                        best[kind] = found
            print(f"{COLUMNS}-{hidden.replace(',', '-')}-1, batch {options.batch}, {options.gb:g} GB")
            for kind, found in best.items():
                ratio = found["rows_a_second"] / best[kinds[0]]["rows_a_second"]
                print(
                    f"  {kind:8} {found['rows_a_second']:12,.0f} rows/s  {ratio:5.2f} of {kinds[0]}"
                    f"  peak {found['peak_mb']:5.0f} MB  loss {found['loss']:.5f}",
                    flush=True,
                )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
