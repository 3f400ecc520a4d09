"""What a model is trained for, in Keras's words, and the optimizer's state in Keras's order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnn import losses, metrics, optimizers
from fastnn.data import check_finite
from fastnn.errors import warn
from fastnn.models.sequential import Sequential
from fastnn.models.sharing import trained_layers
from fastnn.names import custom_object
from fastnn.typing import Array
from .hdf5 import Store
from .objects import function_name, made

VARIABLES = "optimizer"
"""The group of the optimizer's state."""

SLOTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "sgd": (),
    "momentum": (("velocity",),),
    "nesterov": (("velocity",),),
    **dict.fromkeys(("adam", "keras_adam", "nadam"), (("mean", "variance"),)),
    **dict.fromkeys(("amsgrad", "keras_amsgrad"), (("mean", "variance"), ("largest",))),
    "adamax": (("mean", "norm"),),
    "adagrad": (("accumulator",),),
    "adadelta": (("of_gradients", "of_changes"),),
    "rmsprop": (("variance",),),
    "rmsprop_momentum": (("variance",), ("velocity",)),
    "rmsprop_centered": (("variance",), ("velocity",), ("mean",)),
    "lion": (("mean",),),
}
"""The slots of each rule in Keras's order: groups, within which a weight's slots stand together."""


class Compiled(NamedTuple):
    """The arguments of compile that a file brings."""

    optimizer: optimizers.Optimizer
    loss: losses.Loss | None
    metrics: list[Any]
    weighted_metrics: list[Any]


def compiled(config: Any) -> Compiled | None:
    """What a configuration says of training; None where the model was not compiled."""
    if not config:
        return None
    if not isinstance(config, Mapping):
        raise ValueError(f"compile_config is {config!r:.80}; wants a description")
    if config.get("loss_weights") not in (None, 1, [1], 1.0, [1.0]):
        raise ValueError(f"compile_config got loss_weights={config['loss_weights']!r:.80}; wants null")
    asked = config.get("optimizer", "rmsprop")
    optimizer = (
        made(asked, optimizers.Optimizer, "the optimizer") if isinstance(asked, Mapping) else optimizers.get(asked)
    )
    loss = config.get("loss")
    if isinstance(loss, list) and len(loss) == 1:
        loss = loss[0]
    plain, weighted = ([_metric(each) for each in _flat(config.get(name))] for name in ("metrics", "weighted_metrics"))
    return Compiled(optimizer, None if loss is None else _loss(loss), plain, weighted)


def _loss(given: Any) -> losses.Loss:
    given = function_name(given, "the loss")
    if isinstance(given, Mapping):
        return made(given, losses.Loss, "the loss")
    if not isinstance(given, str):
        raise ValueError(f"the loss is {given!r:.80}; wants one, for one output")
    own = custom_object(given)
    return losses.get(given if own is None else own)


def _flat(given: Any) -> list[Any]:
    """The metrics of one output, which may be a list in a list."""
    if given is None:
        return []
    if not isinstance(given, list):
        return [given]
    return [each for part in given for each in (_flat(part) if isinstance(part, list) else [part]) if each is not None]


def _metric(given: Any) -> Any:
    """A metric, or a name for compile to look up."""
    given = function_name(given, "a metric")
    if isinstance(given, str):
        own = custom_object(given)
        return given if own is None else own
    if isinstance(given, Mapping) and given.get("class_name") == "MeanMetricWrapper":
        inner = given.get("config")
        name = function_name(inner.get("fn"), "a metric") if isinstance(inner, Mapping) else None
        if not isinstance(name, str):
            raise ValueError("a metric is of a function of somebody's own; wants one of Keras's")
        found = metrics.get(name) if custom_object(name) is None else metrics.get(custom_object(name))
        label = inner.get("name") if isinstance(inner, Mapping) else None
        return found.fresh(label if isinstance(label, str) and label else None)
    if isinstance(given, Mapping) and str(given.get("module")).startswith("keras.losses"):
        return made(given, losses.Loss, "a metric")
    return made(given, metrics.Metric, "a metric")


# --- The optimizer's state ---


