"""Activations and losses of the user's own, which kernels call by address."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..records import ABORTED, Job
from ..values import Rows
from ..vocabulary import atomic_put, call_function


@kernel(apart=True)
def call_custom(
    job: Job,
    function: Address,
    rows: Integer,
    columns: Integer,
    first: Rows,
    second: Rows,
    scores: Rows,
    target: Address,
) -> None:
    """Call an activation or a loss at an address, over rows of reals; one that fails ends the run.

    An activation reads columns of first and writes its values over second, and its slopes to target if scores has a
    stride other than 0.  A loss reads outputs from first and targets from second, and writes the sum over each row to
    the scores, which are doubles, and the gradient to target, in rows like first.
    """
    done = call_function(
        function,
        rows,
        columns,
        first.address,
        first.stride,
        second.address,
        second.stride,
        scores.address,
        scores.stride,
        target,
    )
    if done != 1:
        atomic_put(job.run.synchronisation, ABORTED, 1)
