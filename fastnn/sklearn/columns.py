"""Tables as people have them, encoded as the inputs of a network: their columns are numbers, dates, or categories."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import validate_data

from fastnn.typing import Array

Column = tuple[str, Array]  # its name and values

DAY = np.timedelta64(1, "D")

MISSING = "\0"  # the text that stands for a missing category
CLIP = 3.0  # the limit of smooth clipping
MOST_BINS = 1000  # of all columns together: with many columns each has fewer
ROWS_A_BIN = 100
LEAST_BINS = 8  # where more are asked for, but fewer are possible, there are none

# --- Whole tables ----------------------------------------------------------------------------------------------------


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


# --- Reading ---------------------------------------------------------------------------------------------------------


def columns_of(estimator: BaseEstimator, X: Any, reset: bool) -> Iterator[Column]:
    """Name and values of each column of a table or array, checked against what fit saw unless ``reset``."""
    if hasattr(type(X), "collect"):
        raise TypeError(f"X got a {type(X).__name__}; wants a table in memory: X.collect()")
    if not hasattr(X, "columns") or isinstance(X, np.ndarray):
        X = validate_data(estimator, X, dtype=None, ensure_all_finite="allow-nan", reset=reset)
        return ((str(i), X[:, i]) for i in range(X.shape[1]))
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    rows, count = X.shape
    if rows == 0 or count == 0:
        what = "sample" if rows == 0 else "feature"
        raise ValueError(f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required.")
    names = getattr(X, "column_names", X.columns)  # pyarrow's ``columns`` are the columns themselves
    return ((repr(str(name)), _values(X, i)) for i, name in enumerate(names))


def _values(table: Any, i: int) -> Array:
    """The values of column ``i``: floats (durations in days), dates, or objects."""
    if hasattr(table, "iloc"):
        series = table.iloc[:, i]
        kind = getattr(series.dtype, "kind", "O")
        if kind in "biuf":
            return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        if kind == "M":
            return np.asarray(series.to_numpy(dtype="datetime64[ns]"))
        values = np.asarray(series.to_numpy(dtype=None if kind == "m" else object))
    else:
        values = np.asarray((table.to_series(i) if hasattr(table, "to_series") else table.column(i)).to_numpy())
    return values / DAY if values.dtype.kind == "m" else values


# --- Kinds of columns ------------------------------------------------------------------------------------------------


class ColumnEncoder:
    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, values: Array, weight: Array | None) -> Array:
        """Learn from the values of a column, (rows,), and encode them: (rows, columns) of float32."""
        raise NotImplementedError

    def transform(self, values: Array) -> Array:
        raise NotImplementedError


class Numbers(ColumnEncoder):
    """Numbers: their value scaled robustly, whether it is missing, and how far it is through each bin (0 to 1)."""

    def __init__(self, name: str, bins: int) -> None:
        super().__init__(name)
        self.bins = bins

    def fit(self, values: Array, weight: Array | None) -> Array:
        x = self.read(values)
        missing = np.isnan(x)
        self.gaps = bool(missing.any())
        if missing.all():
            x, weight = np.zeros(1), None
        elif self.gaps:
            x, weight = x[~missing], None if weight is None else weight[~missing]
        self.median, self.spread = center_and_spread(x, weight)
        self.edges = bin_edges(x, self.bins, weight)
        return self.transform(values)

    def transform(self, values: Array) -> Array:
        x = self.read(values)
        missing = np.isnan(x)
        x = np.where(missing, self.median, x)
        scaled = (x - self.median) / (self.spread or 1)  # here already: float32 may not hold x
        columns = [scaled[:, np.newaxis]] + [missing[:, np.newaxis]] * self.gaps
        if len(self.edges) > 2:
            columns.append(np.clip((x[:, np.newaxis] - self.edges[:-1]) / np.diff(self.edges), 0, 1))
        return np.hstack(columns, dtype=np.float32, casting="same_kind")

    def read(self, values: Array) -> Array:
        """The values as float64, NaN where they are missing."""
        try:
            x = values.astype(np.float64)
        except (TypeError, ValueError):
            wrong = next(v for v in values if not (_missing(v) or _is_number(v)))
            raise ValueError(f"X has {wrong!r} in column {self.name}; wants a number, as fit saw") from None
        if np.isinf(x).any():
            raise ValueError(f"X has infinity in column {self.name}; wants finite numbers, or NaN for missing ones")
        return x


class Dates(ColumnEncoder):
    """Dates and times: days since 1970, month, weekday and hour, each as numbers."""

    def __init__(self, name: str, bins: int) -> None:
        super().__init__(name)
        self.parts = [Numbers(f"{name} ({part})", bins) for part in ("days", "month", "weekday", "hour")]

    def fit(self, values: Array, weight: Array | None) -> Array:
        return np.hstack([part.fit(x, weight) for part, x in zip(self.parts, self.read(values), strict=True)])

    def transform(self, values: Array) -> Array:
        return np.hstack([part.transform(x) for part, x in zip(self.parts, self.read(values), strict=True)])

    def read(self, values: Array) -> list[Array]:
        try:
            dates = values.astype("datetime64[s]")
        except (TypeError, ValueError):
            raise ValueError(
                f"X has something else than a date in column {self.name}; wants dates, as fit saw"
            ) from None
        days = (dates - np.datetime64(0, "s")) / DAY
        whole = np.floor(days)
        month = dates.astype("datetime64[M]").astype(np.float64) % 12
        return [days, np.where(np.isnat(dates), np.nan, month), (whole + 3) % 7, (days - whole) * 24]


class Categories(ColumnEncoder):
    """Categories: a column for each, or for the ``most`` frequent ones, and ``components`` of the texts of all."""

    def __init__(self, name: str, most: int, components: int) -> None:
        super().__init__(name)
        self.most, self.components = most, components

    def fit(self, values: Array, weight: Array | None) -> Array:
        texts = self.read(values)
        counts: Counter[str] = Counter(texts)
        if weight is not None:
            counts = Counter()
            for text, count in zip(texts, weight.tolist(), strict=True):
                counts[text] += count
        found = [text for text, _ in counts.most_common()]
        self.many = len(found) > self.most
        self.width = min(len(found), self.most)
        self.binary = len(found) == 2
        self.places = {text: min(place, self.width - 1) for place, text in enumerate(found)}
        self.reducer: tuple[TfidfVectorizer, TruncatedSVD] | None = None
        if self.many and self.components:
            self._fit_reducer(texts, weight)
        return self._encode(texts)

    def transform(self, values: Array) -> Array:
        return self._encode(self.read(values))

    def _fit_reducer(self, texts: list[str], weight: Array | None) -> None:
        vectorizer = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), min_df=2, max_features=20_000, dtype=np.float32
        )
        try:
            frequencies = vectorizer.fit_transform(_present(texts))
        except ValueError:  # no n-gram is in two texts
            return
        if weight is not None:
            frequencies = frequencies.multiply(np.sqrt(weight)[:, np.newaxis]).tocsr()
        components = min(self.components, frequencies.shape[1] - 1)
        if components > 0:
            self.reducer = vectorizer, TruncatedSVD(components, random_state=0).fit(frequencies)

    def _encode(self, texts: list[str]) -> Array:
        places = np.fromiter((self.places.get(text, -1) for text in texts), np.intp, len(texts))
        if self.binary:
            return np.array([1, -1, 0], np.float32)[places][:, np.newaxis]
        if self.many:  # what fit did not see is as rare as what is in the last column
            places[places < 0] = self.width - 1
        columns = np.zeros((len(texts), self.width + 1), np.float32)
        columns[np.arange(len(texts)), places] = 1  # the extra last column takes what is of no category
        columns = columns[:, : self.width]
        if self.reducer is None:
            return columns
        vectorizer, decomposition = self.reducer
        reduced = decomposition.transform(vectorizer.transform(_present(texts)))
        return np.hstack([columns, reduced.astype(np.float32)])

    def read(self, values: Array) -> list[str]:
        """The categories as texts."""
        return [MISSING if _missing(value) else _text(value, self.name) for value in values]


def _present(texts: list[str]) -> list[str]:
    return ["" if text == MISSING else text for text in texts]


def kind_of(values: Array) -> type[ColumnEncoder]:
    """The class that encodes a column of these values."""
    if values.dtype.kind in "biuf":
        return Numbers
    if values.dtype.kind == "M":
        return Dates
    there = [value for value in values if not _missing(value)]
    if all(_is_number(value) for value in there):  # true of a column with nothing in it, too
        return Numbers
    if all(isinstance(value, datetime.date) for value in there):
        return Dates
    return Categories


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real | np.bool_ | decimal.Decimal)


def _missing(value: Any) -> bool:
    """Whether it is None, or like NaN, NaT and pandas.NA not equal to itself, or cannot tell."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:
        return True


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Hashable):
        raise TypeError(f"X has a {type(value).__name__} in column {name}; argument must be a string or a number")
    if isinstance(value, numbers.Real) and float(value).is_integer():
        value = int(value)  # integers are floats where others are missing
    return str(value)


