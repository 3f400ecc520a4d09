"""from_module: an nn.Sequential as a model, with the optimizer that has trained it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from fastnn import layers
from fastnn.data import positive_integer
from fastnn.engine import BACKENDS
from fastnn.errors import warn
from fastnn.layers import Layer
from fastnn.models import Sequential
from fastnn.models.structure import Structure
from fastnn.names import lookup
from fastnn.regularizers import L2
from . import activations, optimizers
from .losses import loss_of
from .optimizers import Setting
from .state import TRACKED, take_state

DTYPES = {torch.float32: "float32", torch.float64: "float64"}


def from_module(
    module: nn.Sequential,
    *,
    input_shape: Sequence[int] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Any = None,
    metrics: Sequence[Any] | None = None,
    backend: str = "auto",
    threads: int | None = None,
) -> Sequential:
    """An ``nn.Sequential`` as a model: its layers, weights, dtype and names.

    Children's names are the layers', and the weights are copies.  A parameter without ``requires_grad`` is not trained.
    docs/pytorch.md says which modules and optimizers there are, and what differs in training.

    Parameters
    ----------
    module : nn.Sequential
        In it Linear, BatchNorm1d, LayerNorm, Dropout, AlphaDropout, Flatten, Unflatten, Identity, activations, and
        further ones of its kind.
    input_shape : sequence of int, optional
        That of a row, where the module does not say it: it begins with Flatten, and rows are (28, 28).
    optimizer : torch.optim.Optimizer, optional
        Of the module's parameters.  The model is compiled with the same one, which goes on with its state.
        ``weight_decay`` of those that add it to the gradient becomes a penalty of half as much, which is part of the
        losses that are reported; the learning rate of a group of parameters becomes ``kernel_rate`` or ``bias_rate``.
    loss : str, Loss, or a loss of torch.nn
        Wanted with an optimizer.
    metrics, backend, threads
        As in `Sequential.compile`.

    Returns
    -------
    Sequential
        Built, and compiled where there is an optimizer.

    Raises
    ------
    TypeError
        The module is no nn.Sequential.
    ValueError
        It has a module or a dtype that fastnn has not: it is named by its path, "'0.2': Conv2d".  The optimizer's rule,
        or an option, is none of fastnn's.
    """
    _check_chain(module)
    lookup(backend, ["auto", *BACKENDS], "backend")
    if threads is not None:
        positive_integer(threads, "threads")
    if not isinstance(optimizer, torch.optim.Optimizer | None):
        raise TypeError(f"optimizer got {optimizer!r}; wants one of torch.optim: compile takes fastnn's own")
    if (optimizer is None) != (loss is None):
        got, missing = ("loss", "optimizer") if optimizer is None else ("optimizer", "loss")
        raise ValueError(f"{got} got one without the {missing}; wants both, or none: compile takes fastnn's own")
    if optimizer is None and metrics is not None:
        raise ValueError("metrics got some without an optimizer; wants both, or compile(metrics=...)")
    dtype = _dtype(module)
    plan = None if optimizer is None else optimizers.read(optimizer, dict(module.named_parameters()))
    reader = _Reader(optimizers.settings(plan))
    model = reader.model(module, input_shape)
    if plan is not None:
        options: dict[str, Any] = {"dtype": dtype, "backend": backend, "threads": threads}
        model.compile(plan.optimizer, loss_of(loss), metrics, **options)
    else:
        vars(model).update(dtype=dtype, _backend=backend, _threads=threads)
    model.build(reader.width)
    take_state(model, {key: np.asarray(tensor.detach().cpu().numpy()) for key, tensor in module.state_dict().items()})
    if plan is not None:
        optimizers.give_state(model, plan)
    return model


def _check_chain(module: Any) -> None:
    """Refuse what is no nn.Sequential, and say what to pass instead."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module got {type(module).__name__}; wants an nn.Sequential")
    if _is_chain(module):
        _check_hooks(module)
        return
    inner = [name for name, child in module.named_children() if isinstance(child, nn.Sequential)]
    advice = f"pass module.{inner[0]}, where that is all of it" if len(inner) == 1 else "what forward does is Python"
    if not list(module.children()):
        advice = f"nn.Sequential({type(module).__name__}(...)) is one"
    raise TypeError(f"module got a {type(module).__name__}; wants an nn.Sequential: {advice}")


def _is_chain(module: Any) -> bool:
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _check_hooks(module: nn.Module) -> None:
    if module._forward_hooks or module._forward_pre_hooks:
        raise ValueError("a module that has hooks; wants one without, for they are Python")


