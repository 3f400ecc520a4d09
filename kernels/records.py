"""The records that every kernel reads: one a layer, and the job.

Every field is 8 bytes.  Offsets and strides count values, addresses and fields that say so count bytes.  A field is
named here and nowhere else: the kernels read ``layer.outputs`` and ``job.data.x``, the engine writes the same names.
"""

from __future__ import annotations

import ctypes
from typing import Any

from .language import Address, Double, Integer, Record


class Layer(Record):
    """One layer of the network: its shape, where its parameters and its rows of a workspace stand, its constants."""

    kind: Integer  # code: place in LAYER_KINDS
    inputs: Integer  # width of what comes in
    outputs: Integer  # width of what goes out
    rows: Integer  # of a dense layer's weight matrix: inputs, and one for the bias; 0: another kind of layer
    bias: Integer  # rows before the bias; normalisation: 1 where there is a gamma, for beta is behind it
    stored_transposed: Integer  # 1: as (outputs, rows), for few outputs would leave most lanes of a vector idle
    height: Integer  # rows as stored
    width: Integer  # columns as stored
    stride: Integer  # from one stored row to the next
    weights: Integer  # where the matrix starts among the parameters
    transposed: Integer  # where its transposed copy starts, or -1: nobody asks for the gradient by this layer's input
    transposed_stride: Integer
    activation: Integer  # code: place in ACTIVATIONS, or CUSTOM
    input: Integer  # where the layer's input starts in a workspace, for a capacity of one row
    input_stride: Integer
    output: Integer  # where the layer's output starts in a workspace, for a capacity of one row
    output_stride: Integer  # from row to row of output, slope and delta
    slope: Integer  # where the kept slopes start, or -1: the slope follows from the output
    delta: Integer  # where the gradient of the loss by this layer's product starts
    parameter: Double  # the activation's constant
    frozen: Integer  # 1: its parameters stay as they are; a batch normalisation goes by its moving statistics
    # noise, in place: a value is dropped where a uniform number is below the threshold, else scaled and shifted
    seed: Integer
    threshold: Double
    scale: Double
    shift: Double
    dropped: Double  # what a dropped value becomes
    deviation: Double  # of Gaussian noise
    # a rectifier: above the threshold x, up to the limit; else (x - threshold) times the scale, or a weight of the unit
    limit: Double
    # normalisation
    epsilon: Double
    momentum: Double  # of the moving statistics
    state: Integer  # where the moving mean starts in the state, a stride before the variance; or center, factor, offset
    partials: Integer  # where its sums start in those of a block of rows
    statistics: Integer  # where its statistics start in those of a thread
    kept: Integer  # where each row's mean and inverse deviation start in a workspace, for a capacity of one row
    # what the optimizer's steps are multiplied by
    kernel_rate: Double
    bias_rate: Double
    # penalties on the weights
    penalized: Integer
    kernel_l1: Double
    kernel_l2: Double
    bias_l1: Double
    bias_l2: Double
    sums: Integer  # where the sums over its rows start, see PENALTY
    # constraints on the weights, which each update is followed by: a norm is brought to between least and most, or a
    # part, the pull, of the way there
    kernel_constraint: Integer  # code: place in CONSTRAINTS
    kernel_least: Double
    kernel_most: Double
    kernel_pull: Double
    bias_constraint: Integer
    bias_least: Double
    bias_most: Double
    bias_pull: Double
    function: Address  # of the activation, where it is the user's own


class Run(Record):
    """What to do."""

    mode: Integer  # code: place in MODES
    threads: Integer
    first_step: Integer  # steps are counted over all epochs
    last_step: Integer
    steps_per_epoch: Integer
    first_epoch: Integer  # the epoch of the results' first row
    synchronisation: Address  # words that the threads meet at, see ARRIVED
    workers: Address  # the words of each worker that may be called, see CALLED; 0: whoever calls brings the threads
    worker_count: Integer
    waits: Integer  # turns to sleep through: a caller until workers come, one of them until a call does
    layers: Address  # what a worker is called with
    jobs: Address  # and the address of each thread's job


