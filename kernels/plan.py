"""The two records that every kernel reads: a row a layer, and the job.

Every field is 8 bytes.  Offsets and strides count values, addresses count bytes.  render.py turns ``layer.outputs``
into a load at the field's place, so a field is named here and nowhere else.
"""

from __future__ import annotations

LAYER_FIELDS: dict[str, str] = {
    "kind": "i8",  # code: place in LAYER_KINDS
    "inputs": "i8",  # width of what comes in
    "outputs": "i8",  # width of what goes out
    "rows": "i8",  # rows of a dense layer's weight matrix: inputs, and one for the bias; 0: another kind of layer
    "bias": "i8",  # rows before the bias; normalisation: 1 where there is a gamma, for beta is behind it
    "turned": "i8",  # 1: stored transposed, (outputs, rows), for few outputs would leave most lanes of a vector idle
    "height": "i8",  # rows as stored
    "width": "i8",  # columns as stored
    "stride": "i8",  # from one stored row to the next
    "weights": "i8",  # where the matrix starts among the parameters
    "transposed": "i8",  # where its transpose starts, or -1: nobody asks for the gradient by this layer's input
    "transposed_stride": "i8",
    "activation": "i8",  # code: place in formulas.ACTIVATIONS, or CUSTOM
    "input": "i8",  # where the layer's input starts in a workspace, for a capacity of one row
    "input_stride": "i8",
    "output": "i8",  # where the layer's output starts in a workspace, for a capacity of one row
    "output_stride": "i8",  # from row to row of output, slope and delta
    "slope": "i8",  # where the kept slopes start, or -1: the slope follows from the output
    "delta": "i8",  # where the gradient of the loss by this layer's product starts
    "parameter": "f8",  # the activation's constant
    # noise, in place: a value is dropped where a uniform number is below the threshold, else scaled and shifted
    "seed": "i8",
    "threshold": "f8",
    "scale": "f8",
    "shift": "f8",
    "dropped": "f8",  # what a dropped value becomes
    "deviation": "f8",  # of Gaussian noise
    # normalisation
    "epsilon": "f8",
    "momentum": "f8",  # of the moving statistics
    "state": "i8",  # where the moving mean starts in the state; the moving variance is a stride behind
    "partials": "i8",  # where its sums start in those of a block of rows
    "statistics": "i8",  # where its statistics start in those of a thread
    "kept": "i8",  # where each row's mean and inverse deviation start in a workspace, for a capacity of one row
    # what the optimizer's steps are multiplied by
    "kernel_rate": "f8",
    "bias_rate": "f8",
    # penalties on the weights
    "penalized": "i8",
    "kernel_l1": "f8",
    "kernel_l2": "f8",
    "bias_l1": "f8",
    "bias_l2": "f8",
    "sums": "i8",  # where the sums over its rows start, see PENALTY
    "function": "i8",  # address of the activation's function, where it is the user's own
}

