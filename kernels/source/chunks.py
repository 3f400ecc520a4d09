"""Training a batch in chunks, each with a gradient of its own."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import LANES, SIZE
from ..records import Job, Layers, layer_at
from ..tuning import CHUNK_ROWS
from ..values import Batch, Block, Panel, Rows
from ..vocabulary import load, store
from .dense import weight_gradient
from .gather import check_finite, gather_rows
from .loss import score_rows
from .output import keep_output
from .passes import backward, forward
from .split import chunk_count, chunks_a_thread, hands_over
from .vectors import add_vectors, copy_vectors, vectors_for


@kernel
def add_parts(parts: Integer, part_size: Integer, rows: Integer, vectors: Integer, gradient: Rows) -> None:
    """Sum the threads' gradients of one panel into the first one's, neighbours first."""
    distance = 1
    while distance < parts:
        part = 0
        while part + distance < parts:
            for row in range(rows):
                at = gradient.address + row * gradient.stride * SIZE + part * part_size
                add_vectors(vectors * LANES, at + distance * part_size, at)
            part += 2 * distance
        distance *= 2


@kernel
def sum_parts(parts: Integer, part_size: Integer, count: Integer, source: Address, target: Address) -> None:
    """The sum of up to four threads' gradients, in the order of add_parts, elsewhere: the parts stay as they are."""
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
        height = layer.height
        if layer.frozen:
            height = 0
        for row in range(0, height, CHUNK_ROWS):
            count = height - row
            if count > CHUNK_ROWS:
                count = CHUNK_ROWS
            panel = Panel(row, count, 0, vectors_for(layer.width))
            target = Rows(gradient + (layer.weights + row * layer.stride) * SIZE, layer.stride)
            weight_gradient(layer, job, base, rows, panel, 0, 0, scratch, target)


@kernel
def train_chunks(layers: Layers, job: Job, thread: Integer, batch: Batch, all_gradients: Address) -> Integer:
    """Take a thread's chunks through the whole network, into its gradient; returns how many threads have any."""
    chunks = chunk_count(job, batch.rows)
    blocks = (batch.rows + 3) // 4  # tiles have as many rows, or twice as many
    own = chunks_a_thread(job, batch.rows)
    base = job.memory.workspace + thread * job.memory.workspace_size
    scratch = job.memory.scratch + thread * job.memory.scratch_size
    count = job.network.parameter_count
    gradients = all_gradients + thread * job.memory.gradient_levels * count * SIZE
    level = 0
    done = 0
    last = layer_at(layers, job.network.layer_count - 1)
    while done < own and thread * own + done < chunks:
        start = blocks * (thread * own + done) // chunks * 4
        rows = blocks * (thread * own + done + 1) // chunks * 4
        if rows > batch.rows:
            rows = batch.rows
        rows -= start
        block = Block(base, 0, rows, start)
        gather_rows(layers, job, base, 0, rows, batch.epoch, batch.position + start, 1)
        inputs = Rows(base, job.memory.input_stride)
        check_finite(layer_at(layers, 0).inputs, job, rows, inputs, batch.epoch, batch.position)
        forward(layers, job, 0, block, batch, 1, 0, scratch)
        score_rows(job, last, block, batch.first_score + start, batch.row_weight, scratch)
        keep_output(last, job, block, batch.position + start)
        backward(layers, job, block, batch, scratch)
        chunk_gradient(layers, job, base, rows, scratch, gradients + level * count * SIZE)
        level += 1
        done += 1
        pairs = done
        while pairs % 2 == 0:  # two branches of equal size: add them
            level -= 1
            add_vectors(count, gradients + level * count * SIZE, gradients + (level - 1) * count * SIZE)
            pairs = pairs // 2
    while level > 1:
        level -= 1
        add_vectors(count, gradients + level * count * SIZE, gradients + (level - 1) * count * SIZE)
    if done > 0 and hands_over(job):
        copy_vectors(count // LANES, gradients, gradients + (job.memory.gradient_levels - 1) * count * SIZE)
    return (chunks + own - 1) // own
