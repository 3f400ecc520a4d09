"""Two fits on one backup folder, two saves of one file, and what processes that were killed leave."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, locks
from fastnn.files import atomic
from fastnn.layers import Dense

CHILD = """
import os, sys, test_locks
from fastnn import callbacks

def wait(*_):
    child = os.fork() if "fork" in sys.argv else 0
    if child == 0:
        print("here", flush=True)
    sys.stdin.read()
    if "fork" in sys.argv and child == 0:
        os._exit(0)

test_locks.fit(sys.argv[1], callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: wait() if epoch == 1 else None))
"""
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


def fit(folder, *others):
    model, x = new_model(), np.ones((8, 3))
    model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[*others, callbacks.BackupAndRestore(folder)])
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
def test_a_folder_is_one_process_s_until_it_dies(tmp_path):
    folder = tmp_path / "backup"
    with started(CHILD, folder) as child:
        before = contents(folder)
        with pytest.raises(BlockingIOError, match="in use by another fit") as caught:
            fit(folder)
        assert caught.value.filename == str(folder)
        assert contents(folder) == before
        assert "backup.fastnn" in before
        child.kill()
    assert contents(folder) == before
    assert fit(folder).history.epoch == [0, 1, 2]
    assert not folder.exists()


@locking
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_child_that_outlives_its_parent_does_not_hold_the_folder(tmp_path):
    with started(CHILD, tmp_path / "backup", "fork") as child:
        child.kill()
        child.wait()
        assert fit(tmp_path / "backup").history.epoch == [0, 1, 2]
        child.stdin.close()  # the grandchild has waited for that
        assert child.stdout.read() == ""


@locking
def test_a_folder_is_one_fit_s_until_it_ends(tmp_path):
    folder, refused = tmp_path / "backup", []

    def another(epoch, logs):
        with pytest.raises(BlockingIOError, match="backup"):
            fit(folder)
        refused.append(epoch)

    fit(folder, callbacks.LambdaCallback(on_epoch_end=another))
    assert refused == [0, 1, 2]
    assert not folder.exists()
    fit(folder)


@pytest.mark.parametrize("missing", ["in Python", "in the file system"])
def test_without_locks_fit_goes_on(tmp_path, monkeypatch, missing):
    def refuse(*_):
        raise OSError(errno.ENOTSUP, "no locks here")

    if missing == "in Python":
        monkeypatch.setattr(locks, "fcntl", None)
    elif locks.fcntl is not None:
        monkeypatch.setattr(locks.fcntl, "flock", refuse)
    fit(tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


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
    with atomic.replacing(path) as first:
        first.write(b"first")
        with atomic.replacing(path) as second:
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

    monkeypatch.setattr(atomic, "lock", lock)
    with atomic.replacing(tmp_path / "m") as file:
        file.write(b"whole")
    assert contents(tmp_path) == {"m": b"whole"}
    assert len(set(parts)) == 2


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    (tmp_path / ".m.01234567.part").touch()
    new_model().save(tmp_path / "m")
    assert set(contents(tmp_path)) == {"m", ".m.01234567.part"}
