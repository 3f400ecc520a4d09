"""What is kept of compiled kernels: never what is stale, damaged or another's; a folder is no need."""

import contextlib
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import damage
import pytest

from fastnn.engine import backends
from fastnn.kernels.backends import cython
from fastnn.kernels.numba import cache

NAME = f"float32-v3-{'0' * 20}{cache.ENDING}"
KEY, CONTENT = b"key", bytes(range(256)) * 8

needs_rights = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="other rights")


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """The folder that FASTNN_CACHE_DIR names, and the user's own."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "chosen"))
    monkeypatch.setattr(cache, "_own_folder", lambda: tmp_path / "own")
    monkeypatch.setattr(cache, "_told", False)
    return tmp_path / "chosen", tmp_path / "own"


def put(folder, content=CONTENT):
    """Keep something in a folder that others may not write to, whatever the umask."""
    assert cache.write(NAME, KEY, content) == folder / NAME
    return folder / NAME


# --- Keys and checksums ---


def test_changed_kernels_are_never_served_from_the_cache_of_the_old_ones(monkeypatch, tmp_path, folders):
    """Nor ones whose vocabulary has changed, nor another dtype's."""
    backend = pytest.importorskip("fastnn.kernels.backends.numba")
    pytest.importorskip("numba")
    (tmp_path / "numba").mkdir()
    monkeypatch.setattr(backend, "HERE", tmp_path)

    def result(value, words, dtype="float32"):
        def made(dtype, key):
            def run(layers, job, thread):
                return value

            run.__name__ = run.__qualname__ = f"run_{value}_{backend._digest(key)}"
            return run

        (tmp_path / "numba" / "words.py").write_text(words)
        monkeypatch.setattr(backend, "_function", made)
        return backend.load(dtype)(0, 0, 0)

    assert result(1, "a = 1") == 1
    assert result(2, "a = 2") == 2
    assert result(3, "a = 2", "float64") == 3
    assert result(4, "a = 1") == 1  # as it was kept
    assert result(4, "a = 2") == 2
    assert result(4, "a = 2", "float64") == 3
    assert len(cache.entries()) == 3


def test_what_another_process_compiles_meanwhile_is_waited_for_and_taken(monkeypatch, folders):
    backend = pytest.importorskip("fastnn.kernels.backends.numba")
    pytest.importorskip("numba")

    def made(dtype, key):
        def run(layers, job, thread):
            return 7

        run.__name__ = run.__qualname__ = f"run_waited_for_{backend._digest(key)}"
        return run

    @contextlib.contextmanager
    def others(name, waiting):
        waiting()
        (folders[0] / name).write_bytes(compiled)
        yield

    monkeypatch.setattr(backend, "_function", made)
    assert backend.load("float32")(0, 0, 0) == 7
    ((path, _),) = cache.entries()
    compiled = path.read_bytes()
    path.unlink()
    monkeypatch.setattr(cache, "turn", others)
    monkeypatch.setattr(backend, "_announcement", lambda: pytest.fail("it is compiled"))
    assert backend.load("float32")(0, 0, 0) == 7