class _Place(NamedTuple):
    """Where a value a weight is: the layer's place in the plan, and the rows of its matrix."""

    layer: int
    rows: slice | int


def _followed(model: Sequential) -> list[_Place]:
    """The weights that training changes, in the order of Keras's trainable_variables."""
    found = []
    every = zip(model._layers, model._places, model._widths, trained_layers(model), strict=False)
    for layer, place, width, trained in every:
        for name in layer.weight_shapes(width or 0) if trained else ():
            if name not in layer.untrained:
                rows = slice(0, width) if name == "kernel" else -1 if name in ("bias", "beta") else 0
                found.append(_Place(place, rows))
    return found


def _order(model: Sequential) -> list[tuple[int, _Place]]:
    """Keras's variables of a weight, in order: the numbers of slots, and the weights' places."""
    optimizer, engine = model.optimizer, model._engine
    assert optimizer is not None
    assert engine is not None
    names, weights = engine.parameters.slot_names, _followed(model)
    accumulates = optimizer.gradient_accumulation_steps is not None
    own = len(names) - accumulates - optimizer.use_ema
    order = [(len(names) - 1, weight) for weight in weights] if optimizer.use_ema else []
    order += [(own, weight) for weight in weights] if accumulates else []
    for group in SLOTS[optimizer.row]:
        if group == ("velocity",) and optimizer.row == "rmsprop_centered" and not getattr(optimizer, "momentum", 0):
            continue  # Keras has none then
        order += [(names[:own].index(slot), weight) for weight in weights for slot in group]
    return order


def state(model: Sequential) -> list[Array]:
    """The variables of a model's optimizer as Keras has them: the count of steps, the learning rate, and its slots."""
    optimizer, engine = model.optimizer, model._engine
    assert optimizer is not None
    assert engine is not None
    count = engine.iterations
    found: list[Array] = [np.array(count, np.int32 if count < 2**31 else np.int64)]
    if optimizer.schedule is None:
        found.append(np.array(optimizer.learning_rate, engine.dtype))
    slots = engine.parameters.slot_matrices()
    found += [slots[slot, place.layer][place.rows].copy() for slot, place in _order(model)]
    if isinstance(optimizer, optimizers.Nadam):
        updates = count // (optimizer.gradient_accumulation_steps or 1)
        factors = optimizer.beta_1 * (1 - 0.5 * 0.96 ** np.arange(1.0, min(updates, 10**5) + 1))
        found.append(np.array(math.prod(factors.tolist()), engine.dtype))
    return found


def bring_back(store: Store, model: Sequential) -> None:
    """Take over the optimizer's state of a file, if there is some; where it is another's, begin anew, as Keras does."""
    optimizer, engine = model.optimizer, model._engine
    assert optimizer is not None
    assert engine is not None
    if not store.has(store.root, VARIABLES):
        return
    variables = store.group(store.root, f"{VARIABLES}/vars")
    order, fixed = _order(model), 1 + (optimizer.schedule is None)
    wanted = fixed + len(order) + isinstance(optimizer, optimizers.Nadam)
    if len(variables) != wanted:
        warn(f"the optimizer's state has {len(variables)} arrays; wants {wanted}: it begins anew")
        return
    count = store.array(variables, "0")
    if count.shape != () or count.dtype.kind not in "iu" or count < 0:
        raise ValueError("the optimizer's count of steps is none")
    if optimizer.schedule is None:
        optimizer.learning_rate = float(store.array(variables, "1"))
    slots = {key: matrix.copy() for key, matrix in engine.parameters.slot_matrices().items()}
    for number, (slot, place) in enumerate(order, fixed):
        array, target = store.array(variables, str(number)), slots[slot, place.layer][place.rows]
        if array.shape != target.shape:
            raise ValueError(f"{variables.name}/{number} holds {array.shape}; wants {target.shape}")
        check_finite(np.atleast_1d(array), f"{variables.name}/{number}", model.dtype)
        slots[slot, place.layer][place.rows] = array
    if count:  # before its first step an optimizer's state is as it begins
        engine.parameters.set_slots(slots)
        engine.iterations = int(count)
