"""Asking for memory before it is written."""

from __future__ import annotations

from ..language import Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layer
from ..values import Panel, Rows
from ..vocabulary import prefetch_write


@kernel(apart=True)
def prefetch_write_rows(rows: Integer, columns: Integer, memory: Rows) -> None:
    """Ask for cache lines that will be written to and that another core has read."""
    for row in range(rows):
        for at in range(0, columns * SIZE, 64):
            prefetch_write(memory.address + row * memory.stride * SIZE + at)


@kernel(apart=True)
def prefetch_write_panel(layer: Layer, job: Job, panel: Panel) -> None:
    """Ask for a panel of the weights, and of their transposed copy."""
    weights = job.network.parameters + (layer.weights + panel.row * layer.stride + panel.column) * SIZE
    prefetch_write_rows(panel.rows, panel.vectors * LANES, Rows(weights, layer.stride))
    prefetch_write_transposed(layer, job, panel)


@kernel
def prefetch_write_transposed(layer: Layer, job: Job, panel: Panel) -> None:
    """Ask for a panel of the transposed copy, where it follows the weights."""
    if layer.transposed >= 0 and job.network.keeps_transposed:
        place = layer.transposed + panel.column * layer.transposed_stride + panel.row
        copy = Rows(job.network.transposed + place * SIZE, layer.transposed_stride)
        prefetch_write_rows(panel.vectors * LANES, panel.rows, copy)
