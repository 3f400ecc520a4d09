"""A model made of Keras's configuration: Sequential ones, and functional ones that are a chain of layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fastnn.files.schema import check
from fastnn.layers import Input, Layer
from fastnn.models.saving import MOST_LAYERS
from fastnn.models.sequential import Sequential
from .objects import described_class, made, policy, snake_case

MODELS = ("Sequential", "Functional")
MOST_DEPTH = 50  # of models in models


class Reader:
    """What is found while a model is made.

    Attributes
    ----------
    model : Sequential
        Without weights, and not compiled.
    dtype : str
        "float32" or "float64".
    groups : list of str
        The groups of the weights' file of its layers, those of models in it one after the other.
    """

    def __init__(self, description: Any) -> None:
        self.groups: list[str] = []
        self._dtypes: dict[str, str] = {}  # the place that each was first found at
        self.model = self._model(description, "", 0)
        if len(self._dtypes) > 1:
            said = " and ".join(f"{dtype} of {place}" for dtype, place in self._dtypes.items())
            raise ValueError(f"its layers have the dtypes {said}; wants one for all")
        self.dtype = next(iter(self._dtypes), "float32")

    def _model(self, description: Any, prefix: str, depth: int) -> Sequential:
        kind = described_class(description, "the model")
        if kind not in MODELS:
            raise ValueError(f"the model is a {kind!r:.80}; wants a Sequential, or a functional model that is a chain")
        check(description, {"config": {"layers": list}}, "the model")
        config = description["config"]
        place = f"the model {config.get('name')!r:.80}"
        if depth > MOST_DEPTH:
            raise ValueError(f"{place} is in more than {MOST_DEPTH} others")
        self._note(config, place)
        layers = config["layers"] if kind == "Sequential" else _chain(config, place)
        counts: Counter[str] = Counter()
        parts: list[Layer | Sequential] = []
        for each in layers:
            name = described_class(each, f"a layer of {place}")
            group = snake_case(name)
            counts[group] += 1
            number = counts[group] - 1
            path = f"{prefix}layers/{group}{f'_{number}' if number else ''}"
            if name in MODELS:
                parts.append(self._model(each, f"{path}/", depth + 1))
            elif name == "InputLayer":
                if parts:
                    raise ValueError(f"{place} has an input behind other layers; wants one, and it first")
                parts.append(self._input(each))
            else:
                parts.append(self._layer(each, path))
        if not (parts and isinstance(parts[0], Input)):
            parts.insert(0, _asked(description, place))
        return Sequential(parts, str(config.get("name") or "sequential"), None, bool(config.get("trainable", True)))

    def _layer(self, description: Any, path: str) -> Layer:
        check(description, {"config": dict}, "a layer")
        config = description["config"]
        place = f"the layer {config.get('name')!r:.80}"
        self._note(config, place)
        self.groups.append(path)
        if len(self.groups) > MOST_LAYERS:
            raise ValueError(f"it has more than {MOST_LAYERS} layers")
        return made(description, Layer, place)

    def _input(self, description: Any) -> Input:
        check(description, {"config": dict}, "the input")
        config = description["config"]
        for name in ("sparse", "ragged", "optional"):
            if config.get(name):
                raise ValueError(f"the input got {name}={config[name]!r:.80}; wants False")
        return _shaped(config.get("batch_shape", config.get("batch_input_shape")), "the input", config.get("name"))

    def _note(self, config: Mapping[str, Any], place: str) -> None:
        """Take down the dtype that is said."""
        if (dtype := policy(config.get("dtype"), place)) is not None:
            self._dtypes.setdefault(dtype, place)


def _asked(description: Mapping[str, Any], place: str) -> Input:
    """The input that a model was built with, where none of its layers says so."""
    built = description.get("build_config")
    shape = built.get("input_shape") if isinstance(built, Mapping) else None
    return _shaped(shape or description["config"].get("build_input_shape"), place, None)


def _shaped(shape: Any, place: str, name: Any) -> Input:
    """An input of rows of a batch's shape, (None, inputs)."""
    if not (isinstance(shape, list) and len(shape) > 1 and all(isinstance(size, int) for size in shape[1:])):
        raise ValueError(f"{place} has batches of the shape {shape!r:.80}; wants [null, inputs], all rows of one size")
    return Input(shape[1:], name=name if isinstance(name, str) and name else None)


def _chain(config: Mapping[str, Any], place: str) -> list[Any]:
    """The layers of a functional model, each of which takes what the one before it gives."""
    layers, before = config["layers"], None
    for each in layers:
        check(each, {"name": str, "class_name": str, "inbound_nodes": list}, f"a layer of {place}")
        name, nodes = each["name"], each["inbound_nodes"]
        if each["class_name"] == "InputLayer":
            if before is not None:
                raise ValueError(
                    f"{place} has more than one input, {before!r:.80} and {name!r:.80}; wants a chain of layers"
                )
        else:
            if len(nodes) != 1:
                raise ValueError(
                    f"the layer {name!r:.80} is used {len(nodes)} times in {place}; wants a chain of layers"
                )
            sources = _histories(nodes[0])
            if sources != [before]:
                raise ValueError(
                    f"the layer {name!r:.80} takes {sources!r:.80} in {place}; wants {before!r:.80} before it"
                )
        before = name
    for end, name in (("input_layers", layers[0]["name"] if layers else None), ("output_layers", before)):
        found = config.get(end)
        found = found[0] if isinstance(found, list) and len(found) == 1 else found
        if not (isinstance(found, list) and found[:1] == [name] and found[1:] == [0, 0]):
            raise ValueError(f"{place} has the {end} {found!r:.80}; wants {name!r:.80} alone, the end of a chain")
    return list(layers)


def _histories(node: Any) -> list[Any]:
    """The names of the layers whose outputs are an argument of a call."""
    found: list[Any] = []
    waiting = [node]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
            inner = value.get("config")
            history = inner.get("keras_history") if isinstance(inner, Mapping) else None
            found.append(history[0] if isinstance(history, list) and history[1:] == [0, 0] else history)
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found