def _dtype(module: nn.Sequential) -> str:
    """The dtype of all weights.  ValueError: fastnn has none such, there are several, or weights are shared."""
    found, seen = "", dict[int, str]()
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for path, tensor in tensors:
        if isinstance(tensor, nn.parameter.UninitializedTensorMixin) or tensor.is_meta:
            raise ValueError(f"{path!r} has no values yet; wants a module that has seen data, and is on a CPU or a GPU")
        if id(tensor) in seen:
            raise ValueError(f"{path!r} is {seen[id(tensor)]!r} too; wants weights that layers do not share")
        seen[id(tensor)] = path
        if path.endswith(TRACKED):
            continue
        dtype = DTYPES.get(tensor.dtype)
        if dtype is None or found not in ("", dtype):
            wanted = found or "float32 or float64"
            raise ValueError(f"{path!r} is of {tensor.dtype}; wants {wanted} everywhere: module.float() makes it so")
        found = dtype
    return found or "float32"


class _Reader:
    """Makes layers of modules, one after the other, and keeps count of how many values a row has."""

    def __init__(self, setting: Callable[[Any], Setting]) -> None:
        self.setting = setting
        self.width: int | None = None  # of the model's input
        self._now: int | None = None  # of what the next layer takes
        self._softmax: str | None = None  # where one was

    def model(self, module: nn.Sequential, input_shape: Sequence[int] | None) -> Sequential:
        parts = self._parts(module, "")
        if not parts:
            raise ValueError("module got no layers; wants some")
        if input_shape is not None:
            parts.insert(0, layers.Input(input_shape))
            if self.width not in (None, width := math.prod(input_shape)):
                raise ValueError(
                    f"input_shape got {tuple(input_shape)}, of {width} values; wants {self.width} in a row"
                )
            self.width = width
        elif self.width is None:
            raise ValueError("module got no layer that says how many inputs it has; wants input_shape=(inputs,)")
        elif not _begins_flat(parts[0]):
            parts.insert(0, layers.Input((self.width,)))
        return Sequential(parts)

    def _parts(self, module: nn.Sequential, prefix: str) -> list[Layer | Structure]:
        parts: list[Layer | Structure] = []
        for name, child in module._modules.items():  # named_children leaves out what stands there a second time
            path = f"{prefix}{name}"
            inner = self._parts(child, f"{path}.") if _is_chain(child) else None
            try:
                if inner is None:
                    parts.append(self._layer(child, name, path))
                else:
                    _check_hooks(child)
                    parts.append(Sequential(inner, name=name) if inner else layers.Activation("linear", name=name))
            except ValueError as error:
                raise ValueError(f"module got {path!r}: {type(child).__name__}, {error}") from None
        return parts

    def _layer(self, module: Any, name: str, path: str) -> Layer:
        """The layer that a module is.  ValueError, which says why: there is none."""
        kinds = type(module).__mro__
        kind = next((each for each in kinds if each in KNOWN and type(module).forward is each.forward), None)
        if kind is None:
            raise ValueError(_ADVICE.get(type(module), f"which fastnn has not; wants {_NAMES}"))
        if hasattr(module, "parametrizations"):
            raise ValueError(
                "whose weights are computed of others; wants them fixed: parametrize.remove_parametrizations"
            )
        _check_hooks(module)
        if self._softmax is not None and kind is not nn.Identity:
            raise ValueError(f"behind the softmax {self._softmax!r}; wants that in the last layer only")
        if kind is nn.Softmax:
            self._softmax = path
        found = activations.read(module, name, kind)
        return MODULES[kind](self, module, name) if found is None else found

    def takes(self, width: int, gives: int | None = None) -> None:
        """Note how many values a layer takes, and gives.  ValueError: the one before gives another number."""
        if self.width is None:
            self.width = width
        elif self._now != width:
            raise ValueError(f"which takes {width} values; wants {self._now}, as many as come from the layer before")
        self._now = width if gives is None else gives

    def trained(self, *parameters: Any) -> dict[str, bool]:
        """Whether a layer of these parameters is trained, all of which must be alike, and as the optimizer has them."""
        found = [self.setting(parameter) for parameter in parameters if parameter is not None]
        if len(set(found)) > 1:
            raise ValueError("whose weight and bias are trained differently; wants both alike")
        if found and found[0].trained and (found[0].rate != 1 or found[0].l2):
            raise ValueError(
                "whose parameters have a weight_decay that is added to the gradient, or a learning rate of their own; "
                "wants a group of parameters with weight_decay=0 for it, and the first group's learning rate"
            )
        return {"trainable": not found or found[0].trained}


def _begins_flat(part: Layer | Structure) -> bool:
    """Whether a Flatten comes first, which takes rows of any shape."""
    return _begins_flat(part._parts[0]) if isinstance(part, Structure) else isinstance(part, layers.Flatten)


