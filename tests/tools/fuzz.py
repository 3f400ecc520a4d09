"""Corrupt model files in every way that comes to mind, and load them: an error, or the model that was saved.

    python tests/tools/fuzz.py --files 10000

Any other exception, a warning, another model, or memory beyond a small multiple of the file's size is a failure; the
file is kept then.
"""

import argparse
import collections
import copy
import hashlib
import json
import random
import sys
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np

import fastnn
from fastnn import callbacks, layers

X, Y = np.zeros((4, 5), "float32"), np.arange(4) % 3
NUMBERS = [-1, 0, 1, 2, 3, 2**31, 2**62, 10**30, 1.5, float("nan"), None, True, "", "relu", [], {}, [[]]]


def make_files(folder):
    """A model, another one, weights alone, and a backup of a run within an epoch, by kind."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 5)).astype("float32"), rng.integers(0, 3, 40)
    models = []
    for seed, units in ((0, 7), (1, 7), (2, 9)):
        hidden = layers.Dense(units, activation="relu")
        model = fastnn.Sequential([layers.Input((5,)), hidden, layers.Dense(3, activation="softmax")], seed=seed)
        model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"], backend="numpy")
        models.append(model)
    backup = callbacks.BackupAndRestore(folder / "b", save_freq=3, delete_checkpoint=False)
    stopping = callbacks.EarlyStopping("loss", restore_best_weights=True)
    models[0].fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[backup, stopping])
    models[0].fit(x, y, batch_size=16, epochs=1, verbose=0)
    files = {"backup": (folder / "b" / "backup.previous.fastnn").read_bytes()}
    for number, model in enumerate(models):
        model.save(folder / "m", metadata={"number": number})
        files[f"model {number}"] = (folder / "m").read_bytes()
        model.save_weights(folder / "w")
        files[f"weights {number}"] = (folder / "w").read_bytes()
    return files


def digest(model):
    """Of all that a file holds of a model."""
    document, arrays = model._contents()
    result = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name, array in arrays.items():
        result.update(name.encode() + array.tobytes())
    return result.hexdigest()


# --- Corruptions: bytes, and those of another file, become bytes ---


def cut(rng, data, other):
    return data[: rng.randrange(len(data))]


def cut_front(rng, data, other):
    return data[rng.randrange(1, len(data)) :]


def flip_bits(rng, data, other):
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8, 64])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(rng, data, other):
    changed = bytearray(data)
    start, count = rng.randrange(len(changed)), rng.choice([1, 4, 16, 512])
    what = rng.choice([bytes(count), b"\xff" * count, rng.randbytes(count), data[: rng.randrange(count) + 1]])
    changed[start : start + len(what)] = what
    return bytes(changed)


def remove(rng, data, other):
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.choice([1, 2, 16, 64, 512]) :]


def insert(rng, data, other):
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.randbytes(rng.choice([1, 2, 16, 64, 512])) + data[start:]


def repeat(rng, data, other):
    start, count = rng.randrange(len(data)), rng.choice([1, 16, 64, 512])
    return data[: start + count] + data[start:]


def swap_blocks(rng, data, other):
    size = rng.choice([1, 8, 64, 128, 512])
    first, second = (rng.randrange(max(1, len(data) - size)) for _ in range(2))
    changed = bytearray(data)
    changed[first : first + size], changed[second : second + size] = (
        data[second : second + size],
        data[first : first + size],
    )
    return bytes(changed)


def splice(rng, data, other):
    """The beginning of one file, the rest of another."""
    place = rng.randrange(min(len(data), len(other)))
    return data[:place] + other[place:]


def append(rng, data, other):
    return data + rng.choice([b"\0", rng.randbytes(100), other])


BLIND = [cut, cut_front, flip_bits, overwrite, remove, insert, repeat, swap_blocks, splice, append]


# --- Corruptions of archives that keep ZIP's own checksums right ---


def members(data):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def archive_of(contents, compression=zipfile.ZIP_STORED):
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, content in contents.items():
                archive.writestr(zipfile.ZipInfo(name), content, compression)
        file.seek(0)
        return file.read()


def swap_members(rng, data, other):
    contents = members(data)
    first, second = rng.sample(sorted(contents), 2)
    contents[first], contents[second] = contents[second], contents[first]
    return archive_of(contents)


def foreign_member(rng, data, other):
    """A part of another model's file: an array, or the description."""
    contents, others = members(data), members(other)
    name = rng.choice(sorted(contents.keys() & others.keys()))
    contents[name] = others[name]
    return archive_of(contents)


