"""``fastnn train`` started by mpiexec: the model of one process, and everything told once."""

import sys
from types import SimpleNamespace

import pytest
from mpi import needs_mpi, started

pytest.importorskip("click")
pytest.importorskip("sklearn")
pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")

import numpy as np  # noqa: E402
from click.testing import CliRunner  # noqa: E402

from fastnn.cli import commands  # noqa: E402

QUICK = ("--hidden", "8", "--epochs", "4", "--members", "3")


@pytest.fixture(autouse=True)
def _beside_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    size, colour = rng.normal(50, 10, 150), rng.choice(["blue", "red"], 150)
    kind = np.where((size > 50) == (colour == "blue"), "iris", "rose")
    csv.write_csv(pa.table({"size": size, "colour": colour, "kind": kind}), "data.csv")


def train(count, *arguments, **options):
    """Train by so many ranks; give what was said, without what mpiexec says of it."""
    ended = started(count, "-m", "fastnn", "train", *arguments, *QUICK, check=False, **options)
    return ended.returncode, ended.stdout, ended.stderr


@needs_mpi
def test_ranks_write_the_model_that_one_process_writes(tmp_path):
    code, said, errors = train(2, "data.csv", "--target", "kind", "-o", "two.fastnn")
    assert code == 0, errors
    alone = CliRunner().invoke(commands, ["train", "data.csv", "--target", "kind", "-o", "one.fastnn", *QUICK])
    assert (tmp_path / "two.fastnn").read_bytes() == (tmp_path / "one.fastnn").read_bytes()
    ours, theirs = said.splitlines(), alone.output.splitlines()
    assert len(ours) == len(theirs)
    different = [line for line, other in zip(ours, theirs, strict=True) if line != other]
    assert [line.rpartition(" in ")[0] for line in different[:1]] == ["trained on 120 rows"]
    assert different[0].endswith(" by 2 ranks")
    assert different[1:] == ["saved in two.fastnn"]


@needs_mpi
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("data.csv", "--target", "kid"), 1, "Error: data.csv has no column 'kid'; did you mean 'kind'?"),
        (("no.csv", "--target", "kind"), 2, "Error: Invalid value for 'DATA': Path 'no.csv' does not exist."),
    ],
)
def test_what_is_wrong_is_told_once(arguments, status, message):
    code, said, errors = train(2, *arguments)
    assert code == status
    assert errors.count(message) == errors.count("Error") == 1
    assert "saved" not in said


@needs_mpi
def test_what_is_wrong_on_another_rank_is_told_by_the_first():
    code = "import os, sys; from fastnn.__main__ import main\n"
    code += "data = ['data.csv', 'no.csv'][int(os.environ['OMPI_COMM_WORLD_RANK'])]\n"
    code += "sys.argv = ['fastnn', 'train', data, '--target', 'kind']\n"
    ended = started(2, "-c", code + "main()", check=False)
    assert ended.returncode == 1
    assert "Error: rank 1 of 2 failed, and this one with it: BadParameter: Path 'no.csv' does not exist" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("rank", [0, 1])
def test_where_mpi4py_is_missing_an_error_names_its_extra(monkeypatch, rank):
    monkeypatch.setattr("fastnn.distribution.ranks._world", None)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv("PMI_RANK", str(rank))
    monkeypatch.setenv("PMI_SIZE", "2")
    ended = CliRunner().invoke(commands, ["train", "data.csv", "--target", "kind", *QUICK])
    message = "Error: 2 processes were started, to share what is trained, but this needs mpi4py, which is not installed"
    assert ended.exit_code == (1 if rank == 0 else 0)
    assert (message in ended.output) is (rank == 0)
    assert "fastnn-cpu[mpi]" in ended.output or rank


def test_an_mpi_that_has_not_started_the_processes_is_an_error(monkeypatch):
    monkeypatch.setattr("fastnn.cli.started.DataParallel", lambda: SimpleNamespace(size=1))
    monkeypatch.setattr("fastnn.cli.started.describe_mpi", lambda: "Some MPI v1")
    monkeypatch.setenv("PMIX_RANK", "0")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    ended = CliRunner().invoke(commands, ["train", "data.csv", "--target", "kind", *QUICK])
    assert ended.exit_code == 1
    assert "process 0 of 4, but mpi4py's MPI, Some MPI v1, knows of 1; wants the mpiexec of that MPI" in ended.output
