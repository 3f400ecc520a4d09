"""How long a training step takes on any number of threads, from what it takes on one.

    step = arithmetic / threads, as evenly as it can be split + 2 or 3 barriers + bytes exchanged / bandwidth

The way in which the kernels split a step is followed, see `CostModel.chunks` and `train` in kernels/source/train.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Seconds of a barrier by threads, as measured, and bytes a second from core to core."""

    barriers: dict[int, float]
    bandwidth: float

    def barrier(self, threads: int) -> float:
        """Beyond what is measured a barrier grows with its threads, for they change its one counter in turn."""
        if threads in self.barriers:
            return self.barriers[threads]
        most = max(self.barriers)
        return self.barriers[most] * threads / most


@dataclass(frozen=True)
class Work:
    """A step: seconds on one thread, and what its splitting follows from."""

    seconds: float
    batch: int
    chunks: int  # with gradients of their own; 0: by rows and panels
    tile_rows: int
    parameter_bytes: int
    transposed_bytes: int
    delta_bytes: int  # of the whole batch
    input_bytes: int  # what the layers are given, of the whole batch
    first_bytes: int = 0  # of the parameters: the first layer's
    first_input_bytes: int = 0  # of what the layers are given: the network's inputs
    first_output_bytes: int = 0
    by_columns: frozenset[int] = frozenset()  # numbers of threads with which each has some units of the first layer

    @property
    def pieces(self) -> int:
        """Parts that no thread shares with another."""
        return self.chunks or -(-self.batch // self.tile_rows)

    def active(self, threads: int) -> int:
        """How many threads have any rows."""
        return -(-self.pieces // self.most(threads))

    def most(self, threads: int) -> int:
        """Pieces of the thread that has most; of chunks each takes a power of two, a whole branch of their sum."""
        if not self.chunks:
            return -(-self.pieces // threads)
        each = 1
        while each * threads < self.pieces:
            each *= 2
        return each

    def exchanged(self, threads: int) -> float:
        """Bytes that a thread reads in a step and another one wrote."""
        others = (threads - 1) / threads
        weights = others * (self.parameter_bytes + self.transposed_bytes)
        if self.chunks:  # its slice of every other thread's gradient
            return weights + (self.active(threads) - 1) / threads * self.parameter_bytes
        if threads in self.by_columns:  # their weights are nobody else's, and inputs come from the data
            handed = self.input_bytes - self.first_input_bytes + self.first_output_bytes
            return weights + others * (self.delta_bytes - self.first_bytes + handed / threads)
        return weights + others * (self.delta_bytes + self.input_bytes / threads)

    def barriers(self, threads: int) -> int:
        """How often threads meet in a step."""
        return 2 + (threads in self.by_columns)


def parts(work: Work, machine: Machine, threads: int) -> dict[str, float]:
    """The seconds of a step, by what they are spent on; "split": waiting for the thread that has most rows."""
    even = work.seconds / threads
    if threads == 1:
        return {"arithmetic": even}
    return {
        "arithmetic": even,
        "split": work.seconds * work.most(threads) / work.pieces - even,
        "barrier": work.barriers(threads) * machine.barrier(threads),
        "exchange": work.exchanged(threads) / machine.bandwidth,
    }


def speed_up(work: Work, machine: Machine, threads: int) -> float:
    return work.seconds / sum(parts(work, machine, threads).values())


def limit(work: Work, machine: Machine, threads: int) -> str:
    """What most of the step is spent on."""
    spent = parts(work, machine, threads)
    return max(spent, key=lambda part: spent[part])
