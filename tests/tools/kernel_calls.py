"""What kernels are called with to compare two ways of compiling them: arguments by their names and types.

An address is one of a region of random reals, unless REGIONS_OF says what it belongs to; a record is one of a
network's; a number is looked up by its name.  TWEAKS has calls of kernels that do something else for other records.
"""

import ast
import ctypes
import itertools

import naive
import numpy as np
from kernel_worlds import MEMBERS, NETWORKS, SPARSE

from fastnn.kernels import records
from fastnn.kernels.render.lowering import flattened
from fastnn.kernels.render.sources import VALUES, Source

HELP = "tests/tools/kernel_calls.py says what kernels are called with"

LONG = 0x2FEDCBA987654321  # a key

# name: a value in each of two calls; L is the lanes of a vector
INTEGERS = {
    "accumulate": (0, 1),
    "at": (0, "L"),
    "back": (0, 1),
    "batch_row": (0, 5),
    "behind": (9, 30),
    "block": (0, 1),
    "group": (0, 1),
    "left_across": ("L", "3L"),
    "left_along": ("3L", "L"),
    "right_across": ("L", "3L"),
    "right_along": ("3L", "L"),
    "offset": (0, 48),
    "blocks": (1, 3),
    "column": (0, "L"),
    "columns": (5, 45),
    "count": ("L", "3L"),
    "data_bytes": (2**10, 2**20),
    "depth": (7, 150),
    "end": (5, 18),
    "entry": (0, 2),
    "epoch": (0, 1),
    "first": (0, 0),
    "in_order": (0, 1),
    "index": (0, 3),
    "first_row": (0, 3),
    "first_score": (0, 2),
    "key": (LONG, 3),
    "lane": (0, 3),
    "mask": (63, 63),
    "most": (0, 1),
    "narrow": (0, 0),
    "number": (0, 1),
    "outputs": (3, 21),
    "packed": (0, 0),
    "part": (0, 1),
    "parts": (2, 3),
    "part_size": (2**13, 2**13),
    "position": (0, 9),
    "row": (0, 2),
    "row_bytes": (20, 5000),
    "rows": (3, 21),
    "shift": (3, 3),
    "slot_size": (2**12, 2**12),
    "step": (3, 5),
    "steps": (7, 150),
    "tall": (1, 0),
    "stride": (48, 48),
    "thread": (0, 0),
    "unit": (0, 1),
    "training": (1, 0),
    "turns": (0, 3),
    "update_follows": (1, 2),
    "updates": (0, 5),
    "value": (17, LONG),
    "values": (20, 3000),
    "vectors": (1, 3),
    "wide": (1, 3),
    "width": (5, 45),
    "with_targets": (1, 0),
    # fields of records of values
    "bounds_constraint": (1, 2),
    "batch_epoch": (0, 1),
    "batch_position": (0, 3),
    "batch_key": (LONG, 5),
    "batch_first_score": (0, 0),
    "block_first": (0, 8),
    "block_batch_row": (0, 8),
    "how_thread": (0, 0),
    "how_parts": (0, 1),
    "how_phase": (0, 1),
    "how_handed": (0, 0),
    "how_follows": (1, 2),
    "inputs_block": (16 * 48, 16 * 48),
    "inputs_row": (1, 1),
    "inputs_step": (16, 16),
    "left_block": (16 * 160, 16),
    "left_row": (160, 1),
    "left_step": (1, 48),
    "panel_row": (0, 0),
    "panel_rows": (3, 12),
    "panel_column": (0, 0),
    "panel_vectors": (1, 2),
    "panel_step": (48, 48),
    "panel_transposed": (0, 0),
    "prefetch_matrices": (0, 1),
    "prefetch_apart": (0, 2**13),
    "prefetch_rows": (0, 20),
    "right_transposed": (0, 0),
    "ahead_left_stride": (48, 0),
}

DOUBLES = {
    "batch_row_weight": (0.25, 0.04),
    "bias_scale": (0.5, 1.0),
    "bounds_least": (0.0, 1.0),
    "bounds_most": (1.0, 3.0),
    "bounds_pull": (1.0, 0.3),
    "constant": (0.3, 1.0),
    "factor": (0.7, -3.0),
    "kernel_scale": (0.25, 0.5),
    "learning_rate": (0.01, 0.3),
    "limit": (1.5, 2.0),
    "row_weight": (0.25, 1.5),
    "scale": (0.2, 3.0),
    "squares": (2.0, 9.0),
    "step": (1.0, 7.0),
    "weight": (1.0, 0.4),
}

