"""What scripts ask Keras's backend for: to forget what was, and the dtype of numbers."""

from __future__ import annotations

import gc

from .names import publish

__all__ = ["backend", "clear_session", "epsilon", "floatx"]


def backend() -> str:
    """ "fastnn"."""
    return "fastnn"


def clear_session(free_memory: bool = True) -> None:
    """Collect what nobody refers to any more.  There is no other state: names and counts are each model's own.

    Parameters
    ----------
    free_memory : bool
    """
    if free_memory:
        gc.collect()


def epsilon() -> float:
    """What probabilities are kept away from 0 and 1 by in crossentropies: 1e-7, as in Keras."""
    return 1e-7


def floatx() -> str:
    """The dtype of a model for which ``compile`` is told none: "float32"."""
    return "float32"


publish(__name__)
