"""Tables as people have them, encoded as the inputs of a network: their columns are numbers, dates, or categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from fastnn.typing import Array
from .cells import DAY, HOUR, MISSING, are_bits, as_dates, as_floats, as_texts, kinds_in, shown
from .reading import Column

STRAIGHT = 3.0  # so far scaled values are about themselves
MOST_BINS = 1000  # of all columns together: with many columns each has fewer
ROWS_A_BIN = 100
LEAST_BINS = 8  # where more are asked for, but fewer are possible, there are none

# --- Whole tables ----------------------------------------------------------------------------------------------------


class TableEncoder:
    """Encodes the columns of a table, whatever they hold, as numbers of about -3 to 3.

    - Numbers: what is missing becomes the median, and a further column says where it was.  A column of more than two
      values is cut into ``bins`` of as many rows each.  Each bin adds a column, which goes from 0 at the bin's lower
      end to 1 at its upper end (piecewise linear encoding: Gorishniy, Rubachev and Babenko, 2022).  Booleans are 0 and
      1, durations days, and times of day hours.
    - Texts, other objects, values of several kinds, and all that the table declares to be categories: a column for each
      category, 1 in its rows.  Missing is a category too, if fit saw it.  A category that fit did not see is of no
      column.  Two categories are one column: 1 and -1, or 0 for neither.  Beyond ``max_categories`` the rarest ones
      have one column together, and what their texts have in common is added: ``text_components`` principal components
      of the frequencies of their n-grams (TF-IDF).
    - Dates: days, month, weekday and hour, in UTC where they have a zone.
    - Nothing, where all is missing in fit: nothing, whatever comes later.

    A kind of value that fit did not see in a column is an error; booleans and numbers of 0 and 1 are of one kind.

    Then the median of each column is subtracted, and the column is divided by the difference of its quartiles, or,
    where that is 0, by half its range.  At last what is far from the median is drawn nearer: 3 asinh(x / 3).

    A row of weight k counts as k rows, in all but the vocabulary of n-grams and their inverse frequencies.
    """

    def __init__(self, bins: int, max_categories: int, text_components: int) -> None:
        self.bins, self.max_categories, self.text_components = bins, max_categories, text_components

    def fit_transform(self, table: Iterable[Column], weight: Array | None = None) -> Array:
        """Learn medians, quartiles and categories, and encode the table: (rows, inputs) of float32."""
        read = list(table)
        rows = len(read[0].values) if weight is None else int(weight.sum())
        kinds = [kind_of(column) for column in read]
        numeric = sum({Numbers: 1, Dates: 4}.get(kind, 0) for kind in kinds)
        bins = min(self.bins, MOST_BINS // max(numeric, 1), rows // ROWS_A_BIN)
        if bins < LEAST_BINS < self.bins:
            bins = 0
        options: dict[type[ColumnEncoder], list[int]] = {
            Numbers: [bins],
            Dates: [bins],
            Categories: [self.max_categories, self.text_components],
        }
        self.columns = [kind(column.name, *options.get(kind, [])) for kind, column in zip(kinds, read, strict=True)]
        encoded = np.hstack([c.fit(x.values, weight) for c, x in zip(self.columns, read, strict=True)])
        center, spread = center_and_spread(encoded, weight)
        self.varies = spread > 0
        if not self.varies.any():  # a network needs an input, even if there is nothing to learn from it
            self.varies[0], spread[0] = True, 1
        self.center, self.spread = (each[self.varies].astype(np.float32) for each in (center, spread))
        return self._scaled(encoded)

    def transform(self, table: Iterable[Column]) -> Array:
        """Encode a table: (rows, inputs) of float32."""
        return self._scaled(np.hstack([c.transform(x.values) for c, x in zip(self.columns, table, strict=True)]))

    def describe(self) -> list[dict[str, Any]]:
        """What each column was taken for: its name, kind ("numbers", "categories", ...) and what there is to say."""
        return [column.describe() for column in self.columns]

    def get_config(self) -> dict[str, Any]:
        """All that was learned, as JSON holds it.  ValueError: components of texts are among it."""
        own = {"bins": self.bins, "max_categories": self.max_categories, "text_components": self.text_components}
        learned = {"varies": self.varies.tolist(), "center": self.center.tolist(), "spread": self.spread.tolist()}
        return {**own, **learned, "columns": [column.get_config() for column in self.columns]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An encoder that encodes as the one whose ``get_config`` this is."""
        encoder = cls(config["bins"], config["max_categories"], config["text_components"])
        encoder.columns = [restored(column) for column in config["columns"]]
        encoder.varies = np.array(config["varies"], np.bool_)
        encoder.center, encoder.spread = (np.array(config[name], np.float32) for name in ("center", "spread"))
        return encoder

    def _scaled(self, encoded: Array) -> Array:
        x = encoded[:, self.varies]
        x -= self.center
        x /= self.spread
        return np.asarray(STRAIGHT * np.arcsinh(x / STRAIGHT))


