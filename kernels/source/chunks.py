"""Training a batch in chunks, each with a gradient of its own."""

from __future__ import annotations

from ..language import Address, Double, Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layers, layer_at
from ..tuning import CHUNK_ROWS
from ..vocabulary import load, store
from .dense import weight_gradient
from .gather import check_finite, gather_rows
from .loss import score_rows
from .passes import backward, forward
from .split import chunk_count, chunks_a_thread, hands_over
from .vectors import add_vectors, copy_vectors, vectors_for


@kernel
def add_parts(
    parts: Integer, part_size: Integer, units: Integer, vectors: Integer, gradient: Address, gradient_row: Integer
) -> None:
    """Sum the threads' gradients of one panel into the first one's, neighbours first."""
    distance = 1
    while distance < parts:
        part = 0
        while part + distance < parts:
            for row in range(units):
                at = gradient + row * gradient_row * SIZE + part * part_size
                add_vectors(vectors * LANES, at + distance * part_size, at)
            part += 2 * distance
        distance *= 2


@kernel
def sum_parts(parts: Integer, part_size: Integer, count: Integer, source: Address, target: Address) -> None:
    """The same sum, of up to four parts, elsewhere: the parts stay as they are."""
    for at in range(0, count, LANES):
        total = load(source, at)
        if parts > 1:
            total = total + load(source + part_size, at)
        if parts == 3:
            total = total + load(source + 2 * part_size, at)
        if parts > 3:
            total = total + (load(source + 2 * part_size, at) + load(source + 3 * part_size, at))
        store(target, at, total)


@kernel
def chunk_gradient(layers: Layers, job: Job, base: Address, rows: Integer, scratch: Address, gradient: Address) -> None:
    """The gradient by every matrix, of a chunk of rows in a workspace of its own."""
    for number in range(job.network.layer_count):
        layer = layer_at(layers, number)
        for unit in range(0, layer.height, CHUNK_ROWS):
            units = layer.height - unit
            if units > CHUNK_ROWS:
                units = CHUNK_ROWS
            weight_gradient(
                layer,
                job,
                base,
                rows,
                unit,
                units,
                0,
                vectors_for(layer.width),
                0,
                0,
                scratch,
                gradient + (layer.weights + unit * layer.stride) * SIZE,
                layer.stride,
            )


@kernel
def train_chunks(
    layers: Layers,
    job: Job,
    thread: Integer,
    epoch: Integer,
    position: Integer,
    batch_rows: Integer,
    row_weight: Double,
    first_score: Integer,
    gradients_: Address,
    key: Integer,
) -> Integer:
    """This thread's chunks through the whole network, into its gradient; returns how many threads had any."""
    chunks = chunk_count(job, batch_rows)
    blocks = (batch_rows + 3) // 4  # tiles have as many rows, or twice as many
    own = chunks_a_thread(job, batch_rows)
    base = job.memory.workspace + thread * job.memory.workspace_size
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    vector_size = job.network.parameter_count * SIZE
    gradients = gradients_ + thread * job.memory.gradient_levels * vector_size
    level = 0
    done = 0
    last = layer_at(layers, job.network.layer_count - 1)
    while done < own and thread * own + done < chunks:
        start = blocks * (thread * own + done) // chunks * 4
        rows = blocks * (thread * own + done + 1) // chunks * 4
        if rows > batch_rows:
            rows = batch_rows
        rows -= start
        gather_rows(layers, job, base, 0, rows, epoch, position + start, 1)
        layer = layer_at(layers, 0)
        check_finite(layer.inputs, job, rows, base, job.memory.input_stride, epoch, position)
        forward(layers, job, 0, base, 0, rows, start, batch_rows, key, 1, 0, scratch)
        score_rows(job, last, base, 0, rows, first_score + start, row_weight, scratch)
        backward(layers, job, base, 0, rows, start, batch_rows, key, scratch)
        chunk_gradient(layers, job, base, rows, scratch, gradients + level * vector_size)
        level += 1
        done += 1
        pairs = done
        while pairs % 2 == 0:  # two branches of equal size: add them
            level -= 1
            add_vectors(
                job.network.parameter_count, gradients + level * vector_size, gradients + (level - 1) * vector_size
            )
            pairs = pairs // 2
    while level > 1:
        level -= 1
        add_vectors(job.network.parameter_count, gradients + level * vector_size, gradients + (level - 1) * vector_size)
    if done > 0 and hands_over(job):
        copy_vectors(
            job.network.parameter_count // LANES, gradients, gradients + (job.memory.gradient_levels - 1) * vector_size
        )
    return (chunks + own - 1) // own
