"""Damages the kernels' cache in many ways, and looks at what comes of it: never another result, never a lasting error.

    python tests/tools/damage.py [COUNT] [--whole COUNT]

Each of COUNT damages (200) is done to a cache of real kernels, and a process is forked that trains with backend="auto":
its weights must be the bits of an untouched cache.  The first of each kind that --whole allows (3 in all) are also run
with backend="numba", in a process that compiles anew; after it the cache must serve again.
"""

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CODE = """
import hashlib, sys
import numpy as np
import fastnn
model = fastnn.Sequential([fastnn.layers.Dense(9, activation="tanh"), fastnn.layers.Dense(2)], seed=3)
model.compile("adam", "mse", backend=sys.argv[1])
x = np.random.default_rng(0).normal(size=(64, 5))
model.fit(x, x[:, :2] ** 2, epochs=3, verbose=0)
print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
"""


def remove(path):
    """Take away whatever is at a path."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def flip(path, seed):
    content = bytearray(path.read_bytes())
    at = random.Random(seed).randrange(8 * len(content))
    content[at // 8] ^= 1 << at % 8
    path.write_bytes(content)


def flip_in_head(path, seed):
    content = bytearray(path.read_bytes())
    at = random.Random(seed).randrange(8 * 80)
    content[at // 8] ^= 1 << at % 8
    path.write_bytes(content)


def truncate(path, seed):
    os.truncate(path, random.Random(seed).randrange(path.stat().st_size))


def empty(path, seed):
    path.write_bytes(b"")


def zero_block(path, seed):
    content = bytearray(path.read_bytes())
    at = random.Random(seed).randrange(len(content) - 600)
    content[at : at + 512] = bytes(512)
    if bytes(content) == path.read_bytes():
        content[at] = 1
    path.write_bytes(content)


def longer(path, seed):
    path.write_bytes(path.read_bytes() + random.Random(seed).randbytes(1 + seed))


def garbage(path, seed):
    path.write_bytes(random.Random(seed).randbytes(5000))


def another_key(path, seed):
    """What was kept under another name: sound, but not what is asked for."""
    from fastnn.kernels.numba import cache

    cache._put(path.parent, path.name, cache._sealed(path.read_bytes()[80:], f"another {seed}".encode()))


def a_pickle(path, seed):
    """A pickle that would end the process, were it loaded."""
    path.write_bytes(b"cos\n_exit\n(I99\ntR.")


def a_folder(path, seed):
    remove(path)
    path.mkdir()


def a_fifo(path, seed):
    remove(path)
    os.mkfifo(path)


def a_link(path, seed):
    other = path.with_name("another")
    os.replace(path, other)
    path.symlink_to(other)


def a_dangling_link(path, seed):
    remove(path)
    path.symlink_to("nowhere")


KINDS = {
    f.__name__: f
    for f in (flip, flip_in_head, truncate, empty, zero_block, longer, garbage, another_key, a_pickle, a_folder, a_link)
}
if hasattr(os, "mkfifo"):
    KINDS |= {f.__name__: f for f in (a_fifo, a_dangling_link)}


def run(backend, folder):
    """The digest of a training, in a process of its own, and what it said."""
    environment = os.environ | {"FASTNN_CACHE_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", CODE, backend], capture_output=True, text=True, env=environment)
    return done.stdout.strip() or f"exit status {done.returncode}", done.stderr


def forked(folder):
    """The digest of a training with "auto" in a forked child: nothing is imported again."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ["FASTNN_CACHE_DIR"] = str(folder)
        os.dup2(write, 1)
        sys.argv = ["", "auto"]
        try:
            exec(compile(CODE, "damaged", "exec"), {})
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as file:
        said = file.read().strip()
    os.waitpid(child, 0)
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=200)
    parser.add_argument("--whole", type=int, default=3)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="damage-"))
    os.environ["XDG_CACHE_HOME"] = str(folder / "home")
    cache = folder / "cache"
    wanted, _ = run("numba", cache)
    (entry,) = cache.iterdir()
    whole, wrong, found = entry.read_bytes(), [], 0
    from fastnn.kernels.backends import numba

    kinds = list(KINDS)
    for number in range(arguments.count):
        name = kinds[number % len(kinds)]
        KINDS[name](entry, number)
        os.environ["FASTNN_CACHE_DIR"] = str(cache)
        found += not numba.kept("float32")
        backends = ["auto"] + ["numba"] * (number < arguments.whole)
        for backend in backends:
            got = forked(cache) if backend == "auto" else run(backend, cache)[0]
            if got != wanted:
                wrong.append(f"{number} {name} {backend}: {got}")
        if number < arguments.whole and (not numba.kept("float32") or run("numba", cache) != (wanted, "")):
            wrong.append(f"{number} {name}: not mended")
        for left in cache.iterdir():
            remove(left)
        entry.write_bytes(whole)
        entry.chmod(0o600)
    assert hashlib.sha256(entry.read_bytes()).digest() == hashlib.sha256(whole).digest()
    print(
        f"{arguments.count} damages of {len(kinds)} kinds: {found} found before anything was loaded, {len(wrong)} wrong"
    )
    print(*wrong, sep="\n", end="\n" if wrong else "")
    shutil.rmtree(folder)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
