"""Where a layer's weights are in Keras's files, and how they are laid out there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastnn.layers import Layer, Normalization
from fastnn.models.sequential import Sequential
from fastnn.models.sharing import trained_layers
from fastnn.models.structure import Structure
from fastnn.typing import Array
from .hdf5 import Store
from .objects import LAYERS, snake_case


def groups(model: Structure, prefix: str = "") -> Iterator[tuple[str, Layer | Structure]]:
    """The groups of a model's layers in Keras 3's files, and of the models in it, which come before their layers.

    They are named by the layers' classes, dense, dense_1: names of the user's are attributes.
    """
    counts: Counter[str] = Counter()
    for part in model.layers:
        name = "sequential" if isinstance(part, Structure) else snake_case(type(part).__name__)
        counts[name] += 1
        number = counts[name] - 1
        path = f"{prefix}layers/{name}{f'_{number}' if number else ''}"
        if isinstance(part, Layer) and LAYERS.get(type(part).__name__) is not type(part):
            raise ValueError(f"the layer {part.name!r} is a {type(part).__name__}, which Keras has not")
        yield path, part
        if isinstance(part, Structure):
            yield from groups(part, f"{path}/")


def shapes(model: Sequential) -> list[list[tuple[int, ...]]]:
    """The shapes of each layer's weights, in order, whether the model is built or not."""
    return [
        list(layer.weight_shapes(width or 0).values())
        for layer, width in zip(model._layers, model._widths, strict=False)
    ]


def read(store: Store, model: Sequential, paths: Sequence[str]) -> list[Array]:
    """All weights of a model that is not built yet, in order, each of the shape that the model wants."""
    found: list[Array] = []
    for path, wanted in zip(paths, shapes(model), strict=True):
        if wanted:
            variables = store.group(store.root, f"{path}/vars")
            if len(variables) != len(wanted):
                raise ValueError(f"{variables.name} holds {len(variables)} arrays; wants {len(wanted)}")
            arrays = [store.array(variables, str(number)) for number in range(len(wanted))]
            found += [_shaped(array, shape, path) for array, shape in zip(arrays, wanted, strict=True)]
    return found


def written(layer: Layer, arrays: Sequence[Array]) -> list[Array]:
    """A layer's weights as Keras has them."""
    if isinstance(layer, Normalization) and arrays:
        mean, variance, count = arrays
        if layer.axis is None:
            mean, variance = mean.reshape(()), variance.reshape(())
        return [mean, variance, np.asarray(count, np.int32)]
    return list(arrays)


def read_older(store: Store, model: Sequential) -> list[Array]:
    """All weights, of a file of Keras 2's format, of weights or of a whole model, in the model's order.

    Layers follow each other there by ``layer_names``, and a layer's weights by ``weight_names``; those of a model in
    the model come with what is trained first.  As in Keras, the n-th layer with weights is the model's n-th.
    """
    root = store.group(store.root, "model_weights") if store.has(store.root, "model_weights") else store.root
    saved = []
    for name in store.names(root, "layer_names"):
        group = store.group(root, name)
        if names := store.names(group, "weight_names"):
            saved.append((group, names))
    wanted = _by_part(model)
    if len(saved) != len(wanted):
        raise ValueError(f"it holds the weights of {len(saved)} layers; wants {len(wanted)}")
    found: dict[int, Array] = {}
    for (group, names), places in zip(saved, wanted, strict=True):
        if len(names) != len(places):
            raise ValueError(f"{group.name} holds {len(names)} arrays; wants {len(places)}")
        for name, (place, shape) in zip(names, places, strict=True):
            found[place] = _shaped(store.array(group, name), shape, group.name)
    return [found[place] for place in range(len(found))]


def _by_part(model: Sequential) -> list[list[tuple[int, tuple[int, ...]]]]:
    """Of each layer with weights, or model in the model, the place of each weight in the whole, and its shape."""
    every = zip(model._layers, model._widths, trained_layers(model), strict=False)
    rows: list[list[tuple[bool, int, tuple[int, ...]]]] = []
    place = 0
    for layer, width, trained in every:
        row = []
        for name, shape in layer.weight_shapes(width or 0).items():
            row.append((trained and name not in layer.untrained, place, shape))
            place += 1
        rows.append(row)
    found, first = [], 0
    for part in model.layers:
        count = len(part._layers) if isinstance(part, Structure) else 1
        weights = [weight for row in rows[first : first + count] for weight in row]
        first += count
        if weights:
            found.append([(at, shape) for trained, at, shape in sorted(weights, key=lambda weight: not weight[0])])
    return found


def _shaped(array: Array, shape: tuple[int, ...], place: Any) -> Array:
    """An array, if it has the shape that is wanted; one number may be () or (1,)."""
    if array.shape != shape and not (array.size == 1 and {array.shape, shape} == {(), (1,)}):
        raise ValueError(f"{place} holds {array.shape}; wants {shape}")
    return array.reshape(shape)
