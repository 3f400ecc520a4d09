"""To run scripts, and commands, on MPI's ranks."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason="mpi4py or mpiexec is missing: extra mpi"
)


def mpiexec(count, script, *arguments, check=True, **variables):
    """Run a script on so many ranks."""
    return started(count, "-W", "error", TOOLS / script, *arguments, check=check, **variables)


def started(count, *arguments, check=True, **variables):
    """Run Python on so many ranks."""
    of_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    oversubscribe = {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}  # more ranks than processors
    ended = subprocess.run(
        [MPIEXEC, "-n", str(count), sys.executable, *map(str, arguments)],
        env=os.environ | of_root | oversubscribe | variables,
        capture_output=True,
        text=True,
        timeout=240,
        errors="replace",
    )
    if check:
        assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended
