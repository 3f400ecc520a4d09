"""Losses of classes: crossentropies, plain and focal, the divergence of probabilities, and hinges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from fastnn.data import boolean, real_number
from fastnn.engine import LOSSES
from fastnn.typing import Array
from . import functions
from .base import Loss, LossPlan


class _Crossentropy(Loss):
    """Base of the losses of probabilities, which are computed from logits where that is possible.

    ``from_logits``: the model's outputs are logits, for it ends before the activation that makes probabilities of them.
    This is no more exact: a model that ends with that activation has its loss computed from the logits too.
    ``label_smoothing`` is the part of each target, from 0 to 1, that is spread over the classes.
    """

    domain = "probabilities"
    natural: ClassVar[str]  # the activation that makes probabilities of logits
    labels: ClassVar[bool] = False

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.from_logits = boolean(from_logits, "from_logits")
        self.label_smoothing = real_number(label_smoothing, "label_smoothing", least=0, most=1)

    def kernel(self, activation: str) -> LossPlan:
        if activation == ("linear" if self.from_logits else self.natural):
            plan = LossPlan(f"{self.row}_from_logits", True, self._parameter(), self.labels, self.domain)
            return plan._replace(smoothing=self.label_smoothing)
        if self.from_logits:
            raise ValueError(
                f"loss got {self!r}, but the activation of the last layer is {activation!r}; wants 'linear': "
                "leave from_logits out, or the activation"
            )
        return self._from_outputs(activation)

    def _parameter(self) -> Sequence[float | Sequence[float]]:
        return ()

    def _from_outputs(self, activation: str) -> LossPlan:
        raise NotImplementedError


class BinaryCrossentropy(_Crossentropy):
    """Mean over the outputs of -t log(y) - (1 - t) log(1 - y), where each output is a yes or no by itself.

    Computed from the logits where the last activation is sigmoid, and else from outputs clipped to
    [1e-7, 1 - 1e-7], as Keras does.

    Parameters
    ----------
    from_logits : bool
        Outputs are linear, y = sigmoid(output).
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / 2.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.BinaryCrossentropy()([[0.0], [1.0]], [[0.2], [0.9]]), 4)
    0.1643
    """

    row = "binary_crossentropy"
    natural = "sigmoid"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.binary_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)

    def _from_outputs(self, activation: str) -> LossPlan:
        plan = LossPlan(self.row, parameter=self._parameter(), domain=self.domain, smoothing=self.label_smoothing)
        if activation in ("softmax", "custom"):
            return plan
        return plan._replace(
            warning=f"loss got {self.name!r}, of probabilities, but the last layer's activation is {activation!r}: "
            "outputs are clipped to [0, 1], and beyond that nothing is learned; wants 'sigmoid', or 'linear' with "
            f"{type(self).__name__}(from_logits=True)"
        )


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """Mean over the outputs of (1 - p)^gamma times the binary crossentropy, with p the probability of what is true.

    p = t y + (1 - t) (1 - y) (Lin et al., 2018).  Computed from logits or outputs, as `BinaryCrossentropy` is.

    Parameters
    ----------
    apply_class_balancing : bool
        Multiply by alpha where t is 1, and by 1 - alpha where t is 0.
    alpha : float
        From 0 to 1.
    gamma : float
        At least 0; 0 makes it the crossentropy.
    from_logits : bool
        Outputs are linear, y = sigmoid(output).
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / 2, in all of the above, as in Keras.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.BinaryFocalCrossentropy(gamma=2.0)([[0.0], [1.0]], [[0.2], [0.9]]), 4)
    0.005
    """

    row = "binary_focal_crossentropy"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = LOSSES["binary_focal_crossentropy"].parameter[1],
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        self.apply_class_balancing = boolean(apply_class_balancing, "apply_class_balancing")
        super().__init__(from_logits, label_smoothing, reduction=reduction, name=name)
        self.alpha = real_number(alpha, "alpha", least=0, most=1)
        self.gamma = real_number(gamma, "gamma", least=0)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        constants = self.apply_class_balancing, self.alpha, self.gamma, self.from_logits, self.label_smoothing
        return functions.binary_focal_crossentropy(y_true, y_pred, *constants)

    def _parameter(self) -> Sequence[float]:
        return (self.gamma, self.alpha, 1 - self.alpha) if self.apply_class_balancing else (self.gamma, 1.0, 1.0)


class CategoricalCrossentropy(_Crossentropy):
    """-sum(t log(y)) over the classes; a row of targets holds probabilities, such as a one-hot row, or any numbers.

    Computed from the logits.  The model ends with softmax, or without activation if from_logits is set.

    Parameters
    ----------
    from_logits : bool
        Outputs are linear, y = softmax(outputs).
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / classes; metrics see them unchanged.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.CategoricalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]), 4)
    0.5697
    """

    row = "categorical_crossentropy"
    natural = "softmax"
    domain = ""  # one-hot rows times advantages, which may be negative, make it the loss of a policy

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.categorical_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)

    def _from_outputs(self, activation: str) -> LossPlan:
        hint = ", or the loss 'binary_crossentropy'" if activation == "sigmoid" else ""
        raise ValueError(
            f"loss got {self.name!r}, but the activation of the last layer is {activation!r}; "
            f"wants 'softmax', or 'linear' with {type(self).__name__}(from_logits=True){hint}"
        )


class CategoricalFocalCrossentropy(CategoricalCrossentropy):
    """-sum(alpha (1 - y)^gamma t log(y)) over the classes (Lin et al., 2018), computed from the logits.

    Parameters
    ----------
    alpha : float, or sequence of float
        At least 0: one number for all classes, or one for each.
    gamma : float
        At least 0.
    from_logits : bool
        Outputs are linear, y = softmax(outputs).

    Examples
    --------
    >>> import fastnn
    >>> y, p = [[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]
    >>> round(fastnn.losses.CategoricalFocalCrossentropy()(y, p), 4)
    0.0423
    """

    row = "categorical_focal_crossentropy"

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = LOSSES["categorical_focal_crossentropy_from_logits"].parameter[1],
        from_logits: bool = False,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(from_logits, reduction=reduction, name=name)
        if isinstance(alpha, Sequence):
            self.alpha: float | list[float] = [real_number(a, f"alpha[{i}]", least=0) for i, a in enumerate(alpha)]
        else:
            self.alpha = real_number(alpha, "alpha", least=0)
        self.gamma = real_number(gamma, "gamma", least=0)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.categorical_focal_crossentropy(y_true, y_pred, self.alpha, self.gamma, self.from_logits)

    def _parameter(self) -> Sequence[float | Sequence[float]]:
        return (self.gamma, self.alpha)


class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """-log(y_t): `CategoricalCrossentropy` for targets that are class numbers t, counted from 0.

    Parameters
    ----------
    from_logits : bool
        Outputs are linear, y = softmax(outputs).
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / classes; metrics see them unchanged.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.SparseCategoricalCrossentropy()([1, 2], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]), 4)
    0.5697
    """

    labels = True

    def call(self, y_true: Any, y_pred: Any) -> Array:
        if not self.label_smoothing:
            return functions.sparse_categorical_crossentropy(y_true, y_pred, self.from_logits)
        p = np.asarray(y_pred)
        return super().call(np.eye(p.shape[-1])[np.asarray(y_true, np.int64).reshape(len(p))], p)


class KLDivergence(Loss):
    """Sum over the outputs of t log(t / y); a row of targets is a row of probabilities.

    Computed from the logits where the last activation is softmax; else both are clipped to [1e-7, 1], as in Keras.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.KLDivergence()([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]), 4)
    0.5697
    """

    row = "kl_divergence"
    domain = "probabilities"

    @classmethod
    def default_name(cls) -> str:
        """What Keras calls it; not kldivergence."""
        return cls.row

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.kl_divergence(y_true, y_pred)

    def kernel(self, activation: str) -> LossPlan:
        plan = super().kernel(activation)
        return plan._replace(row=f"{self.row}_from_logits", on_logits=True) if activation == "softmax" else plan


class Hinge(Loss):
    """Mean over the outputs of max(1 - t y, 0); targets are -1 and 1, or 0 and 1, where 0 counts as -1.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.Hinge()([[1.0], [-1.0]], [[0.5], [-2.0]]), 4)
    0.25
    """

    row = "hinge"
    domain = "signs"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.hinge(y_true, y_pred)


class SquaredHinge(Loss):
    """Mean over the outputs of max(1 - t y, 0)^2; targets are -1 and 1, or 0 and 1, where 0 counts as -1.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.SquaredHinge()([[1.0], [-1.0]], [[0.5], [-2.0]]), 4)
    0.125
    """

    row = "squared_hinge"
    domain = "signs"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.squared_hinge(y_true, y_pred)


class CategoricalHinge(Loss):
    """max(n - p + 1, 0) of the right class's output p and the largest other one n: p = sum(t y), n = max((1 - t) y).

    A row of targets is one-hot.

    Examples
    --------
    >>> import fastnn
    >>> round(fastnn.losses.CategoricalHinge()([[0, 1, 0], [0, 0, 1]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]), 4)
    0.6
    """

    row = "categorical_hinge"
    domain = "probabilities"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        return functions.categorical_hinge(y_true, y_pred)
