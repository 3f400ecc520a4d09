"""What wheels there are: which extensions each platform gets, and a release workflow that is at least whole."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="of the checkout, which is not here")
BUILT = """
import setuptools, distutils.core
print(*(e.name for e in distutils.core.run_setup("setup.py", stop_after="init").ext_modules or []))
"""


@pytest.mark.skipif(os.name != "posix", reason="elsewhere Python does not heed a cross build's platform")
@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("linux-x86_64", "v4 v3 baseline"),
        ("macosx-11.0-x86_64", "v4 v3 baseline"),
        ("linux-aarch64", "neon"),
        ("macosx-11.0-arm64", "neon"),
        ("linux-riscv64", "baseline"),
        ("win-amd64", ""),
    ],
)
def test_a_platform_gets_the_extensions_of_its_processors(platform, names):
    pytest.importorskip("setuptools", minversion="77")
    environment = os.environ | {"_PYTHON_HOST_PLATFORM": platform, "FASTNN_NO_EXTENSION": ""}
    done = subprocess.run([sys.executable, "-c", BUILT], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [f"fastnn.kernels._cython_{name}" for name in names.split()], done.stderr


@pytest.fixture(scope="module")
def jobs():
    yaml = pytest.importorskip("yaml")
    path = ROOT / ".github" / "workflows" / "release.yml"
    if not path.exists():
        pytest.skip("an sdist, which has no workflows")
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def test_the_release_publishes_only_what_was_tested(jobs):
    for name, job in jobs.items():
        needed = job.get("needs", [])
        assert {*([needed] if isinstance(needed, str) else needed)} <= set(jobs), name
    assert jobs["publish"]["needs"] == "test"
    assert set(jobs["test"]["needs"]) == {"sdist", "wheels"}
    trusted = {name for name, job in jobs.items() if job.get("permissions", {}).get("id-token") == "write"}
    assert trusted == {"publish"}


def test_the_release_pins_its_actions_and_runs_files_that_are_there(jobs):
    steps = [step for job in jobs.values() for step in job["steps"]]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert len(actions) >= 8
    assert [a for a in actions if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", a)] == []
    files = re.findall(r"\.ci/[\w.]+", str(steps))
    assert {".ci/installed", ".ci/first_fit.py"} <= set(files)
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_the_release_tests_every_python_that_is_promised(jobs):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = jobs["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={tested[0]}"
    promised = [c.rpartition(" ")[2] for c in project["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert promised == tested
