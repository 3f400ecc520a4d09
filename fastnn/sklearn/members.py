"""An estimator of several networks, each from a seed of its own: how they are trained, and what they predict."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from fastnn.ensemble.side_by_side import side_by_side
from fastnn.typing import Array
from .network import thread_limit

if TYPE_CHECKING:
    from .base import BaseMLP

WORK = 5e6
"""Floating-point operations of an epoch from which on fits are sooner done side by side on threads.  Python's part of a
fit, of which there is one at a time, is more than half of a fit of less."""

ONE_NETWORKS = ("coefs_", "intercepts_", "_shared", "_made_of", "_optimizer", "_optimizer_state")
"""The attributes of an estimator that is one network."""

OWN = ("n_ensemble", "random_state", "callbacks")
"""The settings of a network that stay as they are when training goes on."""


def epoch_work(rows: int, features: int, hidden: Iterable[int]) -> float:
    """Floating-point operations of an epoch, of all layers but the last one's outputs beyond the first."""
    return 6.0 * rows * sum(fan_in * fan_out for fan_in, fan_out in pairwise([features, *hidden, 1]))


def fit_members(
    estimator: BaseMLP, x: Any, y: Any, weight: Any, given: tuple[Any, Any, Any], incremental: bool, hidden: list[int]
) -> None:
    """Train ``n_ensemble`` networks, ``estimators_``, side by side; arguments are those of `BaseMLP._fit`."""
    goes_on = bool(estimator.warm_start or incremental)
    members = estimator.__dict__.get("estimators_", []) if goes_on else []
    begins = len(members) != estimator.n_ensemble
    x, y = estimator._checked(x, y, begins, incremental)
    settings: dict[str, Any] = {}
    if begins:
        seeds = check_random_state(estimator.random_state).randint(2**31 - 1, size=estimator.n_ensemble)
        members = [clone(estimator).set_params(n_ensemble=1, random_state=int(seed)) for seed in seeds]
    else:  # they may have changed
        settings = {name: value for name, value in estimator.get_params(deep=False).items() if name not in OWN}

    def train(number: int) -> None:
        member = members[number].set_params(**settings)
        if begins and incremental and hasattr(estimator, "classes_"):  # of which the rows of now may have few
            member.classes_, member._label_binarizer = estimator.classes_, estimator._label_binarizer
        member._fit(x, y, weight, given, incremental)

    enough = epoch_work(x.shape[0], x.shape[1], hidden) >= WORK
    side_by_side(train, range(len(members)), thread_limit(estimator.threads) if enough else 1)
    for name in ONE_NETWORKS:
        estimator.__dict__.pop(name, None)
    estimator.estimators_ = members
    for name in ("n_outputs_", "n_layers_", "out_activation_"):
        setattr(estimator, name, getattr(members[0], name))
    estimator.n_iter_ = max(member.n_iter_ for member in members)
    estimator.loss_ = float(np.mean([member.loss_ for member in members]))


def mean_output(members: Iterable[BaseMLP], x: Any) -> Array:
    """The mean of what networks give for rows that have been checked, (rows, outputs)."""
    return np.asarray(np.mean([member._network_output(x) for member in members], axis=0))
