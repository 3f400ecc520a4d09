"""Losses: how far outputs are from targets, the number that training makes small.

In the equations y is an output and t its target. The loss of a batch is the mean over its rows, each times
its weight where rows have weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from fastnn.data import real_number
from fastnn.engine import LOSSES
from fastnn.functions import BatchLoss, Function, ScalarLoss
from fastnn.names import Configurable, CustomObject, resolve, snake_case

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "Custom",
    "HalfSquaredError",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossPlan",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "get",
]


class LossPlan(NamedTuple):
    """What the kernels are told of a loss.

    Attributes
    ----------
    row : str
        Its formulas in the table.
    on_logits : bool
        They are of what the last activation is given, not of what it gives.
    parameter : tuple, or Function
        Their constants, each a number or some that outputs take in turn; or the function of a loss of the user's own.
    labels : bool
        Targets are class numbers.
    domain : {"", "probabilities", "counts", "signs"}
        What targets must be; see `data.targets`.
    outputs_a_target : int
        How many outputs beside each other have the same target.
    smoothing : float
        This part of a target is spread over the classes.
    """

    row: str
    on_logits: bool = False
    parameter: Function | Sequence[float | Sequence[float]] = ()
    labels: bool = False
    domain: str = ""
    outputs_a_target: int = 1
    smoothing: float = 0.0

    def check(self, outputs: int) -> None:
        """Refuse a model with a number of outputs that the loss has no meaning for."""
        constants = () if isinstance(self.parameter, Function) else self.parameter
        several = [len(values) for values in constants if isinstance(values, Sequence)]
        if self.outputs_a_target > 1 and outputs % self.outputs_a_target:
            raise ValueError(
                f"loss got {self.outputs_a_target} quantiles, but the model has {outputs} "
                f"output{'s' * (outputs > 1)}; wants that many for each target"
            )
        if self.outputs_a_target == 1 and several and several != [outputs]:
            raise ValueError(f"alpha got {several[0]} numbers, but the model has {outputs} outputs; wants one a class")


class Loss(Configurable):
    """Base of all losses."""

    row: ClassVar[str]
    domain: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """Its name in Keras: mean_squared_error."""
        return snake_case(type(self).__name__)

    def kernel(self, activation: str) -> LossPlan:
        """What the kernels are told, given the name of the last activation.

        Raises
        ------
        ValueError
            The loss has no meaning for the outputs of this activation.
        """
        del activation  # whatever it is, outputs are compared with targets as they are
        return LossPlan(self.row, domain=self.domain)


class MeanSquaredError(Loss):
    """Mean over the outputs of (y - t)^2."""

    row = "mean_squared_error"


class HalfSquaredError(Loss):
    """Sum over the outputs of (y - t)^2 / 2, whose derivative by y is y - t."""

    row = "half_squared_error"


class MeanAbsoluteError(Loss):
    """Mean over the outputs of abs(y - t)."""

    row = "mean_absolute_error"


class Huber(Loss):
    """Mean over the outputs of e^2 / 2 where e = abs(y - t) is at most delta, else of delta (e - delta / 2).

    Parameters
    ----------
    delta : float
        Where the square becomes a line; above 0.
    """

    row = "huber"

    def __init__(self, delta: float = LOSSES["huber"].parameter[1]) -> None:
        self.delta = real_number(delta, "delta", above=0)

    def kernel(self, activation: str) -> LossPlan:
        return super().kernel(activation)._replace(parameter=(self.delta,))


class LogCosh(Loss):
    """Mean over the outputs of log(cosh(y - t)): about (y - t)^2 / 2 near 0, and abs(y - t) - log(2) far from it."""

    row = "log_cosh"


class Quantile(Loss):
    """Mean over the outputs of q (t - y) where t is above y, else of (1 - q) (y - t): the pinball loss.

    The output that makes it least is the targets' quantile q.  With several quantiles, the model has that many outputs
    for each target, side by side: predict(x).reshape(rows, targets, quantiles); y has a column a target.

    Parameters
    ----------
    quantiles : float, or sequence of float
        Each above 0 and below 1.
    """

    row = "quantile"

    def __init__(self, quantiles: float | Sequence[float] = LOSSES["quantile"].parameter[1]) -> None:
        if isinstance(quantiles, Sequence):
            if not quantiles:
                raise ValueError("quantiles got none; wants at least one")
            several = [real_number(q, f"quantiles[{i}]", above=0, below=1) for i, q in enumerate(quantiles)]
            self.quantiles: float | list[float] = several if len(several) > 1 else several[0]
        else:
            self.quantiles = real_number(quantiles, "quantiles", above=0, below=1)

    def kernel(self, activation: str) -> LossPlan:
        count = len(self.quantiles) if isinstance(self.quantiles, list) else 1
        return super().kernel(activation)._replace(parameter=(self.quantiles,), outputs_a_target=count)


class Poisson(Loss):
    """Mean over the outputs of y - t log(y + 1e-7), as in Keras; t is at least 0, as counts are, and so must y be.

    Activations whose outputs are at least 0 suit it, such as softplus.
    """

    row = "poisson"
    domain = "counts"


class KLDivergence(Loss):
    """Sum over the outputs of t log(t / y); a target is a row of probabilities.

    Computed from the logits where the last activation is softmax; else both are clipped to [1e-7, 1], as in Keras.
    """

    row = "kl_divergence"
    domain = "probabilities"

    @property
    def name(self) -> str:
        """Its name in Keras."""
        return self.row

    def kernel(self, activation: str) -> LossPlan:
        plan = super().kernel(activation)
        return plan._replace(row=f"{self.row}_from_logits", on_logits=True) if activation == "softmax" else plan


class Hinge(Loss):
    """Mean over the outputs of max(1 - t y, 0); targets are -1 and 1, or 0 and 1, where 0 counts as -1."""

    row = "hinge"
    domain = "signs"


class SquaredHinge(Loss):
    """Mean over the outputs of max(1 - t y, 0)^2; targets are -1 and 1, or 0 and 1, where 0 counts as -1."""

    row = "squared_hinge"
    domain = "signs"


class _Crossentropy(Loss):
    """A loss of probabilities, or of the logits that an activation would make probabilities of.

    Parameters
    ----------
    from_logits : bool
        The model ends before that activation: its outputs are logits. It wins nothing here: where the
        activation is part of the model, the loss is computed from the logits all the same.
    label_smoothing : float
    """

    domain = "probabilities"
    natural: ClassVar[str]  # the activation that makes probabilities of logits
    labels: ClassVar[bool] = False

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        if not isinstance(from_logits, bool):
            raise TypeError(f"from_logits got {from_logits!r}; wants True or False")
        self.from_logits = from_logits
        self.label_smoothing = real_number(label_smoothing, "label_smoothing", least=0, most=1)

    def kernel(self, activation: str) -> LossPlan:
        if activation == ("linear" if self.from_logits else self.natural):
            domain = "" if self.labels else self.domain
            plan = LossPlan(f"{self.row}_from_logits", True, self._parameter(), self.labels, domain)
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
    """Mean over the outputs of -t log(y) - (1 - t) log(1 - y), each output a yes or no of its own.

    Computed from the logits where the last activation is sigmoid, and else from outputs clipped to
    [1e-7, 1 - 1e-7], as Keras does.

    Parameters
    ----------
    from_logits : bool
        Outputs are linear, y = sigmoid(output).
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / 2.
    """

    row = "binary_crossentropy"
    natural = "sigmoid"

    def _from_outputs(self, activation: str) -> LossPlan:
        return LossPlan(self.row, parameter=self._parameter(), domain=self.domain, smoothing=self.label_smoothing)


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """Mean over the outputs of (1 - p)^gamma times the binary crossentropy, with p the probability of what is true.

    p = t y + (1 - t) (1 - y) (Lin et al., 2018).  From logits or from outputs as `BinaryCrossentropy`.

    Parameters
    ----------
    apply_class_balancing : bool
        Times alpha where t is 1, and 1 - alpha where it is 0.
    alpha : float
        From 0 to 1.
    gamma : float
        At least 0; with 0 it is the crossentropy.
    from_logits : bool
        Outputs are linear, y = sigmoid(output).
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / 2, in all of the above, as in Keras.
    """

    row = "binary_focal_crossentropy"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = LOSSES["binary_focal_crossentropy"].parameter[1],
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        if not isinstance(apply_class_balancing, bool):
            raise TypeError(f"apply_class_balancing got {apply_class_balancing!r}; wants True or False")
        super().__init__(from_logits, label_smoothing)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = real_number(alpha, "alpha", least=0, most=1)
        self.gamma = real_number(gamma, "gamma", least=0)

    def _parameter(self) -> Sequence[float]:
        return (self.gamma, self.alpha, 1 - self.alpha) if self.apply_class_balancing else (self.gamma, 1.0, 1.0)


class CategoricalCrossentropy(_Crossentropy):
    """-sum(t log(y)) over the classes; a target is a row of probabilities, such as a one-hot one.

    Computed from the logits. Its outputs are those of softmax.

    Parameters
    ----------
    from_logits : bool
        Outputs are linear, y = softmax(outputs).
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / classes; metrics see them as they are.
    """

    row = "categorical_crossentropy"
    natural = "softmax"

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
        At least 0; of all classes, or one a class.
    gamma : float
        At least 0.
    from_logits : bool
        Outputs are linear, y = softmax(outputs).
    """

    row = "categorical_focal_crossentropy"

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = LOSSES["categorical_focal_crossentropy_from_logits"].parameter[1],
        from_logits: bool = False,
    ) -> None:
        super().__init__(from_logits)
        if isinstance(alpha, Sequence):
            self.alpha: float | list[float] = [real_number(a, f"alpha[{i}]", least=0) for i, a in enumerate(alpha)]
        else:
            self.alpha = real_number(alpha, "alpha", least=0)
        self.gamma = real_number(gamma, "gamma", least=0)

    def _parameter(self) -> Sequence[float | Sequence[float]]:
        return (self.gamma, self.alpha)


