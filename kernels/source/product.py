"""One matrix product for everything: forward, backward, gradients.

Every element is one chain of fused multiply-adds in the order of k, whatever tile or block it falls into: results do
not depend on how rows and columns are split.
"""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import HALVES, LANES, SIZE, TILE_ROWS, TILE_VECTORS, WIDE_SUMS
from ..tuning import DEEP, DEEP_PACK_DEPTH, PACK_DEPTH, PACK_ROWS, PACK_STRIDE
from ..values import Ahead, Left, Prefetch, Right, Rows
from ..vocabulary import load, store
from .tile import deep_tile, tile
from .transposing import transpose_panel
from .vectors import vectors_for


@kernel(inline=True)
def product(
    rows: Integer,
    columns: Integer,
    depth: Integer,
    left: Left,
    right: Right,
    accumulate: Integer,
    pack: Address,
    target: Rows,
) -> None:
    """target[i, j] = sum over k of left[i, k] * right[k, j], for j < columns.

    With ``accumulate``, the sums are added to what target holds.  Whole vectors are computed; but where columns leave
    half of the last one or more, and there are tiles that end in half a vector, what is behind that may be written as
    0 instead.

    Rows of the right side that lie far apart are brought together first (``pack``), where enough tiles use them again.
    A right side that is stored transposed is transposed on that way.
    """
    vectors = vectors_for(columns)
    if depth >= DEEP and rows >= TILE_ROWS and vectors > 1:
        deep_product(rows, vectors, depth, left, right, accumulate, pack, target)
    else:
        flat_product(rows, columns, depth, left, right, accumulate, pack, target)


