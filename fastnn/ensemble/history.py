"""What `Ensemble.fit` returns: a curve a member."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastnn.callbacks import History
from fastnn.typing import Array


class EnsembleHistory:
    """The scores of each member and epoch.

    Attributes
    ----------
    history : dict of str to ndarray, (members, epochs)
        The loss and each metric; NaN from the epoch on in which a member had stopped.
    members : list of History
        Each member's own.
    interrupted : bool
        Whether Ctrl-C ended training.
    """

    def __init__(self, members: Sequence[History], interrupted: bool = False) -> None:
        self.members = list(members)
        self.interrupted = interrupted or any(each.interrupted for each in self.members)
        names = dict.fromkeys(name for each in self.members for name in each.history)
        self.history: dict[str, Array] = {name: self._curves(name) for name in names}

    def _curves(self, name: str) -> Array:
        curves = [each.history.get(name, []) for each in self.members]
        found = np.full((len(curves), max(map(len, curves))), np.nan)
        for row, curve in zip(found, curves, strict=True):
            row[: len(curve)] = curve
        return found

    def last(self, name: str) -> Array:
        """Each member's last value of a score, (members,); NaN for one that has none."""
        if name not in self.history:
            raise ValueError(f"monitor got {name!r}; wants one of {', '.join(map(repr, self.history))}")
        return np.array([each.history.get(name, [np.nan])[-1] for each in self.members])

    def __repr__(self) -> str:
        means = ", ".join(f"{name} {np.nanmean(self.last(name)):.4g}" for name in self.history)
        return f"EnsembleHistory({len(self.members)} members{': mean ' * bool(means)}{means})"
