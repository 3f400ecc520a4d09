"""A command that mpiexec, or Slurm, has started as several ranks of MPI: they do it together, and the first tells."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import Any, TypeVar

import click

from fastnn.distribution import DataParallel, RankError
from fastnn.distribution.ranks import describe_mpi

T = TypeVar("T")

STARTERS = [
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI's mpiexec
    ("PMI_RANK", "PMI_SIZE"),  # MPICH's and Intel's, and srun --mpi=pmi2
    ("PMIX_RANK", "SLURM_NTASKS"),  # srun --mpi=pmix; sbatch alone sets the second, too
]
"""What is in the environment of a rank: its number, and how many there are."""

MENDABLE = (click.ClickException, ValueError, OSError, ModuleNotFoundError, RankError)
"""Errors that are told as one line."""


def started() -> tuple[int, int]:
    """This process's number among those that were started together, and how many these are: 0 and 1 for one alone."""
    for number, count in STARTERS:
        if os.environ.get(number, "").isdecimal() and os.environ.get(count, "").isdecimal():
            return int(os.environ[number]), int(os.environ[count])
    return 0, 1


def plan() -> DataParallel | None:
    """How processes that were started together share their work; None for one alone.

    ModuleNotFoundError: there are several, but no mpi4py, or no MPI.  RankError: another MPI has started them.
    """
    number, count = started()
    if count == 1:
        return None
    try:
        found = DataParallel()
    except ImportError as error:
        raise ModuleNotFoundError(f"{count} processes were started, to share what is trained, but {error}") from error
    if found.size != count:
        raise RankError(
            f"this is process {number} of {count}, but mpi4py's MPI, {describe_mpi()}, knows of {found.size}; "
            "wants the mpiexec of that MPI"
        )
    return found


def together(function: Callable[[], T]) -> T:
    """Call a function on each rank; where it raises on one, it raises on all."""
    shared = plan()
    return function() if shared is None else shared.ranks.together(function)


def quiet_others() -> AbstractContextManager[Any]:
    """Keep what this prints to itself, unless it is the first rank."""
    return nullcontext() if started()[0] == 0 else redirect_stdout(io.StringIO())


class SharedCommand(click.Command):
    """A command that several ranks do together.

    What is wrong on one, its arguments included, ends all with the first one's error and exit status.  The others say
    nothing, and exit with 0: mpiexec ends all when one exits otherwise, maybe before the first one has told.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with quiet_others():
            return self._told_by_first(ctx, lambda: together(lambda: super(SharedCommand, self).parse_args(ctx, args)))

    def invoke(self, ctx: click.Context) -> Any:
        with quiet_others():
            return self._told_by_first(ctx, lambda: super(SharedCommand, self).invoke(ctx))

    def _told_by_first(self, context: click.Context, function: Callable[[], T]) -> T:
        first = started()[0] == 0
        try:
            return function()
        except BrokenPipeError:
            raise
        except (*MENDABLE, click.exceptions.Exit):
            if first:
                raise
            context.exit(0)
