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

from . import formulas, plan
from .primitives import Array

ACTIVATIONS = list(formulas.ACTIVATIONS.items())
LOSSES = list(formulas.LOSSES.items())
OPTIMIZERS = list(formulas.OPTIMIZERS.values())
TRAIN, EVALUATE, PREDICT, GRADIENT, UPDATE = range(5)


def load(dtype: str) -> Callable[[int, int, int], int]:
    """The kernels' entry for "float32" or "float64"."""

    def run(layers: int, job: int, thread: int) -> int:
        if thread == 0:
            with np.errstate(all="ignore"):  # divergence shows in the loss
                return Run(layers, job, np.dtype(dtype)).run()
        return 0

    return run


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
        record = np.dtype(list(plan.JOB_FIELDS.items()))
        self.job = dict(zip(plan.JOB_FIELDS, memory(job, (1,), record)[0].item(), strict=True))
        count = self.job["layer_count"]
        record = np.dtype(list(plan.LAYER_FIELDS.items()))
        rows = memory(layers, (count,), record)
        self.layers = [dict(zip(plan.LAYER_FIELDS, row.item(), strict=True)) for row in rows]
        self.parameters = self.vector("parameters")
        self.weights = [self.matrix(self.parameters, layer) for layer in self.layers]
        self.inputs, self.outputs = self.layers[0]["inputs"], self.layers[-1]["outputs"]
        self.metric_codes = [int(c) for c in memory(self.job["metrics"], (self.job["metric_count"],), np.int64)]

    def vector(self, name: str, index: int = 0) -> Array:
        count = self.job["parameter_count"]
        return memory(self.job[name] + index * count * self.dtype.itemsize, (count,), self.dtype)

    def matrix(self, vector: Array, layer: dict[str, Any]) -> Array:
        """A layer's matrix (rows, units) in a vector of parameters; its last row the bias, where there is one."""
        start, height, stride = layer["weights"], layer["height"], layer["stride"]
        stored = vector[start : start + height * stride].reshape(height, stride)[:, : layer["width"]]
        return stored.T if layer["turned"] else stored

    def run(self) -> int:
        mode = self.job["mode"]
        if mode in (EVALUATE, PREDICT):
            return self.infer()
        if mode == UPDATE:
            self.update(self.vector("gradients"), self.job["iterations"] + 1)
            return 0
        return self.train()

    # --- Data ---

    def rows(self, epoch: int, position: int, count: int) -> slice | npt.NDArray[np.int64]:
        job = self.job
        start = position - job["origin"]
        if not job["shuffle"]:
            return slice(start, start + count)
        key = mixed(job["seed"] + mixed(np.array([epoch])))
        return shuffled(np.arange(position, position + count), job["rows"], job["mask"], job["shift"], key)

    @cached_property
    def all_x(self) -> Array:
        shape, strides = (self.job["rows"], self.inputs), (self.job["x_row"], self.job["x_column"])
        return memory(self.job["x"], shape, plan.KINDS[self.job["x_kind"]], strides)

    @cached_property
    def all_y(self) -> Array:
        job = self.job
        shape, strides = (job["rows"], self.outputs), (job["y_row"], job["y_column"])
        if job["y_labels"]:
            shape, strides = shape[:1], strides[:1]
        return memory(job["y"], shape, plan.KINDS[job["y_kind"]], strides)

    @cached_property
    def all_weights(self) -> Array | None:
        address = self.job["sample_weight"]
        return memory(address, (self.job["rows"],), np.float64) if address else None

    def x(self, rows: slice | npt.NDArray[np.int64]) -> Array:
        return np.require(self.all_x[rows], self.dtype, ["C", "A"])

    def y(self, rows: slice | npt.NDArray[np.int64]) -> Array:
        y = self.all_y[rows]
        if not self.job["y_labels"]:
            return y.astype(self.dtype, copy=False)
        target = np.zeros((len(y), self.outputs), self.dtype)
        target[np.arange(len(y)), y] = 1
        return target

    def sample_weight(self, rows: slice | npt.NDArray[np.int64], count: int) -> Array:
        if self.all_weights is None:
            return np.ones(count, self.dtype)
        return self.all_weights[rows].astype(self.dtype)

    # --- Forward, loss, backward, update ---

    def forward(self, x: Array) -> tuple[list[Array], list[Array]]:
        """What goes into each layer's activation, and what comes out of each (first: x itself)."""
        before, after = [], [x]
        for layer, w in zip(self.layers, self.weights, strict=True):
            z = after[-1]
            if layer["rows"]:
                z = z @ w[: layer["inputs"]]
                if layer["rows"] > layer["inputs"]:
                    z += w[-1]
            before.append(z)
            after.append(softmax(z) if is_softmax(layer) else self.activated(layer, z))
        return before, after

    def activated(self, layer: dict[str, Any], z: Array) -> Array:
        value = ACTIVATIONS[layer["activation"]][1].value
        assert value
        return value(*arguments(value, x=z, parameter=layer["parameter"]))

    def loss(self, before: list[Array], after: list[Array], target: Array, code: int) -> Array:
        """Each row's loss or metric."""
        name, row = LOSSES[code]
        output = before[-1] if name == self.loss_name and self.job["loss_on_logits"] else after[-1]
        if name == "categorical_crossentropy_from_logits":
            level = output.max(axis=1, keepdims=True)
            level = level + np.log(np.exp(output - level).sum(axis=1, keepdims=True))
            return np.where(target == 0, 0, target * (level - output)).sum(axis=1)
        if name == "categorical_accuracy":
            return (output.argmax(axis=1) == target.argmax(axis=1)).astype(self.dtype)
        assert row.value
        parameter = self.job["loss_parameter"] if name == self.loss_name else 1.0
        return row.value(*arguments(row.value, y=output, target=target, parameter=parameter)).sum(axis=1)

    @property
    def loss_name(self) -> str:
        return LOSSES[self.job["loss"]][0]

    def scores(self, before: list[Array], after: list[Array], target: Array, weight: Array) -> Array:
        """The sums over the rows of the loss and of each metric."""
        columns = [self.loss(before, after, target, self.job["loss"]) * weight * self.job["loss_scale"]]
        for code in self.metric_codes:
            over = 1 if LOSSES[code][0] == "categorical_accuracy" else self.outputs
            columns.append(self.loss(before, after, target, code) / over)
        return np.array([column.sum(dtype=np.float64) for column in columns])

    def last_delta(self, before: list[Array], after: list[Array], target: Array, weight: Array) -> Array:
        job, layer = self.job, self.layers[-1]
        scale = (job["loss_scale"] / len(target) * weight)[:, np.newaxis].astype(self.dtype)
        row = LOSSES[job["loss"]][1]
        if self.loss_name == "categorical_crossentropy_from_logits":
            p = after[-1] if is_softmax(layer) else softmax(before[-1])
            return scale * (p * target.sum(axis=1, keepdims=True) - target)
        output = before[-1] if job["loss_on_logits"] else after[-1]
        assert row.gradient
        delta = scale * row.gradient(*arguments(row.gradient, y=output, target=target, parameter=job["loss_parameter"]))
        if job["loss_on_logits"]:
            return delta
        if is_softmax(layer):
            y = after[-1]
            return y * (delta - (delta * y).sum(axis=1, keepdims=True))
        return self.through_activation(layer, before[-1], after[-1], delta)

    def through_activation(self, layer: dict[str, Any], z: Array, output: Array, delta: Array) -> Array:
        name, activation = ACTIVATIONS[layer["activation"]]
        if name == "linear":
            return delta
        assert activation.slope
        slope = activation.slope(*arguments(activation.slope, x=z, y=output, parameter=layer["parameter"]))
        return delta * np.asarray(slope, self.dtype)

    def backward(self, before: list[Array], after: list[Array], delta: Array, gradient: Array) -> None:
        """The gradient of each matrix, into a vector laid out like the parameters."""
        for i in reversed(range(len(self.layers))):
            layer = self.layers[i]
            if layer["rows"]:
                inputs = layer["inputs"]
                d = self.matrix(gradient, layer)
                np.matmul(after[i].T, delta, out=d[:inputs])
                if layer["rows"] > inputs:
                    d[-1] = delta.sum(axis=0)
            if i:
                if layer["rows"]:
                    delta = delta @ self.weights[i][:inputs].T
                delta = self.through_activation(self.layers[i - 1], before[i - 1], after[i], delta)

    def update(self, gradient: Array, step: int) -> None:
        row = OPTIMIZERS[self.job["optimizer"]]
        hyper = dict(zip(row.hyper, memory(self.job["hyper"], (len(row.hyper),), np.float64).tolist(), strict=True))
        scalars = row.prepare(*arguments(row.prepare, **hyper, step=float(step)))
        slots = [self.vector("slots", i) for i in range(len(row.slots))]
        new = row.update(self.parameters, gradient, *slots, *(scalars if isinstance(scalars, tuple) else (scalars,)))
        for old, value in zip([self.parameters, *slots], new if isinstance(new, tuple) else (new,), strict=True):
            old[:] = value

    # --- Runs ---

    def train(self) -> int:
        job = self.job
        gradient = self.vector("gradients")
        columns = 1 + len(self.metric_codes)
        synchronisation = memory(job["synchronisation"], (plan.SYNCHRONISATION_WORDS,), np.int64)
        for step in range(job["first_step"], job["last_step"]):
            epoch, number = divmod(step, job["steps_per_epoch"])
            position = number * job["batch_size"]
            count = min(job["batch_size"], job["rows"] - position)
            rows = self.rows(epoch, position, count)
            target, weight = self.y(rows), self.sample_weight(rows, count)
            before, after = self.forward(self.x(rows))
            results = memory(job["results"] + (epoch - job["first_epoch"]) * columns * 8, (columns,), np.float64)
            results += self.scores(before, after, target, weight)
            self.backward(before, after, self.last_delta(before, after, target, weight), gradient)
            if job["mode"] == TRAIN:
                self.update(gradient, job["iterations"] + step - job["first_step"] + 1)
                synchronisation[plan.DONE] = step + 1
                if position + count == job["rows"] and self.end_epoch(epoch, results[0]):
                    return 1
        return 0

    def end_epoch(self, epoch: int, loss: float) -> bool:
        """Keep the parameters and slots if all is finite; else say so."""
        slots = [self.vector("slots", i) for i in range(self.job["slot_count"])]
        if not (np.isfinite(loss) and all(np.isfinite(vector).all() for vector in [self.parameters, *slots])):
            memory(self.job["synchronisation"], (plan.SYNCHRONISATION_WORDS,), np.int64)[plan.DIVERGED] = epoch + 1
            return True
        self.vector("backup")[:] = self.parameters
        for i, slot in enumerate(slots, 1):
            self.vector("backup", i)[:] = slot
        return False

    def infer(self) -> int:
        job, size = self.job, self.dtype.itemsize
        columns = 1 + len(self.metric_codes)
        for block in range(job["first_step"], job["last_step"]):
            position = block * job["capacity"]
            count = min(job["capacity"], job["rows"] - position)
            rows = self.rows(0, position, count)
            before, after = self.forward(self.x(rows))
            if job["mode"] == EVALUATE:
                results = memory(job["results"] + block * columns * 8, (columns,), np.float64)
                results[:] = self.scores(before, after, self.y(rows), self.sample_weight(rows, count))
                continue
            start = job["output"] + position * job["output_row"] * size
            memory(start, after[-1].shape, self.dtype, (job["output_row"] * size, size))[:] = after[-1]
            for layer, output in zip(self.layers, after[1:], strict=True):  # left in the workspace, as compiled
                start = job["workspace"] + layer["output"] * job["capacity"] * size
                memory(start, output.shape, self.dtype, (layer["output_stride"] * size, size))[:] = output
        return 0


def is_softmax(layer: dict[str, Any]) -> bool:
    return ACTIVATIONS[layer["activation"]][0] == "softmax"


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