# an address that belongs to the job, or to another argument
REGIONS_OF = {
    "base": "memory.workspace",
    "block_base": "memory.workspace",
    "scratch": "memory.scratch",
    "scalars": "memory.scratch",
    "losses": "memory.scratch",
    "room": "memory.scratch",
    "pack": "memory.scratch PACK",
    "all_gradients": "memory.gradients",
    "how_gradients": "memory.gradients",
    "hyper": "optimizer.hyper",
}

NOISE = ("dropout", "gaussian_noise")
OF_NOISE = ("add_noise", "through_noise", "noise_key")
ANY_LAYER = ("transform", "apply_activation", "through_activation")
OF_KINDS = {
    "batch_statistics": ("batch_normalization",),
    "normalize_columns": ("batch_normalization",),
    "batch_sums": ("batch_normalization",),
    "normalize_columns_backward": ("batch_normalization",),
    "normalize_rows": ("layer_normalization",),
    "normalize_rows_backward": ("layer_normalization",),
    "normalization_gradient": ("batch_normalization", "layer_normalization", "scaling"),
    "gamma_of": ("batch_normalization", "layer_normalization", "scaling"),
    "beta_of": ("batch_normalization", "layer_normalization", "scaling"),
    "scale_columns": ("scaling",),
    "factor_columns": ("batch_normalization",),
    "map_columns": ("affine",),
    "map_columns_backward": ("affine",),
    "slope_below": ("rectifier",),
    "rectify_columns": ("rectifier",),
    "rectify_columns_backward": ("rectifier",),
    "constrain_columns": ("dense",),
}
"""Layers that a kernel is called for, where it is not for those that have weights."""

TRAIN, EVALUATE, PREDICT, GRADIENT, UPDATE = ({"run.mode": mode} for mode in range(5))
SAMPLE, PARTS = {"run.mode": 6}, {"run.mode": 7}
ONE_BLOCK = {"run.first_step": 0, "run.last_step": 1}
IN_ORDER = {"order.shuffle": 0}
WRITTEN_DOWN = {"order.rows": "order"}
BY_COLUMNS = {"split.by_columns": 1, "split.column_block": 16}
NAN_CHECK = {"data.lazy_nan_check": 1}
FEW_ROWS = {"data.rows": 7, **ONE_BLOCK}
TWO_THREADS = {"run.threads": 2}
RATED = {"optimizer.average": 0, "optimizer.average_momentum": 0.9, "optimizer.average_frequency": 2}
OF_SEVERAL = {"optimizer.accumulated_steps": 3, "optimizer.accumulator": 0}
CLIPS = [{"optimizer.clip": clip, "optimizer.clip_limit": 0.05} for clip in range(4)]

ORDERS = [{}, IN_ORDER, WRITTEN_DOWN]
WHOLE_RUNS = [TRAIN, {**TRAIN, **IN_ORDER}, {**TRAIN, **WRITTEN_DOWN}, GRADIENT, UPDATE]
INFERENCE = [{**EVALUATE, **ONE_BLOCK}, {**PREDICT, **ONE_BLOCK}]
ONE_BATCH = {**SAMPLE, "data.rows": 24}

