"""Press Ctrl-C at every place where Python handles signals, under each of the ways into fastnn.

    python tests/tools/interrupts.py                      every place, Numba and Cython, two threads
    python tests/tools/interrupts.py --entries fit save   some ways in
    python tests/tools/interrupts.py --random 1000        Ctrl-C after random times instead

For each place: whether the call returns or raises within a second, which state the model is in, whether the next call
works, whether a backup resumes to the bit.  Prints the places where something is wrong, and a line for each way in.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from interrupt_scenes import SCENES
from storm import Place, Storm

SECONDS = 20.0
"""What is not back by then hangs; a machine that is busy takes its time."""


def places(scene_name: str, backend: str, threads: int, folder: Path) -> list[Place]:
    """Where a signal would be handled, in the order in which the call comes there."""
    scene = SCENES[scene_name](backend, threads, folder)
    scene.prepare()
    storm = Storm()
    storm.run(scene.call)
    return storm.places


def some(found: list[Place], every: bool) -> list[int]:
    """Numbers of places, from 1: all of them, or the first and the last of each that is come to several times."""
    if every:
        return list(range(1, 1 + len(found)))
    first: dict[Place, int] = {}
    last: dict[Place, int] = {}
    for number, place in enumerate(found, 1):
        first.setdefault(place, number)
        last[place] = number
    return sorted({*first.values(), *last.values()})


def press(scene_name: str, backend: str, threads: int, folder: Path, number: int) -> str:
    """Raise KeyboardInterrupt at a place; what is wrong then, or an empty text."""
    scene = SCENES[scene_name](backend, threads, folder)
    scene.prepare()
    storm = Storm(number)
    lost: list[str] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda what: lost.append(repr(what.exc_value))
    try:
        try:
            storm.run(scene.call)
        except KeyboardInterrupt:
            scene.raised = True
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        sys.unraisablehook = before
    if lost:
        return f"lost in a destructor: {lost}"
    try:
        return scene.wrong(storm.raised)
    except BaseException as error:
        return f"afterwards {type(error).__name__}: {error}"


def child(scene_name: str, backend: str, threads: int, folder: Path, numbers: list[int]) -> None:
    """Try some places; a line of JSON for each."""
    sys.stderr = io.StringIO()  # fit says that it was interrupted
    press(scene_name, backend, threads, folder, numbers[0])  # what is made once, and kernels that are loaded
    for number in numbers:
        print(json.dumps({"begins": number}), flush=True)
        faulthandler.dump_traceback_later(SECONDS, exit=True, file=sys.__stderr__)
        began = time.perf_counter()
        wrong = press(scene_name, backend, threads, folder, number)
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps({"number": number, "wrong": wrong, "seconds": time.perf_counter() - began}), flush=True)


def sweep(scene_name: str, backend: str, threads: int, folder: Path, every: bool) -> Counter[str]:
    """Try every place, and say what is wrong."""
    places(scene_name, backend, threads, folder)  # what is made once has been made
    found = places(scene_name, backend, threads, folder)
    left, counts, kinds = some(found, every), Counter[str](), Counter[str]()
    counts["places"] = len(left)
    longest = 0.0
    while left:
        words = [sys.executable, __file__, "--child", scene_name, backend, str(threads), str(folder)]
        result = subprocess.run(words, input=json.dumps(left), capture_output=True, text=True, check=False)
        begun = None
        for line in result.stdout.splitlines():
            if not line.startswith("{"):
                continue
            told = json.loads(line)
            if "begins" in told:
                begun = told["begins"]
                continue
            begun = None
            left.remove(told["number"])
            longest = max(longest, told["seconds"])
            if told["wrong"]:
                counts["wrong"] += 1
                kinds[told["wrong"][:60]] += 1
                print(f"  {found[told['number'] - 1]}: {told['wrong']}")
        if begun is None:
            if result.returncode:
                raise RuntimeError(result.stderr)
        else:
            left.remove(begun)
            counts["hangs" if "Timeout" in result.stderr else "crashes"] += 1
            print(f"  {found[begun - 1]}: hangs" if "Timeout" in result.stderr else f"  {found[begun - 1]}: crashes")
            if "Timeout" not in result.stderr:
                print(result.stderr[-2000:])
    print(
        f"{scene_name:12} {backend:7} {counts['places']:5} places  {counts['hangs']:3} hangs  "
        f"{counts['crashes']:3} crashes  {counts['wrong']:3} wrong  (longest {longest:.2f} s)",
        flush=True,
    )
    return counts


def at_random(scene_name: str, backend: str, threads: int, folder: Path, count: int) -> None:
    """Ctrl-C after random times, by the system's timer, count times."""
    import signal

    rng = random.Random(0)
    late, wrongs = 0, Counter[str]()
    for _ in range(count):
        scene = SCENES[scene_name](backend, threads, folder)
        scene.prepare()
        faulthandler.dump_traceback_later(SECONDS, exit=True, file=sys.__stderr__)

        def handle(*_: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, handle)
        struck = False
        try:
            signal.setitimer(signal.ITIMER_REAL, 10 ** rng.uniform(-5.3, -1.7))
            try:
                while True:
                    scene.call()
                    if scene.once or scene.interrupted:
                        break
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            struck = scene.raised = True
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()
        in_time = struck or scene.interrupted
        wrong = scene.wrong(True) if scene.once and in_time else ""
        if wrong:
            wrongs[wrong] += 1
        late += not in_time
    print(
        f"{scene_name:12} {backend:7} {count} times: all returned, {late} before it came, {sum(wrongs.values())} wrong",
        flush=True,
    )
    for wrong, times in wrongs.items():
        print(f"  {times} times: {wrong}")


def main() -> None:
    import tempfile

    if sys.argv[1:2] == ["--child"]:
        name, backend, threads, folder = sys.argv[2:]
        child(name, backend, int(threads), Path(folder), json.load(sys.stdin))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", nargs="*", choices=list(SCENES), default=list(SCENES))
    parser.add_argument("--backends", nargs="*", default=["numba", "cython"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--every", action="store_true", help="come to a place each time, and not only first and last")
    parser.add_argument("--random", type=int, default=0, metavar="TIMES")
    options = parser.parse_args()
    total = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for backend in options.backends:
            place = Path(folder) / backend  # the files of one backend are not another's
            place.mkdir()
            for name in options.entries:
                if options.random:
                    at_random(name, backend, options.threads, place, options.random)
                else:
                    total += sweep(name, backend, options.threads, place, options.every)
    if not options.random:
        print(f"{total['places']} places, {total['hangs']} hangs, {total['crashes']} crashes, {total['wrong']} wrong")
    sys.exit(bool(total["hangs"] + total["crashes"] + total["wrong"]))


if __name__ == "__main__":
    main()
