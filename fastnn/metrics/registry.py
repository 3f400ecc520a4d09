"""Metrics by their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fastnn import losses, names
from fastnn.losses import Loss
from fastnn.losses import functions as of_losses
from fastnn.names import snake_case
from . import accuracies, auc, confusion, constrained, f_score, functions, probabilities, regression
from .base import LossMetric, MeanMetricWrapper, Metric

_CLASSES: list[Any] = [
    found
    for module in (accuracies, regression, probabilities, auc, confusion, constrained, f_score)
    for name, found in vars(module).items()
    if inspect.isclass(found) and found.__module__ == module.__name__ and not name.startswith("_") and name != "Counts"
]
_NAMES: dict[str, Callable[..., Metric]] = {snake_case(found.__name__): found for found in _CLASSES}
_NAMES |= {"auc": auc.AUC, "kl_divergence": probabilities.KLDivergence, "log_cosh": regression.LogCoshError}
_NAMES |= {"f1_score": f_score.F1Score, "fbeta_score": f_score.FBetaScore, "r2_score": regression.R2Score}
_NAMES |= {"rmse": regression.RootMeanSquaredError}
_NAMES["top_k_categorical_accuracy"] = _NAMES.pop("top_kcategorical_accuracy")
_NAMES["sparse_top_k_categorical_accuracy"] = _NAMES.pop("sparse_top_kcategorical_accuracy")

_FUNCTIONS: dict[Callable[..., Any], Callable[..., Metric]] = {
    found: _NAMES[name]
    for module in (of_losses, functions)
    for name, found in vars(module).items()
    if name in _NAMES and inspect.isfunction(found) and (module, name) != (of_losses, "cosine_similarity")
}
_NAMES |= {name: _FUNCTIONS[f] for name, f in vars(of_losses).items() if inspect.isfunction(f) and f in _FUNCTIONS}


def _rows_of(kind: type[Loss], name: str | None = None) -> Metric:
    return LossMetric(kind(), name, by_row=True)


_NAMES |= {name: partial(_rows_of, kind) for name, kind in losses.NAMES.items() if name not in _NAMES}
_FUNCTIONS |= {found: partial(_rows_of, kind) for found, kind in losses.FUNCTIONS.items() if found not in _FUNCTIONS}


def get(identifier: object, argument: str = "metrics") -> Metric:
    """Make a metric of a name, a class, a configuration, a loss or a function; a metric is returned as it is.

    A name that is given is the metric's own, as in Keras: metrics=["MSE"] gives the key "MSE".
    """
    if isinstance(identifier, Loss):
        return LossMetric(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return LossMetric(identifier())
    if isinstance(identifier, str):
        made = names.resolve(identifier, Metric, _NAMES, argument)
        vars(made)["name"] = identifier
        return made
    if callable(identifier) and not isinstance(identifier, type | Metric):
        known = _FUNCTIONS.get(identifier) if inspect.isfunction(identifier) else None
        return MeanMetricWrapper(identifier) if known is None else known(name=identifier.__name__)
    return names.resolve(identifier, Metric, _NAMES, argument)


def serialize(metric: Metric) -> dict[str, Any]:
    """Describe a metric by its class and its arguments."""
    return names.serialize(get(metric))


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Metric:
    """Make the metric that `serialize` described."""
    with names.custom_object_scope(custom_objects):
        return names.deserialize(config, Metric, "metrics")
