"""Losses of torch.nn as those of fastnn that are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from fastnn import losses

SAME: dict[type[nn.Module], Callable[[Any], losses.Loss]] = {
    nn.MSELoss: lambda _: losses.MeanSquaredError(),
    nn.L1Loss: lambda _: losses.MeanAbsoluteError(),
    nn.HuberLoss: lambda loss: losses.Huber(float(loss.delta)),
    nn.CrossEntropyLoss: lambda loss: losses.SparseCategoricalCrossentropy(
        from_logits=True, label_smoothing=float(loss.label_smoothing)
    ),
    nn.BCEWithLogitsLoss: lambda _: losses.BinaryCrossentropy(from_logits=True),
    nn.BCELoss: lambda _: losses.BinaryCrossentropy(),
}


def loss_of(given: Any) -> Any:
    """A loss of torch.nn as fastnn's; anything else as it is.

    ValueError: fastnn has none that is the same, as where classes have weights.
    """
    if not isinstance(given, nn.Module):
        return given
    name = type(given).__name__
    if isinstance(given, nn.SmoothL1Loss) and given.beta == 1:
        given = nn.HuberLoss(reduction=given.reduction)
    if type(given) not in SAME:
        known = ", ".join(kind.__name__ for kind in SAME)
        raise ValueError(f"loss got nn.{name}; wants one of fastnn.losses, or of torch.nn {known}")
    for option in ("weight", "pos_weight"):
        if getattr(given, option, None) is not None:
            raise ValueError(
                f"loss got nn.{name} with {option}; wants none, and fit(class_weight=...) or sample_weight"
            )
    if given.reduction != "mean":
        raise ValueError(f"loss got nn.{name} with reduction={given.reduction!r}; wants 'mean'")
    return SAME[type(given)](given)
