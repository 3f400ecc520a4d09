"""The kernels' numbers that were found by measuring, and why they are what they are; the layout of scratch memory."""

BARRIER_SPINS = 4000  # turns at a barrier before a thread sleeps, some 50 us
STANDBY_SPINS = 20_000  # 0.25 ms, or up to 1: what lies between two calls of a program that calls again and again

SUM_COLUMNS = 64  # columns that are summed together; divides PANEL_COLUMNS, for no sum may depend on how they are split
FEW_VALUES = (
    48  # rows of fewer columns are transposed for softmax and crossentropy, a vector for as many rows as it holds
)
FEW_OUTPUTS = 4  # layers of up to this many units are stored transposed
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
# A panel of weights has at most so many rows and columns; FLAT_ROWS where no deltas are packed for it.
PANEL_ROWS, PANEL_COLUMNS, FLAT_ROWS, CHUNK_ROWS = 512, 192, 48, 256
SPARSE_PANEL_ROWS = 256  # of sparse inputs
# Rows from which on a first layer packs its weights and inputs where tiles are low: these read all of it twice as often
# as tall tiles, which take it as it lies.
FIRST_PACK_ROWS = 48
# Bytes of a batch's inputs that stay in the nearest caches, and of data whose rows need not be asked for.
NEAR_INPUTS, NEAR_DATA = 2**16, 2**18
# Rows that go through a narrow network at a time, when predicting, and the widest layers that are narrow: all that is
# computed of these rows stays in the first cache.
TURNED_ROWS, TURNED_INPUTS, TURNED_UNITS = 128, 16, 64
PACKED_INPUTS = CHUNK_ROWS * PACK_DEPTH  # values: inputs that stay packed for all columns of a panel's rows


def scratch_layout(size: int) -> tuple[dict[str, int], int]:
    """Where each part of a thread's scratch memory starts, and the size of all, in bytes, for values of that many."""
    places, start = {"SCALARS": 0}, 128
    for name, bytes_ in (
        ("STEP", 64),  # doubles: the average's momentum, whether it overwrites the parameters, whether an update is due
        ("BEFORE", PANEL_COLUMNS * size),  # weights before their update
        ("ONE", 64),
        ("ROWS_AHEAD", 64),  # addresses
        ("PACK", DEEP_PACK_DEPTH * 3 * 64),  # for the widest vectors
        ("PACK_INPUTS", PACKED_INPUTS * size),
        ("PANEL", PANEL_ROWS * PANEL_COLUMNS * size),
    ):
        places[name] = start
        start += bytes_
    places["STATISTICS"] = start  # as many as the layers need
    return places, start
