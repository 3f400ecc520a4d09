"""Tables as people have them, encoded as the inputs of a network."""

from collections.abc import Callable, Iterable

import numpy as np

from fastnn.typing import Array

from .columns import Categories, Column, ColumnEncoder, Dates, Numbers, center_and_spread, kind_of

CLIP = 3.0  # the limit of smooth clipping
MOST_BINS = 1000  # of all columns together: with many columns each has fewer
ROWS_A_BIN = 100
LEAST_BINS = 8  # where more are asked for, but fewer are possible, there are none


class TableEncoder:
    """Encodes the columns of a table, whatever they hold, as numbers of about -3 to 3.

    - Numbers: NaN becomes the median, and a further column says where it was.  A column of more than two values is cut
      into ``bins`` of as many rows each.  Each bin adds a column, which goes from 0 at the bin's lower end to 1 at its
      upper end (piecewise linear encoding: Gorishniy, Rubachev and Babenko, 2022).
    - Text, categories, and other objects: a column for each category, 1 in its rows.  Missing is a category too, if
      fit saw it.  A category that fit did not see is of no column.  Two categories are one column: 1 and -1, or 0 for
      neither.  Beyond ``max_categories`` the rarest ones have one column together, and what their texts have in common
      is added: ``text_components`` principal components of the frequencies of their n-grams (TF-IDF).
    - Dates: days, month, weekday and hour.  Durations: days.

    Then the median of each column is subtracted, and the column is divided by the difference of its quartiles, or,
    where that is 0, by half its range.  At last it is clipped smoothly: x / sqrt(1 + (x / 3)^2).

    A row of weight k counts as k rows, in all but the vocabulary of n-grams and their inverse frequencies.
    """

    def __init__(self, bins: int, max_categories: int, text_components: int) -> None:
        self.bins, self.max_categories, self.text_components = bins, max_categories, text_components

    def fit_transform(self, table: Iterable[Column], weight: Array | None = None) -> Array:
        """Learn medians, quartiles and categories, and encode the table: (rows, inputs) of float32."""
        read = list(table)
        rows = len(read[0][1]) if weight is None else int(weight.sum())
        kinds = [kind_of(values) for _, values in read]
        numeric = sum({Numbers: 1, Dates: 4}.get(kind, 0) for kind in kinds)
        bins = min(self.bins, MOST_BINS // max(numeric, 1), rows // ROWS_A_BIN)
        if bins < LEAST_BINS < self.bins:
            bins = 0
        makers: dict[type[ColumnEncoder], Callable[[str], ColumnEncoder]] = {
            Numbers: lambda name: Numbers(name, bins),
            Dates: lambda name: Dates(name, bins),
            Categories: lambda name: Categories(name, self.max_categories, self.text_components),
        }
        self.columns = [makers[kind](name) for kind, (name, _) in zip(kinds, read, strict=True)]
        encoded = np.hstack([c.fit(values, weight) for c, (_, values) in zip(self.columns, read, strict=True)])
        center, spread = center_and_spread(encoded, weight)
        self.varies = spread > 0
        if not self.varies.any():  # a network needs an input, even if there is nothing to learn from it
            self.varies[0], spread[0] = True, 1
        self.center, self.spread = (each[self.varies].astype(np.float32) for each in (center, spread))
        return self._scaled(encoded)

    def transform(self, table: Iterable[Column]) -> Array:
        """Encode a table: (rows, inputs) of float32."""
        return self._scaled(np.hstack([c.transform(x) for c, (_, x) in zip(self.columns, table, strict=True)]))

    def _scaled(self, encoded: Array) -> Array:
        x = encoded[:, self.varies]
        x -= self.center
        x /= self.spread
        x /= np.sqrt(1 + np.square(x / CLIP))
        return x
