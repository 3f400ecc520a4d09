"""A model's weights by the names and in the shapes of PyTorch's state dicts."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from fastnn.layers import BatchNormalization, Dense, Layer, LayerNormalization, PReLU
from fastnn.models import Sequential
from fastnn.models.structure import Structure
from fastnn.typing import Array

NAMES: dict[type[Layer], dict[str, str]] = {
    Dense: {"kernel": "weight", "bias": "bias"},
    BatchNormalization: {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
    LayerNormalization: {"gamma": "weight", "beta": "bias"},
    PReLU: {"alpha": "weight"},
}
"""torch's names of a layer's weights, in the order of get_weights."""

TRACKED = "num_batches_tracked"

batches_tracked: weakref.WeakKeyDictionary[Layer, int] = weakref.WeakKeyDictionary()
"""How many batches the BatchNorm1d had seen whose state a layer took: nothing goes by it, but a state dict has it."""


class Entry(NamedTuple):
    """A tensor of a state dict."""

    key: str  # "0.weight"
    layer: Layer
    name: str  # of the layer's weight, "kernel"; of a tensor that no weight is, torch's name
    shape: tuple[int, ...]  # in PyTorch
    fixed: float | None = None  # what all its values are, where it is no weight of the layer
    optional: bool = False

    @property
    def is_weight(self) -> bool:
        """Whether it is a weight of the layer."""
        return self.fixed is None

    def exchanged(self, array: Array) -> Array:
        """The tensor of a weight, or the weight of a tensor: kernels are (inputs, units), and there (units, inputs)."""
        return array.T if self.name == "kernel" else array


def entries(model: Sequential, but: tuple[type[Layer], ...] = ()) -> list[Entry]:
    """The tensors of a built model, in the order of its state dict; its weights among them are as in get_weights.

    Layers of the classes ``but`` have none.  ValueError: a layer has weights that no module of torch.nn has, or a name
    that none can have.
    """
    widths = dict(zip(model._layers, model._widths, strict=False))
    paths = [(path, layer) for path, layer in _paths(model, "") if not isinstance(layer, but)]
    return [entry for path, layer in paths for entry in _entries(path, layer, widths[layer] or 0)]


def _paths(part: Structure, prefix: str) -> Iterator[tuple[str, Layer]]:
    for child in part._parts:
        if "." in child.name:
            raise ValueError(f"the layer {child.name!r} got a name with a dot; PyTorch wants names without")
        if isinstance(child, Layer):
            yield f"{prefix}{child.name}", child
        else:
            yield from _paths(child, f"{prefix}{child.name}.")


def _entries(path: str, layer: Layer, width: int) -> Iterator[Entry]:
    shapes = layer.weight_shapes(width)
    kind = next((kind for kind in NAMES if isinstance(layer, kind)), None)
    if shapes and kind is None:
        raise ValueError(
            f"the layer {layer.name!r} is a {type(layer).__name__}, whose weights no module of torch.nn has"
        )
    names = NAMES.get(kind, {}) if kind is not None else {}
    affine = isinstance(layer, BatchNormalization) and (layer.center or layer.scale)
    for name, theirs in names.items():
        if name in shapes:
            shape = shapes[name]
            yield Entry(f"{path}.{theirs}", layer, name, shape[::-1] if name == "kernel" else shape)
        elif affine or (name == "gamma" and isinstance(layer, LayerNormalization) and layer.center):
            yield Entry(f"{path}.{theirs}", layer, theirs, (width,), float(name == "gamma"))
    if isinstance(layer, BatchNormalization):
        yield Entry(f"{path}.{TRACKED}", layer, TRACKED, (), float(batches_tracked.get(layer, 0)), True)


def state(model: Sequential, listed: list[Entry]) -> dict[str, Array]:
    """The state dict of a model with these entries: copies of its weights, of its dtype, C-contiguous."""
    found, engine = {}, model._built()
    places = dict(zip(model._layers, model._places, strict=True))
    with engine.still:  # after a whole number of steps
        weights = {e: e.layer.views(engine, places[e.layer])[e.name].copy() for e in listed if e.is_weight}
    for entry in listed:
        if entry.is_weight:
            found[entry.key] = np.ascontiguousarray(entry.exchanged(weights[entry]))
        elif entry.name == TRACKED:
            found[entry.key] = np.array(entry.fixed, np.int64)
        else:
            found[entry.key] = np.full(entry.shape, entry.fixed, model.dtype)
    return found


def check_names(model: Sequential, shapes: Mapping[str, tuple[int, ...]]) -> list[Entry]:
    """The entries of a model, of which a state dict of these names and shapes has all and no others.

    ValueError: it has not.
    """
    wanted = entries(model)
    names = {entry.key for entry in wanted}
    missing = [entry.key for entry in wanted if entry.key not in shapes and not entry.optional]
    if missing or not shapes.keys() <= names:
        more = [key for key in shapes if key not in names]
        found = f"lacks {_some(missing)}" * bool(missing), f"has {_some(more)}, which the model has not" * bool(more)
        raise ValueError(f"the state dict {' and '.join(filter(None, found))}")
    for entry in wanted:
        if entry.key in shapes and shapes[entry.key] != entry.shape:
            raise ValueError(f"{entry.key} has shape {shapes[entry.key]}; wants {entry.shape}")
    return wanted


def take_state(model: Sequential, arrays: Mapping[str, Array]) -> None:
    """Set the weights of a model to those of a state dict, all or none.

    ValueError: names or shapes are not the model's, values are not finite, or a tensor that is no weight here has other
    values than it must.
    """
    found, tracked = [], {}
    for entry in check_names(model, {key: array.shape for key, array in arrays.items()}):
        if entry.is_weight:
            found.append(entry.exchanged(arrays[entry.key]))
        elif entry.name == TRACKED:
            if entry.key in arrays:
                tracked[entry.layer] = int(arrays[entry.key])
        elif (arrays[entry.key] != entry.fixed).any():
            raise ValueError(f"{entry.key} has values other than {entry.fixed:g}, but {entry.layer.name!r} has no such")
    model.set_weights(found)
    batches_tracked.update(tracked)


def _some(names: list[str]) -> str:
    """The first of them."""
    return ", ".join(repr(name)[:80] for name in names[:5]) + ", ..." * (len(names) > 5)
