"""Work for each member, several at a time: a thread each, for the compiled runs hold no lock of Python's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from fastnn.engine import processors

Result = TypeVar("Result")


def side_by_side(
    work: Callable[[int], Result], numbers: Sequence[int], threads: int | None, stop: Callable[[], None] | None = None
) -> tuple[list[Result], bool]:
    """What ``work(number)`` returns for each number, and whether Ctrl-C came: then some are missing at the end.

    Where one raises, what has not begun is left, and the error is raised once the others have ended.

    Parameters
    ----------
    threads : int, optional
        How many at a time; None: as many as there are processors.
    stop : callable, optional
        Asks what is at work to end soon.
    """
    count = min(processors() if threads is None else threads, len(numbers))
    if count <= 1:
        return [work(number) for number in numbers], False
    interrupted = False
    with ThreadPoolExecutor(count, "fastnn-member") as pool:
        futures: list[Future[Result]] = [pool.submit(work, number) for number in numbers]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            for future in futures:
                future.cancel()
            if interrupted and stop is not None:
                stop()
    if interrupted and stop is None:
        raise KeyboardInterrupt
    return [future.result() for future in futures if not future.cancelled()], interrupted
