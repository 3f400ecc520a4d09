"""The tiles: rows x vectors of sums that stay in registers; and squares of reals, transposed or summed in registers.

Written out for each instruction set, since the number of registers decides their shapes."""

from collections.abc import Iterator

from .instruction_sets import InstructionSet
from .lowering import flattened
from .rendered import Rendered, indent, integers
from .sources import Source


def shapes(source: Source, instruction_set: InstructionSet, lanes: int, size: int) -> Iterator[Rendered]:
    """All that is written out for an instruction set."""
    yield from tiles(source, instruction_set, lanes, size)
    yield from member_tiles(source, instruction_set, lanes, size)
    yield transposition(source, lanes)
    yield dots(source, lanes)


NAMES = ("depth", "a", "a_row", "a_step", "b", "b_step", "accumulate", "c", "c_row")
"""The arguments of one tile: c = a * b, or c + a * b."""


def tiles(source: Source, instruction_set: InstructionSet, lanes: int, size: int) -> Iterator[Rendered]:
    """Every tile: rows x vectors of sums held in registers over the whole depth; and the choice among them."""
    shapes = instruction_set.shapes()
    for height, widths in shapes.items():
        narrow = [(2, True)] if height in instruction_set.narrow_heights else []
        for width, half in [*((width, False) for width in widths), *narrow]:
            step, before, after = tile_parts(height, width, lanes, size, half)
            body = [*before, "for _ in range(depth):", *("    " + line for line in step), *after]
            last = [f"b{width - 1}", *(f"c{i}_{width - 1}" for i in range(height))]
            kinds = dict.fromkeys(last, "half") if half else {}
            name = f"{'narrow_' * half}tile_{height}x{width}"
            yield Rendered(name, integers(*NAMES), None, indent(body), kinds=kinds, other="vector")
    arguments = flat_arguments(source, "tile")
    passed = given(arguments)
    lines = []
    for height, widths in shapes.items():
        lines.append(f"if rows >= {height}:")
        for width in widths:
            start = "elif" if width > 1 else "if"
            if width == 2 and height in instruction_set.narrow_heights:
                lines.append(f"    {start} vectors == 2 and narrow:")
                lines.append(f"        narrow_tile_{height}x2({passed})")
            lines.append(f"    {start} vectors == {width}:")
            lines.append(f"        tile_{height}x{width}({passed})")
        lines.append(f"    return {height}")
    lines.append("return 0")
    yield Rendered("tile", arguments, "integer", indent(lines))
    yield from deep_tiles(source, instruction_set, lanes, size)


def member_tiles(source: Source, instruction_set: InstructionSet, lanes: int, size: int) -> Iterator[Rendered]:
    """Tiles of vectors times vectors, a member of an ensemble a lane."""
    heights = [height for height in (8, 4, 2, 1) if height <= instruction_set.tile_rows]
    widths = range(1, instruction_set.tile_vectors + 1)
    arguments = flat_arguments(source, "member_tile")
    passed = ", ".join(name for name, _ in arguments if name not in ("rows", "vectors"))
    own = [pair for pair in arguments if pair[0] not in ("rows", "vectors")]
    lines = []
    for height in heights:
        lines.append(f"if rows >= {height}:")
        for width in widths:
            pairs = [(i, j) for i in range(height) for j in range(width)]
            step = [f"b{j} = load(right_address, {j} * right_across)" for j in range(width)]
            for i in range(height):
                step.append(f"a{i} = load(left_address, {i} * left_across)")
                step += [f"c{i}_{j} = accumulated(a{i}, b{j}, c{i}_{j})" for j in range(width)]
            step += [f"left_address = opaque(left_address + left_along * {size})"]
            step += [f"right_address = opaque(right_address + right_along * {size})"]
            body = [f"c{i}_{j} = splat(0.0)" for i, j in pairs]
            sums = [f"c{i}_{j} = load(target_address, {i} * target_stride + {j * lanes})" for i, j in pairs]
            body += ["if accumulate:", *("    " + line for line in sums)]
            body += ["for _ in range(depth):", *("    " + line for line in step)]
            body += [f"store(target_address, {i} * target_stride + {j * lanes}, c{i}_{j})" for i, j in pairs]
            yield Rendered(f"member_tile_{height}x{width}", own, None, indent(body), other="vector")
            lines += [f"    {'if' if width == 1 else 'elif'} vectors == {width}:"]
            lines += [f"        member_tile_{height}x{width}({passed})"]
        lines.append(f"    return {height}")
    lines.append("return 0")
    yield Rendered("member_tile", arguments, "integer", indent(lines))


