"""Keras's classes that fastnn has too, and their arguments: what is made of a description in Keras's words.

A description is what Keras's serialize_keras_object returns: ``{"module", "class_name", "config", "registered_name"}``.
It names a class of Keras's own, or is refused: no code is looked up or run on its word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from fastnn import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules
from fastnn.files.schema import check
from fastnn.names import Configurable, custom_object

T = TypeVar("T", bound=Configurable)


def _table(module: Any, base: type[T], absent: str = "") -> dict[str, type[T]]:
    """The classes of a module by their names, but for those that Keras has not."""
    found = {name: getattr(module, name) for name in module.__all__ if name not in [base.__name__, *absent.split()]}
    return {name: kind for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, base)}


_DRAWN = "GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal Zeros Ones Constant RandomNormal"
_DRAWN += " RandomUniform TruncatedNormal VarianceScaling Orthogonal Identity OrthogonalInitializer IdentityInitializer"
INITIALIZERS: dict[str, type[initializers.Initializer]] = {n: getattr(initializers, n) for n in _DRAWN.split()}
REGULARIZERS = _table(regularizers, regularizers.Regularizer)
CONSTRAINTS = _table(constraints, constraints.Constraint)
LAYERS = _table(layers, layers.Layer, "Input InputLayer Noise Normalizing Scaling Weighted")
LOSSES = _table(losses, losses.Loss, "Custom HalfSquaredError Quantile")
METRICS = _table(metrics, metrics.Metric, "LossMetric Mean MeanMetricWrapper Sum")
OPTIMIZERS = _table(optimizers, optimizers.Optimizer, "KerasAdam LBFGS Rprop")
SCHEDULES = _table(schedules, schedules.LearningRateSchedule, "Constant CosineLog Custom OneCycle WarmUp")
EXACT = {"Adam": optimizers.KerasAdam, "AdamW": optimizers.KerasAdam}
"""What trains on just as Keras does, where the class of the same name is a little different."""
KINDS: dict[type[Configurable], tuple[str, Mapping[str, type[Any]]]] = {
    layers.Layer: ("keras.layers", LAYERS),
    initializers.Initializer: ("keras.initializers", INITIALIZERS),
    regularizers.Regularizer: ("keras.regularizers", REGULARIZERS),
    constraints.Constraint: ("keras.constraints", CONSTRAINTS),
    losses.Loss: ("keras.losses", LOSSES),
    metrics.Metric: ("keras.metrics", METRICS),
    optimizers.Optimizer: ("keras.optimizers", OPTIMIZERS),
    schedules.LearningRateSchedule: ("keras.optimizers.schedules", SCHEDULES),
}
"""By what is wanted: the module that Keras has it in, and the classes."""

UNUSED: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("activity_regularizer", "beta_regularizer", "gamma_regularizer", "noise_shape"), (None,)),
    **dict.fromkeys(("quantization_config", "lora_rank", "lora_alpha", "loss_scale_factor", "ignore_class"), (None,)),
    **dict.fromkeys(("input_axes", "output_axes", "renorm_clipping"), (None,)),
    **dict.fromkeys(("synchronized", "renorm", "rms_scaling", "from_sorted_ids", "is_legacy_optimizer"), (False,)),
    "axis": (-1,),
    "label_smoothing": (0,),
    "data_format": ("channels_last", None),
}
"""Arguments of Keras's that fastnn has not, and the values at which they change nothing."""

UNHEEDED = ("name", "renorm_momentum")  # where a class has no such argument


def snake_case(name: str) -> str:
    """A class's name as Keras writes it in weights' files: PReLU -> p_re_lu."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def policy(value: Any, place: str) -> str | None:
    """The dtype that a policy stands for: "float32" or "float64"; None where nothing is said."""
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config.get("name") if isinstance(config, Mapping) else value
    if value not in (None, "float32", "float64"):
        raise ValueError(f"{place} got dtype={value!r:.80}; wants 'float32' or 'float64'")
    return None if value is None else str(value)


def described_class(description: Any, place: str) -> str:
    """The name of the class of Keras's own that a description is of."""
    check(description, {"class_name": str}, place)
    name, module = description["class_name"], description.get("module") or "keras"
    registered = description.get("registered_name")
    ours = isinstance(module, str) and f"{module}.".startswith("keras.")
    if not ours or registered not in (None, name):
        raise ValueError(
            f"{place} is {registered or name!r:.80} of {module!r:.80}, a class of somebody's own; wants a class of "
            "Keras's: no code is run that a file names"
        )
    if name == "Lambda":
        raise ValueError(f"{place} is a Lambda, which holds code; wants a layer without: no code is run from a file")
    return str(name)