# kernel: settings of the job to call it with
TWEAKS = {
    "run": [*WHOLE_RUNS, *INFERENCE, ONE_BATCH, PARTS],
    "work": [*WHOLE_RUNS, *INFERENCE, ONE_BATCH, PARTS],
    "sum_gradients": [PARTS],
    "pass_parts": [PARTS, {**PARTS, "split.batch_row": 5}],
    "follows_gradient": [TRAIN, GRADIENT, PARTS],
    "update_alone": [UPDATE, {**UPDATE, "memory.results": 0}],
    "sample": [ONE_BATCH],
    "train": [TRAIN, {**TRAIN, **NAN_CHECK}, {**TRAIN, "network.keeps_transposed": 0}, {**TRAIN, **RATED}, GRADIENT],
    "infer": INFERENCE,
    "predict_by_columns": [{**PREDICT, **BY_COLUMNS, **FEW_ROWS}],
    "forward": [TRAIN, PREDICT],
    "transform": [TRAIN, PREDICT],
    "apply_activation": [TRAIN, PREDICT],
    "softmax": [{}, {"data.rows": 1}],
    "softmax_rows": [{}, {"data.rows": 1}],
    "place_of_row": ORDERS,
    "order_key": ORDERS,
    "gather_rows": ORDERS,
    "prefetch_distance": [*ORDERS, {"data.batch_size": 2}],
    "put_next_rows": ORDERS,
    "first_layer": ORDERS,
    "readable_in_order": ORDERS,
    "check_finite": [NAN_CHECK, {}],
    "update_all": [{**TRAIN, **clip} for clip in CLIPS] + [GRADIENT],
    "clip_panel": CLIPS[1:],
    "update_panel": [{}, RATED],
    "prepare_step": [{}, RATED, OF_SEVERAL],
    "accumulate_panel": [OF_SEVERAL],
    "begin_step": [{}, BY_COLUMNS],
    "input_gradient": [{}, {"network.keeps_transposed": 0}],
    "add_penalty": [{}, {"network.penalty_by_row": 1}],
    "first_column_of": [{**TWO_THREADS, "split.column_block": 16}, {**TWO_THREADS, "split.column_block": 64}],
    "first_row_of_part": [TWO_THREADS],
    "rows_of_thread": [TWO_THREADS],
    "chunks_a_thread": [{}, TWO_THREADS],
    "hands_over": [{}, {**TWO_THREADS, "split.replicated": 1}],
    "copy_columns": [BY_COLUMNS],
    "update_columns": [BY_COLUMNS],
    "columns_of_layer": [{**PREDICT, **BY_COLUMNS}],
    "predict_turned": [{**PREDICT, "memory.capacity": 16}],
    "gather_targets": [{}, {"data.y_labels": 1}],
    "gather_places": ORDERS,
    "gather_members": [{}, IN_ORDER, {"members.together": 1}],
    "place_of_member": [{}, IN_ORDER],
    "members_prepare": [{}, {"members.rates": 0}],
    "train_members": [ONE_BLOCK, {"members.lanes": 1}, {**IN_ORDER, "members.measures": 1}],
    "step_members": [ONE_BLOCK],
    "measure_members": [IN_ORDER, {**IN_ORDER, "members.outputs": 0}],
    "rows_of_panel": [TRAIN, GRADIENT],
    "vectors_of_panel": [TRAIN, GRADIENT],
}

# kernel: the networks whose step it is part of, where it is not of all
ONLY_IN = {
    "train_chunks": ("chunks",),
    "chunk_gradient": ("chunks", "rows", "of_log_softmax"),
    "predict_by_columns": ("rows", "from_data"),
    "columns_of_layer": ("rows", "from_data"),
    "predict_turned": ("rows", "of_log_softmax"),
    "turned_layer": ("rows", "of_log_softmax"),
    "first_layer": ("from_data",),
    "first_layer_gradient": ("from_data",),
    "multiply_block": ("from_data",),
    "read_tile": ("from_data",),
    "begin_step": ("from_data",),
    "copy_columns": ("from_data",),
    "update_columns": ("from_data",),
    "train_rows": ("rows", "normalised", "from_data", "of_log_softmax", "constrained", *SPARSE),
    **dict.fromkeys(
        (
            "train_members",
            "gather_members",
            "place_of_member",
            "values_at",
            "parameters_of",
            "members_forward",
            "members_backward",
            "members_score",
            "members_loss",
            "members_crossentropy",
            "members_update",
            "members_prepare",
            "members_penalty",
            "members_outputs",
            "measure_members",
            "step_members",
            "add_to_losses",
        ),
        tuple(MEMBERS),
    ),
    **dict.fromkeys(("gather_places", "sparse_product", "sparse_gradient", "first_entry"), tuple(SPARSE)),
    **dict.fromkeys(("add_entries", "add_entries_transposed", "dot_entries"), tuple(SPARSE)),
}

EVERYWHERE = (*NETWORKS, *SPARSE)
ALSO_OF_SPARSE = ("is_sparse", "places_in", "gather_rows", "transform", "forward", "panel_gradient", "update_part")
ALSO_OF_SPARSE += ("update_all", "rows_of_panel", "vectors_of_panel", "train")
"""Kernels that do something else where inputs are sparse."""

