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
from kernel_calls import BEFORE, TIMED, Calls
from kernel_worlds import NETWORKS, Bare, model_of, worlds

from kernels import alone, rendered, whole


def functions(dtype):
    """Of a program, but for the shapes of tiles, which only ``tile`` and the like call."""
    shapes = ("tile_", "narrow_tile_", "deep_tile_", "member_tile_")
    return [name for name in rendered(dtype) if not name.startswith(shapes) or name == "tile_width"]


def difference(name, calls, first, second):
    """What is wrong with a function: the first call after which its result, or any byte of memory, differs."""
    count = 0
    for world, layer, settings, arguments in calls.of(name):
        count += 1
        result = called(first[name], calls.base(name), world, settings, arguments)
        memory = world.arena.memory.copy()
        other = called(second[name], calls.base(name), world, settings, arguments)
        where = f"in {world.name}, layer {layer}, {settings}, {arguments}"
        if len(different(result, other)):
            return f"gives {result} alone, {other} of the whole, {where}"
        places = different(memory.view(first.dtype), world.arena.memory.view(first.dtype))
        if len(places):
            place = world.arena.name_of(int(places[0]) * first.size)
            return f"writes other values to {len(places)} places, first to {place}, {where}"
    return "" if count else "is never called: kernel_calls.py has no layer or network for it"


def called(function, base, world, settings, arguments):
    """The result of one call, as an array; what it did is in the world's memory."""
    world.arena.restore()
    for path, value in settings.items():
        group, field = path.split(".")
        setattr(getattr(world.job, group), field, world.order if value == "order" else value)
    if base in BEFORE:
        BEFORE[base](world, arguments)
    result = function(*arguments)
    if base in TIMED:
        result = 0 <= result < 10**9
    return np.array(0 if result is None else result)


def different(a, b):
    """The places where the bits of two arrays differ; of a NaN the sign and the payload may."""
    bits = a.view(f"u{a.itemsize}") != b.view(f"u{b.itemsize}")
    if a.dtype.kind == "f" and bits.any():
        bits &= ~(np.isnan(a) & np.isnan(b))
    return np.flatnonzero(bits)


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