def _linear(reader: _Reader, module: Any, name: str) -> Layer:
    reader.takes(module.in_features, module.out_features)
    found = {"kernel": reader.setting(module.weight)}
    if module.bias is not None:
        found["bias"] = reader.setting(module.bias)
    trainable = any(setting.trained for setting in found.values())
    options: dict[str, Any] = {}
    for part, setting in found.items() if trainable else ():
        options[f"{part}_rate"] = setting.rate if setting.trained else 0.0
        if setting.trained and setting.l2:
            options[f"{part}_regularizer"] = L2(setting.l2)
    use_bias = module.bias is not None
    return layers.Dense(module.out_features, use_bias=use_bias, name=name, trainable=trainable, **options)


def _affine(reader: _Reader, module: Any) -> dict[str, Any]:
    """center, scale and trainable of a normalisation.

    A weight of ones that is not trained is none, and so is a bias of zeros, where the other one is trained.
    """
    weight, bias = module.weight, module.bias
    if weight is not None and bias is not None:
        trained = [reader.setting(each).trained for each in (weight, bias)]
        if trained == [False, True] and bool((weight == 1).all()):
            weight = None
        elif trained == [True, False] and bool((bias == 0).all()):
            bias = None
    return {"center": bias is not None, "scale": weight is not None} | reader.trained(weight, bias)


def _batch_norm(reader: _Reader, module: Any, name: str) -> Layer:
    if not module.track_running_stats or module.running_mean is None:
        raise ValueError("with track_running_stats=False; wants True, for a prediction goes by the moving statistics")
    if module.momentum is None:
        raise ValueError("with momentum=None, which averages over all batches; wants a number")
    reader.takes(module.num_features)
    options = _affine(reader, module)
    if not options["trainable"] and module.training:
        warn(
            f"module got {name!r}: a BatchNorm1d that is not trained, but normalises over the batch in training; here "
            "it goes by its moving statistics, as in module.eval(), and leaves them as they are"
        )
    return layers.BatchNormalization(momentum=round(1 - module.momentum, 12), epsilon=module.eps, name=name, **options)


def _layer_norm(reader: _Reader, module: Any, name: str) -> Layer:
    if len(module.normalized_shape) != 1:
        raise ValueError(f"with normalized_shape={tuple(module.normalized_shape)}; wants one size, the units of a row")
    reader.takes(module.normalized_shape[0])
    return layers.LayerNormalization(epsilon=module.eps, name=name, **_affine(reader, module))


def _prelu(reader: _Reader, module: Any, name: str) -> Layer:
    width = reader._now
    if module.num_parameters == 1 and width != 1:
        raise ValueError(
            f"whose one slope is learned for all units; wants nn.PReLU({width or 'units'}, init=...), one for each"
        )
    reader.takes(module.num_parameters)
    setting = reader.setting(module.weight)
    penalty = L2(setting.l2) if setting.trained and setting.l2 else None
    if setting.trained and setting.rate != 1:
        raise ValueError("whose parameter has a learning rate of its own; wants the first group's")
    return layers.PReLU(alpha_regularizer=penalty, name=name, trainable=setting.trained)


def _flatten(reader: _Reader, module: Any, name: str) -> Layer:
    if (module.start_dim, module.end_dim) != (1, -1):
        raise ValueError(f"with start_dim={module.start_dim}, end_dim={module.end_dim}; wants 1 and -1")
    return layers.Flatten(name=name)


def _unflatten(reader: _Reader, module: Any, name: str) -> Layer:
    sizes = module.unflattened_size
    if module.dim not in (1, -1) or not all(isinstance(size, int) for size in sizes):
        raise ValueError(f"with dim={module.dim!r}, unflattened_size={sizes!r}; wants dim=1 and a tuple of integers")
    return layers.Reshape(tuple(sizes), name=name)


MODULES: dict[type[nn.Module], Callable[[_Reader, Any, str], Layer]] = {
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.PReLU: _prelu,
    nn.Dropout: lambda reader, module, name: layers.Dropout(module.p, name=name),
    nn.AlphaDropout: lambda reader, module, name: layers.AlphaDropout(module.p, name=name),
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
}
KNOWN = {*MODULES, *activations.KNOWN}
_NAMES = f"{', '.join(kind.__name__ for kind in MODULES)}, or one of its activations"

_ADVICE: dict[type[nn.Module], str] = {
    nn.LogSoftmax: (
        "which fastnn has not; wants the module without it, module[:-1], and a loss from logits: "
        "SparseCategoricalCrossentropy(from_logits=True) is what NLLLoss is behind it; or nn.Softmax(-1) in its place"
    ),
    nn.RMSNorm: "which fastnn has not; wants a LayerNorm",
}
