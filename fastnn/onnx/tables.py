"""The encoding of a table's columns, `fastnn.sklearn.columns.TableEncoder`, in operators of ONNX.

Columns come as tensors (batch, 1): numbers as float64, texts as strings, dates as int64.  All columns of a kind are
encoded together, and what comes out is put in the encoder's order at last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnn.sklearn.cells import MISSING
from fastnn.sklearn.columns import STRAIGHT, Categories, ColumnEncoder, Dates, Numbers, TableEncoder, width_of
from fastnn.typing import Array
from .graph import Graph

NO_DATE = np.iinfo(np.int64).min
"""What stands for a missing date, as in NumPy's datetime64."""
DAY, HOUR = 86_400_000_000, 3_600_000_000  # microseconds
NUMERIC = ({"numbers", "booleans"}, {"durations"})  # declared categories of these come as numbers

# --- Inputs ----------------------------------------------------------------------------------------------------------


class Input(NamedTuple):
    """How a column comes: its dtype (``str`` for texts), what its values are, and what stands for a missing one."""

    dtype: Any
    holds: str
    missing: Any


def input_of(column: ColumnEncoder) -> Input:
    """How a column comes."""
    saw = set(column.saw or [])
    units = {"durations": "days", "times of day": "hours"}
    number = Input(np.float64, next((units[kind] for kind in saw if kind in units), "numbers"), "NaN")
    if isinstance(column, Dates):
        return Input(np.int64, "microseconds since 1970-01-01 in UTC", int(NO_DATE))
    if not isinstance(column, Categories) or (any(saw <= kinds for kinds in NUMERIC) and _keys(column)):
        return number
    return Input(str, "texts", MISSING if "" in column.places else "")


# --- All columns -----------------------------------------------------------------------------------------------------


class Channel(NamedTuple):
    """Values of float64, (batch, 1) or several at once, the numbers that encode each, and the place of its outputs."""

    values: str
    numbers: list[Numbers]
    places: list[int]


class Choice(NamedTuple):
    """The place of each row's category among those of a column, (batch, 1) of int64, and of the column's outputs."""

    places: str
    column: Categories
    place: int


def encode(graph: Graph, encoder: TableEncoder, columns: Sequence[str]) -> str:
    """Add what encodes the columns, each (batch, 1): the name of what comes out, (batch, inputs) of float32.

    ValueError: a column has components of its texts, which are no operators of ONNX.
    """
    used = np.flatnonzero(encoder.varies)
    channels: list[Channel] = []
    choices: list[Choice] = []
    place = 0
    for column, x in zip(encoder.columns, columns, strict=True):
        width = width_of(column, "ONNX")
        if np.isin(np.arange(place, place + width), used).any():
            if isinstance(column, Numbers):
                channels.append(Channel(x, [column], [place]))
            elif isinstance(column, Dates):
                channels.append(_dates(graph, column, x, place))
            elif isinstance(column, Categories):
                choices.append(Choice(_index(graph, column, x), column, place))
        place += width
    blocks = [*_numbers(graph, channels, used), *_categories(graph, choices, used)]
    if not blocks:  # all columns are the same in all rows: one of them is kept, for a network needs an input
        zero = graph.add("Mul", graph.cast(graph.add("IsNaN", columns[0]), np.float32), graph.constant(0, "zero"))
        blocks = [(zero, [0])]
    x = _joined(graph, [name for name, _ in blocks])
    order = np.argsort([place for _, places in blocks for place in places])
    if (np.diff(order) != 1).any():
        x = graph.add("Gather", x, graph.constant(order, "order", np.int64), axis=1)
    for operator, numbers in (("Sub", encoder.center), ("Div", encoder.spread), ("Div", STRAIGHT)):
        x = graph.add(operator, x, graph.constant(numbers, "scale", np.float32))
    return str(graph.add("Mul", graph.add("Asinh", x), graph.constant(STRAIGHT, "scale", np.float32)))


