"""Kinds of layers: what each computes on the way forward, and its gradients on the way back.  One class a kind.

A layer's activation comes after what its class computes: see activation.py.
"""

from typing import Any, NamedTuple

import numpy as np

from ... import formulas, records
from ...formulas.arrays import Array, random_lanes
from .data import SparseRows
from .memory import Network
from .shuffle import Integers, mixed


class Pass(NamedTuple):
    """What a way through the layers is for.

    ``training``: statistics are the batch's own; ``noise``: the key of the step's noise, or None where none is added;
    ``first_row``: the first row's number in the batch.
    """

    training: bool = False
    noise: Integers | None = None
    first_row: int = 0


class Layer:
    """A kind of layer; as it stands, one that has an activation alone.

    Attributes
    ----------
    record : its record
    weights : its matrix (rows, units): a view
    kernel, bias : rows of it, up to the bias and from there on
    """

    def __init__(self, record: Any, network: Network) -> None:
        self.record, self.network = record, network
        self.weights = network.matrix(network.parameters, record)
        self.kernel, self.bias = self.weights[: record.bias], self.weights[record.bias :]

    def forward(self, x: Array, why: Pass) -> Array:
        """What goes into the activation, of x (rows, inputs)."""
        return x

    def weight_gradient(self, x: Array, delta: Array, gradient: Array) -> None:
        """Write the gradient by the weights, from x and the gradient by what forward gave."""

    def input_gradient(self, delta: Array) -> Array:
        """The gradient by x, from that by what forward gave."""
        return delta

    def end_step(self) -> None:
        """Whatever follows an update of the parameters."""


class Dense(Layer):
    """x times the kernel, plus the bias."""

    def forward(self, x: Array, why: Pass) -> Array:
        z = x.times(self.kernel) if isinstance(x, SparseRows) else x @ self.kernel
        if len(self.bias):
            z += self.bias
        return z

    def weight_gradient(self, x: Array, delta: Array, gradient: Array) -> None:
        if isinstance(x, SparseRows):
            x.transposed_times(delta, gradient[: len(self.kernel)])
        else:
            np.matmul(x.T, delta, out=gradient[: len(self.kernel)])
        gradient[len(self.kernel) :] = delta.sum(axis=0)

    def input_gradient(self, delta: Array) -> Array:
        return delta @ self.kernel.T


class Noise(Layer):
    """What is random follows from the step, the layer, the row and the column."""

    def uniform(self, rows: int, why: Pass) -> Array:
        """The random numbers of a step (rows, units)."""
        assert why.noise is not None
        numbers = why.first_row + np.arange(rows)
        numbers = random_lanes(mixed(mixed(why.noise + self.record.seed) + numbers), self.record.outputs)
        return numbers.astype(self.network.dtype)


class Dropout(Noise):
    """Some values are dropped, the others scaled and shifted."""

    dropped: Array | None = None

    def forward(self, x: Array, why: Pass) -> Array:
        self.dropped = None
        if why.noise is None:
            return x
        self.dropped = self.uniform(len(x), why) < self.record.threshold
        kept = x * self.record.scale + self.record.shift
        return np.where(self.dropped, self.record.dropped, kept).astype(self.network.dtype)

    def input_gradient(self, delta: Array) -> Array:
        if self.dropped is None:
            return delta
        return np.where(self.dropped, 0, delta * self.record.scale).astype(self.network.dtype)


class GaussianNoise(Noise):
    """Normal numbers are added."""

    def forward(self, x: Array, why: Pass) -> Array:
        if why.noise is None:
            return x
        return x + formulas.normal_quantile(self.uniform(len(x), why)) * self.record.deviation


