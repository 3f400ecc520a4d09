"""Medians, quartiles and bins of columns whose rows have weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["bin_edges", "center_and_spread", "quantiles"]

Array = npt.NDArray[Any]


def quantiles(x: Array, q: Array | list[float], weight: Array | None) -> Array:
    """Quantiles of a vector, or of each column of a matrix, interpolated as by np.quantile; the shape is (q, ...).

    A row of weight k counts as k equal rows.
    """
    if weight is None:
        return np.asarray(np.quantile(x, q, axis=0))
    if x.ndim == 2:
        return np.stack([quantiles(column, q, weight) for column in x.T], axis=1)
    order = np.argsort(x)
    x, ends = x[order], np.cumsum(weight[order])
    place = np.multiply(q, max(ends[-1] - 1, 0))
    before = np.floor(place)
    low, high = (x[np.minimum(np.searchsorted(ends, at, side="right"), len(x) - 1)] for at in (before, before + 1))
    part = place - before
    return np.asarray(np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part)))


def center_and_spread(x: Array, weight: Array | None) -> tuple[Array, Array]:
    """The median, and the difference of the quartiles, or, where that is 0, half the range; of each column."""
    low, center, high = quantiles(x, [0.25, 0.5, 0.75], weight)
    return center, np.where(high > low, high - low, (x.max(axis=0) - x.min(axis=0)) / 2)


def bin_edges(x: Array, bins: int, weight: Array | None = None) -> Array:
    """Edges of at most ``bins`` bins with about the same number of rows in each.

    A value that more rows have than a bin holds is an edge itself; the other edges are chosen without its rows.
    """
    different, places = np.unique(x, return_inverse=True)
    if len(different) <= bins + 1:
        return different
    counts = np.bincount(places, weight)
    often = counts * bins > counts.sum()
    ends = quantiles(different[~often], np.linspace(0, 1, bins + 1 - often.sum()), counts[~often])
    return np.union1d(different[often], ends)