def _joined(graph: Graph, names: list[str]) -> str:
    return names[0] if len(names) == 1 else str(graph.add("Concat", *names, axis=1))


# --- Numbers and dates -----------------------------------------------------------------------------------------------

Block = tuple[str, list[int]]
"""Columns (batch, n) of float32, and the place of each among the encoder's."""


def _numbers(graph: Graph, channels: list[Channel], used: Array) -> list[Block]:
    """All numbers: scaled, missing or not, and cut into bins."""
    if not channels:
        return []
    numbers = [each for channel in channels for each in channel.numbers]
    places = np.array([place for channel in channels for place in channel.places])
    gaps = np.array([each.gaps for each in numbers])
    x = _joined(graph, [channel.values for channel in channels])
    missing = graph.add("IsNaN", x)
    median = graph.constant([each.median for each in numbers], "median", np.float64)
    x = graph.add("Where", missing, median, x)
    scaled = graph.add("Sub", x, median)
    spread = graph.constant([each.spread or 1 for each in numbers], "spread", np.float64)
    blocks = [_kept(graph, graph.add("Div", scaled, spread), places, used)]
    if gaps.any():
        blocks.append(_kept(graph, missing, np.where(gaps, places + 1, -1), used))
    bins = [
        (number, low, high - low, places[number] + 1 + each.gaps + place)
        for number, each in enumerate(numbers)
        if len(each.edges) > 2
        for place, (low, high) in enumerate(zip(each.edges[:-1], each.edges[1:], strict=True))
    ]
    kept = set(used.tolist())
    bins = [each for each in bins if each[-1] in kept]
    if bins:
        source, low, width, their_places = map(np.array, zip(*bins, strict=True))
        x = graph.add("Gather", x, graph.constant(source, "columns", np.int64), axis=1)
        x = graph.add("Sub", x, graph.constant(low, "low", np.float64))
        x = graph.add("Div", x, graph.constant(width, "width", np.float64))
        x = graph.add("Clip", x, *(graph.constant(end, "end", np.float64) for end in (0.0, 1.0)))
        blocks.append((graph.cast(x, np.float32), their_places.tolist()))
    return [block for block in blocks if block[1]]


def _kept(graph: Graph, x: str, places: Array, used: Array) -> Block:
    """The columns of x whose places are used, as float32."""
    kept = np.flatnonzero(np.isin(places, used))
    if len(kept) < len(places) and len(kept):
        x = graph.add("Gather", x, graph.constant(kept, "columns", np.int64), axis=1)
    return graph.cast(x, np.float32) if len(kept) else x, places[kept].tolist()


def _dates(graph: Graph, column: Dates, x: str, place: int) -> Channel:
    """Days since 1970, month, weekday and hour of microseconds, by the calendar's 400 years of 146,097 days.

    Years begin with March here, so that a leap day is the last of its year: H. Hinnant, chrono-compatible low-level
    date algorithms.
    """

    def integer(value: int) -> str:
        return graph.constant(value, "number", np.int64)

    def add(operator: str, a: str, b: str | int) -> str:
        return str(graph.add(operator, a, b if isinstance(b, str) else integer(b)))

    missing = graph.add("Equal", x, integer(int(NO_DATE)))
    x = graph.add("Where", missing, integer(0), x)
    of_day = add("Mod", x, DAY)
    day = add("Div", add("Sub", x, of_day), DAY)
    of_era = add("Mod", add("Add", day, 719_468), 146_097)
    leaps = add("Sub", add("Div", of_era, 36_524), add("Add", add("Div", of_era, 1_460), add("Div", of_era, 146_096)))
    year = add("Div", add("Add", of_era, leaps), 365)
    before = add("Add", add("Mul", year, 365), add("Sub", add("Div", year, 4), add("Div", year, 100)))
    month = add("Div", add("Add", add("Mul", add("Sub", of_era, before), 5), 2), 153)  # from March
    whole = [day, add("Mod", add("Add", month, 2), 12), add("Mod", add("Add", day, 3), 7), of_day]
    days, months, weekdays, time = (graph.cast(each, np.float64) for each in whole)
    hour = graph.add("Div", time, graph.constant(HOUR, "unit", np.float64))
    days = graph.add("Add", days, graph.add("Div", hour, graph.constant(24, "unit", np.float64)))
    parts = graph.add("Concat", days, months, weekdays, hour, axis=1)
    parts = graph.add("Where", missing, graph.constant(np.nan, "missing", np.float64), parts)
    ends = np.cumsum([place, *(width_of(part, "ONNX") for part in column.parts[:-1])])
    return Channel(parts, column.parts, ends.tolist())