JOB_FIELDS: dict[str, str] = {
    # what to do
    "mode": "i8",  # see MODES
    "threads": "i8",
    "first_step": "i8",  # steps are counted over all epochs
    "last_step": "i8",
    "steps_per_epoch": "i8",
    "first_epoch": "i8",  # the epoch of results' first row
    # the network
    "layer_count": "i8",
    "parameter_count": "i8",
    "first_trained": "i8",  # the first layer that has parameters: no gradient is needed before it
    "parameters": "i8",
    "transposed": "i8",
    "transposing": "i8",  # 1: the transposed copies follow the matrices; 0: the way back turns the matrices itself
    "slots": "i8",  # one vector of parameter_count values after another
    "slot_count": "i8",
    "state": "i8",  # moving statistics
    "state_count": "i8",
    "backup": "i8",  # the parameters, slots and state of the last good epoch
    "loss": "i8",  # code: place in formulas.LOSSES, or CUSTOM
    "loss_on_logits": "i8",
    "loss_parameters": "i8",  # reals: parameter, second and third of each output, a row each as long as one of outputs
    "loss_function": "i8",  # address of the loss's function, where it is the user's own
    "loss_scale": "f8",  # 1 / outputs for a loss that is a mean over them, else 1
    "target_scale": "f8",  # the loss sees target * target_scale + target_shift: label smoothing
    "target_shift": "f8",
    "metric_count": "i8",
    "metrics": "i8",  # int64 codes: places in formulas.LOSSES
    "optimizer": "i8",  # code: place in formulas.OPTIMIZERS
    "hyper": "i8",  # doubles, in the order of the table; at DECAY the weight decay
    "rates": "i8",  # doubles: the learning rate of each step from the first, or 0: all are the first of hyper
    "iterations": "i8",  # updates made before step 0
    "clip": "i8",  # code: place in CLIPS
    "clip_limit": "f8",
    "average": "i8",  # the slot that holds the moving average of the parameters, or -1
    "average_momentum": "f8",
    "average_frequency": "i8",  # updates from one overwriting of the parameters by it to the next, or 0
    "penalized": "i8",  # 1: some layer is
    "noisy": "i8",  # 1: some layer adds noise
    "penalty_shared": "i8",  # 1: penalties are divided by the sum of the weights of a step's rows
    "score_scale": "f8",  # of the loss as it is told, not of its gradient
    # the data
    "x": "i8",
    "x_row": "i8",  # bytes from row to row
    "x_column": "i8",
    "x_end": "i8",  # the first byte behind the data
    "x_kind": "i8",  # code: place in KINDS
    "y": "i8",
    "y_row": "i8",
    "y_column": "i8",
    "y_end": "i8",
    "y_kind": "i8",
    "y_labels": "i8",  # 1: y holds class numbers
    "sample_weight": "i8",  # doubles, or 0
    "unseen": "i8",  # 1: nobody has looked whether x is finite; training does so in the first epoch
    "origin": "i8",  # the row of the data that x and y start at
    "rows": "i8",
    "batch_size": "i8",
    "order": "i8",  # int64: the rows of an epoch in the order of their visit, from first_epoch on; 0: see shuffle
    "shares": "i8",  # doubles: 1 / the sum of the weights of each step's rows, from first_step on; 0: 1 / their number
    "shuffle": "i8",
    "seed": "i8",
    "mask": "i8",  # the least 2**k - 1 that no row number exceeds
    "shift": "i8",
    # where to work
    "chunks": "i8",  # that a batch falls into, each with a gradient of its own; 0: it is one, split by rows and panels
    "replicated": "i8",  # 1: each thread's job has parameters of its own
    "workspace": "i8",
    "workspace_size": "i8",  # bytes a thread (chunks), or of the whole
    "capacity": "i8",  # rows that a workspace holds
    "input_stride": "i8",
    "target": "i8",  # where the targets start in a workspace, for a capacity of one row
    "target_stride": "i8",
    "gradients": "i8",
    "gradient_levels": "i8",  # gradient vectors a thread; the last is for handing over
    "partials": "i8",  # sums over blocks of ROW_BLOCK rows, for batch normalisation
    "partial_values": "i8",  # a block
    "sums": "i8",  # doubles: sums over rows of the weights and the gradient, see PENALTY
    "scratch": "i8",
    "scratch_size": "i8",  # bytes a thread
    "scores": "i8",  # doubles: the loss and the metrics of each row of a batch
    "results": "i8",  # doubles: their sums, a row an epoch
    "by_units": "i8",  # 1: each thread has some units of the first layer (training) or of every layer (predicting)
    "owns": "i8",  # then, in training: a layer and a job of each thread's own, see network.copy_units
    "unit_block": "i8",  # units that are one thread's: a multiple of it
    "from_data": "i8",  # 1: training, the first layer takes its inputs from the data, a few rows at a time
    "inputs": "i8",  # then: where the batch's inputs stand, if they cannot be taken as they lie
    "output": "i8",  # predictions
    "output_row": "i8",  # values from row to row
    "synchronisation": "i8",
}

LAYER_KINDS = (
    "dense",
    "activation",
    "dropout",
    "gaussian_noise",
    "batch_normalization",
    "layer_normalization",
    "scaling",
)
CLIPS = ("", "clipvalue", "clipnorm", "global_clipnorm")

# What is summed over each stored row of a layer's matrix, SUM_COLUMNS at a time: its penalty, and the squares of its
# gradient, of the kernel and of the bias.
PENALTY, KERNEL_SQUARES, BIAS_SQUARES, SUMS = 0, 1, 2, 3
SUM_COLUMNS = 64  # divides PANEL_COLUMNS, for no sum may depend on how columns are split

