"""Kernels to call one by one, in each of the ways that they are compiled."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kernels as ways

TOOLS = Path(ways.__file__).resolve().parent
HAS_NUMBA = importlib.util.find_spec("numba") is not None
ALONE = "test_alone.py"


@pytest.fixture(scope="session")
def folder(request, tmp_path_factory):
    """Where the extension stays when it has been built."""
    cache = getattr(request.config, "cache", None)
    return str(cache.mkdir("kernels")) if cache else str(tmp_path_factory.mktemp("kernels"))


def kernels_of(way, dtype, folder):
    """The kernels of one way, or a skipped test where they cannot be had."""
    if way == "cython":
        try:
            return ways.extension(dtype, folder)
        except ImportError as error:
            if os.environ.get("FASTNN_REQUIRE_EXTENSION") == "1":
                raise
            pytest.skip(str(error))
    if not HAS_NUMBA:
        pytest.skip("numba is not here")
    return {"whole": ways.whole, "numba": ways.alone}[way](dtype)


@pytest.fixture(params=["whole", "cython"])
def kernels(request, dtype, folder):
    """All functions of a dtype, as the numba backend has them and as the extension has them."""
    return kernels_of(request.param, dtype, folder)


@pytest.fixture(params=["whole", "cython", "numba"])
def kernels_of_each(request, dtype, folder):
    """The same, and Numba's own: for those that are quickly compiled."""
    return kernels_of(request.param, dtype, folder)


# --- The comparison of Numba's compilation with the translation ---


def pytest_collection_modifyitems(items):
    """The comparison runs beside the other tests: its results are looked at last."""
    items.sort(key=lambda item: item.path.name == ALONE)


@pytest.fixture(scope="session", autouse=True)
def comparison(request, tmp_path_factory):
    """Starts tools/kernels_alone.py for both dtypes, if any test asks for it; returns what gives its lines."""
    wanted = HAS_NUMBA and any(item.path.name == ALONE for item in request.session.items)
    results = tmp_path_factory.mktemp("alone")
    command = [sys.executable, str(TOOLS / "kernels_alone.py")]
    running = {}
    for dtype in ways.DTYPES if wanted else ():
        with (results / f"{dtype}.log").open("w") as log:
            arguments = [*command, dtype, str(results / dtype)]
            running[dtype] = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT)

    def lines(dtype):
        if dtype not in running:
            pytest.skip("numba is not here")
        running[dtype].wait()
        found = [json.loads(line) for line in (results / dtype).read_text().splitlines()]
        return found, (results / f"{dtype}.log").read_text()[-3000:]

    yield lines
    for process in running.values():
        process.kill()
        process.wait()
