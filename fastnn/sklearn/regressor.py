"""MLPRegressor, as scikit-learn has it, and more."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from fastnn.typing import Array
from .base import BaseMLP
from .parameters import documented, set_parameters
from .stochastic import Validation


@documented
class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc, unused-ignore]
    """scikit-learn's MLPRegressor, compiled, and with features that its users have asked for; see `MLPClassifier`.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, or any fastnn loss by name or object
        Half the squared error; half the Poisson deviance, with the exponential as the last activation; "mae", "huber".
    {SCIKIT_LEARNS}
    {FURTHER}

    Attributes
    ----------
    {ATTRIBUTES}
    {LIKE_SCIKIT_LEARNS}

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.sklearn import MLPRegressor
    >>> x = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> y = np.sin(3 * x.ravel())
    >>> model = MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", max_iter=1000, random_state=0).fit(x, y)
    >>> model.score(x, y) > 0.99
    True
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        stop_on: Any = None,
        max_time: float | None = None,
        n_ensemble: int = 1,
        reset_optimizer: bool = True,
        callbacks: Any = None,
        progress_bar: bool = False,
        dtype: Any = None,
        backend: str = "auto",
        threads: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def _checked(self, x: Any, y: Any, reset: bool, incremental: bool, validation: bool = False) -> tuple[Any, Any]:
        return self._validated(x, y, reset, y_numeric=True)

    def _count_outputs(self, y: Any) -> int:
        return 1 if y.ndim == 1 else int(y.shape[1])

    def _out_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def _targets(self, y: Any, labels: bool) -> Array:
        return y if y.dtype in (np.float32, np.float64) else np.asarray(y, float)

    def _score_of(self, output: Array, validation: Validation) -> float:
        """R^2, the mean over the outputs; computed by scikit-learn where an output is constant."""
        y = np.reshape(validation.y, output.shape)
        total = np.square(y - np.average(y, axis=0, weights=validation.weight))
        total = np.average(total, axis=0, weights=validation.weight)
        if not (total > 0).all():
            return float(r2_score(validation.y, output, sample_weight=validation.weight))
        return float(np.mean(1 - np.average(np.square(y - output), axis=0, weights=validation.weight) / total))

    @available_if(lambda est: est._check_solver())  # type: ignore[untyped-decorator, unused-ignore]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch, from the weights of the last call of `partial_fit` or `fit`.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """The values of each row: (rows,), or (rows, outputs)."""
        output = self._output(X)
        return output[:, 0] if output.shape[1] == 1 else output
