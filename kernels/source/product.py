"""One matrix product for everything: forward, backward, gradients.

Every element is one chain of fused multiply-adds in the order of k, whatever tile or block it falls into: results do
not depend on how rows and columns are split."""

from __future__ import annotations

from ..language import Address, Integer, kernel
from ..program import HALVES, LANES, SIZE, TILE_ROWS, TILE_VECTORS, WIDE_SUMS
from ..tuning import DEEP, DEEP_PACK_DEPTH, PACK_DEPTH, PACK_ROWS, PACK_STRIDE
from ..vocabulary import load, store
from .tile import deep_tile, tile
from .transposing import transpose_panel
from .vectors import vectors_for


@kernel
def product(
    rows: Integer,
    columns: Integer,
    depth: Integer,
    a: Address,
    a_row: Integer,
    a_step: Integer,
    a_block: Integer,
    b: Address,
    b_step: Integer,
    transposed: Integer,
    accumulate: Integer,
    pack: Address,
    c: Address,
    c_row: Integer,
) -> None:
    """c[i, j] = sum over k of a[i, k] * b[k, j], for j < columns; with ``more``, added to what c holds.

    Whole vectors are computed; but where columns leave half of the last one or more, and there are tiles that end in
    half a vector, what is behind that may be written as 0 instead.

    b[k, j] is at k * b_step + j, and a[i, k] at k * a_step + i * a_row within each 16 rows, those a_block apart.
    Every element is one chain of fused multiply-adds in the order of k, whatever tile or block it falls into: results
    do not depend on how rows and columns are split.

    Rows of b that lie far apart are brought together first (``pack``), where enough tiles use them again.  With
    ``turned``, b has that many columns and is stored transposed, b[k, j] at j * b_step + k: it is turned on that way.
    """
    vectors = vectors_for(columns)
    half = HALVES and vectors * LANES - columns >= LANES // 2
    if depth >= DEEP and rows >= TILE_ROWS and vectors > 1:
        deep_product(rows, vectors, depth, a, a_row, a_step, a_block, b, b_step, transposed, accumulate, pack, c, c_row)
        return
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
            panel = b + (first * b_step + column * LANES) * SIZE
            panel_step = b_step
            if transposed:
                if wide > TILE_VECTORS:  # more than ``pack`` has room for
                    wide = TILE_VECTORS
                at = b + (column * LANES * b_step + first) * SIZE
                transpose_panel(steps, wide, transposed - column * LANES, at, b_step, pack)
                panel = pack
                panel_step = wide * LANES
            elif rows >= PACK_ROWS and b_step * SIZE > PACK_STRIDE:
                pack_panel(steps, wide, panel, b_step, pack)
                panel = pack
                panel_step = wide * LANES
            row = 0
            while row < rows:
                row += tile(
                    rows - row,
                    wide,
                    narrow,
                    steps,
                    a + (first * a_step + row // 16 * a_block + row % 16 * a_row) * SIZE,
                    a_row,
                    a_step,
                    panel,
                    panel_step,
                    accumulate,
                    c + (row * c_row + column * LANES) * SIZE,
                    c_row,
                )
            column += wide
        accumulate = 1
        first += steps


@kernel(apart=True)
def deep_product(
    rows: Integer,
    vectors: Integer,
    depth: Integer,
    a: Address,
    a_row: Integer,
    a_step: Integer,
    a_block: Integer,
    b: Address,
    b_step: Integer,
    transposed: Integer,
    accumulate: Integer,
    pack: Address,
    c: Address,
    c_row: Integer,
) -> None:
    """The same for great depths: there it pays to ask for memory before it is needed, and to pack more at once."""
    first = 0
    while first < depth:
        steps = depth - first
        if steps > DEEP_PACK_DEPTH:
            steps = DEEP_PACK_DEPTH
        column = 0
        while column < vectors:
            wide = tile_width(rows, vectors - column)
            panel = b + (first * b_step + column * LANES) * SIZE
            panel_step = b_step
            ahead = 0
            if transposed:
                at = b + (column * LANES * b_step + first) * SIZE
                transpose_panel(steps, wide, transposed - column * LANES, at, b_step, pack)
                panel = pack
                panel_step = wide * LANES
            elif rows >= PACK_ROWS and b_step * SIZE > PACK_STRIDE:
                pack_panel(steps, wide, panel, b_step, pack)
                if column + wide < vectors:
                    ahead = panel + wide * LANES * SIZE
                panel = pack
                panel_step = wide * LANES
            deep_rows(
                rows,
                wide,
                steps,
                a + first * a_step * SIZE,
                a_row,
                a_step,
                a_block,
                panel,
                panel_step,
                ahead,
                b_step,
                0,
                0,
                0,
                0,
                0,
                accumulate,
                c + column * LANES * SIZE,
                c_row,
            )
            column += wide
        accumulate = 1
        first += steps


@kernel(apart=True)
def deep_rows(
    rows: Integer,
    wide: Integer,
    steps: Integer,
    a: Address,
    a_row: Integer,
    a_step: Integer,
    a_block: Integer,
    panel: Address,
    panel_step: Integer,
    next_panel: Address,
    next_step: Integer,
    writes: Integer,
    first_write: Address,
    writes_apart: Integer,
    write_rows: Integer,
    write_step: Integer,
    accumulate: Integer,
    c: Address,
    c_row: Integer,
) -> None:
    """All rows of a panel.  While they compute, its tiles ask for the memory that will be needed next.

    Each asks for the next one's rows of a; the last ones for the panel that will be packed next, unless that is 0; the
    first ones for what will be written soon, as many matrices as there are claims, claimed_rows high and as wide as the
    panel.  It is a line in four steps of each, from a column of lines: asked for faster, lines wait for one another.
    """
    turns = steps // (4 * TILE_ROWS) * TILE_ROWS  # of a tile, and lines that it asks for
    parts = 0  # of a column of lines
    if writes and turns:
        parts = (write_rows + turns - 1) // turns
    row = 0
    while wide > 1 and rows - row >= TILE_ROWS:
        below = row + TILE_ROWS
        if below >= rows:
            below = 0
        ahead = panel
        ahead_step = 0
        tiles_left = (rows - row) // TILE_ROWS - 1
        if next_panel and tiles_left < 4 * wide:
            ahead = next_panel + (tiles_left % 4 * (steps // 4) * next_step + tiles_left // 4 * LANES) * SIZE
            ahead_step = next_step
        target = c + row * c_row * SIZE
        written = target
        written_step = 0
        part = row // TILE_ROWS
        if part < writes * wide * parts:
            written = first_write + part // (wide * parts) * writes_apart
            start = part % parts * turns
            if start > write_rows - turns and turns <= write_rows:
                start = write_rows - turns
            written += (start * write_step + part // parts % wide * LANES) * SIZE
            written_step = write_step
        deep_tile(
            wide,
            steps,
            a + (row // 16 * a_block + row % 16 * a_row) * SIZE,
            a_row,
            a_step,
            panel,
            panel_step,
            accumulate,
            target,
            c_row,
            a + (below // 16 * a_block + below % 16 * a_row) * SIZE,
            a_row,
            ahead,
            ahead_step,
            written,
            written_step,
        )
        row += TILE_ROWS
    while row < rows:  # 16 at most, from one to the next of which it is a_row
        rest = rows - row
        if rest > 16:
            rest = 16
        a_rest = a + (row // 16 * a_block + row % 16 * a_row) * SIZE
        product(
            rest,
            wide * LANES,
            steps,
            a_rest,
            a_row,
            a_step,
            0,
            panel,
            panel_step,
            0,
            accumulate,
            0,
            c + row * c_row * SIZE,
            c_row,
        )
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
def pack_panel(steps: Integer, vectors: Integer, source: Address, source_step: Integer, target: Address) -> None:
    """Some vectors of each of steps rows, side by side."""
    if vectors == 3:
        for step in range(steps):
            first = load(source, step * source_step)
            second = load(source, step * source_step + LANES)
            third = load(source, step * source_step + 2 * LANES)
            store(target, 3 * step * LANES, first)
            store(target, (3 * step + 1) * LANES, second)
            store(target, (3 * step + 2) * LANES, third)
    elif vectors == 2:
        for step in range(steps):
            first = load(source, step * source_step)
            second = load(source, step * source_step + LANES)
            store(target, 2 * step * LANES, first)
            store(target, (2 * step + 1) * LANES, second)
    else:
        for step in range(steps):
            for vector in range(vectors):
                store(target, (step * vectors + vector) * LANES, load(source, step * source_step + vector * LANES))
