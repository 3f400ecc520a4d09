"""What a model wants of x, y and the weights, and rows checked for it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastnn.engine import Data
from fastnn.typing import Array
from . import arrays
from .chunks import CHUNK_BYTES, Chunk
from .class_weights import Weights, by_class


class Requirements(NamedTuple):
    """What a model wants of rows."""

    inputs: int | None = None
    outputs: int = 0
    dtype: str = "float64"
    labels: bool = False
    domain: str = ""  # see arrays.targets, as outputs_a_target
    outputs_a_target: int = 1
    class_weight: Weights | None = None  # of rows that are read in pieces; see class_weights
    target: bool = True  # y and the weights

    def data(self, chunk: Chunk, x_known: bool = False, y_known: bool = False, x_finite: bool = False) -> Data:
        """Rows as the kernels take them, checked but for what is known to be right."""
        if x_known:
            x = arrays.as_array(chunk.x, "x")
        else:
            x = arrays.features(chunk.x, self.inputs, chunk.named("x"), self.dtype, not x_finite, chunk.first_row)
        if not self.target:
            return Data(x)
        rows, outputs = len(x), self.outputs or x.shape[1]
        if y_known:
            y = arrays.as_array(chunk.y, "y").reshape((rows,) if self.labels else (rows, -1))
            if self.labels and (y.dtype.kind not in "iu" or not y.dtype.isnative):
                y = y.astype(np.int64)
            if not self.labels and y.shape[1] != outputs:
                y = np.repeat(y, self.outputs_a_target, axis=1)
        else:
            y = self.targets(chunk.y, rows, outputs, chunk.named("y"), chunk.first_row)
        name = chunk.named("sample_weight")
        weight = arrays.weights(chunk.weight, rows, name, chunk.first_row)
        if self.class_weight is not None:
            weight = by_class(y, self.class_weight, weight)
        return Data(x, y, self.labels, weight)

    def targets(self, y: Any, rows: int, outputs: int, name: str, first_row: int = 0) -> Array:
        """y, checked."""
        return arrays.targets(
            y, rows, outputs, self.labels, name, self.dtype, self.domain, self.outputs_a_target, first_row
        )

    def check_features(self, chunk: Chunk) -> None:
        """Check x piece by piece: a whole one is checked by several threads, which would disturb those that train."""
        count = max(1, CHUNK_BYTES // (chunk.x.itemsize * chunk.x.shape[1]))
        for first in range(0, len(chunk.x), count):
            piece = chunk.x[first : first + count]
            arrays.features(piece, self.inputs, chunk.named("x"), self.dtype, first_row=chunk.first_row + first)
