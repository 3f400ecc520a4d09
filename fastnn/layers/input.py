"""Input: how many inputs a model has."""

from collections.abc import Sequence

from .base import Layer, only_size


class Input(Layer):
    """How many inputs the model has; may stand first in a model.

    Parameters
    ----------
    shape : tuple of int
        (inputs,).
    name : str, optional
    """

    def __init__(self, shape: Sequence[int], name: str | None = None) -> None:
        super().__init__(name)
        self.input_size = only_size(shape, "shape")

    @property
    def shape(self) -> tuple[int]:
        """(inputs,)."""
        assert self.input_size is not None
        return (self.input_size,)