# The statistics of a batch normalisation, a vector each.
MEAN, VARIANCE, INVERSE, FACTOR, OFFSET, DELTA_SUM, DELTA_HAT_SUM, STATISTICS_VECTORS = range(8)
PARTIAL_VECTORS = 4  # of a block: mean, squares about it; sums of delta, and of delta * normalised input

MODES = ("train", "evaluate", "predict", "gradient", "update", "stand_by", "engage")

# What the kernels read where it lies; anything else is converted, a block at a time, before they see it.
KINDS = ("float32", "float64", "uint8", "int32", "int64")

CUSTOM = -1  # the code of an activation or loss that is the user's own; see network.call_own

DECAY = 15  # the place of the weight decay in hyper, and of what it leaves of a weight among a step's scalars

# Words of the synchronisation block, each on a cache line of its own.  NOT_FINITE: 1 + where in the epoch the batch
# begins that has such an input.
ARRIVED, GENERATION, ABORTED, DIVERGED, DONE, LEFT, NOT_FINITE = 0, 16, 32, 48, 56, 64, 72
SYNCHRONISATION_WORDS = 80

# Words of a helper that stands by, in place of a job's synchronisation.  Whoever adds to the first one first has it.
CALLED, FINISHED, CALLED_LAYERS, CALLED_JOB, CALLED_THREAD = 0, 8, 16, 17, 18
STATION_WORDS = 24
CALL, GONE = 2, 1

BARRIER_SPINS = 4000  # turns at a barrier before a thread sleeps, some 50 us
STANDBY_SPINS = 20_000  # 0.25 ms, or up to 1: what lies between two calls of a program that calls again and again

FEW_VALUES = 48  # rows of fewer columns are turned for softmax and crossentropy, a vector for as many rows as it holds
TURNED_OUTPUTS = 4  # layers of up to this many units are stored transposed
ROW_BLOCK = 8  # the rows of a batch are split among threads at multiples of it, and summed in such blocks
KEPT_VALUES = 16  # a row, of a layer normalisation
WIDTH_MULTIPLE = 16  # rows are padded to this many values

# A product packs its right side, at most PACK_DEPTH rows at a time, from this many rows of the left one and bytes
# between its own on.
PACK_DEPTH, PACK_ROWS, PACK_STRIDE = 1024, 32, 1024
# From a depth of DEEP on it asks for memory before it needs it, and packs more rows.
DEEP, DEEP_PACK_DEPTH = 128, 2064
# The size of a matrix that one row sweeps over, and of all parameters that a few rows take a little at a time.
SWEPT_BYTES, STREAMED_BYTES = 2**19, 2**24
# A panel of weights has at most so many rows and columns; FLAT_UNITS rows where no deltas are packed for it.
PANEL_UNITS, PANEL_COLUMNS, FLAT_UNITS, CHUNK_UNITS = 512, 192, 48, 256
# Bytes of a batch's inputs that stay in the nearest caches, and of data whose rows need not be asked for.
NEAR_INPUTS, NEAR_DATA = 2**16, 2**18
PACKED_INPUTS = CHUNK_UNITS * PACK_DEPTH  # values: inputs that stay packed for all columns of a panel's rows


def scratch_layout(size: int) -> tuple[dict[str, int], int]:
    """Where each part of a thread's scratch memory starts, and the size of all, in bytes, for values of that many."""
    places, start = {"SCALARS": 0}, 128
    for name, bytes_ in (
        ("STEP", 64),  # doubles: the average's momentum in this step, and whether it overwrites the parameters
        ("BEFORE", PANEL_COLUMNS * size),  # weights before their update
        ("ONE", 64),
        ("ROWS_AHEAD", 64),  # addresses
        ("PACK", DEEP_PACK_DEPTH * 3 * 64),  # for the widest vectors
        ("PACK_INPUTS", PACKED_INPUTS * size),
        ("PANEL", PANEL_UNITS * PANEL_COLUMNS * size),
    ):
        places[name] = start
        start += bytes_
    places["STATISTICS"] = start  # as many as the layers need
    return places, start
