"""to_module: a model as an nn.Sequential of torch.nn's own modules, which needs no fastnn to run or to load."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from fastnn import layers
from fastnn.activations import Activation
from fastnn.data import boolean
from fastnn.layers import Layer, Shape
from fastnn.models import Sequential
from fastnn.models.sharing import trained_layers
from fastnn.models.structure import Structure
from .activations import written, written_rectifier
from .folding import FIXED, folded
from .state import entries, state

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def to_module(model: Sequential, *, fold: bool = False) -> nn.Sequential:
    """A model as an ``nn.Sequential`` of the same layers, weights and dtype.

    The children have the layers' names, so that a module that went through `from_module` has the state dict that it
    had.  An activation of a Dense layer is a child behind it, "dense_relu".  What is not trained has
    ``requires_grad=False``.  The module is in the mode of prediction: ``module.train()`` goes on with dropout.

    Parameters
    ----------
    model : Sequential
        Built.
    fold : bool
        Put the numbers of Rescaling and Normalization, for which torch.nn has no module, into the Dense layer behind
        them; an nn.Identity is in their place.  Predictions are the same, but training goes other ways from there.

    Returns
    -------
    nn.Sequential

    Raises
    ------
    ValueError
        The model is not built; torch.nn has no module for a layer, as for GaussianNoise, or for an
        activation; a name that no child of a module can have.
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"model got {type(model).__name__}; wants a Sequential")
    model._built()
    model = model._as_it_is()  # which another thread does not compile
    others = folded(model) if boolean(fold, "fold") else {}
    listed = entries(model, FIXED if fold else ())
    shape = model._shapes[0]
    assert shape is not None
    with torch.device("meta"):  # draws no weights
        module, _ = _sequential(model, shape, model.dtype, fold)
    arrays = state(model, listed)
    for entry in listed:
        if entry.layer in others:
            arrays[entry.key] = np.array(entry.exchanged(others[entry.layer][entry.name]), model.dtype, order="C")
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    module.load_state_dict(tensors, strict=True, assign=True)
    trained = dict(zip(map(id, model._layers), trained_layers(model), strict=True))
    parameters = dict(module.named_parameters())
    for entry in listed:
        if entry.key in parameters:
            rate = getattr(entry.layer, f"{entry.name}_rate", 1.0)
            parameters[entry.key].requires_grad_(entry.is_weight and trained[id(entry.layer)] and rate != 0)
    return module.eval()


def _sequential(part: Structure, shape: Shape, dtype: str, fold: bool) -> tuple[nn.Sequential, Shape]:
    """The layers of a model, for rows of a shape; and the shape of what comes out."""
    module, taken = nn.Sequential(), {child.name for child in part._parts}
    for child in part._parts:
        if isinstance(child, Structure):
            made, shape = _sequential(child, shape, dtype, fold)
            _add(module, child.name, made)
            continue
        for name, made in _modules(child, shape, dtype, fold):
            _add(module, child.name if name is None else _unused(f"{child.name}_{name}", taken), made)
        found = child.output_shape(shape)
        assert found is not None
        shape = found
    return module, shape


def _add(module: nn.Sequential, name: str, child: nn.Module) -> None:
    try:
        module.add_module(name, child)
    except KeyError:
        raise ValueError(
            f"the layer {name!r} has a name that is an attribute of nn.Sequential; wants another"
        ) from None


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _modules(layer: Layer, shape: Shape, dtype: str, fold: bool) -> Iterator[tuple[str | None, nn.Module]]:
    """The modules of a layer, and what each is called beside the layer's name: None is the name itself."""
    if fold and isinstance(layer, FIXED):
        yield None, nn.Identity()
        return
    try:
        yield None, _module(layer, shape, dtype)
        if isinstance(layer, layers.Dense) and layer.activation.name != "linear":
            yield layer.activation.name, _activation(layer.activation, dtype)
    except ValueError as error:
        if isinstance(layer, FIXED):
            raise ValueError(
                f"the layer {layer.name!r} is a {type(layer).__name__}, for which torch.nn has no module; "
                "fastnn.torch.to_module(model, fold=True) puts its numbers into the Dense layer behind it"
            ) from None
        raise ValueError(
            f"the layer {layer.name!r} got {error}, for which torch.nn has no module; wants a model without: "
            "fastnn.Sequential(list of other layers) shares their weights"
        ) from None


def _activation(found: Activation, dtype: str) -> nn.Module:
    return written(found.name, found.parameter if isinstance(found.parameter, float) else math.nan, dtype)


def _module(layer: Layer, shape: Shape, dtype: str) -> nn.Module:
    """The module of a layer, less a Dense layer's activation.  ValueError, which says what: torch.nn has none."""
    width, real = math.prod(shape), DTYPES[dtype]
    match layer:
        case layers.Dense():
            return nn.Linear(width, layer.units, layer.use_bias, dtype=real)
        case layers.BatchNormalization():
            momentum = round(1 - layer.momentum, 12)  # 1 - 0.9 is not 0.1
            affine = layer.center or layer.scale
            return nn.BatchNorm1d(width, layer.epsilon, momentum, affine, dtype=real)
        case layers.LayerNormalization():
            affine = layer.center or layer.scale
            return nn.LayerNorm(width, layer.epsilon, affine, bias=layer.center, dtype=real)
        case layers.PReLU():
            return nn.PReLU(width, dtype=real)
        case layers.Activation():
            return _activation(layer.activation, dtype)
        case layers.ReLU():
            return written_rectifier(layer)
        case layers.Dropout():
            return nn.Dropout(layer.rate)
        case layers.AlphaDropout():
            return nn.AlphaDropout(layer.rate)
        case layers.Flatten():
            return nn.Flatten()
        case layers.Reshape():
            return _reshaping(layer, shape)
    raise ValueError(f"a {type(layer).__name__}")


def _reshaping(layer: layers.Reshape, shape: Shape) -> nn.Module:
    target: Any = layer.output_shape(shape)
    unflatten = nn.Unflatten(1, target)
    return unflatten if len(shape) == 1 else nn.Sequential(nn.Flatten(), unflatten)
