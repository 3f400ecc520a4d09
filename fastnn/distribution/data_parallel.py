"""How a fit is shared among ranks."""

from __future__ import annotations

import math

from fastnn.data import boolean, positive_integer, real_number
from .ranks import Ranks, world


class DataParallel:
    """Trains one model on the ranks of MPI, each of which takes a part of every batch: ``compile(distribution=...)``.

    The script is started by ``mpiexec -n 4 python train.py``, is the same on every rank, and differs from that for one
    process by this object alone.  All ranks end with the same weights, history and predictions.

    With ``deterministic`` they are the same to the last bit for 1, 2, 4, ... ``parts`` ranks, of any number of threads
    each, on one instruction set: a batch is divided into that many parts, whatever the number of ranks; each part has a
    gradient of its own, g_p, and the step follows their sum as a tree, ((g_0 + g_1) + (g_2 + g_3)) + ... .  The batches
    are those of a fit without a distribution, whose weights differ by rounding alone; but a `BatchNormalization` takes
    the statistics of each part, and moves its moving ones by their mean, weighed by rows.

    Parameters
    ----------
    parts : int
        How many parts a batch has, a power of two; as many ranks there may be, or half, a quarter, ...
    shard : bool
        x, y and all that goes with them are, on each rank, rows of its own, and not the same ones.  Validation data
        too.
    deterministic : bool
        False: one part a rank, of any number of ranks, summed in the order that MPI likes.
    sync_every : int
        1: a message a step.  k: each rank takes k steps by itself, on its part of the rows of as many batches; then all
        take the mean of their weights and of the optimizer's state.  For networks so small that a message costs more
        than a step; results depend on the number of ranks.  See docs/distributed.md.
    outer_momentum : float
        With sync_every > 1: instead of the mean of the weights, w, all take a + d + m v, where a are the weights of the
        last time, d = w - a, and v the sum of d and m times what v was: Nesterov's momentum, as in DiLoCo
        (A. Douillard et al., 2023), with a learning rate of 1.
    timeout : float
        Seconds that a rank may be late for a step.  After that all ranks end, with an error that says who was late.
        A callback that takes longer wants a longer one.

    Raises
    ------
    ModuleNotFoundError, ImportError
        mpi4py, or an MPI, is not there: ``pip install 'fastnn-cpu[mpi]'`` brings both.
    ValueError
        An argument is wrong.  `Sequential.compile` raises it too where the number of ranks does not divide ``parts``.
    """

    def __init__(
        self,
        *,
        parts: int = 8,
        shard: bool = False,
        deterministic: bool = True,
        sync_every: int = 1,
        outer_momentum: float = 0.0,
        timeout: float = 60.0,
    ) -> None:
        self.parts = positive_integer(parts, "parts")
        if self.parts & (self.parts - 1):
            raise ValueError(f"parts got {parts}; wants a power of two, for parts are added as a tree")
        self.shard, self.deterministic = boolean(shard, "shard"), boolean(deterministic, "deterministic")
        self.sync_every = positive_integer(sync_every, "sync_every")
        self.outer_momentum = real_number(outer_momentum, "outer_momentum", least=0.0, below=1.0)
        self.timeout = real_number(timeout, "timeout", least=0.0)
        if not math.isfinite(self.timeout) or not self.timeout:
            raise ValueError(f"timeout got {timeout}; wants a number of seconds above 0")
        if self.outer_momentum and self.sync_every == 1:
            raise ValueError(f"outer_momentum got {outer_momentum}, but sync_every is 1; wants it above 1")
        world()  # where there is no MPI, that is an error here

    def __repr__(self) -> str:
        return f"DataParallel({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    @property
    def ranks(self) -> Ranks:
        """The processes that mpiexec has started."""
        return world()

    @property
    def rank(self) -> int:
        """This process's number, from 0."""
        return self.ranks.number

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return self.ranks.count

    def check_parts(self) -> None:
        """Raise ValueError where batches cannot be divided among so many ranks."""
        if self.deterministic and self.sync_every == 1 and self.parts % self.size:
            raise ValueError(
                f"parts got {self.parts} for {self.size} ranks; wants a power of two that {self.size} divides, or "
                "deterministic=False"
            )

    @property
    def own_parts(self) -> range:
        """The numbers of this rank's parts of each batch."""
        each = self.parts // self.size if self.deterministic else 1
        return range(self.rank * each, (self.rank + 1) * each)

    @property
    def all_parts(self) -> int:
        """How many parts a batch has."""
        return self.parts if self.deterministic else self.size
