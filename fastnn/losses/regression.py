"""Losses of numbers: of errors that may be of any size, of quantiles and of counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.data import real_number
from fastnn.engine import LOSSES
from fastnn.typing import Array
from . import functions
from .base import Loss, LossPlan


class MeanSquaredError(Loss):
    """Mean over the outputs of (y - t)^2.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.MeanSquaredError()([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    2.125
    """

    row = "mean_squared_error"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.mean_squared_error(y_true, y_pred)


class HalfSquaredError(Loss):
    """Sum over the outputs of (y - t)^2 / 2, whose derivative by y is y - t.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.HalfSquaredError()([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    1.0625
    """

    row = "half_squared_error"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.half_squared_error(y_true, y_pred)


class MeanAbsoluteError(Loss):
    """Mean over the outputs of abs(y - t).

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.MeanAbsoluteError()([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    1.25
    """

    row = "mean_absolute_error"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.mean_absolute_error(y_true, y_pred)


class MeanAbsolutePercentageError(Loss):
    """Mean over the outputs of 100 abs(y - t) / abs(t), where abs(t) counts as 1e-7 at least, as in Keras.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.MeanAbsolutePercentageError()([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    75.0
    """

    row = "mean_absolute_percentage_error"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.mean_absolute_percentage_error(y_true, y_pred)


class MeanSquaredLogarithmicError(Loss):
    """Mean over the outputs of (log(1 + y) - log(1 + t))^2, where y and t count as 1e-7 at least, as in Keras.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.MeanSquaredLogarithmicError()([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    0.1554
    """

    row = "mean_squared_logarithmic_error"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.mean_squared_logarithmic_error(y_true, y_pred)


class CosineSimilarity(Loss):
    """Minus the cosine of the angle between a row of outputs and its targets: from -1, the same way, to 1.

    Either's length counts as 1e-7 at least, as in Keras.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.CosineSimilarity()([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]), 4)
    -0.8354
    """

    row = "cosine_similarity"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.cosine_similarity(y_true, y_pred)


class Huber(Loss):
    """Mean over the outputs of e^2 / 2 where e = abs(y - t) is at most delta, else of delta (e - delta / 2).

    Parameters
    ----------
    delta : float
        The error at which the square becomes a line; above 0.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.Huber()([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    0.8125
    """

    row = "huber"

    def __init__(
        self,
        delta: float = LOSSES["huber"].parameter[1],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.delta = real_number(delta, "delta", above=0)

    @classmethod
    def default_name(cls) -> str:
        """What Keras calls it."""
        return "huber_loss"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.huber(y_true, y_pred, self.delta)

    def kernel(self, activation: str) -> LossPlan:
        return super().kernel(activation)._replace(parameter=(self.delta,))


class LogCosh(Loss):
    """Mean over the outputs of log(cosh(y - t)): about (y - t)^2 / 2 near 0, and abs(y - t) - log(2) far from it.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.LogCosh()([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    0.7226
    """

    row = "log_cosh"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.log_cosh(y_true, y_pred)


class Quantile(Loss):
    """Mean over the outputs of q (t - y) where t is above y, else of (1 - q) (y - t): the pinball loss.

    The output that makes it least is the targets' quantile q.  With several quantiles, the model has that many outputs
    for each target, side by side: predict(x).reshape(rows, targets, quantiles); y has a column a target.

    Parameters
    ----------
    quantiles : float, or sequence of float
        Each above 0 and below 1.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.Quantile(0.9)([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    0.125
    """

    row = "quantile"

    def __init__(
        self,
        quantiles: float | Sequence[float] = LOSSES["quantile"].parameter[1],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        if isinstance(quantiles, Sequence):
            if not quantiles:
                raise ValueError("quantiles got none; wants at least one")
            several = [real_number(q, f"quantiles[{i}]", above=0, below=1) for i, q in enumerate(quantiles)]
            self.quantiles: float | list[float] = several if len(several) > 1 else several[0]
        else:
            self.quantiles = real_number(quantiles, "quantiles", above=0, below=1)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.quantile(y_true, y_pred, self.quantiles)

    def kernel(self, activation: str) -> LossPlan:
        count = len(self.quantiles) if isinstance(self.quantiles, list) else 1
        return super().kernel(activation)._replace(parameter=(self.quantiles,), outputs_a_target=count)


class Poisson(Loss):
    """Mean over the outputs of y - t log(y + 1e-7), as in Keras; t is at least 0, as counts are, and so must y be.

    Activations whose outputs are at least 0 suit it, such as softplus.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.Poisson()([[1.0], [2.0]], [[1.5], [4.0]]), 4)
    1.161
    """

    row = "poisson"
    domain = "counts"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.poisson(y_true, y_pred)
