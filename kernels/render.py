"""Renders formulas.py, elementary.py and network.py into one small language: for llvm.py, and as Cython source.

Standard library only: setup.py runs it before anything is installed.  The sources are read as syntax trees, never
imported.  Three things happen to them:
- a record's field (``layer.outputs``) becomes a load at its place, a constant's name its value;
- in formulas, arithmetic on numbers becomes arithmetic on vectors: ``0.5 * x`` is ``splat(0.5) * x``, ``x > 0.0`` is
  ``greater(x, splat(0.0))``;
- a function under ``@each(TABLE)`` is written once for each row of the table, and one of its name chooses by code.
"""

from __future__ import annotations

import ast
import copy
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from . import records, tuning

HERE = Path(__file__).resolve().parent

COMPARISONS = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
}


@dataclass(frozen=True)
class InstructionSet:
    """How wide its vectors are (bytes), the tallest and widest tile its registers hold, and the compiler's flags.

    ``halves``: instructions on half a vector may take half the time, so some tiles end in one.
    """

    vector_bytes: int
    tile_rows: int
    tile_vectors: int
    flags: tuple[str, ...]
    halves: bool = False

    def shapes(self) -> dict[int, list[int]]:
        """The tiles that there are: for each height their widths, tallest first.

        A batch of one or two rows is computed in wider tiles, for else too few sums would hide the latency of each.
        """
        widths = {
            height: list(range(1, self.tile_vectors + 1)) for height in (8, 4, 3, 2, 1) if height <= self.tile_rows
        }
        for height in (1, 2):
            widths[height] += [width for width in (4, 8, 16) if width * height <= self.wide_sums]
        return widths

    @property
    def narrow_heights(self) -> tuple[int, ...]:
        """Of the tiles of a vector and a half."""
        return (8, 4) if self.halves else ()

    @property
    def wide_sums(self) -> int:
        """How many sums a tile of one or two rows may have."""
        return 16 if self.tile_rows == 8 else 8


# Without clones of product for each shape: then GCC has a tile inline in it.
COMMON_FLAGS = (
    "-O3",
    "-fno-ipa-cp-clone",
    "-fwrapv",
    "-fno-strict-aliasing",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
)

_X86 = {
    # Registers: 8 rows x 3 vectors of sums, 3 vectors of b and one of a fill 28 of 32; 4 x 3 all 16 of AVX2.
    "v4": InstructionSet(64, 8, 3, ("-march=x86-64-v4", "-mprfchw", "-mprefer-vector-width=512"), True),
    "v3": InstructionSet(32, 4, 3, ("-march=x86-64-v3", "-mprfchw")),
    "baseline": InstructionSet(16, 4, 2, ()),
}
_OTHER = {"baseline": InstructionSet(16, 8, 3, ())}

MACHINE = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
INSTRUCTION_SETS: dict[str, InstructionSet] = _X86 if MACHINE == "x86_64" else _OTHER
"""For this machine's architecture, widest first."""

CYTHON_ISAS: dict[str, list[str]] = {name: [*COMMON_FLAGS, *s.flags] for name, s in INSTRUCTION_SETS.items()}


