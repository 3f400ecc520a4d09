"""The tiles: rows x vectors of sums that stay in registers; and squares of reals, transposed or summed in registers.

Written out for each instruction set, since the number of registers decides their shapes."""

from __future__ import annotations

from collections.abc import Iterator

from .instruction_sets import InstructionSet
from .rendered import Rendered, indent


def tiles(instruction_set: InstructionSet, lanes: int, size: int) -> Iterator[Rendered]:
    """Every tile: rows x vectors of sums held in registers over the whole depth; and the choice among them."""
    names = ("depth", "a", "a_row", "a_step", "b", "b_step", "accumulate", "c", "c_row")
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
        step.append(f"x{i} = in_register({x})" if narrow else f"x{i} = {x}")
        step += [f"c{i}_{j} = accumulated{halves[j]}(x{i}, b{j}, c{i}_{j})" for j in range(width)]
    step += [f"a = opaque(a + a_step * {size})", f"b = opaque(b + b_step * {size})"]
    before = [f"c{i}_{j} = splat{halves[j]}(0.0)" for i, j in pairs]
    before += ["if accumulate:", *(f"    c{i}_{j} = load{halves[j]}(c, {i} * c_row + {j * lanes})" for i, j in pairs)]
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
        turn += ["prefetch_write(claimed)", f"claimed += claimed_step * {size}"]
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