@kernel
def flat_product(
    rows: Integer,
    columns: Integer,
    depth: Integer,
    left: Left,
    right: Right,
    accumulate: Integer,
    pack: Address,
    target: Rows,
) -> None:
    """A product of small depth, of few rows, or of one vector."""
    vectors = vectors_for(columns)
    half = HALVES and vectors * LANES - columns >= LANES // 2
    first = 0
    while first < depth:
        steps = depth - first
        if steps > PACK_DEPTH:
            steps = PACK_DEPTH
        column = 0
        while column < vectors:
            wide = tile_width(rows, vectors - column)
            if half and wide == 3 and rows >= TILE_ROWS and column + 3 == vectors:  # 1, and 1 and a half
                wide = 1
            narrow = half and wide == 2 and column + 2 == vectors
            panel = Right(right.address + (first * right.step + column * LANES) * SIZE, right.step, 0)
            if right.transposed:
                if wide > TILE_VECTORS:  # more than ``pack`` has room for
                    wide = TILE_VECTORS
                at = right.address + (column * LANES * right.step + first) * SIZE
                transpose_panel(steps, wide, right.transposed - column * LANES, Rows(at, right.step), pack)
                panel = Right(pack, wide * LANES, 0)
            elif rows >= PACK_ROWS and right.step * SIZE > PACK_STRIDE:
                pack_panel(steps, wide, Rows(panel.address, right.step), pack)
                panel = Right(pack, wide * LANES, 0)
            row = 0
            while row < rows:
                at = left.address + (first * left.step + row // 16 * left.block + row % 16 * left.row) * SIZE
                a = Left(at, left.row, left.step, left.block)
                c = Rows(target.address + (row * target.stride + column * LANES) * SIZE, target.stride)
                row += tile(rows - row, wide, narrow, steps, a, panel, accumulate, c)
            column += wide
        accumulate = 1
        first += steps


@kernel(apart=True)
def deep_product(
    rows: Integer,
    vectors: Integer,
    depth: Integer,
    left: Left,
    right: Right,
    accumulate: Integer,
    pack: Address,
    target: Rows,
) -> None:
    """A product of great depth: there it pays to ask for memory before it is needed, and to pack more at once."""
    first = 0
    while first < depth:
        steps = depth - first
        if steps > DEEP_PACK_DEPTH:
            steps = DEEP_PACK_DEPTH
        column = 0
        while column < vectors:
            wide = tile_width(rows, vectors - column)
            panel = Right(right.address + (first * right.step + column * LANES) * SIZE, right.step, 0)
            next_panel = 0
            if right.transposed:
                at = right.address + (column * LANES * right.step + first) * SIZE
                transpose_panel(steps, wide, right.transposed - column * LANES, Rows(at, right.step), pack)
                panel = Right(pack, wide * LANES, 0)
            elif rows >= PACK_ROWS and right.step * SIZE > PACK_STRIDE:
                pack_panel(steps, wide, Rows(panel.address, right.step), pack)
                if column + wide < vectors:
                    next_panel = panel.address + wide * LANES * SIZE
                panel = Right(pack, wide * LANES, 0)
            deep_rows(
                rows,
                wide,
                steps,
                Left(left.address + first * left.step * SIZE, left.row, left.step, left.block),
                panel,
                Prefetch(next_panel, right.step, 0, 0, 0, 0, 0),
                accumulate,
                Rows(target.address + column * LANES * SIZE, target.stride),
            )
            column += wide
        accumulate = 1
        first += steps


@kernel(apart=True)
def deep_rows(
    rows: Integer,
    wide: Integer,
    steps: Integer,
    left: Left,
    panel: Right,
    prefetch: Prefetch,
    accumulate: Integer,
    target: Rows,
) -> None:
    """All rows of the left side times a panel of so many vectors.  While tiles compute, they ask for what comes next.

    Each tile asks for the next one's rows of the left side; the last tiles for the panel that will be packed next; the
    first tiles for what will be written soon.  Of each it is a line in four steps, from a column of lines: more
    requests at a time than the core has buffers for would make the tile wait.
    """
    lines = steps // (4 * TILE_ROWS) * TILE_ROWS  # that a tile asks for
    parts = 0  # of a column of lines
    if prefetch.matrices and lines:
        parts = (prefetch.rows + lines - 1) // lines
    row = 0
    while wide > 1 and rows - row >= TILE_ROWS:
        below = row + TILE_ROWS
        if below >= rows:
            below = 0
        read = panel.address
        read_step = 0
        tiles_left = (rows - row) // TILE_ROWS - 1
        if prefetch.panel and tiles_left < 4 * wide:
            read = prefetch.panel + (tiles_left % 4 * (steps // 4) * prefetch.step + tiles_left // 4 * LANES) * SIZE
            read_step = prefetch.step
        c = Rows(target.address + row * target.stride * SIZE, target.stride)
        write = c.address
        write_step = 0
        part = row // TILE_ROWS
        if part < prefetch.matrices * wide * parts:
            write = prefetch.first + part // (wide * parts) * prefetch.apart
            start = part % parts * lines
            if start > prefetch.rows - lines and lines <= prefetch.rows:
                start = prefetch.rows - lines
            write += (start * prefetch.stride + part // parts % wide * LANES) * SIZE
            write_step = prefetch.stride
        a = Left(left.address + (row // 16 * left.block + row % 16 * left.row) * SIZE, left.row, left.step, left.block)
        next_left = left.address + (below // 16 * left.block + below % 16 * left.row) * SIZE
        ahead = Ahead(next_left, left.row, read, read_step, write, write_step)
        deep_tile(wide, steps, a, panel, accumulate, c, ahead)
        row += TILE_ROWS
    while row < rows:  # 16 at most, from one to the next of which it is left.row
        rest = rows - row
        if rest > 16:
            rest = 16
        at = left.address + (row // 16 * left.block + row % 16 * left.row) * SIZE
        c = Rows(target.address + row * target.stride * SIZE, target.stride)
        flat_product(rest, wide * LANES, steps, Left(at, left.row, left.step, 0), panel, accumulate, 0, c)
        row += rest


@kernel
def tile_width(rows: Integer, vectors: Integer) -> Integer:
    """How wide the next tile is, of so many rows and remaining vectors."""
    if rows == 1 or rows == 2:
        wide = WIDE_SUMS // rows
        while wide > TILE_VECTORS:
            if vectors >= wide:
                return wide
            wide = wide // 2
    elif vectors == TILE_VECTORS + 1:  # 3 + 1 would leave a tile with too few sums to hide the latency of each
        return (TILE_VECTORS + 1) // 2
    if vectors > TILE_VECTORS:
        return TILE_VECTORS
    return vectors


@kernel
def pack_panel(steps: Integer, vectors: Integer, source: Rows, target: Address) -> None:
    """Some vectors of each of so many rows, side by side."""
    if vectors == 3:
        for step in range(steps):
            first = load(source.address, step * source.stride)
            second = load(source.address, step * source.stride + LANES)
            third = load(source.address, step * source.stride + 2 * LANES)
            store(target, 3 * step * LANES, first)
            store(target, (3 * step + 1) * LANES, second)
            store(target, (3 * step + 2) * LANES, third)
    elif vectors == 2:
        for step in range(steps):
            first = load(source.address, step * source.stride)
            second = load(source.address, step * source.stride + LANES)
            store(target, 2 * step * LANES, first)
            store(target, (2 * step + 1) * LANES, second)
    else:
        for step in range(steps):
            for vector in range(vectors):
                value = load(source.address, step * source.stride + vector * LANES)
                store(target, (step * vectors + vector) * LANES, value)