def parse(name: str) -> ast.Module:
    return ast.parse((HERE / name).read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


# --- The tables of formulas.py, read without importing it ------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of a table: its name, its code, the names of its formulas (None where it has none), and its flags."""

    name: str
    code: int
    formulas: tuple[str | None, ...]
    slots: tuple[str, ...] = ()
    hyper: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def table(tree: ast.Module, name: str) -> list[Row]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert isinstance(node.value, ast.Dict)
            return [_row(code, *pair) for code, pair in enumerate(zip(node.value.keys, node.value.values, strict=True))]
    raise LookupError(name)


def _row(code: int, key: ast.expr | None, value: ast.expr) -> Row:
    assert isinstance(key, ast.Constant) and isinstance(value, ast.Call)
    formulas = tuple(a.id if isinstance(a, ast.Name) else None for a in value.args[:2])
    rest = [ast.literal_eval(a) for a in value.args[2:] if isinstance(a, (ast.Tuple, ast.Dict))]
    slots = rest[0] if rest and isinstance(rest[0], tuple) else ()
    hyper = tuple(rest[1]) if len(rest) > 1 else ()
    flags = tuple(str(k.arg) for k in value.keywords if isinstance(k.value, ast.Constant) and k.value.value is True)
    return Row(str(key.value), code, formulas, slots, hyper, flags)


def places(record: type[records.Record], before: str = "", start: int = 0) -> dict[str, tuple[str, int]]:
    """The type of each field of a record, groups' included, and its place among them."""
    found: dict[str, tuple[str, int]] = {}
    for name, kind in records.fields(record).items():
        if kind in ("Integer", "Address", "Double"):
            found[before + name] = kind, start + len(found)
        else:
            found |= places(getattr(records, kind), f"{before}{name}.", start + len(found))
    return found


def numbers_of(module: ModuleType) -> dict[str, int]:
    """The named integers of a module."""
    return {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}


class Source:
    """All that is read, and what follows from it for any dtype and instruction set."""

    def __init__(self) -> None:
        formulas = parse("formulas.py")
        self.formulas = functions(formulas)
        self.elementary = functions(parse("elementary.py"))
        self.network = functions(parse("network.py"))
        self.numbers = {
            node.targets[0].id: float(ast.literal_eval(node.value))
            for node in formulas.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        self.places = {"Layer": places(records.Layer), "Job": places(records.Job)}
        self.activations = table(formulas, "ACTIVATIONS")
        self.losses = table(formulas, "LOSSES")
        self.optimizers = table(formulas, "OPTIMIZERS")
        self.tables: dict[str, list[Row]] = {
            "ACTIVATIONS": [r for r in self.activations if r.formulas[0]],
            "KEPT_SLOPES": [r for r in self.activations if r.formulas[1] and self.takes(r.formulas[1], "x")],
            "DERIVED_SLOPES": [r for r in self.activations if r.formulas[1] and self.takes(r.formulas[1], "y")],
            "LOSS_VALUES": [r for r in self.losses if r.formulas[0] and "of_log_softmax" not in r.flags],
            "LOSS_GRADIENTS": [r for r in self.losses if r.formulas[1] and "of_log_softmax" not in r.flags],
            "LOG_SOFTMAX_LOSSES": [r for r in self.losses if "of_log_softmax" in r.flags],
            "KINDS": [Row(kind, code, ()) for code, kind in enumerate(records.KINDS)],
        }
        self.constants: dict[str, int | float] = {
            **{r.name.upper(): r.code for r in [*self.activations, *self.losses]},
            **{
                name.upper(): code
                for names in (records.MODES, records.LAYER_KINDS, records.CLIPS)
                for code, name in enumerate(names)
                if name
            },
            **numbers_of(records),
            **numbers_of(tuning),
            "LAYER_SIZE": 8 * len(self.places["Layer"]),
            "JOB_SIZE": 8 * len(self.places["Job"]),
        }

    def takes(self, formula: str, argument: str) -> bool:
        return argument in [a.arg for a in self.formulas[formula].args.args]


# --- Formulas: numbers become vectors --------------------------------------------------------------------------------


class Vectorise(ast.NodeTransformer):
    def __init__(self, numbers: dict[str, float]) -> None:
        self.numbers = numbers

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, (int, float)):
            return call("splat", ast.Constant(float(node.value)))
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.numbers:
            return call("splat", ast.Constant(self.numbers[node.id]))
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return call("splat", node)
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        return call(COMPARISONS[type(node.ops[0])], node.left, node.comparators[0])


def call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def without_docstring(function: ast.FunctionDef) -> ast.FunctionDef:
    function = copy.deepcopy(function)
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(function.body) > 1:
        del function.body[0]
    return function


# --- The renderer ----------------------------------------------------------------------------------------------------


class Kernel(ast.NodeTransformer):
    """One function of network.py: fields, constants, and what an @each function's row stands for."""

    def __init__(self, source: Source, constants: dict[str, int | float], row: Row | None = None) -> None:
        self.source, self.constants, self.row = source, constants, row

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        name, field = ast.unparse(node).split(".", 1)
        kind, place = self.source.places["Job" if name == "job" else "Layer"][field]
        return call(
            "get_double" if kind == "Double" else "get_integer", ast.Name(name, ast.Load()), ast.Constant(place)
        )

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == "KIND_SIZE":
            assert self.row
            return ast.Constant(int("".join(c for c in self.row.name if c.isdigit())) // 8)
        if isinstance(node.ctx, ast.Load) and node.id in self.constants:
            return ast.Constant(self.constants[node.id])
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if is_vector(node.left) or is_vector(node.comparators[0]):
            return call(COMPARISONS[type(node.ops[0])], node.left, node.comparators[0])
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if self.row and name in ("value", "slope", "gradient"):
            formula = self.row.formulas[0 if name == "value" else 1]
            assert formula
            args = [a for a in node.args if isinstance(a, ast.Name) and self.source.takes(formula, a.id)]
            return call(formula, *args)
        if self.row and name in ("read", "read_vector", "read_integer", "read_row"):
            return call(f"{name}_{self.row.name}", *node.args)
        return node


def is_vector(node: ast.expr) -> bool:
    """A comparison in network.py is between vectors where one side is written as one."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("splat", "load", "random_lanes")
    ) or (isinstance(node, ast.Name) and node.id in ("largest", "target"))


TYPES = {"integer", "double", "vector"}
INLINED = (
    *("read_row", "place_of_row"),
    *("score_rows", "through_activation", "weight_gradient", "update_panel"),
    *("prepare_step", "update_all", "add_scores", "sum_of_scores"),
)
"""Functions of network.py that are called for every row, for every layer and for every step."""
APART = (
    *("batch_statistics", "batch_sums", "normalize_columns", "normalize_rows", "normalize_columns_backward"),
    *("normalize_rows_backward", "move_statistics", "add_noise", "through_noise", "add_penalty", "add_penalties"),
    *("measure_panel", "clip_panel", "average_row", "scale_vectors", "call_own", "weigh_rows", "softmax_backward"),
    *("log_softmax_loss_rows", "sum_of_rows", "turn_panel", "claim_panel", "deep_product", "deep_rows", "sweep_row"),
    *(
        "ask_for_row",
        "first_layer",
        "units_of_layer",
        "copy_units",
        "update_units",
        "first_layer_gradient",
        "put_rows_ahead",
        "add_bias",
    ),
)
"""Those that most networks do not need: inlined, they would be in the way of a small one's few nanoseconds."""


@dataclass(frozen=True)
class Rendered:
    """A function in the common subset: name, (argument, type) pairs, result type or None, and the body's text."""

    name: str
    arguments: list[tuple[str, str]]
    result: str | None
    body: str
    inlined: bool = False
    apart: bool = False


def signature(function: ast.FunctionDef) -> tuple[list[tuple[str, str]], str | None]:
    arguments = [(a.arg, _type(a.annotation)) for a in function.args.args]
    return arguments, _type(function.returns) if function.returns else None


def _type(annotation: ast.expr | None) -> str:
    assert isinstance(annotation, ast.Name)
    return annotation.id if annotation.id in TYPES else "integer"  # a record is its address


def text(statements: list[ast.stmt]) -> str:
    return "\n".join(
        "    " + line for s in statements for line in ast.unparse(ast.fix_missing_locations(s)).splitlines()
    )


def render(source: Source, dtype: str, instruction_set: InstructionSet) -> Iterator[Rendered]:
    """Every function for one dtype and vector width."""
    size = 4 if dtype == "float32" else 8
    lanes = instruction_set.vector_bytes // size
    constants = {
        **source.constants,
        **tuning.scratch_layout(size)[0],
        "LANES": lanes,
        "SIZE": size,
        "OWN_KIND": [row.name for row in source.tables["KINDS"]].index(dtype),
        "TILE_ROWS": instruction_set.tile_rows,
        "TILE_VECTORS": instruction_set.tile_vectors,
        "WIDE_SUMS": instruction_set.wide_sums,
        "HALVES": int(instruction_set.halves),
        "PANEL_VECTORS": source.constants["PANEL_COLUMNS"] // lanes,
    }
    for name, function in source.elementary.items():
        if name.endswith("_" + dtype):
            yield formula(source, function, name.removesuffix("_" + dtype))
    for group in (source.activations, source.losses):
        for name in dict.fromkeys(f for row in group for f in row.formulas if f):
            yield formula(source, source.formulas[name], name)
    yield formula(source, source.formulas["normal_quantile"], "normal_quantile")
    yield from optimizers(source, lanes)
    yield from tiles(instruction_set, lanes, size)
    yield transposition(lanes)
    yield dots(lanes)
    for name, function in source.network.items():
        function = without_docstring(function)
        rows: list[Row | None] = [None]
        if function.decorator_list:
            decorator = function.decorator_list[0]
            assert isinstance(decorator, ast.Call) and isinstance(decorator.args[0], ast.Constant)
            rows = list(source.tables[str(decorator.args[0].value)])
        arguments, result = signature(function)
        for row in rows:
            body = copy.deepcopy(function).body
            kernel = Kernel(source, constants, row)
            rendered_name = f"{name}_{row.name}" if row else name
            statements = text([kernel.visit(s) for s in body])
            yield Rendered(rendered_name, arguments, result, statements, name in INLINED, name in APART)
        if rows != [None] and name != "read_row":
            yield dispatcher(name, [r for r in rows if r], arguments, result)


def formula(source: Source, function: ast.FunctionDef, name: str) -> Rendered:
    function = without_docstring(function)
    arguments = [(a.arg, "vector") for a in function.args.args]
    body = [Vectorise(source.numbers).visit(s) for s in function.body]
    return Rendered(name, arguments, "vector", text(body), inlined=True)


def dispatcher(name: str, rows: list[Row], arguments: list[tuple[str, str]], result: str | None) -> Rendered:
    passed = ", ".join(a for a, _ in arguments)
    lines = []
    for i, row in enumerate(rows):
        lines.append(f"    {'elif' if i else 'if'} code == {row.code}:")
        lines.append(f"        {'return ' if result else ''}{name}_{row.name}({passed})")
    if result:
        lines.append(f"    return {'0.0' if result == 'double' else '0'}")
    return Rendered(name, [("code", "integer"), *arguments], result, "\n".join(lines))


def optimizers(source: Source, lanes: int) -> Iterator[Rendered]:
    """For each optimizer: its scalars of a step into memory, and its update as a loop over whole vectors."""
    prepare_arguments = [
        ("hyper", "integer"),
        ("learning_rate", "double"),
        ("step", "double"),
        ("scalars", "integer"),
    ]
    update_arguments = [
        (name, "integer") for name in ("count", "scalars", "gradients", "slot_size", "slots", "parameters")
    ]
    for row in source.optimizers:
        prepare, update = (source.formulas[f] for f in row.formulas if f)
        lines = [
            f"{name} = get_double(hyper, {i})"
            for i, name in enumerate(row.hyper)
            if i and source.takes(prepare.name, name)
        ]
        lines += [ast.unparse(s) for s in prepare.body[:-1]]
        lines += [f"put_double(scalars, {i}, {ast.unparse(v)})" for i, v in enumerate(returned(prepare))]
        yield Rendered(f"prepare_{row.name}", prepare_arguments, None, indent(lines))

        names = [a.arg for a in update.args.args]
        scalars = names[2 + len(row.slots) :]
        lines = [f"{name} = splat(get_double(scalars, {i}))" for i, name in enumerate(scalars)]
        loop = ["weight = load(parameters, at)", "gradient = load(gradients, at)"]
        loop += [f"{slot} = load(slots + {i} * slot_size, at)" for i, slot in enumerate(row.slots)]
        body = [Vectorise(source.numbers).visit(s) for s in copy.deepcopy(update.body)]
        loop += [ast.unparse(ast.fix_missing_locations(s)) for s in body[:-1]]
        values = [ast.unparse(ast.fix_missing_locations(v)) for v in _values(body[-1])]
        loop += [f"store(slots + {i} * slot_size, at, {v})" for i, v in enumerate(values[1:])]
        loop.append(f"store(parameters, at, {values[0]})")
        lines += [f"for at in range(0, count, {lanes}):", *("    " + line for line in loop)]
        yield Rendered(f"update_{row.name}", update_arguments, None, indent(lines))
    yield dispatcher("prepare", source.optimizers, prepare_arguments, None)
    yield dispatcher("update", source.optimizers, update_arguments, None)


def returned(function: ast.FunctionDef) -> list[ast.expr]:
    return _values(function.body[-1])


def _values(statement: ast.stmt) -> list[ast.expr]:
    assert isinstance(statement, ast.Return) and statement.value
    return list(statement.value.elts) if isinstance(statement.value, ast.Tuple) else [statement.value]


def indent(lines: list[str]) -> str:
    return "\n".join("    " + part for line in lines for part in line.splitlines())


def tiles(instruction_set: InstructionSet, lanes: int, size: int) -> Iterator[Rendered]:
    """Every tile: rows x vectors of sums held in registers over the whole depth; and the choice among them."""
    names = ("depth", "a", "a_row", "a_step", "b", "b_step", "more", "c", "c_row")
    arguments = [(name, "integer") for name in names]
    shape = [(name, "integer") for name in ("rows", "vectors", "narrow")]
    shapes = instruction_set.shapes()
    for height, widths in shapes.items():
        narrow = [(2, True)] if height in instruction_set.narrow_heights else []
        for width, half in [*((width, False) for width in widths), *narrow]:
            step, before, after = tile_parts(height, width, lanes, size, half)
            body = [*before, "for _ in range(depth):", *("    " + line for line in step), *after]
            yield Rendered(f"{'narrow_' * half}tile_{height}x{width}", arguments, None, indent(body))
    lines = []
    for height, widths in shapes.items():
        lines.append(f"if rows >= {height}:")
        for width in widths:
            start = "elif" if width > 1 else "if"
            if width == 2 and height in instruction_set.narrow_heights:
                lines.append(f"    {start} vectors == 2 and narrow:")
                lines.append(f"        narrow_tile_{height}x2({', '.join(names)})")
            lines.append(f"    {start} vectors == {width}:")
            lines.append(f"        tile_{height}x{width}({', '.join(names)})")
        lines.append(f"    return {height}")
    lines.append("return 0")
    yield Rendered("tile", [*shape, *arguments], "integer", indent(lines))
    yield from deep_tiles(instruction_set, lanes, size, arguments)


def tile_parts(
    height: int, width: int, lanes: int, size: int, narrow: bool = False
) -> tuple[list[str], list[str], list[str]]:
    """A step of a tile, and what comes before and after all of them.  Narrow, its last vectors are halves."""
    halves = ["_half" if narrow and j == width - 1 else "" for j in range(width)]
    pairs = [(i, j) for i in range(height) for j in range(width)]
    step = [f"b{j} = load{halves[j]}(b, {j * lanes})" for j in range(width)]
    for i in range(height):
        x = f"broadcast(a, {f'{i} * a_row' if i else 0})"
        step.append(f"x{i} = held({x})" if narrow else f"x{i} = {x}")
        step += [f"c{i}_{j} = accumulated{halves[j]}(x{i}, b{j}, c{i}_{j})" for j in range(width)]
    step += [f"a = unforeseen(a + a_step * {size})", f"b = unforeseen(b + b_step * {size})"]
    before = [f"c{i}_{j} = splat{halves[j]}(0.0)" for i, j in pairs]
    before += ["if more:", *(f"    c{i}_{j} = load{halves[j]}(c, {i} * c_row + {j * lanes})" for i, j in pairs)]
    after = [f"store{halves[j]}(c, {i} * c_row + {j * lanes}, c{i}_{j})" for i, j in pairs]
    return step, before, after


def deep_tiles(
    instruction_set: InstructionSet, lanes: int, size: int, arguments: list[tuple[str, str]]
) -> Iterator[Rendered]:
    """The tallest tiles for great depths.  They take four steps a turn, and ask for memory as they go: for every line
    of the next tile's rows of a, and each turn for a line from ahead on, to read, and one from claimed on, to write."""
    height, steps = instruction_set.tile_rows, 4
    wanted = height * steps * size // 64  # lines a turn
    more = ("a_ahead", "a_ahead_row", "ahead", "ahead_step", "claimed", "claimed_step")
    arguments = [*arguments, *((name, "integer") for name in more)]
    widths = range(2, instruction_set.tile_vectors + 1)
    for width in widths:
        step, before, after = tile_parts(height, width, lanes, size)
        turn = []
        for number in range(steps):
            lines = range(number * wanted // steps, (number + 1) * wanted // steps)
            turn += [*(f"prefetch(next_row + {64 * line})" for line in lines), *step]
        turn += [f"next_row += {64 * wanted}", "prefetch(ahead)", f"ahead += ahead_step * {size}"]
        turn += ["claim(claimed)", f"claimed += claimed_step * {size}"]
        body = [
            *before,
            f"for row in range({height}):",
            f"    next_row = a_ahead + row * a_ahead_row * {size}",
            "    if a_ahead_row == 0:",
            "        next_row = get_integer(a_ahead, row)",
            f"    for _ in range(depth // {height * steps}):",
            *("        " + line for line in turn),
            f"for _ in range(depth % {height * steps}):",
            *("    " + line for line in step),
            *after,
        ]
        yield Rendered(f"deep_tile_{height}x{width}", arguments, None, indent(body))
    lines = []
    for width in widths:
        lines.append(f"{'elif' if width > 2 else 'if'} vectors == {width}:")
        lines.append(f"    deep_tile_{height}x{width}({', '.join(name for name, _ in arguments)})")
    yield Rendered("deep_tile", [("vectors", "integer"), *arguments], None, indent(lines))


def transposition(lanes: int) -> Rendered:
    """A square of lanes x lanes, in registers: halves, quarters ... change places.  Rows from ``rows`` on are 0."""
    lines = [f"r{i} = splat(0.0)" for i in range(lanes)]
    for i in range(lanes):
        lines += [f"if rows > {i}:", f"    r{i} = load(source, {i} * source_row)"]
    names = [f"r{i}" for i in range(lanes)]
    distance = lanes // 2
    while distance:
        for i in range(lanes):
            if not i & distance:
                a, b = names[i], names[i | distance]
                names[i], names[i | distance] = f"s{distance}_{i}", f"s{distance}_{i | distance}"
                lines.append(f"{names[i]} = exchange_low_{distance}({a}, {b})")
                lines.append(f"{names[i | distance]} = exchange_high_{distance}({a}, {b})")
        distance //= 2
    lines += [f"store(target, {i} * target_row, {name})" for i, name in enumerate(names)]
    arguments = [(name, "integer") for name in ("rows", "source", "source_row", "target", "target_row")]
    return Rendered("transpose_square", arguments, None, indent(lines))


def dots(lanes: int) -> Rendered:
    """lanes rows times one row of weights, a sum a lane: as in a transposition, but halves are added on the way."""
    lines = ["w = load(weights, 0)"]
    lines += [f"r{i} = load(source, {i} * source_row) * w" for i in range(lanes)]
    lines += ["for vector in range(1, vectors):", f"    w = load(weights, vector * {lanes})"]
    lines += [f"    r{i} = fma(load(source, {i} * source_row + vector * {lanes}), w, r{i})" for i in range(lanes)]
    distance = lanes // 2
    while distance:
        for i in range(distance):
            a, b = f"r{i}", f"r{i + distance}"
            lines.append(f"{a} = exchange_low_{distance}({a}, {b}) + exchange_high_{distance}({a}, {b})")
        distance //= 2
    lines.append("store(target, 0, r0)")
    arguments = [(name, "integer") for name in ("vectors", "source", "source_row", "weights", "target")]
    return Rendered("dot_square", arguments, None, indent(lines))


# --- Cython ----------------------------------------------------------------------------------------------------------

ENTRY = "run"


def cython_source(isa: str) -> str:
    """A module with ``run_float32`` and ``run_float64`` for one instruction set."""
    instruction_set = INSTRUCTION_SETS[isa]
    parts = [
        "# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False\n"
        "# Rendered by fastnn.kernels.render; not to be edited."
    ]
    source = Source()
    letters = {"i": "integer", "d": "double", "v": "vector", "h": "half", "m": "mask", "b": "integer"}
    for dtype in ("float32", "float64"):
        parts.append(cython_declarations(source, dtype, instruction_set))
        rendered = list(render(source, dtype, instruction_set))
        primitives = primitives_for(source)
        names = {f.name for f in rendered} | {name for _, name, _ in primitives}
        results = {f.name: f.result for f in rendered}
        results |= {name: letters.get(kind) for kind, name, _ in [*primitives, *shared_primitives(source)]}
        parts.append(never_inlined([f for f in rendered if f.apart], dtype))
        for f in rendered:
            arguments = ", ".join(f"{cython_type(kind, dtype)} {name}" for name, kind in f.arguments)
            result = cython_type(f.result, dtype) if f.result else "void"
            variables = "".join(
                f"    cdef {cython_type(kind, dtype)} {name}\n" for name, kind in local_types(f, results).items()
            )
            body = rename(f.body, names, dtype)
            head = f"cdef inline {result}" if f.inlined else f"cdef {result}"
            alias = f' "apart_{f.name}_{dtype}"' if f.apart else ""
            parts.append(f"{head} {f.name}_{dtype}{alias}({arguments}) noexcept nogil:\n{variables}{body}")
        parts.append(
            f"def {dtype}(integer layers, integer job, integer thread):\n"
            f"    cdef integer ended\n"
            f"    with nogil:\n        ended = {ENTRY}_{dtype}(layers, job, thread)\n    return ended"
        )
    return "\n\n".join(parts) + "\n"


def local_types(function: Rendered, results: dict[str, str | None]) -> dict[str, str]:
    """The type of each local name: that of what is first assigned to it."""
    known = dict(function.arguments)
    found: dict[str, str] = {}

    def kind(node: ast.expr) -> str:
        match node:
            case ast.Constant():
                return "double" if isinstance(node.value, float) else "integer"
            case ast.Name():
                return "double" if node.id == "INFINITY" else known[node.id]
            case ast.Call(func=ast.Name(id=name)):
                return results[name] or "integer"
            case ast.BinOp():
                sides = {kind(node.left), kind(node.right)}
                return next(t for t in ("vector", "double", "integer") if t in sides)
            case ast.UnaryOp():
                return kind(node.operand)
        return "integer"  # comparisons and what is made of them

    def visit(statements: list[ast.stmt]) -> None:
        for node in statements:
            target, value = None, "integer"
            match node:
                case ast.Assign(targets=[ast.Name(id=target)]):
                    value = kind(node.value)
                case ast.For(target=ast.Name(id=target)):
                    pass
            if target and target not in known:
                known[target] = found[target] = value
            for inner in ("body", "orelse"):
                visit(getattr(node, inner, []))

    visit(ast.parse(f"def f():\n{function.body}").body)
    return found


# What primitives.h offers for each dtype, by its types (r: a real of that dtype, v: vector, h: half of one, m: mask,
# i: integer, d: double); the rest needs none.
PRIMITIVES = {
    "v": ("load:ii broadcast:ii held:v splat:d sum_lanes:v max_lanes:v where:mvv fma:vvv accumulated:vvv reciprocal:v "
          "sqrt:v absolute:v copysign:vv rint:v "
          "exchange_low_1:vv exchange_low_2:vv exchange_low_4:vv exchange_low_8:vv "
          "exchange_high_1:vv exchange_high_2:vv exchange_high_4:vv exchange_high_8:vv "
          "maximum:vv minimum:vv two_to_the:v exponent:v mantissa:v lane_numbers: random_lanes:ii"),
    "h": "load_half:ii splat_half:d accumulated_half:vhh",
    "m": "lanes_below:i less:vv less_equal:vv greater:vv greater_equal:vv equal:vv",
    "d": "first:v get:ii",
    "void": "store:iiv store_half:iih put:iid copy:iiii write:iir",
}  # fmt: skip
SHARED_PRIMITIVES = {
    "i": "unforeseen:i get_integer:ii atomic_add:iii atomic_get:ii flush_denormals: call_function:iiiiiiiiii",
    "d": "get_double:ii to_double:i power:dd square_root:d",
    "b": "is_finite:d",
    "void": "put_double:iid put_integer:iii atomic_put:iii claim:i prefetch:i relax: rest: restore_denormals:i",
}


def _entries(groups: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    for result, names in groups.items():
        for entry in names.split():
            name, arguments = entry.split(":")
            yield result, name, arguments


def primitives_for(source: Source) -> list[tuple[str, str, str]]:
    """(result, name, arguments) of every primitive that comes once a dtype."""
    kinds = [row.name for row in source.tables["KINDS"]]
    readers = [(r, f"{name}_{kind}", "i") for kind in kinds for r, name in (("r", "read"), ("v", "read_vector"))]
    return [*_entries(PRIMITIVES), *readers]


def shared_primitives(source: Source) -> list[tuple[str, str, str]]:
    kinds = [row.name for row in source.tables["KINDS"]]
    return [*_entries(SHARED_PRIMITIVES), *(("i", f"read_integer_{kind}", "i") for kind in kinds)]


def cython_declarations(source: Source, dtype: str, instruction_set: InstructionSet) -> str:
    letters = {
        "v": f"vector_{dtype}",
        "h": f"half_{dtype}",
        "m": f"mask_{dtype}",
        "r": f"real_{dtype}",
        "i": "integer",
        "d": "double",
        "b": "bint",
        "void": "void",
    }

    def declare(entries: list[tuple[str, str, str]], suffix: str) -> list[str]:
        return [
            f"    {letters[result]} {name}{suffix}({', '.join(letters[a] for a in arguments)}) noexcept nogil"
            for result, name, arguments in entries
        ]

    lines = []
    if dtype == "float32":
        lines += ["cdef extern from *:", f'    """\n    #define VECTOR_BYTES {instruction_set.vector_bytes}\n    """']
        lines += ['cdef extern from "primitives.h":', '    ctypedef long long integer "int64_t"']
        lines += ["    double INFINITY"]
        lines += declare(shared_primitives(source), "")
    number = "float" if dtype == "float32" else "double"
    lines += ['cdef extern from "primitives.h":']
    lines += [f"    ctypedef {number} {letters[k]}" for k in "vhr"] + [f"    ctypedef int {letters['m']}"]
    lines += declare(primitives_for(source), f"_{dtype}")
    return "\n".join(lines)


def never_inlined(functions: list[Rendered], dtype: str) -> str:
    """Prototypes in C, for Cython has no word for it."""
    types = {"integer": "int64_t", "double": "double", "vector": f"vector_{dtype}", None: "void"}
    prototypes = (
        f"    static {types[f.result]} apart_{f.name}_{dtype}({', '.join(types[kind] for _, kind in f.arguments)})"
        " __attribute__((noinline));\n"
        for f in functions
    )
    return f'cdef extern from *:\n    """\n{"".join(prototypes)}    """'


def cython_type(kind: str, dtype: str) -> str:
    return f"{kind}_{dtype}" if kind in ("vector", "half", "mask") else kind


def rename(body: str, names: set[str], dtype: str) -> str:
    body = re.sub(r"(?<![.\w])(\d{10,})(?![.\w])", r"\1LL", body)  # else a Python integer
    return re.sub(r"\b([a-z]\w*)\(", lambda m: f"{m[1]}_{dtype}(" if m[1] in names else m[0], body)