class Network(Record):
    """What is trained."""

    layer_count: Integer
    parameter_count: Integer
    updated_count: Integer  # values of the matrices that are not frozen
    first_trained: Integer  # the first layer whose parameters change: no gradient is needed before it
    parameters: Address
    transposed: Address  # transposed copies of the matrices
    keeps_transposed: Integer  # 1: the copies follow the matrices; 0: the way back transposes the matrices itself
    slots: Address  # the optimizer's state: one vector of parameter_count values after another
    slot_count: Integer
    state: Address  # moving statistics
    state_count: Integer
    backup: Address  # the parameters, slots and state of the last good epoch
    updates: Address  # a word: updates that have been made, counted by the kernels
    noisy: Integer  # 1: some layer adds noise
    penalized: Integer  # 1: some layer is
    constrained: Integer  # 1: some layer is
    penalty_by_row: Integer  # 1: penalties are divided by the sum of the weights of a step's rows


class Loss(Record):
    """What the network is trained for, and what is measured beside it."""

    code: Integer  # place in LOSSES, or CUSTOM
    on_logits: Integer  # 1: of what the last activation is given
    parameters: Address  # reals: parameter, second and third of each output, a row each as long as one of outputs
    function: Address  # of the loss, where it is the user's own
    scale: Double  # 1 / outputs for a loss that is a mean over them, else 1
    target_scale: Double  # the loss sees target * target_scale + target_shift: label smoothing
    target_shift: Double
    metric_count: Integer
    metrics: Address  # int64 codes: places in LOSSES
    score_scale: Double  # of the loss as it is told, not of its gradient


class Optimizer(Record):
    """How the parameters follow the gradient."""

    code: Integer  # place in OPTIMIZERS
    hyper: Address  # doubles, in the order of the table; at DECAY the weight decay
    rates: Address  # doubles: the learning rate of each step from the first, or 0: all are the first of hyper
    iterations: Integer  # steps taken before step 0
    clip: Integer  # code: place in CLIPS
    clip_limit: Double
    average: Integer  # the slot that holds the moving average of the parameters, or -1
    average_momentum: Double
    average_frequency: Integer  # updates from one overwriting of the parameters by it to the next, or 0
    accumulated_steps: Integer  # of which an update is made; 0 or 1: each step is an update
    accumulator: Integer  # the slot that holds the sum of their gradients


class Data(Record):
    """The rows to read.  Rows and columns are so many bytes apart."""

    x: Address
    x_row: Integer
    x_column: Integer
    x_end: Address  # the first byte behind the data
    x_kind: Integer  # code: place in KINDS
    y: Address
    y_row: Integer
    y_column: Integer
    y_end: Address
    y_kind: Integer
    y_labels: Integer  # 1: y holds class numbers
    sample_weight: Address  # doubles, or 0
    lazy_nan_check: Integer  # 1: nobody has looked whether x is finite; training does so in the first epoch
    origin: Integer  # the row of the data that x and y start at
    rows: Integer
    batch_size: Integer
    # x is sparse: its values lie at ``x``, of the reals' own type
    row_starts: Address  # int64: where each row's entries start, and one more where the last one's end; 0: x is dense
    columns: Address  # int32: each entry's column, ascending in a row


class Order(Record):
    """The order in which rows are visited, and what each of them counts."""

    rows: Address  # int64: the rows of an epoch in the order of their visit, from first_epoch on; 0: see shuffle
    row_weights: (
        Address  # doubles: 1 / the sum of the weights of each step's rows, from first_step on; 0: 1 / their number
    )
    shuffle: Integer
    seed: Integer
    mask: Integer  # the least 2**k - 1 that no row number exceeds
    shift: Integer


