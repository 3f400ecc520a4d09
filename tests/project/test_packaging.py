"""What is built: the wheel holds three packages and nothing else, the sdist all that a build needs."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import fastnn
from fastnn.extras import require
from fastnn.kernels.render.instruction_sets import cython_isas
from fastnn.version import DISTRIBUTION

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "kernels").is_dir(), reason="of the checkout, which is not here")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
COMPILER = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0])
STEM = DISTRIBUTION.replace("-", "_")  # as files of a distribution begin
BINARY = (".so", ".pyd")
GENERATED = shutil.ignore_patterns("_cython_*", "__pycache__", "*.so", "*.pyd")

pytest.importorskip("setuptools", minversion="77")


def place(package):
    """The folder of a package, from the top."""
    return package.removeprefix("fastnn.").replace(".", "/") if ".kernels" in package else package.replace(".", "/")


def build(what, tree):
    """Build an sdist or a wheel in a tree, as pip would, but with the tools at hand; return its path."""
    code = f"import setuptools.build_meta as backend; backend.build_{what}('dist')"
    wish = "FASTNN_REQUIRE_EXTENSION" if COMPILER else "FASTNN_NO_EXTENSION"
    environment = os.environ | {"FASTNN_REQUIRE_EXTENSION": "", "FASTNN_NO_EXTENSION": ""} | {wish: "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = (tree / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The unpacked sdist of a copy of this tree, in which an extension has been built before."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("fastnn", "kernels", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, tree / name, ignore=GENERATED)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tree)
    for left in ("_cython_v3.pyx", "_cython_v3.c", "_cython_v3.cpython-311-x86_64-linux-gnu.so"):
        (tree / "kernels" / left).write_text("a build's remains")
    unpacked = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", tree)) as archive:
        archive.extractall(unpacked, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return unpacked / f"{STEM}-{PROJECT['version']}"


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """The files, by name, of a wheel built from the sdist alone; with the extension where it can be built."""
    path = build("wheel", shutil.copytree(source, tmp_path_factory.mktemp("wheel") / "fastnn"))
    assert path.name.startswith(f"{STEM}-{PROJECT['version']}-")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sources(folder, *patterns):
    return {path.name for pattern in patterns for path in (ROOT / folder).glob(pattern)}


def test_the_wheel_installs_fastnn_with_its_packages_only(wheel):
    folders = {name.rpartition("/")[0] for name in wheel if ".dist-info" not in name}
    assert folders == {name.replace(".", "/") for name in PACKAGES}


def test_the_wheel_holds_every_module_and_nothing_generated(wheel):
    expected = set()
    for package in PACKAGES:
        folder = package.replace(".", "/")
        expected |= {f"{folder}/{name}" for name in sources(place(package), "*.py", "*.h", "py.typed")}
    assert {name for name in wheel if ".dist-info" not in name and not name.endswith(BINARY)} == expected
    assert "fastnn/py.typed" in wheel


@pytest.mark.skipif(not COMPILER, reason="no C compiler")
def test_the_wheel_holds_an_extension_for_each_instruction_set(wheel):
    built = {name.rpartition("/")[2].partition(".")[0] for name in wheel if name.endswith(BINARY)}
    assert built == {f"_cython_{name}" for name in cython_isas()}


@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="has no stable ABI")
@pytest.mark.skipif(not COMPILER or os.name == "nt", reason="no C compiler that is used")
def test_the_extension_is_for_every_later_python(wheel):
    assert all(name.endswith(".abi3.so") for name in wheel if name.endswith(BINARY))
    (info,) = (text.decode() for name, text in wheel.items() if name.endswith(".dist-info/WHEEL"))
    assert "Tag: cp311-abi3-" in info


def test_the_wheel_names_its_licence_its_command_and_its_extras(wheel):
    info = f"{STEM}-{PROJECT['version']}.dist-info"
    metadata = wheel[f"{info}/METADATA"].decode()
    assert "License-Expression: MIT\n" in metadata
    assert b"fastnn maintainers" in wheel[f"{info}/licenses/LICENSE"]
    assert b"fastnn = fastnn.__main__:main" in wheel[f"{info}/entry_points.txt"]
    extras = re.findall(r"Provides-Extra: (\S+)", metadata)
    assert set(extras) == set(PROJECT["optional-dependencies"])


def test_the_sdist_holds_what_a_build_needs_and_nothing_generated(source):
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"):
        assert (source / name).is_file(), name
    for folder in ("tests", *(place(package) for package in PACKAGES)):
        found = {path.name for path in (source / folder).iterdir() if path.is_file()}
        assert found == sources(folder, "*.py", "*.h", "py.typed")


@pytest.mark.skipif(not shutil.which("false"), reason="no command that always fails")
def test_a_failed_build_is_a_message_and_an_error_only_where_it_is_required(source, tmp_path):
    tree = shutil.copytree(source, tmp_path / "fastnn")
    environment = os.environ | {"CC": "false", "FASTNN_NO_EXTENSION": ""}
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    done = {}
    for required in ("", "1"):
        environment["FASTNN_REQUIRE_EXTENSION"] = required
        done[required] = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done[""].returncode == 0
    for words in ('"numba" and "numpy"', "FASTNN_REQUIRE_EXTENSION=1", "FASTNN_NO_EXTENSION=1"):
        assert words in done[""].stdout + done[""].stderr
    assert done["1"].returncode != 0


@pytest.mark.skipif(os.name == "nt" or not shutil.which("make"), reason="no make")
@pytest.mark.parametrize(
    ("builds", "skip", "built"), [(True, "", True), (False, "", False), (False, "0", False), (False, "1", True)]
)
def test_make_takes_a_failed_build_for_none(tmp_path, builds, skip, built):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "kernels").mkdir()
    for name in ("pyproject.toml", "setup.py"):
        (tmp_path / name).touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n" + "touch kernels/_cython_v3.so\n" * builds)
    python.chmod(0o755)
    (tmp_path / ".venv" / "installed").touch()
    environment = os.environ | {"FASTNN_NO_EXTENSION": skip}
    subprocess.run(["make", ".venv/built"], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert (tmp_path / ".venv" / "built").exists() == built


def test_both_build_variables_at_once_are_refused(source):
    environment = os.environ | {"FASTNN_NO_EXTENSION": "1", "FASTNN_REQUIRE_EXTENSION": "1"}
    command = [sys.executable, "setup.py", "--version"]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "unset one of them" in done.stderr


def test_version_strings_agree():
    changes = re.findall(r"^## \[?(\d[^] ]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert PROJECT["version"] == fastnn.__version__ == importlib.metadata.version(DISTRIBUTION) == changes[0]


def test_the_extra_all_brings_every_other_extra():
    extras = PROJECT["optional-dependencies"]
    (requirement,) = extras["all"]
    assert set(re.findall(r"\w+", requirement.removeprefix(DISTRIBUTION))) == set(extras) - {
        "all",
        "torch",
    }  # which is large


def texts():
    """Every text file of the checkout or the sdist, by its path: no folder that git ignores."""
    places = [ROOT, *(ROOT / name for name in ("fastnn", "kernels", "tests", "benchmarks", "docs", ".ci"))]
    for place in places:
        for path in place.iterdir() if place == ROOT else place.rglob("*"):
            if path.suffix in {".py", ".md", ".toml", ".h", ".in", ".json", ""} and path.is_file():
                yield path, path.read_text(encoding="utf-8")


def test_no_text_names_the_stranger_that_has_our_name_on_the_index():
    extras, found = PROJECT["optional-dependencies"], 0
    wrong = (
        r"(?<![\w-])fastnn\[[a-z{]",  # an extra of theirs
        r"\binstall(?:\s+-\S+)*\s+[\"'`]*fastnn(?!-cpu\b)",
        r"\b(?:version|distribution|metadata|requires)\([\"']fastnn[\"']\)",
        r"package_name=[\"']fastnn[\"']",
        r"(?:pypi\.org/project|/simple)/fastnn\b(?!-)",
    )
    for path, text in texts():
        for pattern in wrong:
            assert not (match := re.search(pattern, text)), f"{path}: {match[0]}"
        for named in re.findall(r"fastnn-cpu\[([a-z,]+)\]", text) + re.findall(r"[\"']\.\[([a-z,]+)\]", text):
            found += 1
            assert set(named.split(",")) <= set(extras), f"{path}: {named}"
    assert found >= 5


def test_a_missing_package_is_asked_for_by_the_name_of_the_distribution():
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastnn-cpu\[plot\]'"):
        require("no_such_package", "plot")


def test_the_extra_all_brings_what_the_documents_import():
    extras = PROJECT["optional-dependencies"]
    packages = {re.match(r"[\w-]+", wanted)[0] for names in extras.values() for wanted in names}
    packages |= {"fastnn", *(re.match(r"\w+", wanted)[0] for wanted in PROJECT["dependencies"])}
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    code = [block for page in pages for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
    imports = {name for block in code for name in re.findall(r"^\s*(?:import|from) (\w+)", block, re.MULTILINE)}
    foreign = {name for name in imports if name not in sys.stdlib_module_names}
    others = {"onnxruntime", "skl2onnx", "fastapi", "pydantic"}  # that run what is exported, or serve it
    assert foreign - {"sklearn", "joblib", "dask_ml"} - others <= packages  # scikit-learn needs joblib
    assert "scikit-learn" in packages
