"""Activations of both sides: modules of torch.nn without weights, and what they are here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import nn

from fastnn import layers
from fastnn.activations import Activation

SAME: dict[type[nn.Module], str] = {
    nn.Identity: "linear",
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.SELU: "selu",
    nn.SiLU: "silu",
    nn.Mish: "mish",
    nn.ReLU6: "relu6",
    nn.Softsign: "softsign",
    nn.Hardsigmoid: "hard_sigmoid",
    nn.Hardswish: "hard_silu",
    nn.LogSigmoid: "log_sigmoid",
}
"""Those that have no constants, and fastnn's names of them."""

CONSTANTS: dict[type[nn.Module], tuple[str, str]] = {
    nn.LeakyReLU: ("leaky_relu", "negative_slope"),
    nn.ELU: ("elu", "alpha"),
    nn.CELU: ("celu", "alpha"),
    nn.Softshrink: ("soft_shrink", "lambd"),
    nn.Hardshrink: ("hard_shrink", "lambd"),
}
"""Those that have one, and torch's name of it."""

SOFTPLUS_THRESHOLD = 20.0
"""From here on nn.Softplus gives x; what it leaves out is 2e-9, too little for float32 and seen in float64."""

Made = Callable[[Any, str], layers.Layer]


def read(module: Any, name: str, kind: type[nn.Module]) -> layers.Layer | None:
    """The layer that an activation of ``kind`` is; None where it is none.  ValueError: a constant that cannot be."""
    if kind in SAME:
        return layers.Activation(SAME[kind], name=name)
    if kind in CONSTANTS:
        ours, theirs = CONSTANTS[kind]
        return layers.Activation(Activation(ours, getattr(module, theirs)), name=name)
    found = SPECIAL.get(kind)
    return None if found is None else found(module, name)


def _softplus(module: Any, name: str) -> layers.Layer:
    if module.beta != 1 or module.threshold < SOFTPLUS_THRESHOLD:
        raise ValueError(
            f"beta={module.beta}, threshold={module.threshold}; wants beta=1 and a threshold of at least 20"
        )
    return layers.Activation("softplus", name=name)


def _gelu(module: Any, name: str) -> layers.Layer:
    if module.approximate != "none":
        raise ValueError(
            f"approximate={module.approximate!r}; wants 'none': here gelu is the normal distribution's own"
        )
    return layers.Activation("gelu", name=name)


def _softmax(module: Any, name: str) -> layers.Layer:
    if module.dim not in (-1, 1, None):
        raise ValueError(f"dim={module.dim}; wants 1 or -1, the units of a row")
    return layers.Softmax(name=name)


def _hard_tanh(module: Any, name: str) -> layers.Layer:
    low, high = float(module.min_val), float(module.max_val)
    if (low, high) == (-1, 1):
        return layers.Activation("hard_tanh", name=name)
    if low != 0:
        raise ValueError(f"min_val={low:g}, max_val={high:g}; wants -1 and 1, or a min_val of 0")
    return layers.ReLU(high, name=name)


def _threshold(module: Any, name: str) -> layers.Layer:
    if module.value != 0 or module.threshold < 0:
        raise ValueError(f"threshold={module.threshold}, value={module.value}; wants a value of 0, from at least 0 on")
    return layers.ReLU(threshold=module.threshold, name=name)


SPECIAL: dict[type[nn.Module], Made] = {
    nn.Softplus: _softplus,
    nn.GELU: _gelu,
    nn.Softmax: _softmax,
    nn.Hardtanh: _hard_tanh,
    nn.Threshold: _threshold,
}
"""Those with constants that are not free here."""

KNOWN = [*SAME, *CONSTANTS, *SPECIAL]

_BY_NAME = {ours: kind for kind, ours in SAME.items()} | {ours: kind for kind, (ours, _) in CONSTANTS.items()}


def written(name: str, parameter: float, dtype: str) -> nn.Module:
    """The module of an activation by its name here.  ValueError: torch.nn has none."""
    if name == "softmax":
        return nn.Softmax(dim=-1)
    if name == "gelu":
        return nn.GELU()
    if name == "hard_tanh":
        return nn.Hardtanh()
    if name == "softplus":
        return nn.Softplus(threshold=SOFTPLUS_THRESHOLD if dtype == "float32" else 2 * SOFTPLUS_THRESHOLD)
    if name not in _BY_NAME:
        raise ValueError(f"the activation {name!r}")
    kind = _BY_NAME[name]
    return kind(float(parameter)) if kind in CONSTANTS else kind()


def written_rectifier(layer: layers.ReLU) -> nn.Module:
    """The module of a layer ReLU.  ValueError: torch.nn has none with all of its constants."""
    limit, slope, threshold = layer.max_value, layer.negative_slope, layer.threshold
    if limit is None and not threshold:
        return nn.LeakyReLU(slope) if slope else nn.ReLU()
    if not slope and not threshold and limit:
        return nn.ReLU6() if limit == 6 else nn.Hardtanh(0.0, limit)
    if not slope and limit is None and math.isfinite(threshold):
        return nn.Threshold(threshold, 0.0)
    raise ValueError("a ReLU with such constants together")
