"""Two saves of one file, and what processes that were killed leave."""

import os
import subprocess
import sys

import pytest

import fastnn
from fastnn import locks, saving
from fastnn.layers import Dense

SAVING = """
import os, sys, test_locks

os.fsync = lambda descriptor: (print("here", flush=True), sys.stdin.read())
test_locks.new_model().save(sys.argv[1])
"""

locking = pytest.mark.skipif(locks.fcntl is None, reason="no locks on this platform")


def new_model():
    model = fastnn.Sequential([Dense(1)], seed=0)
    model.compile("adam", "mse", backend="numpy")
    model.build(3)
    return model


def started(source, *arguments):
    """A child that has come to where it waits."""
    child = subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        cwd=os.path.dirname(__file__),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "here\n"
    return child


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@locking
def test_what_a_killed_save_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "m[1]"
    with started(SAVING, path) as child:
        (part,) = tmp_path.iterdir()
        new_model().save(path)
        assert part.exists()  # it is being written
        child.kill()
    assert part.exists()
    others = [tmp_path / ".m[1].backup.part", tmp_path / ".m1.01234567.part", tmp_path / ".m[1].01234567.part.csv"]
    for other in others:
        other.touch()
    new_model().save(path)
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
    fastnn.load_model(path)


def test_two_may_write_one_file(tmp_path):
    path = tmp_path / "m"
    with saving.replacing(path) as first:
        first.write(b"first")
        with saving.replacing(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert contents(tmp_path) == {"m": b"first"}


@pytest.mark.parametrize("locked", [True, False])
def test_a_new_file_that_another_save_takes_for_one_that_was_left_is_begun_again(tmp_path, monkeypatch, locked):
    parts = []

    def lock(file):
        parts.append(file.name)
        if len(parts) == 1:
            os.unlink(file.name)
            return locked
        return True

    monkeypatch.setattr(saving, "lock", lock)
    with saving.replacing(tmp_path / "m") as file:
        file.write(b"whole")
    assert contents(tmp_path) == {"m": b"whole"}
    assert len(set(parts)) == 2


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    (tmp_path / ".m.01234567.part").touch()
    new_model().save(tmp_path / "m")
    assert set(contents(tmp_path)) == {"m", ".m.01234567.part"}
