"""Arrays over the memory that records name; and functions of the user's own, which are called by address."""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import records
from ...formulas.arrays import Array

FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 9)


class FailedError(Exception):
    """A function of the user's own failed."""


def call_custom(address: int, *arguments: int) -> None:
    """Call an activation or a loss of the user's own; for its nine integers see source/custom."""
    if FUNCTION(address)(*arguments) != 1:
        raise FailedError


def address_of(array: Array) -> int:
    return int(array.ctypes.data)


def buffer_at(address: int, size: int) -> Any:
    return (ctypes.c_char * size).from_address(address)


def array_at(
    address: int, shape: tuple[int, ...], dtype: npt.DTypeLike, strides: tuple[int, ...] | None = None
) -> Array:
    """The array at an address, with strides in bytes if its rows do not follow one another."""
    dtype = np.dtype(dtype)
    if 0 in shape:
        return np.empty(shape, dtype)
    if strides is None:
        return np.ndarray(shape, dtype, buffer_at(address, int(np.prod(shape)) * dtype.itemsize))
    spans = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    low = sum(min(span, 0) for span in spans)
    size = sum(abs(span) for span in spans) + dtype.itemsize
    return np.ndarray(shape, dtype, buffer_at(address + low, size), -low, strides)


class Network:
    """The records of a call; and its parameters and moving statistics, two vectors: views."""

    def __init__(self, layers: int, job: int, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.job = records.JobRecord.from_address(job)
        network = self.job.network
        self.layers = list((records.LayerRecord * network.layer_count).from_address(layers))
        self.parameters = self.vector(network.parameters)
        self.state = array_at(network.state, (network.state_count,), dtype)

    def vector(self, address: int, number: int = 0) -> Array:
        """One of the vectors at an address, each laid out like the parameters: a view."""
        count = self.job.network.parameter_count
        return array_at(address + number * count * self.dtype.itemsize, (count,), self.dtype)

    def slots(self, count: int) -> list[Array]:
        """The first vectors of the optimizer's state: views."""
        return [self.vector(self.job.network.slots, i) for i in range(count)]

    def matrix(self, vector: Array, layer: Any) -> Array:
        """A layer's matrix (rows, units) in a vector of parameters; its last row the bias, where there is one."""
        start, height, stride = layer.weights, layer.height, layer.stride
        stored = vector[start : start + height * stride].reshape(height, stride)[:, : layer.width]
        return stored.T if layer.stored_transposed else stored

    def kernels_and_biases(self, vector: Array) -> list[Array]:
        """Views of a vector of parameters: each layer's kernel and its bias, which may have no rows."""
        matrices = [(layer.bias, self.matrix(vector, layer)) for layer in self.layers]
        return [part for bias, matrix in matrices for part in (matrix[:bias], matrix[bias:])]
