"""What of a model is kept in a file or a pickle, and a model made of it again.

How it stands in a file is a matter of `fastnn.files.model_file`, which verifies checksums, and `fastnn.files.tensors`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import data, losses, metrics, optimizers
from fastnn.engine import DTYPES
from fastnn.errors import ModelFileError
from fastnn.files import tensors
from fastnn.files.schema import COUNT, Each, Optional, check
from fastnn.names import CustomObject, deserialize, lookup, serialize
from fastnn.typing import Array
from . import formats

if TYPE_CHECKING:
    from .sequential import Sequential


MOST_LAYERS = 10_000  # that a file describes: each takes time, and one without weights no room

DOCUMENT = {
    "config": {"name": str, "inputs": Optional(COUNT), "layers": Each(list, dict)},
    "dtype": str,
    "metadata": Optional(dict),
    "random": dict,
    "compiled": Optional({"optimizer": dict, "loss": Optional(dict), "metrics": Each(list, dict), "iterations": COUNT}),
}
"""What `contents` returns, by its fields; what describes an object is checked by who makes one of it."""


NOT_FINITE = (
    "a weight, or the optimizer's state, is NaN or infinite, and no file holds such; wants a model that is finite"
)


def contents(model: Sequential) -> tuple[dict[str, Any], dict[str, Array]]:
    """All that makes the model: what JSON can hold, and the arrays."""
    if len(model._layers) > MOST_LAYERS:
        raise ValueError(f"the model has {len(model._layers)} layers; a file describes {MOST_LAYERS} at most")
    model = model._draft()  # which another thread does not compile
    arrays: dict[str, Array] = {}
    engine = model._engine
    if engine is not None:
        with engine.busy:  # after a whole number of steps
            if not engine.parameters.finite:
                raise FloatingPointError(NOT_FINITE)
            iterations = engine.iterations
            arrays |= {f"weights/{i}": array for i, array in enumerate(model._copies(engine))}
            slots = engine.parameters.slot_matrices()
            arrays |= {_slot_name(*place): slot.copy() for place, slot in slots.items()}
    document: dict[str, Any] = {
        "config": model.get_config(),
        "dtype": model.dtype,
        "metadata": model.metadata,
        "random": model._rng.bit_generator.state,
        "compiled": None,
    }
    if model.optimizer is not None:
        watched = model._resolved(model._metrics_asked, model.loss)
        document["compiled"] = {
            "optimizer": serialize(model.optimizer),
            "loss": None if model.loss is None else serialize(model.loss),
            "metrics": [serialize(found.metric.fresh(found.name)) for found in watched if not found.weighted],
            "weighted_metrics": [serialize(found.metric.fresh(found.name)) for found in watched if found.weighted],
            "iterations": model.optimizer.iterations if engine is None else iterations,
        }
    return document, arrays


def bring_back(model: Sequential, document: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Weights, slots and count of updates as in what `contents` returned; of a model of the same structure."""
    engine = model._built()
    slots = {}
    for place, slot in engine.parameters.slot_matrices().items():
        name = _slot_name(*place)
        slots[place] = arrays[name]
        if arrays[name].shape != slot.shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}; wants {slot.shape}")
        data.check_finite(arrays[name], name, model.dtype)

    def write() -> None:
        model.set_weights(_weights(arrays))
        engine.parameters.set_slots(slots)
        if model.optimizer is not None:
            engine.iterations = document["compiled"]["iterations"]

    engine.parameters.all_or_nothing(write)


def rebuilt(
    kind: type[Sequential], document: dict[str, Any], arrays: dict[str, Array], backend: str, threads: int | None
) -> Sequential:
    """A model made of what `contents` returned, ready to train on where it was compiled."""
    check(document, DOCUMENT, "the document")
    if len(document["config"]["layers"]) > MOST_LAYERS:
        raise ValueError(f"it has {len(document['config']['layers'])} layers, and may have {MOST_LAYERS}")
    model = kind.from_config(document["config"])
    model._backend, model._threads = backend, threads
    compiled = document["compiled"]
    vars(model)["dtype"] = lookup(document["dtype"], DTYPES, "dtype")
    weights = _weights(arrays)
    if arrays or "fastnn" in document:  # a file is of a model that is built
        shapes = list(model._weight_shapes().values())  # before anything is allocated on the word of its description
        if [array.shape for array in weights] != shapes:
            raise ValueError(f"its weights have shapes {[array.shape for array in weights]}; wants {shapes}")
    inputs, model._inputs = model._inputs, None  # no weights are drawn
    if compiled is not None:
        optimizer = deserialize(compiled["optimizer"], optimizers.Optimizer, "optimizer")
        loss = None if compiled["loss"] is None else deserialize(compiled["loss"], losses.Loss, "loss")
        plain, weighted = (
            [deserialize(metric, metrics.Metric, "metrics") for metric in compiled.get(key, ())]
            for key in ("metrics", "weighted_metrics")
        )
        model.compile(
            optimizer, loss, plain, weighted_metrics=weighted, dtype=model.dtype, backend=backend, threads=threads
        )
    model._inputs = inputs
    if arrays:
        draft = model._draft()
        draft._make_engine(weights)
        model._become(draft)
        bring_back(model, document, arrays)
    model._rng.bit_generator.state = document["random"]
    model.metadata = document["metadata"]
    return model


def export(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Write the model's own file."""
    model.save(path)


def save_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Write the weights to a file, in the safetensors format unless its ending names another."""
    if formats.ending(path) in formats.WEIGHTS:
        formats.named(path, formats.WEIGHTS).save_weights(model, path)
        return
    arrays = dict(zip(model._weight_shapes(), model.get_weights(), strict=True))
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise FloatingPointError(NOT_FINITE)
    if model._writes:
        tensors.save(path, arrays)


def load_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Set the weights to those of a file that `save_weights` wrote, all or none."""
    model._built()
    if formats.ending(path) in formats.WEIGHTS:
        formats.named(path, formats.WEIGHTS).load_weights(model, path)
        return
    names = list(model._weight_shapes())
    arrays = tensors.load(path)
    try:
        if set(arrays) != set(names):
            raise ValueError(f"it holds {sorted(arrays)}; wants {sorted(names)}")
        model.set_weights([arrays[name] for name in names])
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{os.fspath(path)} holds no weights of this model: {error}") from error


def custom_objects(model: Sequential) -> dict[str, CustomObject]:
    """What is made of functions of the user's own, by the names that a file holds of them."""
    made = [model.loss, *(layer.activation for layer in model._layers if hasattr(layer, "activation"))]
    for found in model._resolved(model._metrics_asked, model.loss):
        made += [found.metric, getattr(found.metric, "loss", None)]
    if model.optimizer is not None:
        made += [model.optimizer.schedule, getattr(model.optimizer.schedule, "schedule", None)]
    return {found.function_name: found for found in made if isinstance(found, CustomObject)}


def _weights(arrays: Mapping[str, Array]) -> list[Array]:
    return [arrays[name] for name in arrays if name.startswith("weights/")]


def _slot_name(slot: int, layer: int) -> str:
    """What the matrix of an optimizer's slot and a layer is called in a file."""
    return f"slots/{slot}/{layer}"