def test_one_at_a_time_has_a_turn(folders):
    pytest.importorskip("fcntl")
    waits, order = threading.Event(), []

    def second():
        with cache.turn(NAME, waits.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with cache.turn(NAME, lambda: pytest.fail("nobody else is there")):
        thread.start()
        assert waits.wait(60)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert list(folders[0].iterdir()) == []
    with cache.turn(NAME, lambda: pytest.fail("nobody else is there")):
        pass


def test_a_turn_is_waited_for_no_longer_than_makes_sense(folders, monkeypatch):
    pytest.importorskip("fcntl")
    monkeypatch.setattr(cache, "LONGEST", 0.01)
    waited = []
    with cache.turn(NAME, print), cache.turn(NAME, lambda: waited.append(True)):
        assert waited == [True]


def test_where_there_is_no_place_there_are_no_turns(folders):
    folders[0].write_text("in the way")
    with cache.turn(NAME, lambda: pytest.fail("nobody else is there")), cache.turn(NAME, pytest.fail):
        pass


@pytest.mark.parametrize("name", damage.KINDS)
def test_whatever_is_damaged_is_not_found_and_then_written_anew(folders, name):
    path = put(folders[0])
    for seed in range(20):
        damage.KINDS[name](path, seed)
        assert cache.read(NAME, KEY) is None
        with warnings.catch_warnings(record=True):  # a folder in its place stays
            warnings.simplefilter("always")
            assert cache.write(NAME, KEY, CONTENT) is not None
            assert cache.read(NAME, KEY) == CONTENT
        for left in (path, folders[1] / NAME):
            damage.remove(left)
        put(folders[0])


def test_what_was_kept_for_another_key_is_not_found(folders):
    put(folders[0])
    assert cache.read(NAME, b"another") is None
    assert cache.read(NAME.replace("float32", "float64"), KEY) is None


def test_a_file_as_large_as_no_kernel_is_not_read(folders):
    path = put(folders[0])
    os.truncate(path, 1 << 40)
    assert cache.read(NAME, KEY) is None


# --- Whose it is ---


@needs_rights
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o720])
def test_a_folder_that_others_can_write_to_is_not_read(folders, mode):
    put(folders[0])
    folders[0].chmod(mode)
    assert cache.read(NAME, KEY) is None
    with pytest.warns(UserWarning, match=r"others can write to .*chosen.*own serves instead; FASTNN_CACHE_DIR"):
        assert cache.write(NAME, KEY, CONTENT) == folders[1] / NAME
    assert cache.read(NAME, KEY) == CONTENT  # and it is said once


@needs_rights
@pytest.mark.parametrize("mode", [0o660, 0o606])
def test_a_file_that_others_can_write_to_is_not_read(folders, mode):
    put(folders[0]).chmod(mode)
    assert cache.read(NAME, KEY) is None


@needs_rights
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_belongs_to_another_user_is_not_read(folders, monkeypatch, what):
    path = put(folders[0])
    theirs = os.stat(path.parent if what == "folder" else path)
    fstat = os.fstat

    def owned(descriptor):
        found = fstat(descriptor)
        if not os.path.samestat(found, theirs):
            return found
        return os.stat_result([*found[:4], found.st_uid + 1, *found[5:]])

    monkeypatch.setattr(os, "fstat", owned)
    assert cache.read(NAME, KEY) is None


@needs_rights
def test_what_is_made_is_for_nobody_else(folders):
    mask = os.umask(0)
    try:
        path = put(folders[0])
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


# --- Where nothing can be kept ---


def test_a_folder_that_cannot_be_made_is_passed_over_with_a_warning(folders):
    folders[0].write_text("in the way")
    with pytest.warns(UserWarning, match=r"chosen.*own serves instead; FASTNN_CACHE_DIR names another folder"):
        assert cache.write(NAME, KEY, CONTENT) == folders[1] / NAME
    assert cache.read(NAME, KEY) == CONTENT


@pytest.mark.parametrize("after", [0, 100])
@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EIO"])
def test_a_full_disk_is_a_warning_and_leaves_nothing_behind(folders, monkeypatch, code, after):
    import errno

    write = os.write

    def full(descriptor, data):
        if len(data) <= len(CONTENT) - after:
            raise OSError(getattr(errno, code), "no room")
        return write(descriptor, data[:100])

    monkeypatch.setattr(os, "write", full)
    with pytest.warns(UserWarning, match="no room.*each process compiles them again"):
        assert cache.write(NAME, KEY, b"x" * len(CONTENT)) is None
    assert not any(folder.exists() and any(folder.iterdir()) for folder in folders)


