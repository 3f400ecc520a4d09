"""Compares Numba's own compilation of every kernel with the translation of the whole, to the bit.

    python tests/tools/kernels_alone.py float32 RESULTS

RESULTS becomes a file of a line of JSON for each function: its name, and what is wrong with it, or nothing; and for
each network of kernel_worlds: what training and predicting gave, with the entry that Numba compiled.  A process of its
own, since Numba takes half a minute for a dtype, without optimising, which must not get into the cache of the backend.
"""

import faulthandler
import hashlib
import json
import os
import sys
import traceback
from pathlib import Path

if __name__ == "__main__":
    os.environ["NUMBA_OPT"] = "0"

import numpy as np
from kernel_calls import BEFORE, Calls
from kernel_worlds import NETWORKS, Bare, model_of, worlds
from kernels import alone, rendered, whole

from fastnn.kernels import records

FEWER_CALLS = 40
"""Calls of one function in one world after which every fifth is enough."""


def functions(dtype):
    """Of a program, but for the shapes of tiles, which only ``tile`` and ``deep_tile`` call."""
    shapes = ("tile_", "narrow_tile_", "deep_tile_")
    return [name for name in rendered(dtype) if not name.startswith(shapes) or name == "tile_width"]


def difference(name, calls, first, second):
    """What is wrong with a function: the first call after which its result, or any byte of memory, differs."""
    count = 0
    before = BEFORE.get(calls.base(name))
    for world, layer, settings, arguments in calls.of(name):
        count += 1
        outcomes = []
        for kernels in (first, second):
            world.arena.restore()
            for path, value in settings.items():
                group, field = path.split(".")
                setattr(getattr(world.job, group), field, world.order if value == "order" else value)
            if before:
                before(world, arguments)
            result = kernels[name](*arguments)
            outcomes.append((np.array(result, float if result is None else None).tobytes(), world.arena.changed()))
        (result, memory), (other_result, other_memory) = outcomes
        if result != other_result:
            return f"result differs in {world.name}, layer {layer}, {settings}, {arguments}"
        places = np.flatnonzero(memory != other_memory)
        if len(places):
            place = world.arena.memory.ctypes.data + int(places[0])
            return (
                f"memory differs at {place} and {len(places)} bytes, in {world.name}, {layer}, {settings}, {arguments}"
            )
    return "" if count else "is never called: kernel_calls.py has no layer or network for it"


def compare(dtype, write):
    first, second = alone(dtype), whole(dtype)
    calls = Calls(first, Bare(first), worlds(first))
    for name in functions(dtype):
        write({"function": name, "wrong": "ended the process"})
        try:
            wrong = difference(name, calls, first, second)
        except Exception:
            wrong = traceback.format_exc(limit=-3)
        write({"function": name, "wrong": wrong})


def outcome(name, dtype, backend, threads):
    """A digest of what training and predicting give: losses, weights, the optimizer's state, outputs."""
    model, x, y, batch_size = model_of(name, dtype, backend, threads)
    history = model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0).history
    arrays = [np.array(values) for values in history.values()] + model.get_weights() + [model.predict(x, verbose=0)]
    arrays.append(np.array(model.evaluate(x, y, verbose=0)))
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def train(dtype, write):
    """Let the numba backend be Numba's own compilation of the entry."""
    from fastnn.kernels.backends import numba as backend

    run = alone(dtype)["run"]
    backend.load = lambda dtype: run
    for name in NETWORKS:
        write({"network": name, "outcomes": [outcome(name, dtype, "numba", threads) for threads in (1, 2)]})


def main():
    faulthandler.enable()
    dtype, path = sys.argv[1:]
    with Path(path).open("w") as file:

        def write(line):
            print(json.dumps(line), file=file, flush=True)

        compare(dtype, write)
        train(dtype, write)
        write({"done": True})


if __name__ == "__main__":
    main()