def swap_headers(rng, data, other):
    """The .npy headers of two arrays: other shapes, over the same values."""
    contents = members(data)
    first, second = rng.sample(sorted(name for name in contents if name.endswith(".npy")), 2)
    a, b = contents[first], contents[second]
    contents[first], contents[second] = b[:128] + a[128:], a[:128] + b[128:]
    return archive_of(contents)


def corrupt_member(rng, data, other):
    contents = members(data)
    name = rng.choice(sorted(contents))
    contents[name] = rng.choice(BLIND)(rng, contents[name], data)
    return archive_of(contents)


def drop_member(rng, data, other):
    contents = members(data)
    del contents[rng.choice(sorted(contents))]
    return archive_of(contents)


def compress(rng, data, other):
    """A bomb: what is small in the file is large in memory."""
    contents = members(data) | {"weights/0.npy": bytes(2**24)}
    return archive_of(contents, zipfile.ZIP_DEFLATED)


CAREFUL = [swap_members, foreign_member, swap_headers, corrupt_member, drop_member, compress]


# --- Files that somebody made on purpose: every checksum is right ---


def forge(rng, data, other):
    """Numbers in the description are others, and so are the checksums of it: a model may come of that, but no harm."""
    contents = members(data)
    whole = json.loads(contents["fastnn.json"])
    for _ in range(rng.choice([1, 1, 2, 5])):
        _forge_value(rng, rng.choice([whole["document"]] * 9 + [whole]))
    text = json.dumps(whole["document"], sort_keys=True)
    whole["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    contents["fastnn.json"] = json.dumps(whole).encode()
    return archive_of(contents)


def _forge_value(rng, tree):
    """Another value in one place of a tree, which is reached at random."""
    while isinstance(tree, dict | list) and tree:
        key = rng.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        if not isinstance(tree[key], dict | list) or not tree[key] or rng.random() < 0.05:
            tree[key] = copy.deepcopy(rng.choice(NUMBERS))  # the next one may change it
            return
        tree = tree[key]


def forge_array(rng, data, other):
    """An array's header promises more than there is, and its checksum fits."""
    contents = members(data)
    whole = json.loads(contents["fastnn.json"])
    name = rng.choice(sorted(whole["arrays"]))
    array = contents[f"{name}.npy"]
    shape = rng.choice([b"(1000000, 1000000), ", b"(-1, 3), ", b"(10000000000,), ", b"(2, 2, 2), "])
    header = array[:128].split(b"(")[0] + shape + b"}"
    contents[f"{name}.npy"] = header.ljust(127)[:127] + b"\n" + array[128:]
    whole["arrays"][name] = hashlib.sha256(contents[f"{name}.npy"]).hexdigest()
    contents["fastnn.json"] = json.dumps(whole).encode()
    return archive_of(contents)


FORGED = [forge, forge, forge, forge_array]


# --- Headers of safetensors files, of the right length ---


def swap_tensors(rng, data, other):
    """Two tensors have each other's shape, type or place."""
    header = _header(data)
    first, second = (header[name] for name in rng.sample([name for name in header if name != "__metadata__"], 2))
    key = rng.choice(["shape", "dtype", "data_offsets"])
    first[key], second[key] = second[key], first[key]
    return _with_header(header, data)


def change_tensor(rng, data, other):
    """A tensor is said to be of another type, shape or place."""
    header = _header(data)
    tensor = header[rng.choice([name for name in header if name != "__metadata__"])]
    key = rng.choice(["shape", "dtype", "data_offsets"])
    tensor[key] = rng.choice(
        {
            "dtype": ["I32", "U32", "F16", "BF16", "F64", "", 3],
            "shape": [tensor["shape"][::-1], [2**40, 2**40], [-1], [], tensor["shape"] + [1]],
            "data_offsets": [[0, 2**62], [-4, 8], [8, 4], [0, 28], []],
        }[key]
    )
    return _with_header(header, data)


def foreign_header(rng, data, other):
    return _with_header(_header(other), data)


def _header(data):
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def _with_header(header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + int.from_bytes(data[:8], "little") :]


TENSORS = [swap_tensors, swap_tensors, change_tensor, change_tensor, foreign_header]


class Fuzz:
    """Corrupts files that it makes in a folder, and loads them."""

    def __init__(self, folder):
        self.folder, self.files = folder, make_files(folder)
        self.path = folder / "corrupt"
        self.right = {}
        for kind, content in self.files.items():
            self.path.write_bytes(content)
            if not kind.startswith("weights"):
                self.right[kind] = digest(fastnn.load_model(self.path, backend="numpy"))
        self.receiver = fastnn.Sequential([layers.Dense(7, activation="relu"), layers.Dense(3)], seed=5)
        self.receiver.build(5)
        self.blank = self.receiver.get_weights()
        self.loaded = {}
        for kind in ("weights 0", "weights 1"):
            self.path.write_bytes(self.files[kind])
            self.receiver.load_weights(self.path)
            self.loaded[kind] = [w.tobytes() for w in self.receiver.get_weights()]

    def one(self, seed):
        """Corrupt and load one file; returns what was done and what came of it."""
        rng = random.Random(seed)
        kind = rng.choice(["model 0", "model 0", "backup", "weights 0"])
        family = kind.split()[0]
        others = [k for k in self.files if k.startswith("weights") == (family == "weights") and k != kind]
        corruption = rng.choice(BLIND + TENSORS if family == "weights" else BLIND + BLIND + CAREFUL + FORGED)
        outcome = self.check(kind, rng.choice(others), corruption, seed)
        return f"{family}: {corruption.__name__}", outcome

    def check(self, kind, other, corruption, seed):
        """Corrupt one file, with the help of another, and load it; returns what came of it."""
        content = corruption(random.Random(seed), self.files[kind], self.files[other])
        return self.load(kind, content, corruption)

    def load(self, kind, content, corruption):
        """Load what was made of a file; returns what came of it."""
        self.path.write_bytes(content)
        load = self._load_weights if kind.startswith("weights") else self._load
        return load(kind, content, corruption)

    def _load(self, kind, content, corruption):
        tracemalloc.start()
        try:
            model = fastnn.load_model(self.path, backend="numpy")
        except fastnn.ModelFileError as error:
            return self._refused(error)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 2**21 + 40 * len(content), f"{peak} bytes of memory for a file of {len(content)}"
        if corruption in FORGED:
            self._use(model)
            return "a model"
        # What is spliced or appended may be all that ZIP looks at of the other file: that one's model is right, too.
        right = self.right.values() if corruption in (splice, append) else [self.right[kind]]
        assert digest(model) in right, "another model"
        return "the right model"

    def _use(self, model):
        """What can be loaded can be looked at, predict, and be saved: what is wrong with a file is found at once."""
        repr([model.loss, model.optimizer, *model.layers])
        assert model.predict(np.zeros((2, 5), "float32"), verbose=0).shape == (2, 3)
        if model.loss is not None:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore", fastnn.DivergenceWarning)  # a forged learning rate is still one
                assert all(isinstance(name, str) for name in model.evaluate(X, Y, verbose=0, return_dict=True))
        json.dumps(model._contents()[0])

    def _refused(self, error):
        assert str(self.path) in str(error), f"the file is not named: {error}"
        return "refused"

    def _load_weights(self, kind, content, corruption):
        self.receiver.set_weights(self.blank)
        try:
            self.receiver.load_weights(self.path)
        except fastnn.ModelFileError as error:
            assert all(map(np.array_equal, self.receiver.get_weights(), self.blank)), "weights changed with an error"
            return self._refused(error)
        found = [w.tobytes() for w in self.receiver.get_weights()]
        right = self.loaded.values() if corruption in (splice, append) else [self.loaded[kind]]
        assert found in right, "other weights"
        return "the right model"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    outcomes = collections.Counter()
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        fuzz = Fuzz(Path(name))
        for seed in range(arguments.seed, arguments.seed + arguments.files):
            try:
                outcomes[fuzz.one(seed)] += 1
            except Exception as error:
                failures += 1
                kept = Path(f"fuzz-{seed}.fastnn")
                kept.write_bytes(fuzz.path.read_bytes())
                print(f"seed {seed}, kept as {kept}: {type(error).__name__}: {error}")
    for (what, outcome), count in sorted(outcomes.items()):
        print(f"{count:6d}  {what}: {outcome}")
    print(f"{arguments.files} files, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
