"""One column of a table, encoded by what it holds: numbers, dates, or categories."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections import Counter
from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from .quantiles import bin_edges, center_and_spread
from .tables import DAY

__all__ = ["Categories", "ColumnEncoder", "Dates", "Numbers", "kind_of"]

Array = npt.NDArray[Any]

MISSING = "\0"
"""The text that stands for a missing category."""


class ColumnEncoder:
    """Encodes a column of one kind as columns of numbers."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, values: Array, weight: Array | None) -> Array:
        """Learn from the values of a column, (rows,), and encode them: (rows, columns) of float32."""
        raise NotImplementedError

    def transform(self, values: Array) -> Array:
        """Encode values: (rows, columns) of float32."""
        raise NotImplementedError


class Numbers(ColumnEncoder):
    """Numbers: their value scaled robustly, whether it is missing, and how far it is through each bin (0 to 1)."""

    def __init__(self, name: str, bins: int) -> None:
        super().__init__(name)
        self.bins = bins

    def fit(self, values: Array, weight: Array | None) -> Array:
        """Learn the median, the spread and the bins, and encode the values."""
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
        """Encode values; missing ones as the median."""
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
        """Learn from each of the four parts, and encode them."""
        return np.hstack([part.fit(x, weight) for part, x in zip(self.parts, self.read(values), strict=True)])

    def transform(self, values: Array) -> Array:
        """Encode the four parts."""
        return np.hstack([part.transform(x) for part, x in zip(self.parts, self.read(values), strict=True)])

    def read(self, values: Array) -> list[Array]:
        """The four parts as float64, NaN where a date is missing."""
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
        """Learn which categories there are, the most frequent first, and encode them."""
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
        """Encode values; categories that fit did not see are of no column, or of the rarest ones' column."""
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
