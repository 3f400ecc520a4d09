"""Checks of single arguments: each returns the value that it found right."""

from __future__ import annotations

import math
import numbers
import operator

import numpy as np


def positive_integer(value: object, name: str, least: int = 1) -> int:
    """An integer of at least 1, or of at least ``least``."""
    if type(value) is int and value >= least:
        return value
    wanted = f"{name} got {value!r}; wants an integer of at least {least}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(wanted)
    if value < least:
        raise ValueError(wanted)
    return operator.index(value)


def real_number(
    value: object,
    name: str,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> float:
    """A finite number within bounds, as a float; ``least`` and ``most`` are within them, the others not."""
    bounds = {"of at least": least, "above": above, "of at most": most, "below": below}
    limits = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))
    wanted = f"{name} got {value!r}; wants a finite number {limits}".rstrip()
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(wanted)
    number = float(value)
    within = least <= number <= most and above < number < below
    if not (math.isfinite(number) and within):
        raise ValueError(wanted)
    return number


def boolean(value: object, name: str) -> bool:
    """True or False, and nothing else that counts as one."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} got {value!r}; wants True or False")
    return value


def batch_size(value: object) -> int:
    """Rows of a batch; None is Keras's 32."""
    return 32 if value is None else positive_integer(value, "batch_size")


def validation_split(fraction: object, rows: int) -> int:
    """How many of the rows are trained on; those behind them, the last ones, are kept for validation.

    ValueError: ``fraction`` is not from 0 to below 1, or is less than a row, or leaves none to train on.
    """
    fraction = real_number(fraction, "validation_split", least=0, below=1)
    if fraction == 0:
        return rows
    training = math.floor(rows * (1 - fraction))
    if rows * fraction < 1 - 1e-9 or training < 1:
        raise ValueError(
            f"validation_split got {fraction!r}, which of {rows} rows leaves none to "
            f"{'train on' if training < 1 else 'validate with'}; wants at least one row on either side"
        )
    return training
