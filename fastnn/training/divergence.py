"""A loss, a weight or an input that is not finite, found while steps are taken: what is undone, and what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.errors import DivergenceWarning, warn
from .stream import StreamTraining

if TYPE_CHECKING:
    from .loop import Loop


def take_back(loop: Loop) -> None:
    """Back to the last good weights, with a warning; an input that is not finite is an error instead."""
    training = loop.training
    training.restore_good()
    if loop.nan_check is not None and training.diverged == 1:
        loop.nan_check()
    epoch = loop.epochs[training.diverged - 1]
    loss = training.means(training.diverged - 1)[0]
    kept = f"those of epoch {epoch}" if training.diverged > 1 else "those before fit"
    if isinstance(training, StreamTraining) and training.good:
        kept = f"those after step {training.good}"
    rate = getattr(loop.optimizer, "learning_rate", None)
    warn(
        f"training diverged in epoch {epoch + 1} (loss {loss:.4g}): the weights are again {kept}; "
        f"try a smaller learning_rate (it is {rate}), inputs scaled to about -1 ... 1, or another loss",
        DivergenceWarning,
    )


def refuse_data(loop: Loop) -> None:
    """Raise for inputs that a step found not to be finite; what the steps before it did is undone."""
    loop.training.restore_good()
    assert loop.nan_check is not None
    loop.nan_check()
    raise RuntimeError("x changed while fit read it; wants it left alone until fit returns")


def warn_of_minimum(loss: float) -> None:
    """Say that L-BFGS came to a loss or weights that are not finite, and were put back."""
    warn(
        f"L-BFGS met a loss of {loss:.4g}: the weights are again those before fit; "
        "try inputs scaled to about -1 ... 1, or another loss",
        DivergenceWarning,
    )
