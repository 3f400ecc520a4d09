"""Corrupt .pt files in every way that comes to mind, and load them: an error, or the weights that were saved.

    python tests/tools/pt_fuzz.py --files 5000

What is forged with right checksums may be other weights, of the right shapes.  Any other exception, a change of the
model by a file that is refused, or memory above ten times the file and 256 KiB is a failure.
"""

import argparse
import collections
import io
import pickle
import random
import resource
import sys
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import fuzz
import numpy as np
import torch

import fastnn.torch

WIDTHS = 24, 48, 3


def modules():
    """Two modules of the same shapes, and one of others."""
    for seed, hidden in ((0, WIDTHS[1]), (1, WIDTHS[1]), (2, 9)):
        torch.manual_seed(seed)
        parts = torch.nn.Linear(WIDTHS[0], hidden), torch.nn.BatchNorm1d(hidden), torch.nn.Tanh()
        yield torch.nn.Sequential(*parts, torch.nn.Linear(hidden, WIDTHS[2]))


# --- Forgeries: every checksum is right ---


def forge_pickle(rng, data, other):
    contents = fuzz.members(data)
    name = next(name for name in contents if name.endswith("data.pkl"))
    corrupt = rng.choice([*fuzz.BLIND, _other_numbers, _other_numbers])
    return fuzz.archive_of(contents | {name: corrupt(rng, contents[name], other)})


def _other_numbers(rng, data, other):
    """A size, an offset or a stride is another one: BININT1 and BININT are followed by it."""
    changed = bytearray(data)
    places = [place for place, byte in enumerate(changed[:-6]) if byte in (ord("K"), ord("J"), ord("M"))]
    place = rng.choice(places)
    if changed[place] == ord("K"):
        changed[place + 1] = rng.choice([0, 1, 2, 255])
    elif changed[place] == ord("J"):
        changed[place + 1 : place + 5] = rng.choice([b"\xff\xff\xff\x7f", bytes(4), b"\xff" * 4, rng.randbytes(4)])
    else:
        changed[place + 1 : place + 3] = rng.choice([b"\xff\xff", bytes(2), rng.randbytes(2)])
    return bytes(changed)


def forge_member(rng, data, other):
    contents = fuzz.members(data)
    name = rng.choice(sorted(name for name, content in contents.items() if len(content) > 1))
    contents[name] = rng.choice(fuzz.BLIND)(rng, contents[name], data)
    return fuzz.archive_of(contents)


def swap_members(rng, data, other):
    return fuzz.swap_members(rng, data, other)


def drop_member(rng, data, other):
    return fuzz.drop_member(rng, data, other)


def bomb(rng, data, other):
    """Small in the file, large in memory: a record of zeros, compressed; or very many members; or very many objects."""
    contents = fuzz.members(data)
    folder = next(iter(contents)).partition("/")[0]
    kind = rng.randrange(4)
    if kind == 0:
        return fuzz.archive_of(contents | {f"{folder}/data/0": bytes(2**24)}, zipfile.ZIP_DEFLATED)
    if kind == 1:
        return fuzz.archive_of(contents | {f"{folder}/{number}": b"" for number in range(2000)})
    opcode = rng.choice([pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.EMPTY_TUPLE, pickle.MARK, pickle.NEWTRUE])
    return fuzz.archive_of(contents | {f"{folder}/data.pkl": b"\x80\x02" + opcode * rng.choice([9000, 10**6]) + b"."})


def call(rng, data, other):
    """A pickle that would do harm where it were run."""

    class Harm:
        def __reduce__(self):
            return rng.choice([(exec, ("raise SystemExit(9)",)), (bytearray, (2**33,)), (print, ("run!",))])

    content = io.BytesIO()
    torch.save({"0.weight": Harm()}, content)
    return content.getvalue()


FORGED = [forge_pickle, forge_pickle, forge_pickle, forge_member, swap_members, drop_member, bomb, call]


class Fuzz:
    """Files, and a model that they are loaded into."""

    def __init__(self, folder):
        self.path = folder / "m.pt"
        self.files, self.right = [], []
        for number, module in enumerate(modules()):
            model = fastnn.torch.from_module(module, backend="numpy")
            if number == 0:
                self.receiver = model
            model.save_weights(self.path)
            self.files.append(self.path.read_bytes())
            self.right.append([w.tobytes() for w in model.get_weights()])
        rng = np.random.default_rng(5)
        self.blank = [rng.uniform(size=w.shape).astype("float32") for w in self.receiver.get_weights()]
        self.most = 0.0

    def one(self, seed):
        """Corrupt a file in a way that follows from the seed, and load it; returns which way, and what came of it."""
        rng = random.Random(seed)
        corruption = rng.choice(rng.choice([fuzz.BLIND, FORGED]))
        content = corruption(rng, self.files[0], self.files[rng.choice([1, 2])])
        return corruption.__name__, self.load(content, corruption)

    def load(self, content, corruption):
        self.path.write_bytes(content)
        self.receiver.set_weights(self.blank)
        tracemalloc.start()
        try:
            self.receiver.load_weights(self.path)
        except fastnn.ModelFileError as error:
            named = str(self.path) in str(error)
            assert named, "the file is not named"
            assert all(map(np.array_equal, self.receiver.get_weights(), self.blank)), "weights changed with an error"
            return "refused"
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.most = max(self.most, (peak - 2**18) / max(1, len(content)))
            assert peak < 2**18 + 10 * len(content), f"{peak} bytes of memory for a file of {len(content)}"
        found = [w.tobytes() for w in self.receiver.get_weights()]
        if corruption not in FORGED:
            assert found in self.right, "other weights"
        return "the right weights" if found == self.right[0] else "weights"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    outcomes, failures = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as name:
        tried = Fuzz(Path(name))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))  # 256 MiB more
        for seed in range(arguments.seed, arguments.seed + arguments.files):
            try:
                outcomes[tried.one(seed)] += 1
            except Exception as error:
                failures += 1
                print(f"seed {seed}: {type(error).__name__}: {error}")
    for (what, outcome), count in sorted(outcomes.items()):
        print(f"{count:6d}  {what}: {outcome}")
    print(f"{arguments.files} files, {failures} failures; memory at most {tried.most:.1f} times a file and 256 KiB")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
