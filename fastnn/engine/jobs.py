"""Filling in the engine's job, for each of the modes in records.MODES.

Three groups of a job say what stands from one call of the kernels to the next: network, loss and optimizer.  The
others, run, data, order, split and memory, belong to one call: whoever asks for one fills in new groups, so that
nothing is left of what another mode wanted.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from fastnn.kernels import records, tuning
from fastnn.kernels.records import JobRecord, LayerRecord
from .cost_model import ROW_BLOCK, CostModel
from .layout import Layout
from .memory import BYTE, DOUBLE, WIDTH_MULTIPLE, Array, address, padded, spread

if TYPE_CHECKING:
    from .engine import Engine

MODE = {name: code for code, name in enumerate(records.MODES)}
SYNCHRONISATION_WORDS: int = records.SYNCHRONISATION_WORDS


class _ColumnRecords(ctypes.Structure):
    """What a thread sees instead of the first layer and the job, where it has some columns of the first matrix."""

    _fields_ = (("layer", LayerRecord), ("job", JobRecord))


def blank(layout: Layout, synchronisation: Array) -> Any:
    """A job with what every call on a network has in common, for its groups to be copied: faster than to make them."""
    job = JobRecord()
    job.run.synchronisation, job.memory.scratch_size = address(synchronisation), layout.scratch_size
    job.memory.input_stride, job.memory.partial_values = layout.input_stride, layout.partial_values
    job.memory.target, job.memory.target_stride = layout.target, layout.target_stride
    job.memory.places = layout.row_values
    return job


def fill_training(
    engine: Engine,
    mode: str,
    batch_size: int,
    threads: int,
    chunks: int = 0,
    replicate: bool = False,
    costs: CostModel | None = None,
) -> None:
    """Fill in a job of training steps, a gradient or an update, on up to batch_size rows; but not which, nor the data.

    ``replicate``: each thread gets parameters and slots of its own, see `replica`; ``costs``: of the data's kind.
    """
    costs = costs or engine.costs
    job, layout, place = engine.job, engine.layout, engine.buffers.place
    real, turns = engine.dtype, 1 + replicate  # then every other step has gradients and scores of its own
    job.run, job.split, job.memory = engine.blank.run, engine.blank.split, engine.blank.memory
    job.run.mode = MODE[mode]

    split = job.split
    split.chunks, split.column_block = chunks, tuning.SUM_COLUMNS if job.network.penalized else WIDTH_MULTIPLE
    if mode == "train" and not chunks and costs.takes_data(batch_size):
        split.from_data = 1
        split.by_columns = not job.network.constrained and costs.columns_pay(
            batch_size, threads, split.column_block, job.optimizer.clip
        )

    memory, capacity = job.memory, -(-batch_size // (max(1, chunks) * ROW_BLOCK)) * ROW_BLOCK
    place_workspace(engine, costs, capacity, threads if chunks else 1)
    memory.gradient_levels = levels = chunks.bit_length() + 1  # what a tree of sums needs, and one to hand over
    parts = turns * threads * levels if chunks else 1
    memory.gradients = place("gradients", parts * layout.parameter_count, real)
    if split.from_data:
        memory.inputs = place("inputs", capacity * layout.input_stride, real)
    memory.scratch = place("scratch", threads * layout.scratch_size, BYTE)
    memory.partials = place("partials", -(-batch_size // ROW_BLOCK) * layout.partial_values, real)
    memory.sums = place("sums", layout.sum_count, DOUBLE)
    memory.scores = place("scores", turns * batch_size * (1 + job.loss.metric_count), DOUBLE)
    engine.parameters.lend(costs.keeps_transposed(batch_size, threads, chunks), changes=mode != "gradient")


def fill_inference(
    engine: Engine, mode: str, capacity: int, threads: int, costs: CostModel | None = None, turned: bool = False
) -> None:
    """Fill in a job that predicts or evaluates blocks of so many rows; but not which, nor the data.

    ``costs``: of the data's kind; ``turned``: with vectors that each hold one unit of several rows.
    """
    job, layout, place = engine.job, engine.layout, engine.buffers.place
    job.run, job.order, job.split = engine.blank.run, engine.blank.order, engine.blank.split
    job.run.mode, job.split.turned, job.memory = MODE[mode], turned, engine.blank.memory
    memory = job.memory
    place_workspace(engine, costs or engine.costs, capacity, threads)
    memory.scratch = place("scratch", threads * layout.scratch_size, BYTE)
    memory.scores = place("scores", threads * capacity * (1 + job.loss.metric_count), DOUBLE)


def place_workspace(engine: Engine, costs: CostModel, capacity: int, threads: int) -> None:
    """Give each of so many threads a workspace for as many rows as ``capacity`` says.

    Sparse inputs have no room in it.  Theirs would be the first, so that it lies before what is there.
    """
    memory, layout = engine.job.memory, engine.layout
    memory.capacity, memory.workspace_size = capacity, capacity * costs.row_values * layout.size
    memory.workspace = engine.buffers.workspace(capacity, costs.row_values, threads, engine.dtype)
    if costs.entries is not None:
        memory.workspace -= capacity * layout.input_stride * layout.size


def replica(engine: Engine, number: int) -> Any:
    """The job with copies of all that training changes, for a thread by its number."""
    job = JobRecord.from_buffer_copy(engine.job)
    held = engine.parameters
    for name, array in (("parameters", held.values), ("transposed", held.transposed), ("slots", held.slots)):
        copy = engine.buffers.room(f"{name} {number}", len(array), engine.dtype)
        copy[: len(array)] = array
        setattr(job.network, name, address(copy))
    # Nobody reads these, but where two threads write the same memory, each waits for the other.
    job.memory.sums = engine.buffers.place(f"sums {number}", engine.layout.sum_count, DOUBLE)
    return job


def column_records(engine: Engine, job: Any, threads: int) -> Any:
    """Each thread's own records, for its columns of the first matrix."""
    first, layout, place = engine.layout.records[0], engine.layout, engine.buffers.place
    found = (_ColumnRecords * threads)()
    block, slots = job.split.column_block, job.network.slot_count
    blocks = -(-first.outputs // block)
    for number, own in enumerate(found):
        start, end = (min(blocks * n // threads * block, padded(first.outputs)) for n in (number, number + 1))
        own.layer, own.job = first, job
        own.layer.weights, own.layer.stride = -start, spread(end - start, layout.size)
        count = own.layer.height * own.layer.stride
        kept = place(f"columns {number}", (1 + slots) * count, engine.dtype)
        network = own.job.network
        network.parameters, network.slots, network.parameter_count = kept, kept + count * layout.size, count
        inputs = job.memory.capacity * layout.input_stride
        own.job.memory.inputs = place(f"inputs {number}", inputs, engine.dtype)
    return found
