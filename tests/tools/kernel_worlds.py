"""Memory for single kernels to work in: records, and whatever their addresses name, all in one arena.

A world is what the kernels are given in a step of training a network: fastnn lays it out, for the backend in plain
NumPy, in place of whose entry stands a function that copies everything.  In the arena, what a step has not filled yet
holds random reals, so that a kernel that reads or writes where another does not gives other bytes.
"""

import ctypes
from dataclasses import dataclass

import numpy as np

import fastnn
from fastnn import constraints, layers, losses, optimizers, regularizers, schedules
from fastnn.engine import Data, MemberTraining, SparseRows, address
from fastnn.ensemble.members import Members
from fastnn.kernels import records, tuning
from fastnn.kernels.backends import numpy as twin
from fastnn.layers import Dense, Input

REGION = 3 * 2**16
"""Bytes of each of the regions that belong to no record."""

REGIONS = 8


class Arena:
    """Memory that can be set back to what it was, and compared."""

    def __init__(self, size, dtype):
        values = np.random.default_rng(0).normal(size=size // np.dtype(dtype).itemsize)
        raw = np.empty(size + 64, np.uint8)
        start = -raw.ctypes.data % 64
        self.memory = raw[start : start + size]
        self.memory[:] = values.astype(dtype).view(np.uint8)
        self._next, self._places = 2**16, []

    def place(self, size, name):
        """The address of so many bytes, some apart from those before."""
        start = self._next
        self._places.append((start, name))
        self._next += -(-size // 64) * 64 + 4096
        assert self._next + 2**18 <= len(self.memory), "the arena is too small"
        return self.memory.ctypes.data + start

    def name_of(self, offset):
        """What was placed last before an offset in bytes."""
        below = [pair for pair in self._places if pair[0] <= offset]
        return f"{below[-1][1]} + {offset - below[-1][0]} bytes" if below else "before all"

    def keep(self):
        self.before = self.memory.copy()

    def restore(self):
        self.memory[:] = self.before


class Bare:
    """A world without records."""

    name = "no records"

    def __init__(self, kernels):
        self.kernels, self.size = kernels, kernels.size
        self.arena = Arena(REGIONS * (REGION + 4096) + 2**19, kernels.dtype)
        self.regions = [self.arena.place(REGION, f"region {n}") for n in range(REGIONS)]
        self.arena.keep()
        self.layers, self.layer_addresses = [], []


@dataclass
class _Taken(Exception):
    """The records of a step, copied with all that they name."""

    world: object


class World:
    """A step of a network.

    Attributes
    ----------
    job, layers : the records, in the arena
    job_address, layer_addresses : where they stand
    regions : addresses of memory that belongs to no record
    """

    def __init__(self, name, kernels, layers_address, job_address):
        self.name, self.kernels, self.size = name, kernels, kernels.size
        job = records.JobRecord.from_address(job_address)
        given = (records.LayerRecord * job.network.layer_count).from_address(layers_address)
        extents = _extents(job, given, kernels.size)
        room = sum(-(-size // 64) * 64 + 4096 for size, _ in extents.values()) + REGIONS * (REGION + 4096)
        self.arena = Arena(room + 2**21, kernels.dtype)
        self.regions = [self.arena.place(REGION, f"region {n}") for n in range(REGIONS)]
        first = self.arena.place(ctypes.sizeof(given), "layers")
        ctypes.memmove(first, layers_address, ctypes.sizeof(given))
        self.layers = list((records.LayerRecord * len(given)).from_address(first))
        self.layer_addresses = [first + number * records.LAYER_SIZE for number in range(len(given))]
        self.job_address = self.arena.place(records.JOB_SIZE, "job")
        ctypes.memmove(self.job_address, job_address, records.JOB_SIZE)
        self.job = records.JobRecord.from_address(self.job_address)
        for (group, field), (size, filled) in extents.items():
            place, source = self.arena.place(size, field), getattr(getattr(job, group), field)
            if source:
                ctypes.memmove(place, source, filled)
            setattr(getattr(self.job, group), field, place)
        end_of = {"x": job.data.x_end - job.data.x, "y": job.data.y_end - job.data.y}
        self.job.data.x_end = self.job.data.x + end_of["x"]
        self.job.data.y_end = self.job.data.y + end_of["y"]
        if not job.optimizer.rates:
            self.job.optimizer.rates = 0
        if not job.members.lanes:
            self.job.members.seeds = self.job.members.hyper = self.job.members.rates = 0
        for name in ("workers", "worker_count", "waits", "layers", "jobs"):
            setattr(self.job.run, name, 0)
        for name in ("rows", "row_weights"):
            setattr(self.job.order, name, 0)
        if not job.data.sample_weight:
            self.job.data.sample_weight = 0
        self.job.memory.output_row = self.layers[-1].outputs
        self._own_columns()
        self.order = self.arena.place(16 * job.data.rows, "order")  # of two epochs
        orders = [np.random.default_rng(epoch).permutation(job.data.rows) for epoch in range(2)]
        self.array(self.order, 2 * job.data.rows, np.int64)[:] = np.concatenate(orders)
        self._parts()
        for vector in (self.job.network.slots, self.job.network.state):  # squares among them
            values = self.array(vector, job.network.slot_count * job.network.parameter_count)
            values[:] = np.abs(values)
        sums = self.array(self.job.memory.sums, extents["memory", "sums"][0] // 8, np.float64)
        sums[:] = np.abs(sums)
        parameters = self.array(self.job.network.parameters, job.network.parameter_count)
        parameters += np.random.default_rng(5).normal(0, 0.1, len(parameters)).astype(kernels.dtype)
        self.array(self.job.run.synchronisation, records.SYNCHRONISATION_WORDS, np.int64)[:] = 0
        self.arena.keep()

    def array(self, address, count, dtype=None):
        """Values at an address."""
        dtype = np.dtype(dtype or self.kernels.dtype)
        start = address - self.arena.memory.ctypes.data
        return self.arena.memory[start : start + count * dtype.itemsize].view(dtype)

    def _parts(self):
        """Two parts of a batch, each with a workspace, and the room where one waits for the other."""
        split, memory = self.job.split, self.job.memory
        split.parts, split.part_starts = 2, self.arena.place(24, "part_starts")
        self.array(split.part_starts, 3, np.int64)[:] = 0, 8, 19
        panel = tuning.PANEL_ROWS * tuning.PANEL_COLUMNS * self.size
        memory.branch_count, memory.branches = 1, self.arena.place(panel, "branches")

    def _own_columns(self):
        """A thread's own records of the first layer and the job, with all of the layer's columns."""
        place = self.job.split.own_records
        first, size = self.layers[0], self.size
        ctypes.memmove(place, self.layer_addresses[0], records.LAYER_SIZE)
        ctypes.memmove(place + records.LAYER_SIZE, self.job_address, records.JOB_SIZE)
        own = records.JobRecord.from_address(place + records.LAYER_SIZE)
        records.LayerRecord.from_address(place).weights = 0
        count = first.height * first.stride
        own.network.parameters = self.arena.place((1 + self.job.network.slot_count) * count * size, "own")
        own.network.slots, own.network.parameter_count = own.network.parameters + count * size, count


def _extents(job, given, size):
    """The room in bytes for what each address of a job names, and how many of them have been filled."""
    count, last = job.network.parameter_count, given[-1]
    rows, metrics = job.data.rows, 1 + job.loss.metric_count
    transposed = [r.transposed + (r.outputs + 16) * r.transposed_stride for r in given if r.transposed >= 0]
    kept = (1 + job.network.slot_count) * count + job.network.state_count
    widths = max(r.width for r in given)
    own = (1 + job.network.slot_count) * given[0].height * given[0].stride * size
    workspace = max(2 * job.memory.workspace_size, job.memory.capacity * (job.memory.places * size + 8))
    exact = {
        ("network", "parameters"): count * size,
        ("network", "transposed"): max(transposed, default=0) * size,
        ("network", "slots"): job.network.slot_count * count * size,
        ("network", "state"): job.network.state_count * size,
        ("loss", "parameters"): 3 * (last.kept if job.members.lanes else last.output_stride) * size,
        ("loss", "metrics"): job.loss.metric_count * 8,
        ("optimizer", "hyper"): 16 * 8,
        ("optimizer", "rates"): 8 * (job.run.last_step - job.run.first_step),
        ("data", "x"): job.data.x_end - job.data.x,
        ("data", "y"): job.data.y_end - job.data.y,
        ("data", "sample_weight"): rows * 8,
    }
    if job.members.lanes:
        count = -(-MEMBERS_COUNT // job.members.lanes) * job.members.lanes
        exact |= {("members", "seeds"): 8 * count, ("members", "hyper"): 8 * count * records.MEMBER_SCALARS}
        exact |= {("members", "rates"): 8 * count * job.members.rate_stride, ("members", "iterations"): 8 * count}
        exact |= {("members", "penalties"): 8 * count * job.network.layer_count * 4}
        exact |= {("members", "outputs"): count * job.data.rows * last.outputs // job.members.lanes * size}
    if job.data.row_starts:
        entries = (job.data.x_end - job.data.x) // size
        exact |= {("data", "row_starts"): (rows + 1) * 8, ("data", "columns"): 4 * entries}
    roomy = {
        ("network", "backup"): kept * size,
        ("network", "updates"): 8,
        ("run", "synchronisation"): records.SYNCHRONISATION_WORDS * 8,
        ("memory", "workspace"): workspace,
        ("memory", "gradients"): 2 * job.memory.gradient_levels * count * size,
        ("memory", "partials"): (job.memory.capacity // tuning.ROW_BLOCK + 2) * job.memory.partial_values * size,
        ("memory", "sums"): sum(r.height * -(-r.width // tuning.SUM_COLUMNS) for r in given) * records.SUMS * 8,
        ("memory", "scratch"): job.memory.scratch_size,
        ("memory", "inputs"): job.memory.capacity * job.memory.input_stride * size,
        ("memory", "scores"): 2 * job.data.batch_size * metrics * 8,
        ("memory", "results"): 16 * metrics * 8,
        ("memory", "output"): rows * last.outputs * size,
        ("split", "own_records"): records.LAYER_SIZE + records.JOB_SIZE + own,
    }
    margin = 64 * widths * size  # a panel may reach behind what there is
    return {
        **{field: (number + margin, number) for field, number in exact.items()},
        **{field: (number + margin, 0) for field, number in roomy.items()},
    }


# --- Networks ---


def rows():
    """Split by rows; few units in the middle, whose matrix is stored transposed; penalties, norms, an average."""
    l1_l2 = regularizers.L1L2(0.01, 0.02)
    stack = [
        Dense(37, "gelu", kernel_regularizer=l1_l2, bias_regularizer=regularizers.L2(0.03)),
        Dense(2, "tanh", kernel_regularizer=l1_l2),
        Dense(70, "relu", kernel_rate=0.5, bias_rate=2.0, kernel_regularizer=regularizers.L2(0.01)),
        Dense(19, "softmax"),
    ]
    optimizer = optimizers.Adam(0.01, global_clipnorm=0.1, use_ema=True, weight_decay=0.01)
    return 21, stack, optimizer, "categorical_crossentropy", ["accuracy", "mae"], 24


def normalised():
    """Normalisations, noise and a scaling; the gradient clipped by value."""
    stack = [
        layers.Scaling(),
        Dense(37),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Dropout(0.3),
        Dense(20, "selu"),
        layers.AlphaDropout(0.2),
        layers.LayerNormalization(),
        layers.GaussianNoise(0.5),
        Dense(5),
    ]
    return 13, stack, optimizers.SGD(0.01, 0.9, clipvalue=0.01), "mse", [], 24


def chunks():
    """Small layers and a large batch, in chunks with gradients of their own."""
    return 20, [Dense(64, "tanh"), Dense(30, "sigmoid")], optimizers.RMSprop(0.01), "binary_crossentropy", ["mse"], 256


def from_data():
    """The first layer takes its inputs from the data."""
    return 200, [Dense(300, "relu"), Dense(50, "softmax")], optimizers.SGD(0.1), "categorical_crossentropy", [], 40


def of_log_softmax():
    """A loss of logarithms of probabilities; a rate for each step; norms of each matrix clipped."""
    stack = [Dense(30, "leaky_relu"), Dense(21, "softmax")]
    rate = schedules.ExponentialDecay(0.01, 2, 0.9)
    return 7, stack, optimizers.Adam(rate, clipnorm=0.1), "kl_divergence", [], 24


def constrained():
    """Constraints on kernels and biases, stored either way; fixed numbers, rectifiers, and layers that are frozen."""
    held = constraints.MinMaxNorm(0.5, 1.0, 0.3)
    stack = [
        layers.Rescaling(0.5, 0.1),
        Dense(37, kernel_constraint=constraints.MaxNorm(0.5), bias_constraint="unit_norm"),
        layers.BatchNormalization(trainable=False),
        layers.PReLU("random_normal", alpha_constraint="non_neg"),
        Dense(2, kernel_constraint=held, bias_constraint=held),
        layers.ReLU(1.5, 0.1, 0.2),
        Dense(20, "hard_silu", trainable=False),
        Dense(5),
    ]
    return 13, stack, optimizers.SGD(0.1, 0.9, global_clipnorm=1.0), "mse", [], 24


NETWORKS = {build.__name__: build for build in (rows, normalised, chunks, from_data, of_log_softmax, constrained)}


def sparse():
    """Sparse inputs of a layer whose units are many."""
    return 60, [Dense(37, "relu"), Dense(3)], optimizers.Adam(0.01), "mse", [], 24


def sparse_few():
    """Sparse inputs of a layer whose few units are stored transposed."""
    return 60, [Dense(3)], optimizers.Adam(0.01), "mse", [], 24


SPARSE = {build.__name__: build for build in (sparse, sparse_few)}
"""Networks that only an estimator trains."""


MEMBERS_COUNT = 40


def members():
    """Members of an ensemble in lanes, with a rate for each step."""
    rate = schedules.ExponentialDecay(0.01, 2, 0.9)
    return (
        5,
        [Dense(9, "gelu", kernel_regularizer="l1_l2"), Dense(4, "tanh")],
        optimizers.AdamW(rate, weight_decay=0.1),
        "mse",
        [],
        24,
    )


def members_of_classes():
    """The same, of classes."""
    stack = [Dense(9, "relu"), Dense(4, "softmax")]
    return 5, stack, optimizers.SGD(schedules.ExponentialDecay(0.1, 2, 0.9)), "categorical_crossentropy", [], 24


MEMBERS = {build.__name__: build for build in (members, members_of_classes)}
"""Networks that are as many as MEMBERS_COUNT."""


def train_members(build, dtype):
    """A step of such networks."""
    models = []
    for seed in range(MEMBERS_COUNT):
        inputs, stack, optimizer, loss, metrics, batch_size = build()
        models.append(fastnn.Sequential([Input((inputs,)), *stack], seed=seed))
        models[-1].compile(optimizer, loss, metrics, backend="numpy", dtype=dtype)
    rng, rows = np.random.default_rng(3), 2 * batch_size + 5
    x = rng.normal(size=(rows, inputs)).astype(dtype)
    y = targets(loss, rows, stack[-1].units).astype(dtype)
    members = Members.of(models)
    engine = members.built(inputs)[0]
    run = MemberTraining(engine, members.states(engine), x, y, batch_size, range(MEMBERS_COUNT), True, False)
    rates, outputs = run._rates(0, 3), np.empty((run.groups * run.lanes, rows, stack[-1].units), dtype)

    def prepare(job):
        job.run.last_step = 3
        job.members.rates, job.members.rate_stride = address(rates), 3
        job.members.outputs = address(outputs)

    run._run(1, x, y, np.zeros((1, run.groups * run.lanes)), prepare)


def train_sparse(build, dtype):
    """A step of such a network."""
    inputs, stack, optimizer, loss, metrics, batch_size = build()
    model = fastnn.Sequential([Input((inputs,)), *stack], seed=1)
    model.compile(optimizer, loss, metrics, backend="numpy", dtype=dtype)
    model.build()
    optimizer.configure(model._engine)
    rng, rows = np.random.default_rng(3), 2 * batch_size + 5
    dense = rng.normal(size=(rows, inputs)) * (rng.random((rows, inputs)) < 0.3)
    row, column = np.nonzero(dense)
    starts = np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))])
    x = SparseRows(starts, column.astype(np.int32), dense[row, column].astype(dtype), inputs)
    data = Data(x, rng.normal(size=(rows, stack[-1].units)).astype(dtype))
    model._engine.train(data, batch_size, 2, True, 0).advance(3)


def targets(loss, count, outputs):
    rng = np.random.default_rng(2)
    if loss in ("mse", "binary_crossentropy"):
        return rng.uniform(size=(count, outputs))
    raised = np.exp(rng.normal(size=(count, outputs)))
    return raised / raised.sum(axis=1, keepdims=True)


def model_of(name, dtype, backend, threads=1):
    """A model of one of the networks, and data of three batches, the last one shorter."""
    inputs, stack, optimizer, loss, metrics, batch_size = NETWORKS[name]()
    model = fastnn.Sequential([Input((inputs,)), *stack], seed=1)
    if loss == "categorical_crossentropy":
        loss = losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizer, loss, metrics, backend=backend, threads=threads, dtype=dtype)
    count = 2 * batch_size + batch_size // 2 + 1
    x = np.random.default_rng(3).normal(size=(count, inputs)).astype(dtype)
    y = targets(NETWORKS[name]()[3], count, stack[-1].units).astype(dtype)
    return model, x, y, batch_size


def worlds(kernels):
    """A world of each network; from then on, this process has no NumPy backend."""
    found = []

    def take(layers_address, job_address, thread):
        raise _Taken(World([*NETWORKS, *SPARSE, *MEMBERS][len(found)], kernels, layers_address, job_address))

    twin.load = lambda dtype, called: take
    for name in NETWORKS:
        model, x, y, batch_size = model_of(name, kernels.dtype.name, "numpy")
        try:
            model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0)
        except _Taken as taken:
            found.append(taken.world)
    for build in SPARSE.values():
        try:
            train_sparse(build, kernels.dtype.name)
        except _Taken as taken:
            found.append(taken.world)
    for build in MEMBERS.values():
        try:
            train_members(build, kernels.dtype.name)
        except _Taken as taken:
            found.append(taken.world)
    assert len(found) == len(NETWORKS) + len(SPARSE) + len(MEMBERS)
    return found
