"""What a model heeds of its layers, and weights that other models have too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.engine import Engine
from fastnn.layers import Layer, Weighted, settings

if TYPE_CHECKING:
    from .structure import Structure


def heed_changes(model: Structure, engine: Engine) -> None:
    """Tell the engine which layers are trained, and the fixed numbers of others."""
    model._heeded, model._copied = settings["changes"], {}
    model._shares = any(layer._shared for layer in model._layers)
    frozen = set()
    for layer, place, trained in zip(model._layers, model._places, trained_layers(model), strict=True):
        layer.settle(engine, place)
        if isinstance(layer, Weighted) and not trained:
            frozen.add(place)
    engine.freeze(frozenset(frozen))


def trained_layers(model: Structure) -> list[bool]:
    """Of each layer, whether it and the models that it is in are trained."""
    found = []
    for part in model._parts:
        found += [part.trainable] if isinstance(part, Layer) else trained_layers(part)
    return [each and model._trainable for each in found]


def copy_shared(model: Structure, engine: Engine) -> None:
    """Copy the weights that other models' engines have, where they have changed since the last time."""
    for number, (layer, place) in enumerate(zip(model._layers, model._places, strict=True)):
        source = layer.engine
        if source is not None and source is not engine:
            seen = source, source.parameters.version
            if model._copied.get(number) != seen:
                engine.assign(place, layer.get_weights())
                model._copied[number] = seen


def own_shared(model: Structure, engine: Engine) -> None:
    """Have the weights, for they are to be changed: other models copy them from here on."""
    for layer, place in model._weighted().items() if model._shares else ():
        if layer.engine is not engine:
            layer.attach(engine, place, model)
