"""One fit on several processes, and on several machines: the same script under ``mpiexec``.

`DataParallel` says how; ``ranks`` are the processes that MPI has started, and what they tell each other; ``shares``
says which rows are a rank's; ``steps`` has steps whose gradients all ranks add up, ``averaging`` ranks that take steps
of their own and meet now and then; ``validation`` measures held-out rows together.
"""

from fastnn.names import publish
from .data_parallel import DataParallel
from .ranks import RankError, Ranks, world

__all__ = ["DataParallel", "RankError"]

publish(__name__)