def made(description: Any, kind: type[T], place: str) -> T:
    """The object that is described, of a class that is ``kind`` or derived from it."""
    name = described_class(description, place)
    _, table = KINDS[kind]
    if name not in table:
        raise ValueError(f"{place} is {name!r:.80}, which fastnn has not; it has {', '.join(table)}")
    check(description, {"config": dict}, place)
    wanted: Any = EXACT.get(name, table[name]) if kind is optimizers.Optimizer else table[name]
    found: T = wanted(**arguments(wanted, description["config"], place))
    return found


def arguments(kind: type[Configurable], config: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The arguments of a class in fastnn's words; those that it has not must be at their defaults."""
    known, found = kind._arguments(), {}
    for name, value in config.items():
        if name == "dtype":
            policy(value, place)
        elif name in known:
            found[name] = _argument(kind, name, value, f"{place}'s {name}")
        elif name not in UNHEEDED and not any(value is each or value == each for each in UNUSED.get(name, ())):
            usual = f"wants {UNUSED[name][0]!r}" if name in UNUSED else "fastnn has no such argument"
            raise ValueError(f"{place} got {name}={value!r:.80}; {usual}")
    return found


def _argument(kind: type[Configurable], name: str, value: Any, place: str) -> Any:
    """One argument, with what it describes made."""
    if name == "activation":
        return activation(value, place)
    if name == "seed" and isinstance(value, Mapping):
        return None  # a generator's: weights come from the file, and noise is fastnn's own
    if name == "axis" and isinstance(value, list) and issubclass(kind, layers.Layer):
        if len(value) > 1:
            raise ValueError(f"{place} is {value!r:.80}; wants one axis")
        return value[0] if value else None
    if name == "learning_rate":
        return made(value, schedules.LearningRateSchedule, place) if isinstance(value, Mapping) else value
    if isinstance(value, Mapping):
        for ending, wanted in _BY_ENDING.items():
            if name.endswith(ending):
                return made(value, wanted, place)
        raise ValueError(f"{place} is {value!r:.80}; wants a plain value")
    return value


_BY_ENDING: dict[str, type[Any]] = {
    "_initializer": initializers.Initializer,
    "_regularizer": regularizers.Regularizer,
    "_constraint": constraints.Constraint,
}


def function_name(value: Any, place: str) -> Any:
    """The name of a function that is described; anything else is returned as it is."""
    if isinstance(value, Mapping) and value.get("class_name") == "function":
        module, name = value.get("module"), value.get("config")
        if not isinstance(name, str) or not (module is None or module == "builtins" or str(module).startswith("keras")):
            raise ValueError(
                f"{place} is a function of {module!r:.80}; wants one of Keras's: no code is run from a file"
            )
        return name
    return value


def activation(value: Any, place: str) -> activations.Activation:
    """An activation of its name, or of a layer of Keras's that serves as one."""
    value = function_name(value, place)
    if not isinstance(value, Mapping):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{place} is {value!r:.80}; wants a name")
        own = custom_object(value) if isinstance(value, str) else None
        return activations.get(value, place) if own is None else activations.get(own, place)
    layer = made(value, layers.Layer, place)
    if isinstance(layer, layers.Activation):
        return layer.activation
    if isinstance(layer, layers.ReLU) and layer.max_value is None and not layer.threshold:
        return activations.LeakyReLU(layer.negative_slope) if layer.negative_slope else activations.get("relu")
    if isinstance(layer, layers.ReLU) and layer.max_value == 6 and not (layer.threshold or layer.negative_slope):
        return activations.get("relu6")
    raise ValueError(f"{place} is {layer!r:.80}; wants that layer after this one")