# --- Quantiles -------------------------------------------------------------------------------------------------------


def quantiles(x: Array, q: Array | list[float], weight: Array | None) -> Array:
    """Quantiles of a vector, or of each column of a matrix, interpolated as by np.quantile; the shape is (q, ...).

    A row of weight k counts as k equal rows.
    """
    if weight is None:
        return np.asarray(np.quantile(x, q, axis=0))
    if x.ndim == 2:
        return np.stack([quantiles(column, q, weight) for column in x.T], axis=1)
    order = np.argsort(x)
    x, ends = x[order], np.cumsum(weight[order])
    place = np.multiply(q, max(ends[-1] - 1, 0))
    before = np.floor(place)
    low, high = (x[np.minimum(np.searchsorted(ends, at, side="right"), len(x) - 1)] for at in (before, before + 1))
    part = place - before
    return np.asarray(np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part)))


def center_and_spread(x: Array, weight: Array | None) -> tuple[Array, Array]:
    """The median, and the difference of the quartiles, or, where that is 0, half the range; of each column."""
    low, center, high = quantiles(x, [0.25, 0.5, 0.75], weight)
    return center, np.where(high > low, high - low, (x.max(axis=0) - x.min(axis=0)) / 2)


def bin_edges(x: Array, bins: int, weight: Array | None = None) -> Array:
    """Edges of at most ``bins`` bins with about the same number of rows in each.

    A value that more rows have than a bin holds is an edge itself; the other edges are chosen without its rows.
    """
    different, places = np.unique(x, return_inverse=True)
    if len(different) <= bins + 1:
        return different
    counts = np.bincount(places, weight)
    often = counts * bins > counts.sum()
    ends = quantiles(different[~often], np.linspace(0, 1, bins + 1 - often.sum()), counts[~often])
    return np.union1d(different[often], ends)
