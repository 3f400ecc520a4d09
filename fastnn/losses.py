"""Losses: how far outputs are from targets, the number that training makes small.

In the equations y is an output and t its target. The loss of a batch is the mean over its rows, each times
its weight where rows have weights.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from .data import real_number
from .engine import LOSSES
from .names import Configurable, resolve, snake_case

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "HalfSquaredError",
    "Huber",
    "Loss",
    "LossPlan",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
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
    parameter : float
        Their constant; 0 where they have none.
    labels : bool
        Targets are class numbers.
    smoothing : float
        This part of a target is spread over the classes.
    """

    row: str
    on_logits: bool
    parameter: float
    labels: bool
    smoothing: float = 0.0

    @property
    def probabilities(self) -> bool:
        """Whether targets must be from 0 to 1."""
        return "crossentropy" in self.row and not self.labels


class Loss(Configurable):
    """Base of all losses."""

    row: ClassVar[str]

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
        return LossPlan(self.row, False, 0.0, False)


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
        return super().kernel(activation)._replace(parameter=self.delta)


class _Crossentropy(Loss):
    """A loss of probabilities, or of the logits that an activation would make probabilities of.

    Parameters
    ----------
    from_logits : bool
        The model ends before that activation: its outputs are logits. It wins nothing here: where the
        activation is part of the model, the loss is computed from the logits all the same.
    label_smoothing : float
    """

    natural: ClassVar[str]  # the activation that makes probabilities of logits
    labels: ClassVar[bool] = False

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        if not isinstance(from_logits, bool):
            raise TypeError(f"from_logits got {from_logits!r}; wants True or False")
        self.from_logits = from_logits
        self.label_smoothing = real_number(label_smoothing, "label_smoothing", least=0, most=1)

    def kernel(self, activation: str) -> LossPlan:
        if activation == ("linear" if self.from_logits else self.natural):
            return LossPlan(f"{self.row}_from_logits", True, 0.0, self.labels, self.label_smoothing)
        if self.from_logits:
            raise ValueError(
                f"loss got {self!r}, but the activation of the last layer is {activation!r}; wants 'linear': "
                "leave from_logits out, or the activation"
            )
        return self._from_outputs(activation)

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
        return LossPlan(self.row, False, 0.0, False, self.label_smoothing)


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


_CLASSES: tuple[type[Loss], ...] = (
    MeanSquaredError,
    HalfSquaredError,
    MeanAbsoluteError,
    Huber,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
_NAMES: dict[str, type[Loss]] = {snake_case(found.__name__): found for found in _CLASSES}
_NAMES |= {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "bce": BinaryCrossentropy}


def get(identifier: object, argument: str = "loss") -> Loss:
    """The loss that a name, a class, a configuration or the object itself stands for."""
    return resolve(identifier, Loss, _NAMES, argument)
