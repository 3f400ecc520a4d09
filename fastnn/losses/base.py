"""The base of all losses, the plan that each makes for the kernels, and losses of the user's own functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fastnn.engine import BatchLoss, Function, ScalarLoss
from fastnn.names import Configurable, CustomObject, snake_case
from fastnn.typing import Array
from . import functions


class LossPlan(NamedTuple):
    """What the kernels must know of a loss."""

    row: str  # the name of its formulas in the table of losses, `fastnn.kernels.formulas.LOSSES`
    on_logits: bool = False  # the formulas take the logits, the input of the last activation, and not its output
    parameter: Function | Sequence[float | Sequence[float]] = ()
    """Constants of the formulas: a number each, or numbers that outputs take in turn; or the user's own function."""
    labels: bool = False  # targets are class numbers
    domain: str = ""  # what targets must be: "probabilities", "counts", "signs"; see `data.targets`
    outputs_a_target: int = 1  # how many outputs, side by side, have the same target
    smoothing: float = 0.0  # the part of each target that is spread over the classes
    warning: str = ""  # why the loss hardly suits the last activation

    def check(self, outputs: int) -> None:
        """Raise ValueError if the loss has no meaning for this number of outputs."""
        constants = () if isinstance(self.parameter, Function) else self.parameter
        several = [len(values) for values in constants if isinstance(values, Sequence)]
        if self.outputs_a_target > 1 and outputs % self.outputs_a_target:
            raise ValueError(
                f"loss got {self.outputs_a_target} quantiles, but the model has {outputs} "
                f"output{'s' * (outputs > 1)}; wants that many for each target"
            )
        if outputs == 1 and self.row in ("categorical_crossentropy_from_logits", "categorical_hinge"):
            raise ValueError(
                "loss got one for several classes, but the model has one output; wants 'binary_crossentropy'"
            )
        if self.outputs_a_target == 1 and several and several != [outputs]:
            raise ValueError(f"alpha got {several[0]} numbers, but the model has {outputs} outputs; wants one a class")


REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(Configurable):
    """Base of all losses: a description for `compile`, and a function of targets and outputs.

    ``loss(y_true, y_pred, sample_weight=None)`` is a number, computed by NumPy.

    Parameters
    ----------
    reduction : {"sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None}
        What a call makes of the rows' losses times their weights: their sum divided by the number of rows, their sum,
        their sum divided by that of the weights, or an array of them.  `compile` takes the first two, which are the
        same.
    name : str, optional
        Default: the class's, as Keras writes it.
    """

    row: ClassVar[str]  # the name of its formulas in the table of losses
    domain: ClassVar[str] = ""  # what targets must be; see `LossPlan`
    _uncalled: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("__call__", "call"),
        "wants compile(loss=function), where function(y_true, y_pred) returns the rows' losses and their gradient, or "
        "losses.Custom",
    )
    _unread: ClassVar[Mapping[str, str]] = dict.fromkeys(("dtype", "fn"), "wants an argument of the class")

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction got {reduction!r}; wants one of {', '.join(map(repr, REDUCTIONS))}")
        if name is not None and not (isinstance(name, str) and name):
            raise TypeError(f"name got {name!r}; wants a string")
        self.reduction = reduction
        self.name = name or self.default_name()

    @classmethod
    def default_name(cls) -> str:
        """What Keras calls it, such as mean_squared_error."""
        return snake_case(cls.__name__)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of outputs (rows, outputs), as ``reduction`` says."""
        return functions.weighted(self.call(y_true, y_pred), sample_weight, self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """The loss of each row."""
        raise NotImplementedError(f"{type(self).__name__} has no method call(y_true, y_pred)")

    def plan(self, activation: str, outputs: int | None = None) -> LossPlan:
        """What the kernels must know, for a last layer with this activation; ValueError if it has no meaning there."""
        if self.reduction not in ("sum_over_batch_size", "mean"):
            raise ValueError(
                f"loss got reduction={self.reduction!r}, but a step follows the mean over its rows; wants "
                "'sum_over_batch_size' (for a sum of n rows multiply the learning rate by n, or give sample_weight)"
            )
        if activation == "softmax" and outputs == 1:
            raise ValueError("activation got 'softmax' for one output, which is 1 whatever goes in; wants 'sigmoid'")
        plan = self.kernel(activation)
        if outputs is not None:
            plan.check(outputs)
        return plan

    def kernel(self, activation: str) -> LossPlan:
        """Plan the loss for a model whose last activation has this name; ValueError if it has no meaning for that."""
        del activation  # whatever it is, outputs are compared with targets as they are
        return LossPlan(self.row, domain=self.domain)


class Custom(CustomObject, Loss):
    """A loss made of functions of your own: of single outputs, or of whole batches.

    Of single outputs: ``value`` and ``gradient`` are functions (output, target) -> number, the loss and its derivative
    by the output.  Numba compiles them (plain functions, or decorated by its njit), and the compiled run calls them.
    The loss of a row is the mean over its outputs.

    Of whole batches: ``value`` is a function (targets, outputs) -> (values, gradient) of arrays.  Targets, outputs and
    gradient are (rows, outputs), values (rows,); the gradient is the derivative of the values' sum by each output.
    Python is called in every step, which then has a single thread: much slower in small networks.  `evaluate` calls the
    function with some of the rows at a time.

    A file holds only the name: `load_model(path, custom_objects={name: loss})`.

    Parameters
    ----------
    value : callable
    gradient : callable, optional
        Left out, value is a function of whole batches.
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
            self._function: Function = BatchLoss(value)
        else:
            self._function = ScalarLoss(value, gradient)
            super().__init__(name, value, gradient)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name given, else that of the function."""
        return self.function_name

    reduction = "sum_over_batch_size"

    def call(self, y_true: Any, y_pred: Any) -> Array:
        t, p = functions.arrays(y_true, y_pred)
        if isinstance(self._function, BatchLoss):
            return np.asarray(self._function.function(t, p)[0])
        return np.asarray(np.vectorize(self.functions[0], otypes=[p.dtype])(p, t).mean(axis=-1))

    def kernel(self, activation: str) -> LossPlan:
        return super().kernel(activation)._replace(parameter=self._function)

    def __reduce__(self) -> tuple[Any, ...]:
        gradient = self.functions[1] if len(self.functions) > 1 else None
        return Custom, (self.functions[0], gradient, self.function_name)
