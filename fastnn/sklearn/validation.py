"""Validation rows of a stochastic fit: given, or split off the training rows; scored after each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight

from fastnn.engine import Data
from fastnn.typing import Array

from .network import Network, loss_constant, rows_of

if TYPE_CHECKING:
    from .base import BaseMLP


class Validation:
    """Rows that are not trained on, ready to be scored."""

    def __init__(self, estimator: BaseMLP, network: Network, x: Any, y: Any, weight: Array | None) -> None:
        self.estimator, self.network, self.y, self.weight = estimator, network, y, weight
        targets = estimator._targets(y, network.labels)
        self.data = Data(rows_of(x), targets, network.labels, weight)
        self.total = float(len(targets) if weight is None else weight.sum())
        self.constant = loss_constant(estimator.loss, self.data.y, weight)

    def evaluate(self) -> dict[str, float]:
        """The loss, without the penalty, and the score of the network as it is now."""
        engine = self.network.engine
        output = engine.predict(Data(self.data.x))
        if self.estimator.out_activation_ == "exp":
            output = np.exp(output)
        score = self.estimator._score_of(output, self) if np.isfinite(output).all() else float("nan")
        loss = float(engine.evaluate(self.data)[0]) * len(self.data) / self.total
        return {"val_loss": loss * engine.job.score_scale + self.constant, "val_score": score}


def given_validation(estimator: BaseMLP, network: Network, x: Any, y: Any, weight: Array | None) -> Validation | None:
    """X_val, y_val and sample_weight_val, checked; None where they are not given."""
    if (x is None) != (y is None):
        raise ValueError(f"{'X_val' if x is None else 'y_val'} is missing; wants both X_val and y_val, or none")
    if x is None:
        return None
    x, y = estimator._checked(x, y, False, True, validation=True)
    return Validation(estimator, network, x, y, None if weight is None else _check_sample_weight(weight, x))


def split(estimator: BaseMLP, network: Network, x: Any, y: Any, weight: Array | None) -> tuple[Array, Validation]:
    """The numbers of the rows to train on, and the rest, ``validation_fraction`` of all rows, as validation rows."""
    chosen, rest = train_test_split(
        np.arange(x.shape[0]),
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=estimator._strata(y),
    )
    if len(rest) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return chosen, Validation(estimator, network, x[rest], y[rest], None if weight is None else weight[rest])