def test_a_user_without_a_home_has_no_folder(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    for name in (cache.VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", home)
    monkeypatch.setattr(cache, "_told", False)
    assert cache.cache_folder() is None
    assert cache.read(NAME, KEY) is None
    with pytest.warns(UserWarning, match="no home folder.*FASTNN_CACHE_DIR"):
        assert cache.write(NAME, KEY, CONTENT) is None


def test_a_relative_home_is_none(monkeypatch):
    for name in (cache.VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "somewhere")
    assert cache._own_folder() is None


# --- Looking and clearing ---


def test_clearing_removes_what_is_ours_and_nothing_else(folders):
    put(folders[0])
    (folders[0] / f".{NAME}.0123abcd.part").write_text("cut off")
    (folders[0] / f".{NAME}.lock").write_text("")
    for name in ("notes.txt", "float32.kernels", "model.fastnn"):
        (folders[0] / name).write_text("another's")
    assert [path.name for path, _ in cache.entries()] == [f".{NAME}.0123abcd.part", f".{NAME}.lock", NAME]
    assert len(cache.clear()) == 3
    assert {path.name for path in folders[0].iterdir()} == {"notes.txt", "float32.kernels", "model.fastnn"}


# --- What "auto" takes ---


class World:
    """Which backends there are, and which have been asked for."""

    def __init__(self, monkeypatch, kept, fits, failing):
        self.asked = []
        backends._auto.cache_clear()
        monkeypatch.setattr("fastnn.kernels.backends.numba.kept", lambda dtype: kept)
        monkeypatch.setattr(cython, "fits", lambda: fits)
        self.failing = failing
        monkeypatch.setattr(backends, "_load", self.load)

    def load(self, name, dtype):
        self.asked.append(name)
        if name in self.failing:
            raise self.failing[name]
        return name


@pytest.fixture
def world(monkeypatch):
    yield lambda kept, fits, **failing: World(monkeypatch, kept, fits, failing)
    backends._auto.cache_clear()


@pytest.mark.parametrize(
    ("kept", "fits", "missing", "asked"),
    [
        (True, True, (), ["numba"]),
        (True, False, (), ["numba"]),
        (False, True, (), ["cython"]),
        (False, False, (), ["numba"]),
        (True, True, ("numba",), ["numba", "cython"]),
        (False, True, ("cython",), ["cython", "numba"]),
        (False, False, ("numba",), ["numba", "cython"]),
    ],
)
def test_auto_takes_what_is_ready_before_what_has_to_be_compiled(world, kept, fits, missing, asked):
    pytest.importorskip("numba")
    here = world(kept, fits, **{name: ImportError(name) for name in missing})
    assert backends.load("auto", "float32")[0] == asked[-1]
    assert here.asked == asked
    assert next(iter(backends.preferred("float32"))) == asked[0]


def test_auto_goes_on_where_numba_fails_and_says_so_once(world):
    pytest.importorskip("numba")
    here = world(True, True, numba=RuntimeError("LLVM is broken"))
    with pytest.warns(UserWarning, match=r"numba failed: RuntimeError: LLVM is broken; the backend 'cython' runs"):
        assert backends.load("auto", "float32")[0] == "cython"
    assert backends.load("auto", "float32")[0] == "cython"
    assert here.asked == ["numba", "cython"]


@pytest.mark.usefixtures("extension")
def test_an_extension_that_was_built_from_other_kernels_does_not_fit(monkeypatch):
    monkeypatch.setattr(cython, "digest", lambda: "another")
    assert not cython.fits()
    with pytest.raises(ImportError, match="built from other kernels"):
        cython.load("float32")


# --- A process of its own ---


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("place", ["no home", "no right"])
def test_training_begins_where_there_is_no_place_for_a_cache(tmp_path, place):
    if not cython.fits():
        pytest.skip("the extension is stale")
    (tmp_path / "file").write_text("no folder")
    environment = {k: v for k, v in os.environ.items() if k not in (cache.VARIABLE, "HOME", "XDG_CACHE_HOME")}
    code = """
import os, pwd, sys
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
import fastnn
model = fastnn.Sequential([fastnn.layers.Dense(1)])
model.compile(loss="mse")
model.fit([[1.0], [2.0]], [1.0, 2.0], verbose=0)
print(model._engine.backend)
"""
    if place == "no right":
        environment[cache.VARIABLE] = str(tmp_path / "file" / "cache")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.stdout.split() == ["cython"], done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
