"""Kill training with SIGKILL at random moments, take it up again until it is done, and compare it bit for bit.

    python tests/tools/kill.py --kills 50

A child trains with Adam, shuffling, validation and callbacks that have states; `--dropout` and `--schedule` add those.
Each child that begins again runs on another number of threads.  Where it is killed is drawn anew each time, anywhere
from its first step to its end, so that some are killed while they write a backup.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastnn
from fastnn import callbacks, layers, optimizers
from fastnn.files import model_file

EPOCHS, ROWS = 20, 5000


def schedule():
    """A learning rate that falls with every step."""
    return optimizers.schedules.CosineDecay(0.01, decay_steps=500)


class Tell(callbacks.Callback):
    """A line for each so many steps that are done."""

    def __init__(self, every_n_steps):
        super().__init__()
        self.every_n_steps = every_n_steps

    def on_train_batch_end(self, batch, logs=None):
        print("step", self.model.optimizer.iterations, flush=True)


def train(folder, *, save_freq="epoch", threads=None, backend="auto", dropout=False, scheduled=False, tell=0):
    """Train, or go on; the digest of all that came of it is written to result.json."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((ROWS, 20)).astype("float32")
    y = (x[:, :4] @ rng.standard_normal((4, 5))).argmax(axis=1)
    hidden = [layers.Dense(48, activation="relu"), *([layers.Dropout(0.2)] if dropout else [])]
    model = fastnn.Sequential([*hidden, layers.Dense(5, activation="softmax")], seed=7)
    model.compile(
        optimizers.Adam(schedule() if scheduled else 0.01),
        "sparse_categorical_crossentropy",
        ["accuracy"],
        backend=backend,
        threads=threads,
    )
    chain = [
        callbacks.EarlyStopping(patience=EPOCHS - 2, restore_best_weights=True),
        callbacks.CSVLogger(folder / "log.csv"),
        callbacks.JSONLogger(folder / "log.jsonl", every_n_steps=13),
        callbacks.BackupAndRestore(folder / "backup", save_freq=save_freq),
    ]
    if not scheduled:
        chain.insert(1, callbacks.ReduceLROnPlateau(patience=1, factor=0.7, cooldown=1))
    if tell:
        chain.append(Tell(tell))
    print("begin", flush=True)
    history = model.fit(x, y, batch_size=32, epochs=EPOCHS, validation_split=0.2, callbacks=chain, verbose=0)
    (folder / "ended").touch()  # without a backup to go on from: no use in being killed from here on
    document, arrays = model._contents()
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    for name in ("log.csv", "log.jsonl"):
        digest.update((folder / name).read_bytes())
    scores = {name: values for name, values in history.history.items() if not name.startswith(("time", "samples"))}
    digest.update(json.dumps(scores).encode())
    result = {"digest": digest.hexdigest(), "epochs": history.epoch, "steps": model.optimizer.iterations, **scores}
    (folder / "result.json").write_text(json.dumps(result))


def start(folder, options):
    """A child that trains."""
    command = [sys.executable, __file__, "--child", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def check(folder):
    """Each file that a killed child left under its name must be whole; returns how many there are."""
    found = sorted((folder / "backup").glob("backup*.fastnn"))
    for path in found:
        model_file.load(path)
        fastnn.load_model(path)
    return len(found)


def kill_at_line(folder, options, line):
    """Train until the child has printed so many lines, then kill it; True if it came to its end before."""
    child = start(folder, options)
    with child:
        for number, _ in enumerate(child.stdout, start=1):
            if number == line:
                child.kill()
                break
        child.stdout.read()
    check(folder)
    return child.returncode == 0


def kill_after(folder, options, seconds):
    """Train until so long after the first step, then kill it; True if it came to its end before."""
    child = start(folder, options)
    with child:
        child.stdout.readline()
        end = time.monotonic() + seconds
        while child.poll() is None and time.monotonic() < end:
            time.sleep(min(0.001, seconds))
        if not (folder / "ended").exists():
            child.kill()
        child.stdout.read()
    return child.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-freq", default=None, help="'epoch' or a number of steps; by default drawn for each run")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--dropout", action="store_true")
    parser.add_argument("--schedule", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--tell", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        freq = arguments.save_freq or "epoch"
        train(
            arguments.child,
            save_freq=freq if freq == "epoch" else int(freq),
            threads=arguments.threads,
            backend=arguments.backend,
            dropout=arguments.dropout,
            scheduled=arguments.schedule,
            tell=arguments.tell,
        )
        return 0
    common = ["--backend", arguments.backend]
    common += ["--dropout"] * arguments.dropout + ["--schedule"] * arguments.schedule
    rng = random.Random(arguments.seed)
    kills = runs = backups = writing = 0
    differing = []
    with tempfile.TemporaryDirectory() as name:
        whole, folder = Path(name) / "whole", Path(name) / "killed"
        whole.mkdir()
        with start(whole, common) as child:
            child.stdout.readline()
            begin = time.monotonic()
        seconds = time.monotonic() - begin
        expected = json.loads((whole / "result.json").read_text())
        print(f"uninterrupted: {expected['steps']} steps, {seconds:.2f} s, {expected['digest'][:16]}")
        while kills < arguments.kills:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            freq = arguments.save_freq or rng.choice(["epoch", "5", "40"])
            deaths, done = 0, False
            while not done:
                options = [*common, "--save-freq", freq, "--threads", str(rng.choice([1, 2, 3]))]
                done = kill_after(folder, options, rng.uniform(0, seconds))
                if not done:
                    deaths += 1
                    writing += any((folder / "backup").glob(".*.part"))
                backups += check(folder)
            result = json.loads((folder / "result.json").read_text())
            runs, kills = runs + 1, kills + deaths
            same = result["digest"] == expected["digest"]
            print(
                f"run {runs}: save_freq {freq}, {deaths} kills, {'the same' if same else 'ANOTHER RESULT'}", flush=True
            )
            if not same:
                differing.append(runs)
    print(f"{kills} kills in {runs} runs, {writing} of them while a backup was written")
    print(f"{backups} backups read after them, all whole")
    print(f"runs that ended otherwise than the uninterrupted one: {differing or 'none'}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
