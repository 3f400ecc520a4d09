"""MLPClassifier, as scikit-learn has it, and more."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from fastnn.typing import Array
from .base import BaseMLP
from .parameters import documented, set_parameters
from .stochastic import Validation


@documented
class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc, unused-ignore]
    """scikit-learn's MLPClassifier, compiled, and with features that its users have asked for.

    With the same settings and ``random_state`` it draws the same weights, visits rows in the same order and comes to
    the same result up to rounding.  The loss of a row has no limit; in scikit-learn's ``loss_curve_`` it is at most 36
    (float64) or 16, so that with inputs that are not scaled scikit-learn may stop training earlier.

    Parameters
    ----------
    {SCIKIT_LEARNS}
    loss : "log_loss", or any fastnn loss by name or object
    class_weight : dict of class to weight, or "balanced", optional
        Multiplies sample_weight.
    {FURTHER}

    Attributes
    ----------
    {ATTRIBUTES}
    classes_ : array
    {LIKE_SCIKIT_LEARNS}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), learning_rate_init=0.01, tol=1e-3, max_iter=500, random_state=0).fit(x, y)
    >>> model.predict(x[:2])
    array([0, 0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
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
        loss: Any = "log_loss",
        class_weight: Any = None,
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
        x, y = self._validated(x, y, reset)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            binarizer = LabelBinarizer().fit(y)
            self._check_classes(binarizer.classes_)
            self._label_binarizer, self.classes_ = binarizer, binarizer.classes_
            return x, y
        classes = unique_labels(y)
        if self.warm_start and not validation:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )
        return x, y

    def _kind(self) -> str:
        """scikit-learn's name of the kind of y: "binary", "multiclass", "multilabel-indicator"."""
        return str(self._label_binarizer.y_type_)

    def _out_activation(self) -> str:
        return "softmax" if self._kind() == "multiclass" else "logistic"

    def _count_outputs(self, y: Any) -> int:
        if y.ndim == 2:
            return int(y.shape[1])
        return len(self.classes_) if len(self.classes_) > 2 or self._kind() == "multiclass" else 1

    def _targets(self, y: Any, labels: bool) -> Array:
        if y.ndim == 2:
            y = y.toarray() if hasattr(y, "toarray") else y
            return np.asarray(y != 0).view(np.uint8)
        numbers: Array = np.searchsorted(self.classes_, y)
        if labels:
            return numbers
        if self.n_outputs_ == 1:
            return np.asarray(numbers != 0).view(np.uint8)
        return np.asarray(np.eye(self.n_outputs_, dtype=np.uint8)[numbers])

    def _class_weighted(self, y: Any, sample_weight: Any) -> Any:
        if self.class_weight is None:
            return sample_weight
        weight = compute_sample_weight(self.class_weight, y)
        return weight if sample_weight is None else weight * sample_weight

    def _strata(self, y: Any) -> Any:
        """Two classes are stratified, more are not, as in scikit-learn."""
        if y.ndim == 2 or self.n_outputs_ != 1:
            return None
        return np.asarray(y == self.classes_[-1]).reshape(-1, 1) & (len(self.classes_) > 1)

    def _numbers(self, output: Array) -> Array:
        """The number of each row's most probable class."""
        if output.shape[1] == 1:
            return np.asarray((output[:, 0] > 0.5).astype(np.intp) & (len(self.classes_) > 1))
        return np.asarray(output.argmax(axis=1))

    def _score_of(self, output: Array, validation: Validation) -> float:
        targets = validation.data.y
        assert targets is not None
        if targets.ndim == 2 and self._kind().startswith("multilabel"):
            right = ((output > 0.5) == targets).all(axis=1)
        elif targets.ndim == 2:
            right = self._numbers(output) == targets.argmax(axis=1)
        else:
            right = self._numbers(output) == targets
        return float(np.average(right, weights=validation.weight))

    @available_if(lambda est: est._check_solver())  # type: ignore[untyped-decorator, unused-ignore]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch, from the weights of the last call of `partial_fit` or `fit`.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array, optional
            All classes that there will be; wanted in the first call.
        """
        self._validate_params()
        if _check_partial_fit_first_call(self, classes):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y if type_of_target(y).startswith("multilabel") else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Any:
        """The class of each row, (rows,); where y has several labels, 0 or 1 for each, (rows, labels)."""
        output = self._output(X)
        if self._kind().startswith("multilabel"):
            return self._label_binarizer.inverse_transform(output)
        return self.classes_[self._numbers(output)]

    def predict_proba(self, X: Any) -> Array:
        """Probabilities, (rows, classes), in the order of ``classes_``; of several labels: (rows, labels)."""
        output = self._output(X)
        return np.concatenate([1 - output, output], axis=1) if output.shape[1] == 1 else output

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of `predict_proba`."""
        output = self.predict_proba(X)
        np.log(output, out=output)
        return output

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
