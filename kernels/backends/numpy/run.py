"""The kernels in plain NumPy: what runs where nothing compiled can, and the baseline that benchmarks compare against.

Written as a competent NumPy user would write it, whole batches at a time; the arithmetic of activations, losses and
optimizers is the formulas' own text.  ``load`` gives the same entry as the compiled backends, reading the same records.
"""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import formulas, records
from ...formulas.arrays import Array, random_lanes

ACTIVATIONS = list(formulas.ACTIVATIONS.items())
LOSSES = list(formulas.LOSSES.items())
OPTIMIZERS = list(formulas.OPTIMIZERS.values())
SOFTMAX = list(formulas.ACTIVATIONS).index("softmax")
DENSE, ACTIVATION, DROPOUT, GAUSSIAN_NOISE, BATCH_NORMALIZATION, LAYER_NORMALIZATION, SCALING = range(
    len(records.LAYER_KINDS)
)
TRAIN, EVALUATE, PREDICT, GRADIENT, UPDATE = range(5)


def load(dtype: str) -> Callable[[int, int, int], int]:
    """The kernels' entry for "float32" or "float64"."""

    def run(layers: int, job: int, thread: int) -> int:
        if thread == 0:
            with np.errstate(all="ignore"):  # divergence shows in the loss
                called = Run(layers, job, np.dtype(dtype))
                try:
                    return called.run()
                except _FailedError:
                    called.synchronisation[records.ABORTED] = 1
                    return 1
        return 0

    return run


class _FailedError(Exception):
    """A function of the user's own failed."""


FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 9)


def call_own(address: int, *arguments: int) -> None:
    """network.call_own, for arrays without padding."""
    if FUNCTION(address)(*arguments) != 1:
        raise _FailedError


def place(array: Array) -> int:
    return int(array.ctypes.data)


def memory(address: int, shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...] | None = None) -> Array:
    """The array at an address."""
    dtype = np.dtype(dtype)
    if 0 in shape:
        return np.empty(shape, dtype)
    if strides is None:
        size = int(np.prod(shape)) * dtype.itemsize
        return np.ndarray(shape, dtype, (ctypes.c_char * size).from_address(address))
    spans = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    low = sum(min(span, 0) for span in spans)
    size = sum(abs(span) for span in spans) + dtype.itemsize
    return np.ndarray(shape, dtype, (ctypes.c_char * size).from_address(address + low), -low, strides)


