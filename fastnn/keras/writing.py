"""A model in Keras's words: its configuration, and what of it Keras has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn import activations, constraints, initializers, losses, metrics, optimizers, regularizers, schedules
from fastnn.layers import Layer, Shape
from fastnn.models.sequential import Sequential
from fastnn.models.structure import Structure
from fastnn.names import Configurable, snake_case
from .objects import KINDS

ONLY_HERE = {"kernel_rate": 1.0, "bias_rate": 1.0}
"""Arguments that Keras has not, of training alone, and the values at which they change nothing."""

LEFT_OUT = ("input_dim", "input_shape", *ONLY_HERE)
AS_LAYERS = {"leaky_relu": ("LeakyReLU", "negative_slope"), "elu": ("ELU", "alpha")}
"""Activations whose constant Keras has in a layer: its class, and the argument."""

WITHOUT = "export(..., include_optimizer=False) leaves out what is of training alone"


def described(kind: type[Configurable], thing: Any, config: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A description in Keras's words; ValueError: Keras has no such class."""
    module, table = KINDS[kind]
    name = "Adam" if type(thing) is optimizers.KerasAdam else type(thing).__name__
    if type(thing) not in (table.get(name), optimizers.KerasAdam):
        raise ValueError(f"{place} is {thing!r:.80}, which Keras has not; wants one of {', '.join(table)}")
    return {"module": module, "class_name": name, "config": dict(config), "registered_name": None}


class Writer:
    """Describes a model that is built, with what it is trained for unless ``include_optimizer`` is false."""

    def __init__(self, model: Sequential, include_optimizer: bool) -> None:
        self._model, self.trains = model, include_optimizer and model.optimizer is not None
        self._policy = {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": {"name": model.dtype},
            "registered_name": None,
        }
        self._shapes = iter(model._shapes)

    def config(self) -> dict[str, Any]:
        """What config.json holds."""
        shape = self._model._shapes[0]
        assert shape is not None
        found = self._described_model(self._model, shape)
        if self.trains:
            try:
                found["compile_config"] = self._compiled()
            except ValueError as error:
                raise ValueError(f"{error}; {WITHOUT}") from None
        return found

    def _described_model(self, model: Structure, shape: Shape | None) -> dict[str, Any]:
        """A model, for rows of a shape; the shapes of its layers are taken from the list of all."""
        batch = [None, *(shape or ())]
        entry = {"batch_shape": batch, "dtype": self._model.dtype, "name": "input_layer"}
        parts = [{"module": "keras.layers", "class_name": "InputLayer", "config": entry, "registered_name": None}]
        for part in model.layers:
            if isinstance(part, Structure):
                first = self._model._shapes[self._model._layers.index(part._layers[0])]
                parts.append(self._described_model(part, first))
            else:
                parts.append(self._layer(part, next(self._shapes)))
        config = {"name": model.name, "trainable": model.trainable, "dtype": self._policy, "layers": parts}
        return {
            "module": "keras",
            "class_name": "Sequential",
            "config": config | {"build_input_shape": batch},
            "registered_name": None,
            "build_config": {"input_shape": batch},
        }

    def _layer(self, layer: Layer, shape: Shape | None) -> dict[str, Any]:
        place = f"the layer {layer.name!r}"
        config = {"name": layer.name, "trainable": layer.trainable, "dtype": self._policy}
        given = layer.get_config()
        for name, usual in ONLY_HERE.items():
            if self.trains and given.get(name, usual) != usual:
                raise ValueError(f"{place} has {name}={given[name]}, which Keras has not; wants {usual}: {WITHOUT}")
        for name in given:
            if name not in (*config, *LEFT_OUT):
                config[name] = self._argument(getattr(layer, name), given[name], f"{place}'s {name}")
        found = described(Layer, layer, config, place)
        return found | {"build_config": {"input_shape": [None, *(shape or ())]}}

    def _argument(self, value: Any, plain: Any, place: str) -> Any:
        if isinstance(value, activations.Activation):
            return self._activation(value, place)
        for kind in (initializers.Initializer, regularizers.Regularizer, constraints.Constraint):
            if isinstance(value, kind):
                return described(kind, value, value.get_config(), place)
        return plain

    def _activation(self, activation: activations.Activation, place: str) -> Any:
        if isinstance(activation, activations.Custom):
            raise ValueError(f"{place} is {activation.function_name!r}, a function of your own, which no file holds")
        name = activation.name
        if activation.described() == name:
            return name
        if name not in AS_LAYERS:
            raise ValueError(f"{place} is {activation!r}, with a constant that Keras has not")
        kind, argument = AS_LAYERS[name]
        config = {"name": snake_case(kind), "trainable": True, "dtype": self._policy, argument: activation.parameter}
        return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}

    def _compiled(self) -> dict[str, Any]:
        """The optimizer, the loss and the metrics."""
        model = self._model
        watched = model._resolved(model._metrics_asked, model.loss)
        plain, weighted = (
            [_metric(found.metric.fresh(found.name)) for found in watched if found.weighted is which]
            for which in (False, True)
        )
        assert model.optimizer is not None
        return {
            "optimizer": _optimizer(model.optimizer),
            "loss": None if model.loss is None else _loss(model.loss),
            "loss_weights": None,
            "metrics": plain or None,
            "weighted_metrics": weighted or None,
            "run_eagerly": False,
            "steps_per_execution": 1,
            "jit_compile": "auto",
        }


def _optimizer(optimizer: optimizers.Optimizer) -> dict[str, Any]:
    config = {"name": type(optimizer).__name__.lower()} | optimizer.get_config()
    if optimizer.schedule is not None:
        kind, given = schedules.LearningRateSchedule, optimizer.schedule.get_config()
        config["learning_rate"] = described(kind, optimizer.schedule, given, "the learning rate")
    elif "learning_rate" in config:
        config["learning_rate"] = float(config["learning_rate"])
    return described(optimizers.Optimizer, optimizer, config, "the optimizer")


def _loss(loss: losses.Loss) -> dict[str, Any]:
    place = "the loss"
    config = loss.get_config()
    if isinstance(loss, losses.SparseCategoricalCrossentropy) and not config.pop("label_smoothing"):
        return described(losses.Loss, loss, config, place)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        raise ValueError(f"{place} has label_smoothing={loss.label_smoothing}, which Keras's has not; wants 0")
    return described(losses.Loss, loss, config, place)


def _metric(metric: metrics.Metric) -> dict[str, Any]:
    if isinstance(metric, metrics.LossMetric) and metric.by_batch:
        return _loss(metric.loss)
    return described(metrics.Metric, metric, metric.get_config(), "a metric")
