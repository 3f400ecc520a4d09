"""The base of all losses, and the plan that each makes for the kernels."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from fastnn.functions import Function
from fastnn.names import Configurable, snake_case


class LossPlan(NamedTuple):
    """What the kernels must know of a loss.

    Attributes
    ----------
    row : str
        Name of its formulas in the table of losses, `fastnn.kernels.formulas.LOSSES`.
    on_logits : bool
        The formulas take the logits, which are the input of the last activation, and not its output.
    parameter : tuple, or Function
        Constants of the formulas: each a number, or numbers that the outputs take in turn.  For a loss of the user's
        own: the function.
    labels : bool
        Targets are class numbers.
    domain : {"", "probabilities", "counts", "signs"}
        What targets must be; see `data.targets`.
    outputs_a_target : int
        How many outputs, side by side, have the same target.
    smoothing : float
        The part of each target that is spread over the classes.
    """

    row: str
    on_logits: bool = False
    parameter: Function | Sequence[float | Sequence[float]] = ()
    labels: bool = False
    domain: str = ""
    outputs_a_target: int = 1
    smoothing: float = 0.0

    def check(self, outputs: int) -> None:
        """Raise ValueError if the loss has no meaning for this number of outputs."""
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
    """Base of all losses.

    Attributes
    ----------
    row : str
        Name of its formulas in the table of losses.
    domain : {"", "probabilities", "counts", "signs"}
        What targets must be; see `data.targets`.
    """

    row: ClassVar[str]
    domain: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """What Keras calls it, such as mean_squared_error."""
        return snake_case(type(self).__name__)

    def kernel(self, activation: str) -> LossPlan:
        """Plan the loss for a model whose last activation has this name.

        Raises
        ------
        ValueError
            The loss has no meaning for the outputs of this activation.
        """
        del activation  # whatever it is, outputs are compared with targets as they are
        return LossPlan(self.row, domain=self.domain)