class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """-log(y_t): `CategoricalCrossentropy` for targets that are class numbers t, counted from 0.

    Parameters
    ----------
    from_logits : bool
        Outputs are linear, y = softmax(outputs).
    label_smoothing : float
        From 0 to 1: targets become t (1 - label_smoothing) + label_smoothing / classes; metrics see them as they are.
    """

    labels = True


class Custom(CustomObject, Loss):
    """A loss of your own.

    Of single outputs: its value and its derivative by the output, both functions (output, target) -> number. Numba
    makes machine code of them (they may be under its njit, or plain), which the compiled run calls. The loss of a row
    is the mean over its outputs.

    Of whole batches: a function (targets, outputs) -> (values, gradient) of arrays (rows, outputs), with a value a row,
    and the derivative of their sum by each output. Python is called in every step, and a step has a single thread:
    much slower in small networks. `evaluate` calls it with some rows at a time.

    Targets are (rows, outputs). A file holds its name alone: `load_model(path, custom_objects={name: loss})`.

    Parameters
    ----------
    value : callable
    gradient : callable, optional
        Without it, value is a function of whole batches.
    name : str, optional
        Default: that of value.

    Raises
    ------
    TypeError
        Numba cannot compile a function, or one returns no number.

    Examples
    --------
    >>> from fastnn.losses import Custom
    >>> fourth_power = Custom(lambda y, t: (y - t) ** 4, lambda y, t: 4 * (y - t) ** 3, name="fourth_power")
    """

    row = "custom"
    what = "loss"

    def __init__(
        self, value: Callable[..., Any], gradient: Callable[..., Any] | None = None, name: str | None = None
    ) -> None:
        if gradient is None:
            if not callable(value):
                raise TypeError(f"value got {value!r}; wants a function")
            super().__init__(name, value)
            self.function: Function = BatchLoss(value)
        else:
            self.function = ScalarLoss(value, gradient)
            super().__init__(name, value, gradient)

    @property
    def name(self) -> str:
        """Given, or the function's."""
        return self.function_name

    def kernel(self, activation: str) -> LossPlan:
        return super().kernel(activation)._replace(parameter=self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        gradient = self.functions[1] if len(self.functions) > 1 else None
        return Custom, (self.functions[0], gradient, self.function_name)


_CLASSES: tuple[type[Loss], ...] = (
    MeanSquaredError,
    HalfSquaredError,
    MeanAbsoluteError,
    Huber,
    LogCosh,
    Quantile,
    Poisson,
    KLDivergence,
    Hinge,
    SquaredHinge,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    SparseCategoricalCrossentropy,
)
_NAMES: dict[str, type[Loss]] = {snake_case(found.__name__): found for found in _CLASSES}
_NAMES |= {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "bce": BinaryCrossentropy,
    "kl_divergence": KLDivergence,
    "kld": KLDivergence,
    "logcosh": LogCosh,
    "pinball": Quantile,
}


def get(identifier: object, argument: str = "loss") -> Loss:
    """The loss that a name, a class, a configuration, a function of batches, or the object itself stands for."""
    if callable(identifier) and not isinstance(identifier, type | Loss):
        return Custom(identifier)
    return resolve(identifier, Loss, _NAMES, argument)
