"""`make clean` removes what git ignores, and nothing else."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
IGNORED = ROOT / ".gitignore"
KEPT = ("fastnn/learn/walk.py", "kernels/records.py", "tests/tools/kill.py", "benchmarks/cases.py", "docs/looking.png")


@pytest.mark.skipif(not (shutil.which("make") and IGNORED.exists()), reason="no make, or no checkout")
def test_clean_removes_what_git_ignores_and_nothing_else(tmp_path):
    made = [line for line in IGNORED.read_text().split() if not line.endswith((".so", ".pyd"))]  # some _cython_*.so
    assert "/.venv/" in made
    for name in KEPT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in made:
        folder = tmp_path / "fastnn" if name == "__pycache__/" else tmp_path
        path = folder / name.strip("/").replace("*", "some")
        path.mkdir() if name.endswith("/") else path.touch()
    subprocess.run(["make", "-f", ROOT / "Makefile", "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert left == set(KEPT)
    folders = {path for name in KEPT for path in (tmp_path / name).parents if path.is_relative_to(tmp_path)}
    assert {path for path in tmp_path.rglob("*") if path.is_dir()} == folders - {tmp_path}
