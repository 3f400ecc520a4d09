"""Losses made of the user's own functions."""

from collections.abc import Callable
from typing import Any

from fastnn.functions import BatchLoss, Function, ScalarLoss
from fastnn.names import CustomObject

from .base import Loss, LossPlan


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
            self.function: Function = BatchLoss(value)
        else:
            self.function = ScalarLoss(value, gradient)
            super().__init__(name, value, gradient)

    @property
    def name(self) -> str:
        """The name given, else that of the function."""
        return self.function_name

    def kernel(self, activation: str) -> LossPlan:
        return super().kernel(activation)._replace(parameter=self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        gradient = self.functions[1] if len(self.functions) > 1 else None
        return Custom, (self.functions[0], gradient, self.function_name)
