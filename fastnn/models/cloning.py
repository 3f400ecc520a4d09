"""Models made of others' descriptions: clone_model, and model_from_json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from fastnn.names import custom_object_scope
from . import saving
from .sequential import Sequential


def clone_model(
    model: Sequential, input_tensors: Any = None, clone_function: Callable[[Any], Any] | None = None
) -> Any:
    """Make a model of the same structure with new weights; it is not compiled.

    Parameters
    ----------
    model : Sequential
    input_tensors
        Taken for Keras's sake: None.
    clone_function : callable, optional
        layer -> the layer that shall stand in its place: a new one.
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"model got {type(model).__name__}; wants a Sequential")
    if input_tensors is not None:
        raise ValueError(f"input_tensors got {input_tensors!r}; wants None: there is no functional API")
    (clone,) = clones(model, 1)
    if clone_function is None:
        return clone
    made = Sequential(name=model.name)
    made._row_shape, made._inputs = clone._row_shape, clone._inputs
    for layer in model.layers:
        made.add(clone_function(layer))
    return made


def clones(model: Sequential, count: int) -> list[Sequential]:
    """So many models as `clone_model` makes one; the model is described once."""
    with custom_object_scope(saving.custom_objects(model)):
        config = model.get_config()
        return [Sequential.from_config(config) for _ in range(count)]


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a model of the structure that `Sequential.to_json` described, with new weights.

    Parameters
    ----------
    json_string : str
    custom_objects : dict of str to object, optional
        As in load_model.
    """
    found = json.loads(json_string)
    if not isinstance(found, dict) or found.get("class_name") != "Sequential":
        raise ValueError("json_string got no description of a model; wants what Sequential.to_json returned")
    with custom_object_scope(custom_objects):
        return Sequential.from_config(found["config"])
