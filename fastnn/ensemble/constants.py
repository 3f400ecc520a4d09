"""Constants of training that each member has its own of: learning rates, penalties, rates of dropout, ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn import losses, optimizers, regularizers
from fastnn.layers import Dense, Noise
from fastnn.models import Sequential
from fastnn.names import Configurable

OF_LAYERS = {"l1": (Dense, "kernel_regularizer"), "l2": (Dense, "kernel_regularizer"), "dropout": (Noise, "rate")}
"""Constants of the layers: of every Dense layer's kernel, and of every layer of dropout."""


def of_members(
    constants: Mapping[str, Any], members: int, optimizer: optimizers.Optimizer, loss: losses.Loss | None
) -> list[dict[str, Any]]:
    """The constants of each member, by name.

    Parameters
    ----------
    constants : mapping of str to a number, or a sequence of one a member
    members : int
    optimizer, loss
        Whose constants have names here too.
    """
    known = [*_names(optimizer), *(_names(loss) if loss is not None else ()), *OF_LAYERS]
    each: list[dict[str, Any]] = [{} for _ in range(members)]
    for name, given in constants.items():
        if name not in known:
            raise TypeError(f"compile got {name!r}; wants constants of the optimizer, the loss or layers: {known}")
        several = isinstance(given, list | tuple | np.ndarray)
        if several and np.ndim(given) and len(given) != members:
            raise ValueError(f"{name} got {len(given)} values; wants a number, or {members}: one a member")
        for number, own in enumerate(each):
            value = given[number] if several and np.ndim(given) else given
            own[name] = value.item() if isinstance(value, np.generic) else value
    return each


def _names(owner: Configurable) -> list[str]:
    return [
        name for name in owner._arguments() if name not in ("name", "reduction", "from_logits", "value", "gradient")
    ]


def alike(constants: Mapping[str, Any], optimizer: optimizers.Optimizer) -> bool:
    """Whether members differ by nothing but their optimizers."""
    rest = [given for name, given in constants.items() if name not in _names(optimizer)]
    return not any(np.ndim(given) for given in rest)


def with_constants(owner: Any, constants: Mapping[str, Any]) -> Any:
    """An optimizer or a loss like another, with those of the constants that are its own; always a new one."""
    given = {name: getattr(owner, name) for name in owner._arguments()}
    return type(owner)(**given | {name: value for name, value in constants.items() if name in given})


def set_on_layers(member: Sequential, constants: Mapping[str, Any]) -> None:
    """Set a member's constants of layers."""
    penalties = {name: constants[name] for name in ("l1", "l2") if name in constants}
    for layer in member._layers:
        if penalties and isinstance(layer, Dense):
            before = layer.kernel_regularizer
            kept = {"l1": getattr(before, "l1", 0.0), "l2": getattr(before, "l2", 0.0)}
            layer.kernel_regularizer = regularizers.L1L2(**kept | penalties)
        if "dropout" in constants and hasattr(layer, "rate"):
            layer.rate = constants["dropout"]