# kernel: arguments in further calls, in place of the table's
EXTRA = {
    "bounded": [{"row": row} for row in (-3, 50)],
    "tile": [
        {"rows": rows, "vectors": vectors, "narrow": narrow}
        for rows, vectors, narrow in itertools.product((1, 2, 3, 5, 9), (1, 2, 3), (0, 1))
    ],
    "tile_width": [{"rows": rows, "vectors": vectors} for rows in (1, 2, 5) for vectors in (1, 3, 4, 16, 20)],
    "deep_tile": [{"vectors": vectors, "depth": 70} for vectors in (2, 3)],
    "deep_rows": [{"wide": wide, "rows": rows, "left_row": 160} for wide in (1, 2, 3) for rows in (9, 35)],
    "product": [
        {"rows": 21, "columns": 45, "depth": 20, "right_transposed": 45, "right_step": 48, "left_step": 1},
        {"rows": 33, "columns": 45, "depth": 40, "right_step": 300, "left_row": 100, "left_block": 1600},
        {"rows": 1, "columns": 200, "depth": 9, "right_step": 200, "left_step": 1},
    ],
    "read_row": [{"count": count, "step": step} for count in (1, 5, 40) for step in (4, 8)],
    "member_tile": [
        {"rows": rows, "vectors": vectors} for rows, vectors in itertools.product((1, 2, 3, 5, 9), (1, 2, 3))
    ],
    "transpose_square": [{"rows": rows} for rows in range(17)],
    "clear_behind": [{"columns": columns} for columns in (1, 16, 17)],
    "add_parts": [{"parts": parts} for parts in (1, 4, 5)],
    "sum_parts": [{"parts": parts} for parts in (1, 4)],
    "pack_panel": [{"vectors": 2}, {"vectors": 4}],
    "statistic_of": [{"number": 7}],
    "sum_of_rows": [{"number": 2}],
    "is_flat": [{"rows": rows} for rows in (31, 32)],
    "pays_to_pack": [{"rows": rows} for rows in (47, 48)],
    "panel_rows": [{"rows": rows, "batch_rows": count} for rows in (600, 1500) for count in (64, 4096)],
    "first_column_of": [{"thread": 1}, {"thread": 2}],
    "rows_of_thread": [{"thread": 1}, {"thread": 2}],
    "mixed": [{"value": value} for value in (0, -1, 2**62 - 1, -(2**63))],
    "shuffled": [{"position": position, "rows": 37, "key": LONG} for position in range(37)],
}


def put_places(world, arguments):
    """For gather_targets: where the rows stand in the data, at the beginning of each row of targets."""
    rows, target = arguments[-2:]
    stride = world.job.memory.target_stride * world.size
    for row in range(rows):
        world.array(target + row * stride, 1, np.int64)[0] = (row * 7) % world.job.data.rows


def put_places_of_sparse(world, arguments):
    """Where the rows of the workspace stand in the data, if they are sparse."""
    memory = world.job.memory
    if world.job.data.row_starts:
        places = memory.workspace + memory.places * memory.capacity * world.size
        world.array(places, memory.capacity, np.int64)[:] = np.arange(memory.capacity) * 7 % world.job.data.rows


def put_nan(world, arguments):
    """For check_finite, every other time: a value that it should find."""
    width, _, rows, source, stride, *_ = arguments
    if width > 5:
        world.array(source + ((rows - 1) * stride + width - 1) * world.size, 1)[0] = np.nan


def put_threshold(world, arguments):
    """For noise: a threshold that the first number of all is equal to."""
    record, _, row, key = arguments[:4]
    layer = records.LayerRecord.from_address(record)
    layer.threshold = naive.random_number(naive.hashed(naive.hashed(key + layer.seed) + row), 0)


def put_no_waking(world, arguments):
    """For sleep_at: nobody has woken anybody yet."""
    ctypes.c_int64.from_address(arguments[0] + 8 * records.WOKEN).value = 0


TIMED = ("sleep_at",)
"""Kernels that return how long they took."""

# kernel: what has to be in memory before it is called
BEFORE = {
    "sleep_at": put_no_waking,
    "gather_targets": put_places,
    **dict.fromkeys(("sparse_product", "sparse_gradient", *ALSO_OF_SPARSE), put_places_of_sparse),
    "check_finite": put_nan,
    "add_noise": put_threshold,
    "through_noise": put_threshold,
}


def exact(name, table):
    try:
        return table[name]
    except KeyError:
        raise LookupError(f"no value for {name!r}; {HELP}: it wants an entry in INTEGERS or DOUBLES") from None


