"""Data-parallel training: processes of one thread each, which share every batch and add up their gradients.

A process is a rank. The ranks of a peer are started together, agree on how many steps make a block of the clock, and
take the same steps; rank 0 reads the clock. A peer is a class whose objects are one rank's side: made with the case,
the rank, how many there are, and the name of a file by which they find each other, it takes so many steps (``take``),
and gives every rank rank 0's number (``agree``). Peers have turns, as everywhere here (timing.py).
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from . import machine
from .cases import Case, chosen
from .report import line, number, titles
from .timing import BLOCK, VARIABLES
from .torch_peers import Torch

RANKED = "784-256-256-10 b256,784-512-512-10 b512,1024-2048-2048-10 b1024,30-64-64-2 b256"
"""The cases that are measured, by the batch of all ranks together, as a pattern."""


class Steps(NamedTuple):
    """Microseconds of a step: in the best block of all turns, and in the middle one."""

    least: float
    middle: float


class Ddp(Torch):
    """A rank of PyTorch's DistributedDataParallel over gloo, in the loop that its users write; one rank is without it.

    ``options`` are DistributedDataParallel's.
    """

    def __init__(self, case: Case, rank: int, ranks: int, meeting: str, **options: Any) -> None:
        import torch

        if case.batch % ranks:
            raise ValueError(f"a batch of {case.batch} rows got {ranks} ranks; wants a number that divides it")
        torch.manual_seed(0)
        super().__init__(replace(case, batch=case.batch // ranks))
        x, y = case.data()
        mine = [part.reshape(case.steps, ranks, self.case.batch, *part.shape[1:])[:, rank] for part in (x, y)]
        flat = [part.reshape(-1, *part.shape[2:]) for part in mine]
        self.x, self.y = (torch.from_numpy(part.copy()) for part in flat)
        self._next, self._several = 0, ranks > 1
        if self._several:
            torch.distributed.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=ranks)
            self.model = torch.nn.parallel.DistributedDataParallel(self.model, **options)

    def take(self, count: int) -> None:
        """So many steps, each over this rank's rows of the next batch."""
        batch = self.case.batch
        for _ in range(count):
            self.backprop(slice(self._next, self._next + batch))
            self.optimizer.step()
            self._next = (self._next + batch) % len(self.x)

    def agree(self, number: int) -> int:
        """The number that rank 0 has."""
        if not self._several:
            return number
        numbers = [number]
        self.torch.distributed.broadcast_object_list(numbers)
        return numbers[0]

    def weights(self) -> list[Any]:
        """Of every layer, as arrays."""
        return [p.detach().numpy().copy() for p in self.model.parameters()]

    def close(self) -> None:
        if self._several:
            self.torch.distributed.destroy_process_group()


def serve(make: Callable[..., Any], case: Case, rank: int, ranks: int, meeting: str, pipe: Any) -> None:
    """One rank: makes its side, and times turns for as long as it is asked to."""
    peer = make(case, rank, ranks, meeting)
    peer.take(3)
    begin = perf_counter()
    peer.take(3)
    block = peer.agree(max(1, round(BLOCK * 3 / (perf_counter() - begin))))
    while (seconds := pipe.recv()) is not None:
        begin, times = perf_counter(), []
        while peer.agree(not times or perf_counter() - begin < seconds):
            last = perf_counter()
            peer.take(block)
            times.append((perf_counter() - last) / block)
        pipe.send(times)
    peer.close()


class Team:
    """The processes of a peer's ranks for one case, on so many threads each; ended by `close`."""

    def __init__(self, make: Callable[..., Any], case: Case, ranks: int, threads: int = 1) -> None:
        self._folder = tempfile.TemporaryDirectory()
        meeting = str(Path(self._folder.name) / "meeting")
        context, self._pipes, self._processes = multiprocessing.get_context("spawn"), [], []
        with environment(dict.fromkeys(VARIABLES, str(threads)) | {"GLOO_SOCKET_IFNAME": "lo"}):
            for rank in range(ranks):
                here, there = context.Pipe()
                process = context.Process(target=serve, args=(make, case, rank, ranks, meeting, there), daemon=True)
                process.start()
                there.close()
                self._pipes.append(here)
                self._processes.append(process)

    def turn(self, seconds: float) -> list[float]:
        """Seconds of a step in each block of a turn, by the clock of rank 0."""
        for pipe in self._pipes:
            pipe.send(seconds)
        times: list[list[float]] = [pipe.recv() for pipe in self._pipes]
        return times[0]

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join()
        self._folder.cleanup()


@contextmanager
def environment(changes: dict[str, str]) -> Iterator[None]:
    """Variables that are there while processes are started."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


BEST = {"gradient_as_bucket_view": True, "static_graph": True}
"""Options with which DistributedDataParallel copies and looks up less."""


def _teams(case: Case, ranks: int) -> dict[str, Callable[[], Any]]:
    """What starts the processes of each peer, by its name."""
    from .mpi_ranks import MpiTeam

    best = partial(Ddp, **BEST)
    return {
        "fastnn, 1 thread": lambda: MpiTeam(case, "alone", 1, 1),
        "fastnn, all threads": lambda: MpiTeam(case, "alone", 1, ranks),
        "shared, 1 rank of 1": lambda: MpiTeam(case, "parts", 1, 1),
        "shared, 1 rank of all": lambda: MpiTeam(case, "parts", 1, ranks),
        "shared, all ranks": lambda: MpiTeam(case, "parts", ranks, 1),
        "any order, all ranks": lambda: MpiTeam(case, "any order", ranks, 1),
        "torch, all threads": lambda: Team(Ddp, case, 1, ranks),
        "DDP": lambda: Team(Ddp, case, ranks, 1),
        "DDP, its best options": lambda: Team(best, case, ranks, 1),
    }


def measured(case: Case, ranks: int, rounds: int, seconds: float) -> dict[str, Steps]:
    """What a step takes, by peer; each has a turn in every round, and idles in between."""
    teams: dict[str, Any] = {}
    times: dict[str, list[float]] = {}
    try:
        for name, start in _teams(case, ranks).items():
            teams[name], times[name] = start(), []
        for _ in range(rounds):
            for name, team in teams.items():
                times[name] += team.turn(seconds)
    finally:
        for team in teams.values():
            team.close()
    return {name: Steps(min(found) * 1e6, median(found) * 1e6) for name, found in times.items()}


def ddp(cases: str = RANKED, ranks: int = 2, rounds: int = 3, seconds: float = 1.0, short: bool = False) -> None:
    """Data-parallel training steps: ranks of one thread each, beside one process with as many threads, and PyTorch.

    fastnn's ranks share each step by MPI; PyTorch's DistributedDataParallel goes over gloo. SGD with momentum, float32;
    a batch is that of all ranks together. A figure is microseconds a step: the best block and, in brackets, the middle
    one of all turns.
    """
    pace = (1, 0.2) if short else (rounds, seconds)
    print(f"{ranks} ranks, on {machine.name()}: microseconds a step, least (median)", end="\n\n")
    for case in chosen(cases):
        print(case.name, file=sys.stderr)
        found = measured(case, ranks, *pace)
        print("\n".join(titles(["network, batch of all", case.name])))
        for name, steps in found.items():
            print(line([name, f"{number(steps.least)} ({number(steps.middle)})"]), flush=True)
        print(flush=True)