# --- Kinds of columns ------------------------------------------------------------------------------------------------


def kind_of(column: Column) -> type[ColumnEncoder]:
    """The class that encodes a column."""
    kinds = set(kinds_in(column.values, column.name))
    if not kinds:
        return Nothing
    if column.declared:
        return Categories
    if kinds <= {"numbers", "booleans"} or kinds in ({"durations"}, {"times of day"}):
        return Numbers
    return Dates if kinds == {"dates"} else Categories


def width_of(column: ColumnEncoder, language: str) -> int:
    """How many columns of inputs a column becomes, for who writes the encoding in another language, such as "C".

    ValueError: it has components of its texts, which no other language is told of.
    """
    if isinstance(column, Dates):
        return sum(width_of(part, language) for part in column.parts)
    if isinstance(column, Numbers):
        bins = len(column.edges) - 1
        return 1 + column.gaps + (bins if bins > 1 else 0)
    if not isinstance(column, Categories):
        return 1
    if column.reducer is not None:
        raise ValueError(
            f"column {column.name!r} has principal components of its texts, which {language} cannot compute; wants "
            "text_components=0 in fit (--text-components 0), or the column left out"
        )
    return 1 if column.binary else column.width


def restored(config: dict[str, Any]) -> ColumnEncoder:
    """The encoder of a column whose ``get_config`` this is."""
    kinds: dict[str, type[ColumnEncoder]] = {kind.__name__: kind for kind in (Numbers, Dates, Categories, Nothing)}
    kind = kinds[config["class"]]
    encoder = kind.__new__(kind)
    for name, value in config.items():
        if name == "parts":
            encoder.__dict__[name] = [restored(part) for part in value]
        elif name != "class":
            encoder.__dict__[name] = np.array(value) if name in ("median", "spread", "edges") else value
    return encoder


class ColumnEncoder:
    """Encodes a column."""

    saw: list[str] | None = None
    """The kinds of values that fit saw."""
    bits = False
    """Whether they were 0 and 1, or False and True."""

    def __init__(self, name: str | int) -> None:
        self.name = name

    def fit(self, values: Array, weight: Array | None) -> Array:
        """Learn from the values of a column, (rows,), and encode them: (rows, columns) of float32."""
        self.saw = list(kinds_in(values, self.name))
        self.bits = set(self.saw) <= {"numbers", "booleans"} and are_bits(values)
        return self._fit(self._parsed(values), weight)

    def transform(self, values: Array) -> Array:
        """Encode the values of a column, (rows,): (rows, columns) of float32."""
        return self._encode(self.read(values))

    def read(self, values: Array) -> Any:
        """The values as they are encoded.  ValueError: there is a kind that fit did not see."""
        if self.saw is not None:
            for kind, example in kinds_in(values, self.name).items():
                if kind in self.saw or (self.bits and kind in ("numbers", "booleans") and are_bits(values)):
                    continue
                saw = " and ".join(self.saw)
                raise ValueError(
                    f"X has {kind} in column {self.name!r}, such as {shown(example)}; wants {saw}, as fit saw there"
                )
        return self._parsed(values)

    def describe(self) -> dict[str, Any]:
        """What it was taken for."""
        return {"name": self.name, "kind": " and ".join(self.saw or [])}

    def get_config(self) -> dict[str, Any]:
        """All that was learned, as JSON holds it."""
        plain = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in self.__dict__.items()}
        return {"class": type(self).__name__, **plain}

    def _parsed(self, values: Array) -> Any:
        raise NotImplementedError

    def _fit(self, parsed: Any, weight: Array | None) -> Array:
        raise NotImplementedError

    def _encode(self, parsed: Any) -> Array:
        raise NotImplementedError