class Normalization(Layer):
    """x less its mean, divided by its deviation; times gamma, the kernel, plus beta, the bias, where there are such."""

    axis: int

    def moments(self, x: Array, why: Pass) -> tuple[Array, Array]:
        return x.mean(axis=self.axis, keepdims=True), x.var(axis=self.axis, keepdims=True)

    def forward(self, x: Array, why: Pass) -> Array:
        mean, variance = self.moments(x, why)
        self.inverse = 1 / np.sqrt(variance + self.network.dtype.type(self.record.epsilon))
        self.normalized = (x - mean) * self.inverse
        return self.normalized * (self.kernel if len(self.kernel) else 1) + (self.bias if len(self.bias) else 0)

    def weight_gradient(self, x: Array, delta: Array, gradient: Array) -> None:
        gradient[: self.record.bias] = (delta * self.normalized).sum(axis=0)
        gradient[self.record.bias :] = delta.sum(axis=0)

    def input_gradient(self, delta: Array) -> Array:
        if len(self.kernel):
            delta = delta * self.kernel
        through_variance = self.normalized * (delta * self.normalized).mean(axis=self.axis, keepdims=True)
        return self.inverse * (delta - (delta.mean(axis=self.axis, keepdims=True) + through_variance))


class BatchNormalization(Normalization):
    """Over the batch in training, and by moving statistics else."""

    axis = 0

    def __init__(self, record: Any, network: Network) -> None:
        super().__init__(record, network)
        start, stride = record.state, record.stride
        moving = network.state[start : start + 2 * stride]
        self.moving = moving.reshape(2, stride)[:, : record.outputs]  # mean and variance: a view

    def moments(self, x: Array, why: Pass) -> tuple[Array, Array]:
        if self.record.frozen or not why.training:
            return self.moving[0], self.moving[1]
        self.batch = super().moments(x, why)
        return self.batch

    def input_gradient(self, delta: Array) -> Array:
        if not self.record.frozen:
            return super().input_gradient(delta)
        return delta * (self.inverse * (self.kernel if len(self.kernel) else 1))

    def end_step(self) -> None:
        if not self.record.frozen:
            self.moving += (1 - self.record.momentum) * (np.concatenate(self.batch) - self.moving)


class LayerNormalization(Normalization):
    """Over the columns of each row."""

    axis = 1


class Scaling(Layer):
    """Each column times a number of its own."""

    def forward(self, x: Array, why: Pass) -> Array:
        return x * self.weights[0]

    def weight_gradient(self, x: Array, delta: Array, gradient: Array) -> None:
        gradient[0] = (x * delta).sum(axis=0)

    def input_gradient(self, delta: Array) -> Array:
        return delta * self.weights[0]


class Affine(Layer):
    """Each column less a number, times a number, plus a number: the state's, which nothing trains."""

    def numbers(self) -> Array:
        start, stride = self.record.state, self.record.stride
        return self.network.state[start : start + 3 * stride].reshape(3, stride)[:, : self.record.outputs]

    def forward(self, x: Array, why: Pass) -> Array:
        center, factor, offset = self.numbers()
        return (x - center) * factor + offset

    def input_gradient(self, delta: Array) -> Array:
        return delta * self.numbers()[1]


class Rectifier(Layer):
    """x above the threshold, up to the limit; a slope, which may be each column's own, times (x - threshold) below."""

    def forward(self, x: Array, why: Pass) -> Array:
        record = self.record
        self.x, self.slope = x, self.weights[0] if len(self.weights) else self.network.dtype.type(record.scale)
        kept = np.where(x > record.threshold, np.minimum(x, record.limit), self.slope * (x - record.threshold))
        return kept.astype(self.network.dtype)

    def weight_gradient(self, x: Array, delta: Array, gradient: Array) -> None:
        if len(gradient):
            gradient[0] = (np.minimum(x, 0) * delta).sum(axis=0)

    def input_gradient(self, delta: Array) -> Array:
        above = self.x < self.record.limit
        return (delta * np.where(self.x > self.record.threshold, above, self.slope)).astype(self.network.dtype)


KINDS: dict[str, type[Layer]] = {
    "dense": Dense,
    "activation": Layer,
    "dropout": Dropout,
    "gaussian_noise": GaussianNoise,
    "batch_normalization": BatchNormalization,
    "layer_normalization": LayerNormalization,
    "scaling": Scaling,
    "affine": Affine,
    "rectifier": Rectifier,
}


def layers_of(network: Network) -> list[Layer]:
    return [KINDS[records.LAYER_KINDS[record.kind]](record, network) for record in network.layers]