# --- Categories ------------------------------------------------------------------------------------------------------


def _index(graph: Graph, column: Categories, x: str) -> str:
    """The place of each row's category; -1 for what fit did not see, or the last place of many."""
    unseen = column.width - 1 if column.many and not column.binary else -1
    given = input_of(column)
    if given.dtype is not str:
        return _index_of_number(graph, column, x, unseen)
    keys = {text.removeprefix(MISSING): place for text, place in column.places.items() if text != MISSING}
    if MISSING in column.places:
        keys = {given.missing: column.places[MISSING], MISSING: column.places[MISSING]} | keys
    options: dict[str, Any] = {"keys_strings": list(keys), "values_int64s": list(keys.values())}
    return str(graph.add_ml("LabelEncoder", x, default_int64=unseen, **options))


def _index_of_number(graph: Graph, column: Categories, x: str, unseen: int) -> str:
    """The place of each row's category, where categories are numbers, which are compared one by one."""
    keys, places = np.array(_keys(column)), np.array(list(column.places.values()))
    there = ~np.isnan(keys)
    same = graph.add("Equal", x, graph.constant(keys[there], "numbers", np.float64))
    beyond = graph.constant(places[there] - unseen, "places", np.int64)
    found = graph.add("Where", same, beyond, graph.constant(0, "number", np.int64))
    found = graph.add("ReduceSum", found, graph.constant([1], "axes", np.int64), keepdims=1)  # at most one is not 0
    found = graph.add("Add", found, graph.constant(unseen, "number", np.int64))
    if there.all():
        return str(found)
    missing = graph.constant(column.places[MISSING], "number", np.int64)
    return str(graph.add("Where", graph.add("IsNaN", x), missing, found))


def _keys(column: Categories) -> list[float]:
    """Categories as the numbers that their texts say; none if float64 does not tell them apart, or they are others."""
    try:
        found = [float("nan" if text == MISSING else text) for text in column.places]
    except ValueError:  # fractions
        return []
    return found if len(set(found)) == len(found) else []


def _categories(graph: Graph, choices: list[Choice], used: Array) -> list[Block]:
    """A column of 0 and 1 for each category; of two, one of 1 and -1."""
    blocks = []
    two = [choice for choice in choices if choice.column.binary]
    if two:
        # An index of -1, of neither, is the last of the table.
        index = _joined(graph, [choice.places for choice in two])
        signs = graph.add("Gather", graph.constant([1, -1, 0], "signs", np.float32), index)
        blocks.append((signs, [choice.place for choice in two]))
    several = [choice for choice in choices if not choice.column.binary]
    if several:
        kept = set(used.tolist())
        ones = [
            (number, own, choice.place + own)
            for number, choice in enumerate(several)
            for own in range(choice.column.width)
            if choice.place + own in kept
        ]
        source, own, places = map(np.array, zip(*ones, strict=True))
        index = _joined(graph, [choice.places for choice in several])
        index = graph.add("Gather", index, graph.constant(source, "columns", np.int64), axis=1)
        equal = graph.add("Equal", index, graph.constant(own, "categories", np.int64))
        blocks.append((graph.cast(equal, np.float32), places.tolist()))
    return blocks