class Split(Record):
    """How the work of a step is divided."""

    chunks: Integer  # that a batch falls into, each with a gradient of its own; 0: it is one, split by rows and panels
    replicated: Integer  # 1: each thread's job has parameters of its own
    by_columns: Integer  # 1: each thread has some columns of the first matrix (training) or of every one (predicting)
    own_records: Address  # then, in training: a layer and a job of each thread's own, see source/first_layer
    column_block: Integer  # columns that are one thread's: a multiple of it
    from_data: Integer  # 1: training, the first layer takes its inputs from the data, a few rows at a time
    parts: Integer  # of a batch that other ranks have parts of too; each has a workspace
    part_starts: Address  # int64: where they start, less ``batch_row``, and where the last one ends
    batch_row: Integer  # the number of a row in the batch, less its number here
    turned: Integer  # 1: predicting, a vector holds one unit of several rows, see source/turned


class Memory(Record):
    """Where to work."""

    workspace: Address
    workspace_size: Integer  # bytes a thread (chunks), or of the whole
    capacity: Integer  # rows that a workspace holds
    input_stride: Integer
    target: Integer  # where the targets start in a workspace, for a capacity of one row
    target_stride: Integer
    gradients: Address
    gradient_levels: Integer  # gradient vectors a thread; the last is for handing over
    branches: Address  # panels of a rank's parts that wait for their neighbours to be added
    branch_count: Integer  # a thread
    partials: Address  # sums over blocks of ROW_BLOCK rows, for batch normalisation
    partial_values: Integer  # a block
    sums: Address  # doubles: sums over rows of the weights and the gradient, see PENALTY
    scratch: Address
    scratch_size: Integer  # bytes a thread
    inputs: Address  # from_data: where the batch's inputs stand, if they cannot be taken as they lie
    scores: Address  # doubles: the loss and the metrics of each row of a batch
    results: Address  # doubles: their sums, a row an epoch
    output: Address  # predictions; or, in training and evaluating, what was scored, by its place in the epoch, or 0
    output_row: Integer  # values from row to row
    places: Integer  # sparse x: where the places of rows in the data start in a workspace, for a capacity of one row


class Members(Record):
    """Networks side by side, a group of as many as a vector has lanes: see source/members."""

    lanes: Integer  # members of a group, as whoever calls has it: others than a vector has are refused
    first: Integer  # group of this job
    end: Integer  # the first one behind them
    group_values: Integer  # parameters of a group, as vectors' values
    seeds: Address  # int64: of the order in which each member visits the rows
    hyper: Address  # doubles: the optimizer's, 16 a member
    rates: Address  # doubles: the learning rate of each step, a row a member, or 0: all are the first of hyper
    rate_stride: Integer  # doubles from one member's to the next
    x_member: Integer  # bytes from one member's rows to the next one's; 0: x is for all
    y_member: Integer
    together: Integer  # 1: all visit the same rows in the same order
    iterations: Address  # int64: updates that each member has made before
    penalties: Address  # doubles: of each member and layer the kernel's l1 and l2 and the bias's; 0: there are none
    measures: Integer  # 1: the losses are wanted, and no steps
    outputs: Address  # (members, rows, units): where, without any step or loss, outputs are wanted; or 0


class Job(Record):
    """One call of the kernels, in groups."""

    run: Run
    network: Network
    loss: Loss
    optimizer: Optimizer
    data: Data
    order: Order
    split: Split
    memory: Memory
    members: Members


class Layers(Record):
    """The records of all layers, one behind the other."""


def layer_at(layers: Layers, number: Integer) -> Layer:
    """One of the layers."""
    raise NotImplementedError


def as_layers(address: Address) -> Layers:
    """The layers' records at an address."""
    raise NotImplementedError


def as_layer(address: Address) -> Layer:
    """The layer's record at an address."""
    raise NotImplementedError


def as_job(address: Address) -> Job:
    """The job's record at an address."""
    raise NotImplementedError


MODES = ("train", "evaluate", "predict", "gradient", "update", "stand_by", "sample", "parts", "members")
TRAIN, EVALUATE, PREDICT, GRADIENT, UPDATE, STAND_BY, SAMPLE, PARTS, MEMBERS = range(9)

