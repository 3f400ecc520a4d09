"""Seeds."""

from __future__ import annotations

import random
import secrets

import numpy as np

from .data import positive_integer

__all__ = ["new_seed", "set_random_seed"]

_generator: np.random.Generator | None = None


def set_random_seed(seed: int) -> None:
    """Seed what a training script draws from: Python's `random`, NumPy's global generator, and fastnn.

    Models made after it without a seed of their own draw theirs from here: each differs from the one before,
    and a second run of the script makes the same ones.

    Parameters
    ----------
    seed : int
        From 0 to 2^32 - 1.
    """
    global _generator
    seed = positive_integer(seed, "seed", least=0)
    if seed >= 2**32:
        raise ValueError(f"seed got {seed}; wants an integer below 2**32")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - Keras does so, and scripts count on it
    _generator = np.random.default_rng(seed)


def new_seed() -> int:
    """A seed for a model that has none of its own: `set_random_seed`'s next number, else a random one."""
    return secrets.randbits(63) if _generator is None else int(_generator.integers(2**63 - 1))
