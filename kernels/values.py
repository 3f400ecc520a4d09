"""Records of values: what kernels pass on together.

To Numba they are named tuples; rendered, each becomes an argument or a variable a field.  They cost nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from .language import Address, Double, Integer


class Rows(NamedTuple):
    """A matrix of reals in memory, by its rows."""

    address: Address  # of the first row
    stride: Integer  # values from one row to the next


class Strided(NamedTuple):
    """One side of a product of members: its vectors across the product's rows or columns, and along its sums."""

    address: Address
    across: Integer  # values from one row, or column, of the product to the next
    along: Integer  # values from one term of a sum to the next


class Span(NamedTuple):
    """Some rows, or columns, in a row."""

    first: Integer
    end: Integer  # the first one behind them


class Left(NamedTuple):
    """The left side of a product: a[i, k] is at k * step + i * row within each 16 rows, those ``block`` apart."""

    address: Address
    row: Integer
    step: Integer
    block: Integer


class Right(NamedTuple):
    """The right side of a product: b[k, j] is at k * step + j.

    With ``transposed``, b has that many columns and is stored transposed, b[k, j] at j * step + k.
    """

    address: Address
    step: Integer
    transposed: Integer


class Ahead(NamedTuple):
    """What a deep tile asks for: every line of rows of the left side, and each turn a line to read and one to write."""

    left: Address  # the first of as many rows as the tile has; or where their addresses stand, with a stride of 0
    left_stride: Integer
    read: Address
    read_step: Integer  # values from one line to the next
    write: Address
    write_step: Integer


class Prefetch(NamedTuple):
    """What the tiles of a panel ask for: the panel that will be packed next, and what will be written soon."""

    panel: Address  # or 0: there is none
    step: Integer
    matrices: Integer  # to be written, as wide as the panel
    first: Address  # of the first matrix
    apart: Integer  # bytes from one matrix to the next
    rows: Integer
    stride: Integer


class Panel(NamedTuple):
    """Some rows and columns of a layer's matrix, as it is stored."""

    row: Integer
    rows: Integer
    column: Integer
    vectors: Integer


class Batch(NamedTuple):
    """The batch of a step."""

    epoch: Integer
    position: Integer  # of its first row, in the epoch
    rows: Integer
    row_weight: Double  # what a row of weight 1 counts
    key: Integer  # of the step's noise
    first_score: Integer  # where the scores of its rows start


class Block(NamedTuple):
    """Some rows of a batch, in a workspace."""

    base: Address  # of the workspace
    first: Integer  # row of the workspace
    rows: Integer
    batch_row: Integer  # the first one's number in the batch


class Update(NamedTuple):
    """How a thread updates its part of the parameters."""

    thread: Integer
    parts: Integer  # threads that have left a gradient; 0: it is computed panel by panel, while each is in cache
    phase: Integer  # 0: all in one; 1: gradient and sums of squares, for norms to clip by; 2: clip and update
    handed: Integer  # 1: see split.hands_over
    follows: Integer  # 1: weights are updated right after their gradient; 2: and other cores have read them
    gradients: Address


class Bounds(NamedTuple):
    """A constraint on weights."""

    constraint: Integer  # code: place in records.CONSTRAINTS
    least: Double  # norm
    most: Double
    pull: Double  # the part of the way that a norm goes there