class Calls:
    """What each function is called with, in the worlds of one dtype."""

    def __init__(self, kernels, bare, worlds):
        self.kernels, self.bare, self.worlds = kernels, bare, worlds
        self.source = Source()
        self._places = {}
        self.declared = {
            name: function
            for tree in self.source.modules.values()
            for function in tree.body
            if isinstance(function, ast.FunctionDef)
            for name in [function.name]
        }

    def base(self, name):
        """The kernel that a function is, or is one row of; None: a formula."""
        if name in self.declared:
            return name
        tables = [k for k, kernel in self.source.kernels.items() if kernel.table] + [
            "prepare",
            "update",
            "member_update",
        ]
        rows = [table for table in tables if name.startswith(f"{table}_")]
        return max(rows, key=len) if rows and name not in self.source.formulas else None

    def places(self, name):
        """Which of a function's flat arguments are addresses."""
        base = self.base(name)
        if base is None:
            return set()
        found = set()
        for argument in self.declared[base].args.args:
            kind = ast.unparse(argument.annotation)
            fields = VALUES.get(kind, {"": kind})
            names = [n for n, _ in flattened(argument.arg, kind)] if kind in VALUES else [argument.arg]
            found |= {n for n, what in zip(names, fields.values(), strict=True) if what == "Address"}
        return found

    def of(self, name):
        """(world, layer number, settings of the job, arguments) of every call of a function."""
        function = self.kernels.functions[name]
        names = [argument for argument, _ in function.arguments]
        base = self.base(name)
        if "vector" in (kind for _, kind in function.arguments):
            yield from self.of_vectors(function)
            return
        extra = [{}, *EXTRA.get(base, [])]
        for world in self.worlds if {"job", "layer", "layers"} & {*names} else [self.bare]:
            of_all = EVERYWHERE if base in ALSO_OF_SPARSE else NETWORKS
            if world is not self.bare and world.name not in ONLY_IN.get(base, of_all):
                continue
            for layer in self.layers(base, world) if {"layer", "last"} & {*names} else [None]:
                for tweak in TWEAKS.get(base, [{}]) if world is not self.bare else [{}]:
                    for choice, changed in itertools.product((0, 1), extra):
                        for code in self.codes(base, name, names):
                            given = {"code": code, **changed}
                            arguments = [
                                self.argument(name, pair, world, layer, choice, given) for pair in function.arguments
                            ]
                            yield world, layer, tweak, arguments

    def codes(self, base, name, names):
        if "code" not in names:
            return [0]
        rows = self.source.tables[self.source.kernels[base].table] if base in self.source.kernels else []
        return [row.code for row in rows or self.source.optimizers]

    def layers(self, base, world):
        for number, layer in enumerate(world.layers):
            kind = records.LAYER_KINDS[layer.kind]
            if base in OF_NOISE:
                fits = kind in NOISE
            elif base in OF_KINDS:
                fits = kind in OF_KINDS[base]
            elif base in ANY_LAYER:
                fits = kind not in NOISE
            elif base == "input_gradient":
                fits = number > 0 and kind not in NOISE
            elif base in ("put_output", "keep_output"):
                fits = number == len(world.layers) - 1
            else:
                fits = layer.height > 0
            if fits:
                yield number

    # --- One argument ---

    def argument(self, function, pair, world, layer, choice, given):
        name, kind = pair
        lanes = self.kernels.lanes
        if kind == "double":
            return given.get(name, exact(name, DOUBLES)[choice])
        if name in given:
            return given[name]
        if name in ("layers", "job"):
            return world.layer_addresses[0] if name == "layers" else world.job_address
        if name in ("layer", "last"):
            return world.layer_addresses[layer]
        if name == "previous":
            return world.layer_addresses[layer - 1]
        if function not in self._places:
            self._places[function] = self.places(function)
        if name in self._places[function]:
            return self.address(function, name, world, choice)
        found = self.of_step(function, name, world, layer, choice)
        if found is None:
            found = exact(name, INTEGERS)[choice]
        return {"L": lanes, "3L": 3 * lanes}.get(found, found)

    def address(self, function, name, world, choice):
        if name == "data" or (name in ("prefetch_panel", "places") and choice == 0):
            return 0
        if name == "end":
            return world.regions[0] + 10**4
        if name == "function":
            return CUSTOM[self.kernels.dtype.name][1]
        if name in REGIONS_OF and world is not self.bare:
            path, *offset = REGIONS_OF[name].split()
            return self.field(world.job, path) + (self.kernels.constants[offset[0]] if offset else 0)
        if name == "gradients" and world is not self.bare:
            return world.job.memory.gradients
        names = [n for n, _ in self.kernels.functions[function].arguments if n in self._places[function]]
        return world.regions[names.index(name) % len(world.regions)]

    def of_step(self, function, name, world, layer, choice):
        """Numbers that follow from the network or the layer."""
        lanes = self.kernels.lanes
        if name.endswith("_stride") or name in ("right_step", "prefetch_step"):
            if name in ("ahead_left_stride",):
                return None
            return {"scores_stride": 3, "output_stride": 64}.get(name, 64)
        if name in ("ahead_read_step", "ahead_write_step"):
            return 16 * choice
        if world is self.bare:
            return None
        rows = min(world.job.data.batch_size, world.job.data.rows)
        if name == "batch_rows":
            return rows if choice == 0 else rows - 3
        if name == "block_rows":
            return rows if choice == 0 else rows - 11
        if name == "epoch" and function == "check_finite":
            return 0
        if name == "key" and function in ("place_of_row", "prefetch_row"):
            return 5 * choice  # may be a place in an order
        if name == "outputs" and choice:
            return world.layers[-1].outputs
        if name == "number" and function in ("transform", "panel_gradient"):
            return layer
        if name in ("rows_first", "targets_first", "columns_first"):
            return 0
        if name in ("rows_end", "targets_end"):
            return rows if choice == 0 else rows - 3
        if name == "columns_end":
            return world.layers[layer].outputs if choice == 0 else 2 * lanes
        if name.startswith("panel_") and layer is not None:
            return self.panel(name, world.layers[layer], choice)
        return None

    def panel(self, name, layer, choice):
        lanes = self.kernels.lanes
        vectors = -(-layer.width // lanes)
        row = 16 if choice and layer.height > 16 else 0
        column = lanes if choice and vectors > 1 and not layer.stored_transposed else 0
        return {
            "panel_row": row,
            "panel_rows": min(layer.height - row, 40),
            "panel_column": column,
            "panel_vectors": min(vectors - column // lanes, 3),
        }.get(name)

    @staticmethod
    def field(job, path):
        for part in path.split("."):
            job = getattr(job, part)
        return job

    # --- Formulas ---

    def of_vectors(self, function):
        """Each formula of numbers all over the range, in many combinations."""
        values = of_all_sizes(self.kernels.dtype)
        region = self.bare.regions[0]
        start = region - self.bare.arena.memory.ctypes.data
        self.bare.arena.before[start : start + values.nbytes] = values.view(np.uint8)
        size, lanes = self.kernels.size, self.kernels.lanes
        count = len(values) - lanes
        strides = (1, 3, 7, 11, 13)
        for turn in range(60):
            arguments, vectors = [], 0
            for name, kind in function.arguments:
                if kind == "vector":
                    arguments.append(region + size * ((turn * lanes * strides[vectors] + 5 * vectors) % count))
                    vectors += 1
                elif name == "columns":
                    arguments.append(5)
                else:
                    arguments.append(self.bare.regions[1 + len(arguments)])
            yield self.bare, None, {}, arguments


def of_all_sizes(dtype):
    rng = np.random.default_rng(4)
    info = np.finfo(dtype)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, info.max, -info.max, info.tiny, -info.tiny]
    least, most = np.log10([float(info.tiny), float(info.max)])
    parts = [rng.normal(size=300), rng.uniform(0, 1, 300), rng.uniform(-4 * most, 4 * most, 300)]
    parts.append(rng.choice([-1, 1], 300) * 10.0 ** rng.uniform(least, most, 300))
    values = np.concatenate([*parts, np.repeat(special, 4), np.resize(special, 60)])
    return rng.permutation(values).astype(dtype)


# --- A function of the user's own ---


def _custom(dtype):
    real = ctypes.c_float if dtype == "float32" else ctypes.c_double

    def call(rows, columns, first, first_stride, second, second_stride, scores, score_stride, target):
        """The first row of ``first`` times the others, into all that may be written."""
        read = (real * (columns * rows)).from_address(first)
        into = (real * (columns * rows)).from_address(target)
        for at in range(columns * rows):
            into[at] = read[at] * (2.0 + score_stride)
        return 1 if rows != 3 else 0

    function = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 9)(call)
    return function, ctypes.cast(function, ctypes.c_void_p).value


CUSTOM = {dtype: _custom(dtype) for dtype in ("float32", "float64")}
