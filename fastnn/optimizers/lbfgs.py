"""L-BFGS: how it is chosen and configured.  It has a training loop of its own, which calls SciPy."""

from functools import partial
from typing import Unpack

from fastnn.data import positive_integer, real_number

from .base import OPTIONS, Optimizer, Options


class LBFGS(Optimizer):
    """Limited-memory BFGS, for few data: every step takes all rows.  It is SciPy's: `pip install "fastnn[scipy]"`.

    `fit` takes at most ``epochs`` iterations, each an epoch in the history, and ends earlier where one changes little;
    ``batch_size`` and ``shuffle`` have no meaning.  Use dtype="float64": in float32 rounding ends it early.
    Each call of fit begins anew, from the weights that the model has.

    Parameters
    ----------
    history_size : int
        How many past steps approximate the curvature.
    tolerance_grad : float
        Training ends once no derivative of the loss is larger.
    tolerance_change : float
        Training ends once an iteration makes the loss smaller by less than this part of it.
    max_line_search : int
        The most evaluations of the loss in an iteration.
    """

    full_batch = True
    _checks = Optimizer._checks | {
        **dict.fromkeys(("history_size", "max_line_search"), positive_integer),
        **dict.fromkeys(("tolerance_grad", "tolerance_change"), partial(real_number, least=0.0)),
    }

    def __init__(
        self,
        history_size: int = 10,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-12,
        max_line_search: int = 20,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        if set_here := [name for name, default in OPTIONS.items() if options.get(name, default) != default]:
            raise ValueError(f"{set_here[0]} got {options[set_here[0]]!r}; LBFGS follows the whole gradient")  # type: ignore[literal-required]
        self.learning_rate = 0.0
        self.history_size = history_size
        self.tolerance_grad = tolerance_grad
        self.tolerance_change = tolerance_change
        self.max_line_search = max_line_search

    @property
    def row(self) -> str:
        """The formulas of SGD, which do nothing with a learning rate of 0: L-BFGS has none of its own."""
        return "sgd"
