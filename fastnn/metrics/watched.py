"""The metrics of a model: what is asked for, made to suit it, and measured over an epoch or other rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnn.engine import Data, Training
from fastnn.losses import Loss
from fastnn.names import unique
from fastnn.typing import Array
from .accuracies import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy
from .base import LossMetric, Metric
from .registry import get


class Watched(NamedTuple):
    """A metric of a model."""

    name: str  # its key in the logs
    metric: Metric
    row: str = ""  # the formula of which the compiled run makes sums over rows; "": NumPy makes it of the outputs
    weighted: bool = False  # by the rows' weights


def resolve(asked: object, weighted: object, loss: Loss | None, outputs: int) -> list[Watched]:
    """Make the metrics of a model with so many ``outputs``: those without weights of rows, and those with.

    Their names differ, and each "accuracy" becomes the one that suits the model.  TypeError or ValueError: a metric is
    unknown, or has no meaning for the model.
    """
    labels = bool(getattr(loss, "labels", False))
    plain, weighing = (
        [_suited(each, argument, labels, outputs) for each in _listed(given, argument)]
        for given, argument in ((asked, "metrics"), (weighted, "weighted_metrics"))
    )
    names = unique((metric.name for metric in plain), taken={"loss"})
    others = ["weighted_" * (m.name in names and not m._named_by_class) + m.name for m in weighing]
    others = unique(others, taken={"loss", *names})
    return [
        Watched(name, metric, "" if with_weights else metric.compiled_row, with_weights)
        for metrics, found, with_weights in ((plain, names, False), (weighing, others, True))
        for metric, name in zip(metrics, found, strict=True)
    ]


def _suited(asked: Any, argument: str, labels: bool, outputs: int) -> Metric:
    """The metric, if it has a meaning for a model with so many outputs, whose targets may be class numbers."""
    if isinstance(asked, str) and asked.lower() in ("accuracy", "acc"):
        kind = BinaryAccuracy if outputs == 1 else SparseCategoricalAccuracy if labels else CategoricalAccuracy
        return kind(name=asked)
    metric = get(asked, argument)
    of_classes = isinstance(metric, CategoricalAccuracy | TopKCategoricalAccuracy) or metric.sparse
    if of_classes and outputs == 1:
        raise ValueError(
            f"{argument} got {metric.name!r}, which compares classes, but the model has one output; "
            "wants 'accuracy' or 'binary_accuracy'"
        )
    if isinstance(metric, LossMetric) and metric.by_batch and argument == "weighted_metrics":
        raise ValueError(
            f"{argument} got {metric.loss!r}, which is one number a batch; wants its name, or its function, for a loss "
            "a row"
        )
    if metric.sparse and not labels:
        raise ValueError(
            f"{argument} got {metric.name!r}, for targets that are class numbers, as a sparse loss has them; wants one "
            f"for rows of targets, such as {metric.name.removeprefix('sparse_')!r}"
        )
    return metric


def _listed(metrics: object, argument: str) -> Iterator[Any]:
    """Each of the metrics of a list, which may have lists in it."""
    if metrics is None:
        return
    if isinstance(metrics, str | Metric | Loss | type) or callable(metrics):
        yield metrics
    elif isinstance(metrics, Mapping) or not isinstance(metrics, Iterable):
        raise TypeError(f"{argument} got {metrics!r}; wants a list of names or metrics")
    else:
        for metric in metrics:
            if isinstance(metric, list | tuple):
                yield from _listed(metric, argument)
            else:
                yield metric


class Watch:
    """The metrics that NumPy makes of outputs, over some rows; those of the compiled run are not its matter."""

    def __init__(self, metrics: Sequence[Watched]) -> None:
        self.kept = [(found.metric.fresh(), found.weighted) for found in metrics if not found.row]
        self._run: Training | None = None
        self._seen = 0  # rows of it

    def __bool__(self) -> bool:
        return bool(self.kept)

    def reset(self) -> None:
        """Forget all rows: an epoch begins."""
        self._run = None
        for metric, _ in self.kept:
            metric.reset_state()

    def observe(self, run: Training) -> None:
        """Take in the rows that a run has visited in its epoch, but for those that are known."""
        if run is not self._run:
            self._run, self._seen = run, 0
        _, steps = run.place()
        done = run.rows_done(steps)
        if done > self._seen and not (run.diverged or run.not_finite):
            first, self._seen = self._seen, done
            self.update(*run.scored(first, done), run.batch_size)

    def update(self, rows: Data, outputs: Array, batch_size: int) -> None:
        """Take in some rows: their targets and weights, and the network's outputs, (rows, outputs)."""
        assert rows.y is not None
        one_hot = rows.y
        if rows.labels and any(not metric.sparse for metric, _ in self.kept):
            one_hot = np.zeros(outputs.shape, outputs.dtype)
            one_hot[np.arange(len(outputs)), rows.y] = 1
        elif not rows.labels:
            one_hot = rows.y.reshape(outputs.shape)
        for metric, weighted in self.kept:
            targets = rows.y if metric.sparse else one_hot
            size = batch_size if metric.by_batch else max(1, len(outputs))
            for first in range(0, len(outputs), size):
                part = slice(first, first + size)
                if weighted and rows.weight is not None:
                    metric.update_state(targets[part], outputs[part], rows.weight[part])
                else:
                    metric.update_state(targets[part], outputs[part])

    def results(self) -> list[Any]:
        """The metrics of all rows so far: numbers, or arrays of several."""
        found = [np.asarray(metric.result(), np.float64) for metric, _ in self.kept]
        return [value.item() if value.size == 1 else value for value in found]
