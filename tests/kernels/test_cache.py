"""The folders for what Numba compiles: never what is stale, always one that can be written to."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_changed_kernels_are_never_served_from_the_cache_of_the_old_ones(monkeypatch, tmp_path):
    """Nor ones whose vocabulary has changed."""
    backend = pytest.importorskip("fastnn.kernels.backends.numba")
    pytest.importorskip("numba")
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(tmp_path))
    sources = tmp_path / "sources"
    (sources / "numba").mkdir(parents=True)
    monkeypatch.setattr(backend, "HERE", sources)

    def result(value, words):
        text = f"from numba import njit\n\n@njit(cache=True)\ndef run():\n    return {value}\n"
        (sources / "numba" / "words.py").write_text(words)
        monkeypatch.setattr(backend, "MODULE", text)
        run = backend.load("float32")
        return run(), Path(run.__code__.co_filename)

    first, changed, other_words = result(1, "a = 1"), result(2, "a = 1"), result(2, "a = 2")
    assert (first[0], changed[0], other_words[0]) == (1, 2, 2)
    assert len({first[1], changed[1], other_words[1]}) == 3
    assert all(path.is_relative_to(tmp_path) for _, path in (first, changed, other_words))
    assert result(1, "a = 1") == first


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """With folders of its own for what it keeps."""
    module = importlib.import_module("fastnn.kernels.numba.cache")
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(tmp_path / "chosen"))
    monkeypatch.setattr(module, "_own_folder", lambda: tmp_path / "own")
    return module


def block(folder):
    """Let nothing be kept for Numba there, not by root either."""
    folder.mkdir(parents=True)
    (folder / "__pycache__").write_text("in the way")


@pytest.mark.skipif(os.name == "nt", reason="other permissions")
def test_others_may_read_the_source_of_the_kernels(cache):
    path = cache.write("digest", "float32.py", "a = 1\n")
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_cache_that_cannot_be_written_is_passed_over(cache, tmp_path):
    """Numba refuses it, though the source may be there already."""
    block(tmp_path / "chosen" / "digest")
    (tmp_path / "chosen" / "digest" / "float32.py").write_text("a = 1\n")
    assert cache.write("digest", "float32.py", "a = 1\n") == tmp_path / "own" / "digest" / "float32.py"


def test_where_nothing_can_be_kept_the_source_is_private_and_removed_at_exit(tmp_path):
    (tmp_path / "file").write_text("no folder")
    code = f"""
from pathlib import Path
from fastnn.kernels.numba import cache
cache._own_folder = lambda: Path({str(tmp_path / "file")!r})
path = cache.write("digest", "float32.py", "a = 1")
print(path, path.read_text() == "a = 1", oct(path.parent.parent.stat().st_mode & 0o777))
"""
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path / "file"), "TMPDIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    path, *facts = result.stdout.split()
    assert facts == ["True", "0o700"], result.stderr
    assert Path(path).is_relative_to(tmp_path)
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_auto_goes_on_where_numba_has_no_place_for_its_cache(cache, monkeypatch):
    backend = pytest.importorskip("fastnn.kernels.backends.numba")
    pytest.importorskip("numba")
    text = "raise RuntimeError('cannot cache function: no locator available')\n"
    monkeypatch.setattr(backend, "MODULE", text)
    with pytest.raises(ImportError, match="no locator available; FASTNN_CACHE_DIR"):
        backend.load("float32")
