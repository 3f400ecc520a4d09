"""What ends a stochastic fit before ``max_iter`` epochs: scikit-learn's rule, ``stop_on``, and ``max_time``.

Each rule is told of every epoch (`Rule.update`).  Then the callbacks are called, and then each rule is asked whether
training ends (`Rule.ends`).  `Rule.patience` says how many epochs can run without asking.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastnn.training import Rule
from .network import Network

if TYPE_CHECKING:
    from .base import BaseMLP

MONITORED = {"loss": ("loss", 1.0), "validation_loss": ("val_loss", 1.0), "validation_score": ("val_score", -1.0)}
"""For each value that training may stop on its name in the logs, and the sign by which lower is better."""

LEAST_RATE = 1e-6  # an adaptive learning rate is divided while it is above


def monitored(estimator: BaseMLP) -> tuple[str, ...]:
    """The values that training may stop on, the one that scikit-learn watches first."""
    first = "validation_score" if estimator.early_stopping else "loss"
    given = estimator.stop_on
    asked = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    for name in asked:
        if name not in MONITORED:
            raise ValueError(f"stop_on got {name!r}; wants some of {', '.join(MONITORED)}")
    return tuple(dict.fromkeys((first, *asked)))


class Plateau:
    """Counts the epochs in a row in which a value did not fall by ``tol`` below its lowest."""

    def __init__(self, tol: float, limit: float, lowest: float = math.inf, count: int = 0) -> None:
        self.tol, self.limit, self.lowest, self.count = tol, limit, lowest, count

    def update(self, value: float) -> bool:
        """Take the value of an epoch.  Returns whether it is the lowest so far."""
        self.count = self.count + 1 if value > self.lowest - self.tol else 0
        lowest, self.lowest = value < self.lowest, min(self.lowest, value)
        return lowest

    @property
    def reached(self) -> bool:
        """Whether there have been more such epochs than ``limit``."""
        return self.count > self.limit


class ImprovementRule(Rule):
    """scikit-learn's rule: the training loss, or with ``early_stopping`` the validation score, must improve by ``tol``.

    After more than ``n_iter_no_change`` epochs in which it did not, training ends, or an adaptive learning rate is
    divided by 5.  The counts are the estimator's, for ``warm_start`` and ``partial_fit`` go on with them.
    ``keep`` keeps the weights of the best validation score.
    """

    def __init__(self, estimator: BaseMLP, network: Network, keep: Callable[[], None]) -> None:
        self.estimator, self.network, self.keep = estimator, network, keep
        lowest = -estimator.best_validation_score_ if estimator.early_stopping else estimator.best_loss_
        self.plateau = Plateau(estimator.tol, estimator.n_iter_no_change, lowest, estimator._no_improvement_count)

    @property
    def patience(self) -> float:
        return self.plateau.limit + 1 - self.plateau.count

    def update(self, logs: dict[str, float]) -> None:
        estimator = self.estimator
        if estimator.early_stopping:
            score = logs["val_score"]
            estimator.validation_scores_.append(score)
            if estimator.verbose:
                print(f"Validation score: {score:f}")
            if self.plateau.update(-score):
                estimator.best_validation_score_ = score
                self.keep()
        elif self.plateau.update(logs["loss"]):
            estimator.best_loss_ = logs["loss"]
        estimator._no_improvement_count = self.plateau.count

    def ends(self) -> bool:
        if not self.plateau.reached:
            return False
        estimator, optimizer = self.estimator, self.network.optimizer
        rate: float = getattr(optimizer, "learning_rate", 0.0)
        small = rate <= LEAST_RATE
        ends = small or not (estimator.solver == "sgd" and estimator.learning_rate == "adaptive")
        if ends:
            then = "Learning rate too small. Stopping." if small else "Stopping."
        else:
            then = f"Setting learning rate to {rate / 5.0:f}"
            optimizer.learning_rate = rate / 5.0
            optimizer.configure(self.network.engine)
            estimator._no_improvement_count = self.plateau.count = 0
        if estimator.verbose:
            what = "Validation score" if estimator.early_stopping else "Training loss"
            epochs = f"{estimator.n_iter_no_change} consecutive epochs"
            print(f"{what} did not improve more than tol={estimator.tol:f} for {epochs}. {then}")
        return ends


class StopOnRule(Rule):
    """``stop_on``: training ends when a further value has not improved for more than ``n_iter_no_change`` epochs.

    ``name`` is the value's, of `MONITORED`; ``keep`` keeps the weights of the best value, if they are to be kept.
    """

    each_epoch = True

    def __init__(self, estimator: BaseMLP, name: str, keep: Callable[[], None] | None) -> None:
        self.estimator, self.name, self.keep = estimator, name, keep
        self.key, self.sign = MONITORED[name]
        begun = estimator._others.get(name, (math.inf, 0))
        self.plateau = Plateau(estimator.tol, estimator.n_iter_no_change, *begun)

    def update(self, logs: dict[str, float]) -> None:
        if self.plateau.update(self.sign * logs[self.key]) and self.keep is not None:
            self.keep()
        counted = {self.name: (self.plateau.lowest, self.plateau.count)}
        self.estimator._others = self.estimator._others | counted  # a copy of the estimator may have the old ones

    def ends(self) -> bool:
        return self.plateau.reached


class TimeRule(Rule):
    """``max_time``: training ends when so many seconds have passed."""

    def __init__(self, seconds: float | None) -> None:
        self.deadline = math.inf if seconds is None else time.monotonic() + seconds

    def ends(self) -> bool:
        return time.monotonic() > self.deadline
