"""The loss and the metrics of each row of a batch, and the loss's gradient."""

from functools import cached_property

import numpy as np

from ... import formulas
from ...formulas.activations import SOFTMAX
from ...formulas.arrays import Array
from ...formulas.losses import (
    CATEGORICAL_ACCURACY,
    CATEGORICAL_CROSSENTROPY_FROM_LOGITS,
    CATEGORICAL_HINGE,
    COSINE_SIMILARITY,
)
from ...records import CUSTOM
from .activation import applied, log_softmax, softmax, through_activation
from .memory import Network, address_of, array_at, call_custom

LOSSES = list(formulas.LOSSES.values())


class Loss:
    """The loss and metrics that a job names.

    ``logits`` and ``output`` are what the last layer's activation is given, and what it gives; target (rows, outputs),
    weight (rows,).
    """

    def __init__(self, network: Network) -> None:
        self.loss, self.layer, self.dtype = network.job.loss, network.layers[-1], network.dtype
        self.metrics: list[int] = array_at(self.loss.metrics, (self.loss.metric_count,), np.int64).tolist()
        self.custom_results: tuple[Array, tuple[Array, Array]] | None = None

    @cached_property
    def parameters(self) -> dict[str, Array]:
        """The loss's constants, each (outputs,)."""
        shape, strides = (3, self.layer.outputs), (self.layer.output_stride * self.dtype.itemsize, self.dtype.itemsize)
        rows = array_at(self.loss.parameters, shape, self.dtype, strides)
        return dict(zip(("parameter", "second", "third"), rows, strict=True))

    def scores(self, logits: Array, output: Array, target: Array, weight: Array) -> Array:
        """The sums over the rows of the loss and of each metric."""
        columns = [self.value(self.loss.code, logits, output, self.smoothed(target)) * weight * self.loss.scale]
        for code in self.metrics:
            over = 1 if code == CATEGORICAL_ACCURACY else self.layer.outputs
            columns.append(self.value(code, logits, output, target) / over)
        return np.array([column.sum(dtype=np.float64) for column in columns])

    def value(self, code: int, logits: Array, output: Array, target: Array) -> Array:
        """Each row's loss or metric."""
        if code == CUSTOM:
            return self.custom_loss(output, target)[0]
        y = logits if code == self.loss.code and self.loss.on_logits else output
        if code == CATEGORICAL_CROSSENTROPY_FROM_LOGITS:
            level = y.max(axis=1, keepdims=True)
            level = level + np.log(np.exp(y - level).sum(axis=1, keepdims=True))
            return np.where(target == 0, 0, target * (level - y)).sum(axis=1)
        if code == CATEGORICAL_ACCURACY:
            return (y.argmax(axis=1) == target.argmax(axis=1)).astype(self.dtype)
        if code in WHOLE_ROWS:
            return WHOLE_ROWS[code](y, target)[0]
        row = LOSSES[code]
        assert row.value
        if row.of_log_softmax:
            y = log_softmax(y)
        return applied(row.value, y=y, target=target, **self.parameters).sum(axis=1)

    def delta(self, logits: Array, output: Array, target: Array, weight: Array, row_weight: float) -> Array:
        """The gradient of the batch's loss, in which a row of weight 1 counts row_weight, by the logits."""
        target = self.smoothed(target)
        scale = (self.loss.scale * row_weight * weight)[:, np.newaxis].astype(self.dtype)
        if self.loss.code == CUSTOM:
            return through_activation(self.layer, logits, output, scale * self.custom_loss(output, target)[1])
        if self.loss.code == CATEGORICAL_CROSSENTROPY_FROM_LOGITS:
            p = output if self.layer.activation == SOFTMAX else softmax(logits)
            return scale * (p * target.sum(axis=1, keepdims=True) - target)
        if self.loss.code in WHOLE_ROWS:
            slope = WHOLE_ROWS[self.loss.code](output, target)[1]
            return through_activation(self.layer, logits, output, scale * slope)
        row = LOSSES[self.loss.code]
        assert row.gradient
        y = logits if self.loss.on_logits else output
        if row.of_log_softmax:
            y = log_softmax(y)
        slope = applied(row.gradient, y=y, target=target, **self.parameters)
        if row.of_log_softmax:
            slope = slope - np.exp(y) * slope.sum(axis=1, keepdims=True)
        delta: Array = scale * slope
        return delta if self.loss.on_logits else through_activation(self.layer, logits, output, delta)

    def smoothed(self, target: Array) -> Array:
        """Targets as the loss sees them."""
        scale, shift = self.loss.target_scale, self.loss.target_shift
        return target if scale == 1 else target * scale + shift

    def custom_loss(self, output: Array, target: Array) -> tuple[Array, Array]:
        """A loss of the user's own: its sum over each row, and its gradient; kept for the last output."""
        if self.custom_results and self.custom_results[0] is output:
            return self.custom_results[1]
        y, target = np.ascontiguousarray(output), np.ascontiguousarray(target)
        scores, delta = np.empty(len(y)), np.empty_like(y)
        rows, columns = y.shape
        sources = address_of(y), columns, address_of(target), columns
        call_custom(self.loss.function, rows, columns, *sources, address_of(scores), 1, address_of(delta))
        self.custom_results = output, (scores.astype(self.dtype), delta)
        return self.custom_results[1]


def cosine_similarity(y: Array, target: Array) -> tuple[Array, Array]:
    """Minus the cosine of each row's outputs and targets, and its gradient by the outputs."""
    squares = np.square(y).sum(axis=1, keepdims=True)
    unit = y / np.sqrt(np.maximum(squares, y.dtype.type(1e-14)))
    wanted = target / np.sqrt(np.maximum(np.square(target).sum(axis=1, keepdims=True), y.dtype.type(1e-14)))
    cosine = (unit * wanted).sum(axis=1, keepdims=True)
    along = np.where(squares > 1e-14, unit * cosine, 0)
    return -cosine[:, 0], (along - wanted) / np.sqrt(np.maximum(squares, y.dtype.type(1e-14)))


def categorical_hinge(y: Array, target: Array) -> tuple[Array, Array]:
    """What the largest wrong output of each row lacks of being 1 less than the right one, and its gradient."""
    wrong = (1 - target) * y
    short = wrong.max(axis=1) - (target * y).sum(axis=1) + 1
    slope = -target
    first = np.arange(len(y)), wrong.argmax(axis=1)
    slope[first] += 1 - target[first]
    return np.maximum(short, 0), np.where(short[:, np.newaxis] > 0, slope, 0)


WHOLE_ROWS = {COSINE_SIMILARITY: cosine_similarity, CATEGORICAL_HINGE: categorical_hinge}