LAYER_KINDS = (
    "dense",
    "activation",
    "dropout",
    "gaussian_noise",
    "batch_normalization",
    "layer_normalization",
    "scaling",
    "affine",
    "rectifier",
)
DENSE, ACTIVATION, DROPOUT, GAUSSIAN_NOISE, BATCH_NORMALIZATION, LAYER_NORMALIZATION, SCALING = range(7)
AFFINE, RECTIFIER = 7, 8

CONSTRAINTS = ("", "non_negative", "norm")
NON_NEGATIVE, NORM = 1, 2

CLIPS = ("", "clipvalue", "clipnorm", "global_clipnorm")
CLIPVALUE, CLIPNORM, GLOBAL_CLIPNORM = range(1, 4)

KINDS = ("float32", "float64", "uint8", "int32", "int64")
"""What the kernels read where it lies; anything else is converted, a block at a time, before they see it."""

CUSTOM = -1  # the code of an activation or loss that is the user's own; see source/custom

MEMBER_SCALARS = 16  # doubles of an optimizer's hyper, and of a step's scalars
DECAY = 15  # the place of the weight decay in hyper, and of what it leaves of a weight among a step's scalars

# What is summed over each stored row of a layer's matrix, SUM_COLUMNS at a time: its penalty, and the squares of its
# gradient, of the kernel and of the bias.
PENALTY, KERNEL_SQUARES, BIAS_SQUARES, SUMS = 0, 1, 2, 3

# The statistics of a batch normalisation, a vector each.
MEAN, VARIANCE, INVERSE, FACTOR, OFFSET, DELTA_SUM, DELTA_HAT_SUM, STATISTICS_VECTORS = range(8)
PARTIAL_VECTORS = 4  # of a block: mean, squares about it; sums of delta, and of delta * normalised input

# Words of the synchronisation block, those that threads write at once on a cache line each.  The kernels set them as a
# run begins, but for those that stand from run to run: DONE, the steps that are, and of these the ones up to the last
# good epoch, with the updates until then.  NOT_FINITE: 1 + where in the epoch the batch begins that has such an input.
ARRIVED, GENERATION, ABORTED, DIVERGED, DONE, LEFT, NOT_FINITE = 0, 16, 32, 48, 56, 64, 72
GOOD_STEP, GOOD_UPDATES = 57, 58
# How many threads sleep at a word, and when some were woken last.  Nanoseconds, added up over the threads of a training
# run: for which they had no processor, and for which they did not want one, for they slept until others came.
SLEEPERS, IDLE, SLEPT, WOKEN = 17, 80, 81, 82
SYNCHRONISATION_WORDS = 88

LACKING = 2
"""What the entry returns if too few workers stand by; nothing has been done then."""

# Words of a worker that stands by, in place of a job's synchronisation.  Whoever adds to STATE where it is 0 has it,
# says in CALLER so, and in the next ones what to do, and then in CALLED that it shall.  RESTS: it sleeps meanwhile.
STATE, CALLED, RESTS, CALLER, CALLED_LAYERS, CALLED_JOB, CALLED_THREAD = 0, 8, 9, 16, 17, 18, 19
STANDBY_WORDS = 24
TAKEN, GONE = 2, 1


def fields(record: type[Record]) -> dict[str, str]:
    """The names of a record's fields and of their types, in their order: "Integer", "Double", "Address", or a group."""
    return dict(record.__annotations__)


def _structure(record: type[Record]) -> type[ctypes.Structure]:
    kinds: dict[str, Any] = {"Integer": ctypes.c_int64, "Address": ctypes.c_int64, "Double": ctypes.c_double}
    listed = [(name, kinds.get(kind) or _structure(globals()[kind])) for name, kind in fields(record).items()]
    return type(record.__name__, (ctypes.Structure,), {"_fields_": listed, "__slots__": ()})  # no other names


LayerRecord: type[Any] = _structure(Layer)
JobRecord: type[Any] = _structure(Job)
"""The records as ctypes structures: what Python fills in, and the kernels read."""

LAYER_SIZE, JOB_SIZE = ctypes.sizeof(LayerRecord), ctypes.sizeof(JobRecord)
