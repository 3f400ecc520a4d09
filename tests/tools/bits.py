"""The same bits: record what a grid of trainings and predictions gives, and compare two records.

A change that must not touch any result is shown not to by a record of the commit before it and one of the commit after:

    git worktree add ../before COMMIT                        # with a .venv of its own, and the extension built
    ../before/.venv/bin/python tests/tools/bits.py record before.json
    .venv/bin/python tests/tools/bits.py record after.json
    .venv/bin/python tests/tools/bits.py compare before.json after.json

Both records are made by this script, with the fastnn of the interpreter's tree: its path is printed.  Only the public
interface is used, so that the script outlives what moves inside.  Records compare on one machine, with the same
libraries and the same instruction set (FASTNN_ISA), which decide the last bits.

A case is a subject, such as "chunks optimizer adam", at one dtype, backend and number of threads: its name is "chunks
optimizer adam float32 numba threads2", on which alone its inputs depend.  The other modules of this folder whose names
begin with bits_ hold the subjects.  The record has a hash of each thing that comes of a case (weights, optimizer state,
history, predictions, files), the type and message of an error, and warnings.

One promise needs no second record: a case gives the same for every number of threads.  `record` checks it, and exits
with 1 where it does not hold.  It also says in how many cases numba and cython differ: in none, on processors and
instruction sets that multiply and add in one instruction; in most on FASTNN_ISA=baseline.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy's own threads are not under test, and disturb fastnn's

import bits_data  # noqa: F401 - each of these adds its subjects
import bits_estimators  # noqa: F401
import bits_networks  # noqa: F401
import bits_runs  # noqa: F401
import numpy as np
from bits_cases import SUBJECTS, Place, Subject

import fastnn

Parts = dict[str, str]
Cases = dict[str, Parts]


# --- Recording ---


def digest(value: Any) -> str:
    """The beginning of the SHA-256 of the bytes of arrays, numbers and text, however nested."""
    hashed = hashlib.sha256()

    def feed(part: Any) -> None:
        if isinstance(part, Mapping):
            feed([[str(key), inner] for key, inner in part.items()])
        elif isinstance(part, list | tuple):
            hashed.update(f"{len(part)} parts".encode())
            for inner in part:
                feed(inner)
        elif isinstance(part, np.ndarray) and part.dtype.kind != "O":
            hashed.update(f"{part.dtype.str} {part.shape}".encode())
            hashed.update(np.ascontiguousarray(part).tobytes())
        elif isinstance(part, np.ndarray):
            feed(part.tolist())
        else:
            hashed.update(part if isinstance(part, bytes) else repr(part).encode())

    feed(value)
    return hashed.hexdigest()[:12]


def case(subject: Subject, place: Place) -> Parts:
    """What a subject gives at a place: a hash of each part, or its error."""
    place.folder.mkdir()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                results = subject(place)
                parts = {**{name: digest(value) for name, value in results.items()}, **last_loss(results)}
            except Exception as error:
                parts = {"raised": f"{type(error).__name__}: {error}"}
    finally:
        shutil.rmtree(place.folder)
    told = [f"{w.category.__name__}: {w.message}" for w in caught if issubclass(w.category, UserWarning)]
    if told:
        parts["warned"] = " / ".join(told)
    return {name: text.replace(str(place.folder), "FOLDER") for name, text in parts.items()}


def last_loss(results: Mapping[str, Any]) -> Parts:
    """The loss that training ended with, as it is: it says how far apart two cases are."""
    history = results.get("history")
    losses = history.get("loss") if isinstance(history, Mapping) else results.get("loss_curve_")
    return {"last loss": repr(float(losses[-1]))} if losses else {}


def record(pattern: str) -> Cases:
    """All cases whose names a pattern is found in."""
    cases: Cases = {}
    seconds: dict[str, float] = {}
    # In memory where there is such a folder: every model that is saved waits for the disk.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="bits", dir=memory) as folder:
        for name, (subject, places) in SUBJECTS.items():
            begin = time.perf_counter()
            for dtype, backend, threads in places:
                full = f"{name} {dtype} {backend} threads{threads}"
                if re.search(pattern, full):
                    cases[full] = case(subject, Place(dtype, backend, threads, Path(folder) / "case"))
            seconds[name] = time.perf_counter() - begin
    slowest = sorted(seconds, key=lambda name: -seconds[name])[:5]
    print(f"{len(cases)} cases in {sum(seconds.values()):.0f} s; slowest:")
    print(*(f"  {seconds[name]:5.1f} s {name}" for name in slowest), sep="\n")
    return cases


def machine() -> dict[str, str]:
    """What `fastnn info` says: versions, backends, instruction set."""
    done = subprocess.run([sys.executable, "-m", "fastnn", "info"], capture_output=True, text=True, check=False)
    return dict(re.findall(r"^(\w+(?: \w+)*)  +(.*)$", done.stdout, re.MULTILINE))


def interpreters_fastnn() -> Path:
    """Where fastnn was imported from: the tree that the interpreter's .venv stands in, if it has one."""
    found, tree = Path(fastnn.__file__).resolve().parent, Path(sys.prefix).resolve().parent
    if (tree / "fastnn").is_dir() and found != tree / "fastnn":
        sys.exit(f"{sys.executable} imports {found}, and not {tree / 'fastnn'}, beside which it stands")
    return found