class Nothing(ColumnEncoder):
    """Nothing, where fit saw nothing, for whatever comes: a column that is the same in all rows."""

    def fit(self, values: Array, weight: Array | None) -> Array:
        return self.transform(values)

    def transform(self, values: Array) -> Array:
        return np.zeros((len(values), 1), np.float32)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "kind": "nothing"}


class Numbers(ColumnEncoder):
    """Numbers: their value scaled robustly, whether it is missing, and how far it is through each bin (0 to 1)."""

    def __init__(self, name: str | int, bins: int) -> None:
        super().__init__(name)
        self.bins = bins

    def _fit(self, parsed: Array, weight: Array | None) -> Array:
        x = parsed
        missing = np.isnan(x)
        self.gaps = bool(missing.any())
        if self.gaps:
            x, weight = x[~missing], None if weight is None else weight[~missing]
        self.median, self.spread = center_and_spread(x, weight)
        self.edges = bin_edges(x, self.bins, weight)
        return self._encode(parsed)

    def _encode(self, parsed: Array) -> Array:
        x = parsed
        missing = np.isnan(x)
        x = np.where(missing, self.median, x)
        scaled = (x - self.median) / (self.spread or 1)  # here already: float32 may not hold x
        columns = [scaled[:, np.newaxis]] + [missing[:, np.newaxis]] * self.gaps
        if len(self.edges) > 2:
            columns.append(np.clip((x[:, np.newaxis] - self.edges[:-1]) / np.diff(self.edges), 0, 1))
        return np.hstack(columns, dtype=np.float32, casting="same_kind")

    def _parsed(self, values: Array) -> Array:
        """The values as float64, NaN where they are missing."""
        x = as_floats(values, self.name)
        if np.isinf(x).any():
            raise ValueError(f"X has infinity in column {self.name!r}; wants finite numbers, or NaN for missing ones")
        return x


class Dates(ColumnEncoder):
    """Dates and times: days since 1970, month, weekday and hour, each as numbers."""

    def __init__(self, name: str | int, bins: int) -> None:
        super().__init__(name)
        self.parts = [Numbers(f"{name} ({part})", bins) for part in ("days", "month", "weekday", "hour")]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "parts": [part.get_config() for part in self.parts]}

    def _fit(self, parsed: list[Array], weight: Array | None) -> Array:
        return np.hstack([part.fit(x, weight) for part, x in zip(self.parts, parsed, strict=True)])

    def _encode(self, parsed: list[Array]) -> Array:
        return np.hstack([part.transform(x) for part, x in zip(self.parts, parsed, strict=True)])

    def _parsed(self, values: Array) -> list[Array]:
        dates = as_dates(values)
        midnight = dates.astype("datetime64[D]")
        days = (midnight - np.datetime64(0, "D")) / DAY
        hour = (dates - midnight) / HOUR  # by way of midnight: in finer units the years of a coarse one overflow
        month = midnight.astype("datetime64[M]").astype(np.float64) % 12
        return [days + hour / 24, np.where(np.isnat(dates), np.nan, month), (days + 3) % 7, hour]


class Categories(ColumnEncoder):
    """Categories: a column for each, or for the ``most`` frequent ones, and ``components`` of the texts of all."""

    def __init__(self, name: str | int, most: int, components: int) -> None:
        super().__init__(name)
        self.most, self.components = most, components

    def _fit(self, parsed: list[str], weight: Array | None) -> Array:
        texts = parsed
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

    def describe(self) -> dict[str, Any]:
        own = self.width - 1 if self.many else self.width
        known = [text for text in self.places if text != MISSING]
        of = " and ".join(self.saw or [])
        return {"name": self.name, "kind": "categories", "of": of, "categories": known, "columns": own}

    def get_config(self) -> dict[str, Any]:
        if self.reducer is not None:
            raise ValueError(f"column {self.name!r} has components of its texts, which JSON has no room for; wants 0")
        return super().get_config()

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

    def _encode(self, parsed: list[str]) -> Array:
        texts = parsed
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

    def _parsed(self, values: Array) -> list[str]:
        return as_texts(values)


def _present(texts: list[str]) -> list[str]:
    return ["" if text == MISSING else text for text in texts]


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
