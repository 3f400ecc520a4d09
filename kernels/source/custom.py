"""Activations and losses of the user's own, which kernels call by address."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..records import ABORTED, Job
from ..vocabulary import atomic_put, call_function


@kernel(apart=True)
def call_custom(
    job: Job,
    function: Address,
    rows: Integer,
    columns: Integer,
    first_source: Address,
    first_row: Integer,
    second_source: Address,
    second_row: Integer,
    scores: Address,
    score_row: Integer,
    target: Address,
) -> None:
    """Call an activation or a loss at an address, over rows of reals; one that fails ends the run.

    An activation reads columns of first_source and writes its values over second_source, and its slopes to target if
    score_row is not 0.  A loss reads outputs from the first and targets from the second, and writes the sum over each
    row to the scores, and the gradient to target, in rows like the first.
    """
    if (
        call_function(
            function, rows, columns, first_source, first_row, second_source, second_row, scores, score_row, target
        )
        != 1
    ):
        atomic_put(job.run.synchronisation, ABORTED, 1)
