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
    first: Integer  # row in the workspace
    rows: Integer
    batch_row: Integer  # number of the first row in the batch
