"""How long a training step takes on 2 to 256 ranks, from what its parts take on one and what a message costs.

    step = compute of batch / ranks rows, and update + levels x messages x (handling + latency) + bytes / bandwidth

Messages are counted as `Ranks.sum` sends them (fastnn/distribution/ranks.py), and MPI's own sum, without
``deterministic``, is taken to be no better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastnn.distribution.ranks import SMALL

PARTS = 8
"""Of DataParallel; more ranks want ``deterministic=False``, or more of them."""
EVERY = 10
"""Steps between meetings, with ``sync_every``."""
RANKS = tuple(2**power for power in range(1, 9))


@dataclass(frozen=True)
class Handling:
    """What a rank does itself: seconds a message, in Python, and seconds a byte that is copied and added."""

    message: float
    byte: float


@dataclass(frozen=True)
class Network:
    """Seconds until a message begins to arrive, and bytes a second from a rank to another, both ways at once."""

    latency: float
    bandwidth: float

    @property
    def name(self) -> str:
        return f"{self.latency * 1e6:g} us, {self.bandwidth / 1e9:g} GB/s"


NETWORKS = tuple(Network(latency * 1e-6, rate * 1e9) for rate in (12.5, 1.25) for latency in (2, 5, 50, 500))


@dataclass(frozen=True)
class Costs:
    """A case in seconds, each as one rank of one thread measured it, by the number of ranks that would share it.

    Attributes
    ----------
    alone : dict
        A step of a fit without a distribution, of batch / ranks rows.
    shared : dict
        A rank's parts of a step, and the update.
    whole : dict
        The same where each rank has as many rows as one alone.
    meeting : float
        What steps between two meetings take longer than without ``sync_every``, less the messages.
    gradient, saved : int
        Bytes of a step's message, and of a meeting's.
    """

    alone: dict[int, float]
    shared: dict[int, float]
    whole: dict[int, float]
    meeting: float
    gradient: int
    saved: int


def parts_of(ranks: int) -> int:
    """How many parts of a batch a rank has."""
    return max(1, PARTS // ranks)


def traffic(ranks: int, size: int) -> tuple[int, float, float]:
    """Of a sum of vectors of so many bytes: messages one after another, bytes that a rank sends, and that it adds."""
    levels = (ranks - 1).bit_length()
    if size <= SMALL:
        return levels, levels * size, levels * size
    others = (ranks - 1) / ranks * size
    return 3 * levels, 2 * others, others  # halves, these back, and the scores


def exchange(ranks: int, size: int, network: Network, handling: Handling) -> float:
    """Seconds in which all ranks have the sum."""
    messages, sent, added = traffic(ranks, size)
    return messages * (handling.message + network.latency) + sent / network.bandwidth + added * handling.byte


Step = Callable[[int], float]
"""Seconds of a step by the number of ranks."""


def strong(costs: Costs, network: Network, handling: Handling) -> Step:
    """One batch, however many ranks share it."""
    return lambda ranks: costs.shared[ranks] + exchange(ranks, costs.gradient, network, handling)


def weak(costs: Costs, network: Network, handling: Handling) -> Step:
    """As many rows on each rank as one alone has; in the time that one alone takes for as many."""
    return lambda ranks: (costs.whole[parts_of(ranks)] + exchange(ranks, costs.gradient, network, handling)) / ranks


def seldom(costs: Costs, network: Network, handling: Handling, every: int) -> Step:
    """One batch, with ``sync_every``."""
    return lambda ranks: costs.alone[ranks] + (costs.meeting + exchange(ranks, costs.saved, network, handling)) / every


def speed_ups(costs: Costs, step: Step, ranks: tuple[int, ...] = RANKS) -> dict[int, float]:
    """Beside a fit on one thread without a distribution."""
    return {count: costs.alone[1] / step(count) for count in ranks if count in costs.shared}


def best(found: dict[int, float]) -> tuple[int, float]:
    """With how many ranks it is fastest, and how much: more do not pay. One, where ranks do not pay at all."""
    count = max(found, key=lambda ranks: found[ranks])
    return (count, found[count]) if found[count] > 1 else (1, 1.0)


def fitted(times: dict[int, float], handling: Handling) -> Network:
    """The network on which sums between two ranks take such seconds, by bytes: the least relative squares."""
    rows = []
    for size, seconds in times.items():
        messages, sent, added = traffic(2, size)
        rest = seconds - messages * handling.message - added * handling.byte
        rows.append((messages / seconds, sent / seconds, rest / seconds))
    latency, inverse = solved(rows)
    return Network(latency, 1 / inverse)


def handled(times: dict[int, float]) -> Handling:
    """What a rank does itself, from the seconds of sums between two ranks without their messages, by bytes."""
    rows = []
    for size, seconds in times.items():
        messages, _, added = traffic(2, size)
        rows.append((messages / seconds, added / seconds, 1.0))
    return Handling(*solved(rows))


def solved(rows: list[tuple[float, float, float]]) -> tuple[float, float]:
    """x and y of a x + b y = c for all rows, by least squares."""
    aa, ab, bb = (sum(r[i] * r[j] for r in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    ac, bc = (sum(r[i] * r[2] for r in rows) for i in (0, 1))
    determinant = aa * bb - ab * ab
    return (bb * ac - ab * bc) / determinant, (aa * bc - ab * ac) / determinant