def mixed(value: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """network.py's hash."""
    keep = np.int64(0x3FFFFFFFFFFFFFFF)
    value = (value + 0x1E3779B97F4A7C15) & keep
    value = ((value ^ (value >> 30)) * 0x3F58476D1CE4E5B9) & keep
    value = ((value ^ (value >> 27)) * 0x14D049BB133111EB) & keep
    return value ^ (value >> 31)


def shuffled(
    position: npt.NDArray[np.int64], rows: int, mask: int, shift: int, key: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """network.py's permutation, for many positions."""
    row = position.copy()
    outside = np.ones(len(row), bool)
    while outside.any():
        some = row[outside]
        turned = key
        for _ in range(4):
            some = ((some + turned) * ((turned >> 20) | 1)) & mask
            some = some ^ (some >> shift)
            turned = (turned >> 9) | ((turned & 511) << 53)
        row[outside] = some
        outside = row >= rows
    return row


class Run:
    """One call of the entry: the records, and arrays over the memory that they name."""

    def __init__(self, layers: int, job: int, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.job = records.JobRecord.from_address(job)
        count = self.job.network.layer_count
        self.layers = list((records.LayerRecord * count).from_address(layers))
        self.own_results: tuple[Array, tuple[Array, Array]] | None = None
        self.parameters = self.vector("parameters")
        self.weights = [self.matrix(self.parameters, layer) for layer in self.layers]
        self.hats: dict[int, tuple[Array, Array]] = {}  # normalised inputs, and the inverse deviations
        self.statistics: dict[int, tuple[Array, Array]] = {}
        self.inputs, self.outputs = self.layers[0].inputs, self.layers[-1].outputs
        self.metric_codes = [int(c) for c in memory(self.job.loss.metrics, (self.job.loss.metric_count,), np.int64)]

    @cached_property
    def synchronisation(self) -> npt.NDArray[np.int64]:
        return memory(self.job.run.synchronisation, (records.SYNCHRONISATION_WORDS,), np.int64)

    @cached_property
    def loss_parameters(self) -> dict[str, Array]:
        """The loss's constants, each (outputs,)."""
        shape, size = (3, self.outputs), self.dtype.itemsize
        rows = memory(self.job.loss.parameters, shape, self.dtype, (self.layers[-1].output_stride * size, size))
        return dict(zip(("parameter", "second", "third"), rows, strict=True))

    def vector(self, name: str, index: int = 0, group: str = "network") -> Array:
        count = self.job.network.parameter_count
        return memory(
            getattr(getattr(self.job, group), name) + index * count * self.dtype.itemsize, (count,), self.dtype
        )

    def matrix(self, vector: Array, layer: Any) -> Array:
        """A layer's matrix (rows, units) in a vector of parameters; its last row the bias, where there is one."""
        start, height, stride = layer.weights, layer.height, layer.stride
        stored = vector[start : start + height * stride].reshape(height, stride)[:, : layer.width]
        return stored.T if layer.stored_transposed else stored

    def run(self) -> int:
        mode = self.job.run.mode
        if mode in (EVALUATE, PREDICT):
            return self.infer()
        if mode == UPDATE:
            self.update(self.clipped(self.vector("gradients", group="memory")), 0)
            return 0
        return self.train()

    # --- Data ---

    def rows(self, epoch: int, position: int, count: int) -> slice | npt.NDArray[np.int64]:
        job = self.job
        start = position - job.data.origin
        if job.order.rows:
            start += (epoch - job.run.first_epoch) * job.data.rows
            order: npt.NDArray[np.int64] = memory(job.order.rows + 8 * start, (count,), np.int64)
            return order
        if not job.order.shuffle:
            return slice(start, start + count)
        key = mixed(job.order.seed + mixed(np.array([epoch])))
        return shuffled(np.arange(position, position + count), job.data.rows, job.order.mask, job.order.shift, key)

    @cached_property
    def held_rows(self) -> int:
        """Rows of x and y: an order may leave some out."""
        job = self.job
        if not job.order.rows:
            return int(job.data.rows)
        epochs = (job.run.last_step - 1) // job.run.steps_per_epoch - job.run.first_epoch + 1
        return int(memory(job.order.rows, (epochs * job.data.rows,), np.int64).max()) + 1

    @cached_property
    def all_x(self) -> Array:
        shape, strides = (self.held_rows, self.inputs), (self.job.data.x_row, self.job.data.x_column)
        return memory(self.job.data.x, shape, records.KINDS[self.job.data.x_kind], strides)

    @cached_property
    def all_y(self) -> Array:
        job = self.job
        shape, strides = (self.held_rows, self.outputs), (job.data.y_row, job.data.y_column)
        if job.data.y_labels:
            shape, strides = shape[:1], strides[:1]
        return memory(job.data.y, shape, records.KINDS[job.data.y_kind], strides)

    @cached_property
    def all_weights(self) -> Array | None:
        address = self.job.data.sample_weight
        return memory(address, (self.held_rows,), np.float64) if address else None

    def x(self, rows: slice | npt.NDArray[np.int64]) -> Array:
        return np.require(self.all_x[rows], self.dtype, ["C", "A"])

    def y(self, rows: slice | npt.NDArray[np.int64]) -> Array:
        y = self.all_y[rows]
        if not self.job.data.y_labels:
            return y.astype(self.dtype, copy=False)
        target = np.zeros((len(y), self.outputs), self.dtype)
        target[np.arange(len(y)), y] = 1
        return target

    def sample_weight(self, rows: slice | npt.NDArray[np.int64], count: int) -> Array:
        if self.all_weights is None:
            return np.ones(count, self.dtype)
        return self.all_weights[rows].astype(self.dtype)

    # --- Forward, loss, backward, update ---

    def forward(self, x: Array, step: int | None = None) -> tuple[list[Array], list[Array]]:
        """What goes into each layer's activation, and what comes out (first: x itself); with a step, in training."""
        before, after = [], [x]
        for number, (layer, w) in enumerate(zip(self.layers, self.weights, strict=True)):
            z = after[-1]
            kind = layer.kind
            if kind == DENSE:
                z = z @ w[: layer.inputs]
                if layer.rows > layer.inputs:
                    z += w[-1]
            elif kind in (DROPOUT, GAUSSIAN_NOISE):
                if step is not None and self.job.run.mode == TRAIN:
                    z = self.noisy(layer, z, step)
            elif kind == SCALING:
                z = z * w[0]
            elif kind != ACTIVATION:
                z = self.normalized(number, layer, w, z, step is not None)
            before.append(z)
            after.append(softmax(z) if is_softmax(layer) else self.activated(layer, z))
        return before, after

    def uniform(self, layer: Any, rows: int, step: int) -> Array:
        """The random numbers of a layer in a step, (rows, units)."""
        key = mixed(self.job.order.seed + mixed(np.array([step])))
        numbers = random_lanes(mixed(mixed(key + layer.seed) + np.arange(rows)), layer.outputs)
        return numbers.astype(self.dtype)

    def noisy(self, layer: Any, y: Array, step: int) -> Array:
        uniform = self.uniform(layer, len(y), step)
        if layer.kind == GAUSSIAN_NOISE:
            return y + formulas.normal_quantile(uniform) * layer.deviation
        return np.where(uniform < layer.threshold, layer.dropped, y * layer.scale + layer.shift).astype(self.dtype)

    def normalized(self, number: int, layer: Any, w: Array, x: Array, training: bool) -> Array:
        axis = 0 if layer.kind == BATCH_NORMALIZATION else 1
        mean, variance = x.mean(axis=axis, keepdims=True), x.var(axis=axis, keepdims=True)
        if axis == 0:
            if training:
                self.statistics[number] = mean[0], variance[0]
            else:
                mean, variance = self.moving(layer)
        inverse = 1 / np.sqrt(variance + self.dtype.type(layer.epsilon))
        hat = (x - mean) * inverse
        self.hats[number] = hat, inverse
        gamma, beta = w[: layer.bias], w[layer.bias :]
        return hat * (gamma if len(gamma) else 1) + (beta if len(beta) else 0)

    def moving(self, layer: Any) -> Array:
        """Moving mean and variance of a batch normalisation, (2, units): a view."""
        state = memory(self.job.network.state, (self.job.network.state_count,), self.dtype)
        start, stride = layer.state, layer.stride
        return state[start : start + 2 * stride].reshape(2, stride)[:, : layer.outputs]

    def activated(self, layer: Any, z: Array) -> Array:
        if layer.activation == records.CUSTOM:
            return self.own_activation(layer, z)[0]
        value = ACTIVATIONS[layer.activation][1].value
        assert value
        return value(*arguments(value, x=z, parameter=layer.parameter))

    def own_activation(self, layer: Any, z: Array) -> tuple[Array, Array]:
        """Its values and slopes."""
        z = np.ascontiguousarray(z)
        value, slope = np.empty_like(z), np.empty_like(z)
        rows, columns = z.shape
        call_own(layer.function, rows, columns, place(z), columns, place(value), columns, 0, 1, place(slope))
        return value, slope

    def own_loss(self, output: Array, target: Array) -> tuple[Array, Array]:
        """Its sum over each row, and its gradient; the last ones again for the same arrays."""
        if self.own_results and self.own_results[0] is output:
            return self.own_results[1]
        given = output
        output, target = np.ascontiguousarray(output), np.ascontiguousarray(target)
        scores, delta = np.empty(len(output)), np.empty_like(output)
        rows, columns = output.shape
        sources = place(output), columns, place(target), columns
        call_own(self.job.loss.function, rows, columns, *sources, place(scores), 1, place(delta))
        self.own_results = given, (scores.astype(self.dtype), delta)
        return self.own_results[1]

    def loss(self, before: list[Array], after: list[Array], target: Array, code: int) -> Array:
        """Each row's loss or metric."""
        if code == records.CUSTOM:
            return self.own_loss(after[-1], target)[0]
        name, row = LOSSES[code]
        output = before[-1] if name == self.loss_name and self.job.loss.on_logits else after[-1]
        if name == "categorical_crossentropy_from_logits":
            level = output.max(axis=1, keepdims=True)
            level = level + np.log(np.exp(output - level).sum(axis=1, keepdims=True))
            return np.where(target == 0, 0, target * (level - output)).sum(axis=1)
        if name == "categorical_accuracy":
            return (output.argmax(axis=1) == target.argmax(axis=1)).astype(self.dtype)
        assert row.value
        if row.of_log_softmax:
            output = log_softmax(output)
        return row.value(*arguments(row.value, y=output, target=target, **self.loss_parameters)).sum(axis=1)

    @property
    def loss_name(self) -> str:
        return "" if self.job.loss.code == records.CUSTOM else LOSSES[self.job.loss.code][0]

    def scores(self, before: list[Array], after: list[Array], target: Array, weight: Array) -> Array:
        """The sums over the rows of the loss and of each metric."""
        columns = [self.loss(before, after, self.smoothed(target), self.job.loss.code) * weight * self.job.loss.scale]
        for code in self.metric_codes:
            over = 1 if LOSSES[code][0] == "categorical_accuracy" else self.outputs
            columns.append(self.loss(before, after, target, code) / over)
        return np.array([column.sum(dtype=np.float64) for column in columns])

    def smoothed(self, target: Array) -> Array:
        """Targets as the loss sees them."""
        scale, shift = self.job.loss.target_scale, self.job.loss.target_shift
        return target if scale == 1 else target * scale + shift

    def last_delta(self, before: list[Array], after: list[Array], target: Array, weight: Array, share: float) -> Array:
        job, layer = self.job, self.layers[-1]
        target = self.smoothed(target)
        scale = (job.loss.scale * share * weight)[:, np.newaxis].astype(self.dtype)
        if job.loss.code == records.CUSTOM:
            return self.through_output(before, after, scale * self.own_loss(after[-1], target)[1])
        row = LOSSES[job.loss.code][1]
        if self.loss_name == "categorical_crossentropy_from_logits":
            p = after[-1] if is_softmax(layer) else softmax(before[-1])
            return scale * (p * target.sum(axis=1, keepdims=True) - target)
        output = before[-1] if job.loss.on_logits else after[-1]
        assert row.gradient
        if row.of_log_softmax:
            output = log_softmax(output)
        slope = row.gradient(*arguments(row.gradient, y=output, target=target, **self.loss_parameters))
        if row.of_log_softmax:
            slope = slope - np.exp(output) * slope.sum(axis=1, keepdims=True)
        delta = scale * slope
        return delta if job.loss.on_logits else self.through_output(before, after, delta)

    def through_output(self, before: list[Array], after: list[Array], delta: Array) -> Array:
        """Back through the last layer's activation."""
        layer = self.layers[-1]
        if is_softmax(layer):
            y = after[-1]
            return y * (delta - (delta * y).sum(axis=1, keepdims=True))
        return self.through_activation(layer, before[-1], after[-1], delta)

    def through_activation(self, layer: Any, z: Array, output: Array, delta: Array) -> Array:
        if layer.activation == records.CUSTOM:
            return delta * self.own_activation(layer, z)[1]
        name, activation = ACTIVATIONS[layer.activation]
        if name == "linear":
            return delta
        assert activation.slope
        slope = activation.slope(*arguments(activation.slope, x=z, y=output, parameter=layer.parameter))
        return delta * np.asarray(slope, self.dtype)

    def backward(self, before: list[Array], after: list[Array], delta: Array, gradient: Array, step: int) -> None:
        """The gradient of each matrix, into a vector laid out like the parameters."""
        first = self.job.network.first_trained
        for i in reversed(range(first, len(self.layers))):
            layer, kind = self.layers[i], self.layers[i].kind
            d = self.matrix(gradient, layer)
            if kind == DENSE:
                inputs = layer.inputs
                np.matmul(after[i].T, delta, out=d[:inputs])
                if layer.rows > inputs:
                    d[-1] = delta.sum(axis=0)
                if i > first:
                    delta = delta @ self.weights[i][:inputs].T
            elif kind == DROPOUT:
                if self.job.run.mode == TRAIN:
                    dropped = self.uniform(layer, len(delta), step) < layer.threshold
                    delta = np.where(dropped, 0, delta * layer.scale).astype(self.dtype)
            elif kind in (BATCH_NORMALIZATION, LAYER_NORMALIZATION):
                delta = self.normalized_backward(i, layer, d, delta)
            elif kind == SCALING:
                d[0] = (after[i] * delta).sum(axis=0)
                delta = delta * self.weights[i][0]
            if i > first:
                delta = self.through_activation(self.layers[i - 1], before[i - 1], after[i], delta)

    def normalized_backward(self, number: int, layer: Any, d: Array, delta: Array) -> Array:
        """The gradient by what was normalised; those by gamma and beta into d."""
        hat, inverse = self.hats[number]
        gamma = self.weights[number][: layer.bias]
        d[: layer.bias] = (delta * hat).sum(axis=0)
        d[layer.bias :] = delta.sum(axis=0)
        axis = 0 if layer.kind == BATCH_NORMALIZATION else 1
        if len(gamma):
            delta = delta * gamma
        along = delta.mean(axis=axis, keepdims=True) + hat * (delta * hat).mean(axis=axis, keepdims=True)
        return inverse * (delta - along)

    def penalty(self, gradient: Array, strength: float) -> float:
        """The penalties on the weights; their gradient is added."""
        total = 0.0
        for layer, w in zip(self.layers, self.weights, strict=True):
            if layer.penalized:
                d = self.matrix(gradient, layer)
                for rows, which in ((slice(layer.bias), "kernel"), (slice(layer.bias, None), "bias")):
                    l1, l2 = (strength * getattr(layer, f"{which}_{power}") for power in ("l1", "l2"))
                    total += l1 * np.abs(w[rows]).sum(dtype=float) + l2 * np.square(w[rows]).sum(dtype=float)
                    d[rows] += l1 * np.sign(w[rows]) + 2 * l2 * w[rows]
        return float(total)

    def clipped(self, gradient: Array) -> Array:
        how, limit = records.CLIPS[self.job.optimizer.clip], self.job.optimizer.clip_limit
        if how == "clipvalue":
            np.clip(gradient, -limit, limit, out=gradient)
        elif how:
            matrices = [self.matrix(gradient, layer) for layer in self.layers]
            bias = [layer.bias for layer in self.layers]
            parts = [part for d, at in zip(matrices, bias, strict=True) for part in (d[:at], d[at:])]
            squares = [np.square(part).sum(dtype=float) for part in parts]
            if how == "global_clipnorm":
                squares = [sum(squares)] * len(parts)
            for part, square in zip(parts, squares, strict=True):
                if np.sqrt(square) > limit:
                    part *= limit / np.sqrt(square)
        return gradient

    def update(self, gradient: Array, step: int) -> None:
        """An update, so many steps after the run's first."""
        job = self.job
        row = OPTIMIZERS[job.optimizer.code]
        update_number = job.optimizer.iterations + step + 1
        values = memory(job.optimizer.hyper, (records.DECAY + 1,), np.float64).tolist()
        hyper = dict(zip(row.hyper, values, strict=False))
        if job.optimizer.rates:
            hyper["learning_rate"] = float(memory(job.optimizer.rates, (step + 1,), np.float64)[step])
        scalars = row.prepare(*arguments(row.prepare, **hyper, step=float(update_number)))
        rated = [layer for layer in self.layers if (layer.kernel_rate, layer.bias_rate) != (1, 1)]
        before = self.parameters.copy() if rated else self.parameters
        if values[records.DECAY]:
            self.parameters *= self.dtype.type(1.0 - hyper["learning_rate"] * values[records.DECAY])
        slots = [self.vector("slots", i) for i in range(len(row.slots))]
        new = row.update(self.parameters, gradient, *slots, *(scalars if isinstance(scalars, tuple) else (scalars,)))
        for old, value in zip([self.parameters, *slots], new if isinstance(new, tuple) else (new,), strict=True):
            old[:] = value
        for layer in rated:
            w, old = self.matrix(self.parameters, layer), self.matrix(before, layer)
            for rows, rate in ((slice(layer.bias), "kernel_rate"), (slice(layer.bias, None), "bias_rate")):
                w[rows] = old[rows] + getattr(layer, rate) * (w[rows] - old[rows])
        if self.job.optimizer.average >= 0:
            average, frequency = self.vector("slots", self.job.optimizer.average), self.job.optimizer.average_frequency
            momentum = self.job.optimizer.average_momentum if update_number > 1 else 0.0
            average[:] = momentum * (average - self.parameters) + self.parameters
            if frequency and update_number % frequency == 0:
                self.parameters[:] = average

    def move_statistics(self) -> None:
        for number, batch in self.statistics.items():
            moving = self.moving(self.layers[number])
            moving += (1 - self.layers[number].momentum) * (np.array(batch) - moving)

    # --- Runs ---

    def train(self) -> int:
        job = self.job
        gradient = self.vector("gradients", group="memory")
        columns = 1 + len(self.metric_codes)
        for step in range(job.run.first_step, job.run.last_step):
            epoch, number = divmod(step, job.run.steps_per_epoch)
            position = number * job.data.batch_size
            count = min(job.data.batch_size, job.data.rows - position)
            rows = self.rows(epoch, position, count)
            target, weight = self.y(rows), self.sample_weight(rows, count)
            update_number = job.optimizer.iterations + step - job.run.first_step + 1
            before, after = self.forward(self.x(rows), update_number)
            results = memory(job.memory.results + (epoch - job.run.first_epoch) * columns * 8, (columns,), np.float64)
            share = 1 / count
            scores = self.scores(before, after, target, weight)
            scores[0] *= job.loss.score_scale
            if job.order.row_weights:
                share = memory(job.order.row_weights + 8 * (step - job.run.first_step), (1,), np.float64)[0]
                scores[0] *= share * count
            delta = self.last_delta(before, after, target, weight, share)
            self.backward(before, after, delta, gradient, update_number)
            scores[0] += self.penalty(gradient, share if job.network.penalty_by_row else 1.0) * count
            results += scores
            if job.run.mode == TRAIN:
                self.update(self.clipped(gradient), step - job.run.first_step)
                self.move_statistics()
                self.synchronisation[records.DONE] = step + 1
                if position + count == job.data.rows and self.end_epoch(epoch, results[0]):
                    return 1
        return 0

    def end_epoch(self, epoch: int, loss: float) -> bool:
        """Keep the parameters and slots if all is finite; else say so."""
        slots = [self.vector("slots", i) for i in range(self.job.network.slot_count)]
        if not (np.isfinite(loss) and all(np.isfinite(vector).all() for vector in [self.parameters, *slots])):
            self.synchronisation[records.DIVERGED] = epoch + 1
            return True
        self.vector("backup")[:] = self.parameters
        for i, slot in enumerate(slots, 1):
            self.vector("backup", i)[:] = slot
        start = self.job.network.backup + (1 + len(slots)) * self.parameters.nbytes
        size = self.job.network.state_count
        memory(start, (size,), self.dtype)[:] = memory(self.job.network.state, (size,), self.dtype)
        return False

    def infer(self) -> int:
        job, size = self.job, self.dtype.itemsize
        columns = 1 + len(self.metric_codes)
        for block in range(job.run.first_step, job.run.last_step):
            position = block * job.memory.capacity
            count = min(job.memory.capacity, job.data.rows - position)
            rows = self.rows(0, position, count)
            before, after = self.forward(self.x(rows))
            if job.run.mode == EVALUATE:
                results = memory(job.memory.results + block * columns * 8, (columns,), np.float64)
                results[:] = self.scores(before, after, self.y(rows), self.sample_weight(rows, count))
                continue
            start = job.memory.output + position * job.memory.output_row * size
            memory(start, after[-1].shape, self.dtype, (job.memory.output_row * size, size))[:] = after[-1]
            for layer, output in zip(self.layers, after[1:], strict=True):  # left in the workspace, as compiled
                start = job.memory.workspace + layer.output * job.memory.capacity * size
                memory(start, output.shape, self.dtype, (layer.output_stride * size, size))[:] = output
        return 0


def is_softmax(layer: Any) -> bool:
    return layer.activation == SOFTMAX


def log_softmax(z: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def softmax(z: Array) -> Array:
    raised = np.exp(z - z.max(axis=1, keepdims=True))
    raised /= raised.sum(axis=1, keepdims=True)
    return raised


def arguments(formula: Callable[..., Any], **values: Any) -> list[Any]:
    """Those of the values that the formula names, in its order."""
    return [values[name] for name in names(formula)]


@cache
def names(formula: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(formula).parameters)