def flat_arguments(source: Source, name: str) -> list[tuple[str, str]]:
    """The arguments of a kernel, a field each of records of values."""
    return [pair for a, kind in source.signatures[name].arguments.items() for pair in flattened(a, kind)]


def given(arguments: list[tuple[str, str]]) -> str:
    """Those that one tile takes."""
    unused = ("rows", "vectors", "narrow", "left_block", "right_transposed")
    return ", ".join(name for name, _ in arguments if name not in unused)


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
    sums = [f"    c{i}_{j} = load{halves[j]}(c, {i} * c_row + {j * lanes})" for i, j in pairs]
    before += ["if accumulate:", *sums]
    after = [f"store{halves[j]}(c, {i} * c_row + {j * lanes}, c{i}_{j})" for i, j in pairs]
    return step, before, after


def deep_tiles(source: Source, instruction_set: InstructionSet, lanes: int, size: int) -> Iterator[Rendered]:
    """The tallest tiles for great depths.

    They take four steps a turn, and ask for memory as they go: for every line of the next tile's rows of a, and each
    turn for a line to read and for one to write.
    """
    height, steps = instruction_set.tile_rows, 4
    wanted = height * steps * size // 64  # lines a turn
    names = ("left", "left_stride", "read", "read_step", "write", "write_step")
    widths = range(2, instruction_set.tile_vectors + 1)
    for width in widths:
        step, before, after = tile_parts(height, width, lanes, size)
        turn = []
        for number in range(steps):
            asked = range(number * wanted // steps, (number + 1) * wanted // steps)
            turn += [*(f"prefetch(next_row + {64 * line})" for line in asked), *step]
        turn += [f"next_row += {64 * wanted}", "prefetch(read)", f"read += read_step * {size}"]
        turn += ["prefetch_write(write)", f"write += write_step * {size}"]
        body = [
            *before,
            f"for row in range({height}):",
            f"    next_row = left + row * left_stride * {size}",
            "    if left_stride == 0:",
            "        next_row = get_integer(left, row)",
            f"    for _ in range(depth // {height * steps}):",
            *("        " + line for line in turn),
            f"for _ in range(depth % {height * steps}):",
            *("    " + line for line in step),
            *after,
        ]
        kinds = {"next_row": "integer"}
        yield Rendered(
            f"deep_tile_{height}x{width}", integers(*NAMES, *names), None, indent(body), kinds=kinds, other="vector"
        )
    arguments = flat_arguments(source, "deep_tile")
    lines = []
    for width in widths:
        lines.append(f"{'elif' if width > 2 else 'if'} vectors == {width}:")
        lines.append(f"    deep_tile_{height}x{width}({given(arguments)})")
    yield Rendered("deep_tile", arguments, None, indent(lines))


def transposition(source: Source, lanes: int) -> Rendered:
    """A square of lanes x lanes, in registers: halves, quarters ... change places.  Rows from ``rows`` on are 0."""
    lines = [f"r{i} = splat(0.0)" for i in range(lanes)]
    for i in range(lanes):
        lines += [f"if rows > {i}:", f"    r{i} = load(source_address, {i} * source_stride)"]
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
    lines += [f"store(target_address, {i} * target_stride, {name})" for i, name in enumerate(names)]
    return Rendered("transpose_square", flat_arguments(source, "transpose_square"), None, indent(lines), other="vector")


def dots(source: Source, lanes: int) -> Rendered:
    """lanes rows times one row of weights, a sum a lane: as in a transposition, but halves are added on the way."""
    lines = ["w = load(weights, 0)"]
    lines += [f"r{i} = load(source_address, {i} * source_stride) * w" for i in range(lanes)]
    lines += ["for vector in range(1, vectors):", f"    w = load(weights, vector * {lanes})"]
    lines += [
        f"    r{i} = fma(load(source_address, {i} * source_stride + vector * {lanes}), w, r{i})" for i in range(lanes)
    ]
    distance = lanes // 2
    while distance:
        for i in range(distance):
            a, b = f"r{i}", f"r{i + distance}"
            lines.append(f"{a} = exchange_low_{distance}({a}, {b}) + exchange_high_{distance}({a}, {b})")
        distance //= 2
    lines.append("store(target, 0, r0)")
    return Rendered("dot_square", flat_arguments(source, "dot_square"), None, indent(lines), other="vector")