# --- Comparing ---


def differences(before: Parts, after: Parts) -> list[str]:
    """The parts in which two cases differ, with both sides."""
    names = dict.fromkeys([*before, *after])
    return [
        f"{name}: {before.get(name, 'not there')} -> {after.get(name, 'not there')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def unequal(cases: Cases, group: Callable[[str, str], tuple[str, str]]) -> list[str]:
    """Cases that differ from the first of their group, which a case's name without threads, and backend, make."""
    first: dict[tuple[str, str], str] = {}
    lines = []
    for name, parts in cases.items():
        rest, backend, _ = name.rsplit(" ", 2)
        other = first.setdefault(group(rest, backend), name)
        if found := differences(cases[other], parts):
            lines.append(f"{other} and {name}\n    " + "\n    ".join(found))
    return lines


def compare(before: Cases, after: Cases) -> Iterator[str]:
    """Every difference of two records."""
    for name in dict.fromkeys([*before, *after]):
        if name not in before or name not in after:
            yield f"{name}: in the {'first' if name in before else 'second'} record only"
        elif found := differences(before[name], after[name]):
            yield f"{name}\n    " + "\n    ".join(found)


def read(path: Path) -> dict[str, Any]:
    contents: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    raised = sum("raised" in parts for parts in contents["cases"].values())
    print(f"{path}: {len(contents['cases'])} cases, of which {raised} raise an error; {contents['fastnn']}")
    return contents


# --- The command line ---


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="run the cases and write their hashes")
    recording.add_argument("out", type=Path)
    recording.add_argument("--only", default="", metavar="PATTERN", help="cases in whose names this is found (re)")
    comparing = commands.add_parser("compare", help="print each difference of two records; 1 if there is any")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    arguments = parser.parse_args()

    if arguments.command == "record":
        found = interpreters_fastnn()
        print(f"fastnn: {found}")
        contents = {"fastnn": str(found), "machine": machine(), "cases": record(arguments.only)}
        arguments.out.write_text(json.dumps(contents, indent=1), encoding="utf-8")
        read(arguments.out)
        lines = unequal(contents["cases"], lambda rest, backend: (rest, backend))
        print(*lines, f"{len(lines)} cases differ by the number of threads", sep="\n")
        compiled = unequal(contents["cases"], lambda rest, backend: (rest, "" if backend == "numpy" else "compiled"))
        print(f"{len(compiled)} cases differ by that, or between numba and cython")
    else:
        one, two = read(arguments.before), read(arguments.after)
        for fact in ("instruction set", "numpy", "numba"):
            if one["machine"].get(fact) != two["machine"].get(fact):
                print(f"{fact}: {one['machine'].get(fact)}, then {two['machine'].get(fact)}: bits may differ for that")
        lines = list(compare(one["cases"], two["cases"]))
        print(*lines, f"{len(lines)} cases differ", sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
