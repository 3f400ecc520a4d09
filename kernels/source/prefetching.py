"""Asking for memory before it is written."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import SIZE
from ..records import Job, Layer
from ..vocabulary import prefetch_write


@kernel
def prefetch_write_rows(rows: Integer, columns: Integer, stride: Integer, memory: Address) -> None:
    """Ask for cache lines that will be written to and that another core has read."""
    for row in range(rows):
        for at in range(0, columns * SIZE, 64):
            prefetch_write(memory + row * stride * SIZE + at)


@kernel(apart=True)
def prefetch_write_panel(
    layer: Layer, job: Job, unit: Integer, units: Integer, column: Integer, columns: Integer
) -> None:
    prefetch_write_rows(
        units, columns, layer.stride, job.network.parameters + (layer.weights + unit * layer.stride + column) * SIZE
    )
    prefetch_write_transposed(layer, job, unit, units, column, columns)


@kernel
def prefetch_write_transposed(
    layer: Layer, job: Job, unit: Integer, units: Integer, column: Integer, columns: Integer
) -> None:
    if layer.transposed >= 0 and job.network.keeps_transposed:
        transposed = job.network.transposed + (layer.transposed + column * layer.transposed_stride + unit) * SIZE
        prefetch_write_rows(columns, units, layer.transposed_stride, transposed)
