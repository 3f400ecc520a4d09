"""What is chosen by cost: how many threads take a step, and how the work of it is split among them.

Of the network's shape and the batch alone, but for the processors there are.  The figures are explained in
docs/performance.md, and benchmarks/model.py computes steps from them.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from fastnn.kernels import records, tuning
from .functions import Function
from .layout import Layout
from .memory import padded
from .thread_pool import processors

SLICE_SECONDS = 0.05
"""How long a compiled run may go on before Python has control again."""
OPERATIONS_A_THREAD = 700_000
"""Arithmetic in a step below which another thread costs more than it brings."""
READING_OPERATIONS = 700
"""What reading a row and writing its output takes, when predicting, in operations of that time: some 8 ns."""
TURNED_OPERATIONS = 100
"""The same for a value that is read or written, where a vector holds one of each of several rows."""
TRANSPOSED_ROWS = 64
"""Rows a thread from which on the way back transposes the matrices itself, so that the update need not write copies."""
REPLICATED_BYTES = 2**17
"""Parameters up to this size are cheaper updated by every thread than exchanged."""
REREAD_WEIGHTS, REREAD_INPUTS = 2**22, 2**20
"""Bytes of a first layer's weights that every few rows may read anew, and of a batch's inputs that every thread may."""
SPARSE_COST = 2
"""What an operation on an entry of sparse inputs costs, in operations of a dense product."""
TURNED_LEAST = 16
"""Rows from which on narrow networks are predicted with vectors of several rows, of which blocks are multiples then."""
COLUMN_ROWS = 32
"""Rows up to which a thread had better predict some columns of large layers than some rows."""
MOST_THREADS = 256
ROW_BLOCK: int = tuning.ROW_BLOCK


class Blocks(NamedTuple):
    """How rows to predict or to evaluate are divided: blocks of up to ``capacity`` rows, among threads."""

    threads: int
    capacity: int
    blocks: int


@dataclass(frozen=True)
class CostModel:
    """The choices for one network.

    Attributes
    ----------
    layout : Layout
    numpy : bool
        It is run by the NumPy backend, which uses one thread.
    threads : int or None
        As many as were asked for; None: choose by the work in a step.
    loss_function : Function or None
        The loss, where it is the user's own.
    processors : int
        How many there are.
    entries : float or None
        How many a row of sparse inputs has, on average; None: inputs are dense.
    """

    layout: Layout
    numpy: bool
    threads: int | None
    loss_function: Function | None = None
    processors: int = field(default_factory=lambda: processors())
    entries: float | None = None

    @property
    def _parameter_bytes(self) -> int:
        return self.layout.parameter_count * self.layout.size

    @property
    def row_values(self) -> int:
        """Values of a workspace for each row; of sparse inputs it has the row's place in the data."""
        if self.entries is None:
            return self.layout.row_values
        return self.layout.row_values - self.layout.input_stride + 8 // self.layout.size

    @property
    def _row_operations(self) -> float:
        """Additions and multiplications of a training step for each row."""
        if self.entries is None:
            return self.layout.row_operations
        first = self.layout.records[0]
        units = min(first.height, first.stride) if first.stored_transposed else first.stride
        entries = SPARSE_COST * self.entries
        return float(self.layout.row_operations + 4 * (entries * units - first.height * first.stride))

    @property
    def _update_operations(self) -> float:
        """What the update of the parameters counts for beside the rows, where inputs are sparse."""
        return 0.0 if self.entries is None else 8.0 * self.layout.parameter_count

    @property
    def _undivided(self) -> bool:
        """Whether the loss wants each batch whole."""
        return self.loss_function is not None and self.loss_function.alone

    # --- How many threads ---

    def thread_count(self, operations: float, most: int) -> int:
        """How many threads a step of that much arithmetic pays for, up to ``most``."""
        if self.numpy or self._undivided:
            return 1
        if self.threads is not None:
            return min(self.threads, MOST_THREADS)
        return max(1, min(processors(), most, int(operations / OPERATIONS_A_THREAD)))

    def training_threads(self, batch_size: int, pieces: int) -> int:
        """How many threads take a training step of which there are so many pieces: its chunks, or its rows."""
        return self.thread_count(self._row_operations * batch_size + self._update_operations, pieces)

    def inference_threads(self, rows: int) -> int:
        """How many threads predict so many rows, each some of them."""
        most = -(-rows // ROW_BLOCK)
        reading = READING_OPERATIONS if self.entries is None else READING_OPERATIONS / 10
        if self.turns(rows):
            reading = TURNED_OPERATIONS * (self.layout.inputs + self.layout.outputs)
        return min(most, self.thread_count((self._row_operations / 4 + reading) * rows, most))

    def column_threads(self, rows: int) -> int:
        """How many threads predict so few rows that each had better take some columns of every layer; 0: by rows.

        Weights that the second cache of one core cannot hold may fit those of several.
        """
        plans = self.layout.plans
        large = self._parameter_bytes > 2**21 and not self.numpy
        plain = all(layer.dense or layer.noise for layer in plans)
        plain = plain and not (self.layout.functions or self.loss_function)
        hidden = [layer.activation for layer in plans if layer.dense][:-1]
        if rows > COLUMN_ROWS or not (large and plain) or "softmax" in hidden or plans[-1].noise:
            return 0
        threads = processors() if self.threads is None else min(self.threads, MOST_THREADS)
        return min(threads, 8) if threads > 1 else 0

    def turns(self, rows: int) -> bool:
        """Whether so many rows had better be predicted by vectors that each hold one unit of several rows."""
        plain = all(layer.dense for layer in self.layout.plans) and not self.layout.functions
        if rows < TURNED_LEAST or self.numpy or self.entries is not None or not plain:
            return False
        widest = max(layer.units for layer in self.layout.plans)
        return self.layout.inputs <= tuning.TURNED_INPUTS and widest <= tuning.TURNED_UNITS

    # --- How a training step is split ---

    def chunks(self, batch_size: int) -> int:
        """How many chunks with gradients of their own a batch falls into; 0: it had better be split by rows and panels.

        A function of the network and the batch alone, never of the threads: it decides the order of sums.
        Chunks pay where the gradient is smaller than what rows exchange otherwise, and stays in cache.
        """
        if self.layout.partial_values or self._undivided:  # chunks of a batch do not know of each other
            return 0
        if self.entries is not None:  # a gradient that is mostly 0 would be added up for each
            return 0
        row_bytes = self.layout.row_values * self.layout.size
        few = self.layout.parameter_count < batch_size * self.layout.row_values // 4
        small = self._parameter_bytes <= 2**19 and few
        huge = batch_size * row_bytes > 2**28
        if not (small or huge):
            return 0
        chunk = 32 if batch_size < 128 else 64
        while chunk < batch_size and chunk < 4096 and chunk * self.layout.row_operations < 800_000:
            chunk *= 2
        while huge and 2 * chunk * row_bytes <= 2**26:  # few chunks: each has a whole gradient
            chunk *= 2
        if chunk >= batch_size:
            return 0
        return 1 << max(1, round(math.log2(batch_size / chunk)))  # a power of two, for they are summed as a tree

    def replicates(self, threads: int, chunks: int) -> bool:
        """Whether each of so many threads had better have parameters of its own, and update all of them."""
        return chunks > 0 and threads <= 4 and self._parameter_bytes <= REPLICATED_BYTES

    def keeps_transposed(self, batch_size: int, threads: int, chunks: int) -> bool:
        """Whether updates had better write the transposed copies too than the way back transpose the matrices."""
        return chunks > 0 or batch_size < threads * TRANSPOSED_ROWS

    def takes_data(self, batch_size: int) -> bool:
        """Whether the first layer of a training step had better take its inputs from the data, a few rows at a time.

        That spares a copy of the batch.  Its weights are read once for every few rows, so they must be near.
        """
        first, record = self.layout.plans[0], self.layout.records[0]
        plain = first.dense and not record.stored_transposed and first.activation != "softmax"
        if not plain or record.activation == records.CUSTOM or self.entries is not None:
            return False
        if len(self.layout.plans) == 1 or self.layout.partial_values:
            return False
        near = record.height * record.stride * self.layout.size <= REREAD_WEIGHTS
        return bool(near and record.inputs >= tuning.DEEP and batch_size <= tuning.PACK_DEPTH)

    def columns_pay(self, batch_size: int, threads: int, column_block: int, clip: int = 0) -> bool:
        """Whether each of so many threads had better have some columns of the first matrix than some rows of the batch.

        Its weights then stay in their core's cache.  Written where all have read them, they cost ten times as much.
        But each thread reads all of the batch's inputs, columns come in blocks, and threads meet once more: so none
        may have to wait for a processor.  Norms that gradients are clipped by are of all threads' columns.
        """
        record = self.layout.records[0]
        if clip >= records.CLIPNORM or not 1 < threads <= self.processors:
            return False
        blocks = -(-record.outputs // column_block)
        most = -(-blocks // threads) * column_block
        even = most * threads <= 1.1 * padded(record.outputs)
        inputs = batch_size * self.layout.input_stride * self.layout.size
        return bool(even and inputs <= REREAD_INPUTS and batch_size * threads <= 10 * record.outputs)

    # --- How rows are predicted, and how long things take ---

    def inference_blocks(self, rows: int, scored: bool) -> Blocks:
        """How so many rows are divided; where they are ``scored``, it must not follow from the number of threads."""
        row_bytes = self.row_values * self.layout.size
        # As many rows as stay in the second cache, but enough to be worth reading the weights for.
        least = 512 if self._parameter_bytes > 2**18 else 32
        capacity = min(-(-rows // 8) * 8, max(least, min(256, 2**19 // row_bytes // 8 * 8)))
        if scored:
            count = -(-rows // capacity)
            return Blocks(self.thread_count(self._row_operations / 3 * rows / 4, count), capacity, count)
        threads = self.inference_threads(rows)
        count = -(-rows // capacity // threads) * threads
        whole = TURNED_LEAST if self.turns(rows) else ROW_BLOCK
        capacity = -(-rows // count // whole) * whole
        return Blocks(threads, capacity, -(-rows // capacity))

    def blocks_a_slice(self, blocks: Blocks) -> int:
        """How many blocks take about SLICE_SECONDS."""
        seconds = blocks.capacity * (self._row_operations / 3 / 2e9 + 1e-7)
        return max(blocks.threads, int(SLICE_SECONDS * blocks.threads / seconds))

    def step_seconds(self, batch_size: int) -> float:
        """What a training step takes, guessed by its arithmetic."""
        operations = self._row_operations * batch_size + 20 * self._update_operations  # which memory is slow at
        return operations / (5e9 if self.numpy else 5e10) + 2e-6

    def predicts_long(self, rows: int) -> bool:
        """Whether predicting so many rows takes over a millisecond on one thread: 100 GFLOP/s, weights at 25 GB/s."""
        return self.layout.row_operations * rows / 3e11 + self._parameter_bytes / 2.5e10 > 1e-3

    def prepares(self, rows: int) -> bool:
        """Whether so many rows are few enough to be predicted by a prepared job.

        Each thread's rows stay in its second cache then, or each takes some columns; or the network is narrow.
        """
        size = self.layout.size
        small = rows * self.layout.row_values * size <= 2**20 * self.inference_threads(rows)
        turned = self.turns(rows) and rows * (self.layout.inputs + self.layout.outputs) * size <= 2**20
        return small or turned or self.column_threads(rows) > 0
