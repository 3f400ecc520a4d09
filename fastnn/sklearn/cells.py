"""What a table's cells hold: kinds of values, missing ones, and each kind as numbers or texts."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections.abc import Callable, Collection, Hashable
from typing import Any

import numpy as np

from fastnn.typing import Array

DAY = np.timedelta64(1, "D")
HOUR = np.timedelta64(1, "h")

KINDS: list[tuple[tuple[type, ...], str]] = [  # the first that fits: True is a number, and a Timestamp a date, as well
    ((str,), "texts"),
    ((bool, np.bool_), "booleans"),
    ((np.timedelta64, datetime.timedelta), "durations"),
    ((numbers.Real, decimal.Decimal), "numbers"),
    ((np.datetime64, datetime.date), "dates"),
    ((datetime.time,), "times of day"),
]
OF_DTYPE = {"b": "booleans", "i": "numbers", "u": "numbers", "f": "numbers", "M": "dates", "m": "durations"}

# --- Kinds -----------------------------------------------------------------------------------------------------------


def is_missing(value: Any) -> bool:
    """Whether it is None, or like NaN, NaT and pandas.NA not equal to itself, or cannot tell."""
    if value is None or type(value) is str:
        return value is None
    if isinstance(value, Collection):  # what may compare element by element
        return False
    if isinstance(value, decimal.Decimal):
        return value.is_nan()  # a signalling one cannot be compared
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA is neither
        return True


def missing_in(values: Array) -> Array:
    """Where the values of a column are missing: (rows,) of booleans."""
    if values.dtype.kind in "fMm":
        return np.asarray(values != values)
    if values.dtype.kind == "O":
        return np.fromiter(map(is_missing, values), np.bool_, len(values))
    return np.zeros(len(values), np.bool_)


def kinds_in(values: Array, name: str | int) -> dict[str, Any]:
    """The kinds of a column's values, each with its first value; {} where all are missing.

    TypeError: a value that is several, or that has no text of its own.
    """
    if values.dtype.kind in OF_DTYPE:
        there = np.flatnonzero(~missing_in(values))
        return {OF_DTYPE[values.dtype.kind]: values[there[0]]} if len(there) else {}
    first: dict[type, Any] = {}
    for value in values:
        if type(value) not in first and not is_missing(value):
            first[type(value)] = value
    kinds: dict[str, Any] = {}
    for value in first.values():
        kinds.setdefault(_kind_of_value(value, name), value)
    return kinds


def _kind_of_value(value: Any, name: str | int) -> str:
    for types, kind in KINDS:
        if isinstance(value, types):
            return kind
    several = isinstance(value, Collection) and not isinstance(value, bytes)
    what: Any = type(value)
    nameless = what.__str__ is object.__str__ and what.__repr__ is object.__repr__
    if several or nameless or isinstance(value, numbers.Complex) or not isinstance(value, Hashable):
        raise TypeError(f"X has a {what.__name__} in column {name!r}; argument must be a string or a number, or a date")
    return f"values of type {what.__name__}"


def are_bits(values: Array) -> bool:
    """Whether all that are not missing are 0 or 1, or False or True."""
    there = values[~missing_in(values)]
    return bool(np.all((there == 0) | (there == 1)))


def shown(value: Any) -> str:
    """A value as an error shows it."""
    if isinstance(value, str):
        return repr(str(value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# --- Numbers ---------------------------------------------------------------------------------------------------------


def as_floats(values: Array, name: str | int) -> Array:
    """Numbers and booleans as float64, durations in days, times of day in hours; NaN where they are missing."""
    if values.dtype.kind == "m":
        return np.asarray(values / DAY)
    if values.dtype.kind in OF_DTYPE:
        return np.asarray(values, np.float64)
    try:
        return np.fromiter((np.nan if is_missing(v) else _float(v) for v in values), np.float64, len(values))
    except OverflowError:
        raise ValueError(f"X has an integer in column {name!r} that is too large; wants what float64 holds") from None


def _float(value: Any) -> float:
    if isinstance(value, datetime.time):
        return value.hour + value.minute / 60 + (value.second + value.microsecond / 1e6) / 3600
    if isinstance(value, datetime.timedelta):
        return value / datetime.timedelta(days=1)
    if isinstance(value, np.timedelta64):
        return float(value / DAY)
    return float(value)


# --- Dates -----------------------------------------------------------------------------------------------------------


def as_dates(values: Array) -> Array:
    """Dates and times as datetime64 of some unit, in UTC where they have a zone."""
    if values.dtype.kind == "M":
        return values
    return np.array([np.datetime64("NaT") if is_missing(v) else _date(v) for v in values], "datetime64[us]")


def _date(value: Any) -> np.datetime64:
    if isinstance(value, np.datetime64):
        return value
    offset = value.utcoffset() if isinstance(value, datetime.datetime) else None
    if offset is None:
        return np.datetime64(value, "us")
    # Not by astimezone: the first hours of year 1 and the last of 9999 are no datetimes elsewhere.
    local: np.datetime64[int] = np.datetime64(value.replace(tzinfo=None), "us")
    return local - np.timedelta64(offset)


# --- Texts -----------------------------------------------------------------------------------------------------------

MISSING = "\0"
"""The text that stands for a missing category."""


def as_texts(values: Array) -> list[str]:
    """The values as texts, equal ones as equal texts: integers are floats where others are missing."""
    known: dict[type, Callable[[Any], str]] = {}
    texts = []
    for value in values:
        kind = type(value)
        if kind is str and not value.startswith(MISSING):
            texts.append(value)
        elif is_missing(value):
            texts.append(MISSING)
        else:
            if kind not in known:
                known[kind] = _writer(value)
            texts.append(known[kind](value))
    return texts


def _writer(value: Any) -> Callable[[Any], str]:
    """What writes values of this one's type."""
    if isinstance(value, str):
        return lambda v: MISSING + v if v.startswith(MISSING) else str.__str__(v)
    if isinstance(value, np.datetime64 | datetime.date):
        return lambda v: str(_date(v).astype("datetime64[us]"))
    if isinstance(value, np.timedelta64 | datetime.timedelta):
        return lambda v: str(_float(v))
    if isinstance(value, numbers.Real | np.bool_ | decimal.Decimal):
        return _number_text
    return str


def _number_text(value: Any) -> str:
    if value in (np.inf, -np.inf):
        return str(float(value))
    if value == int(value):
        return str(int(value))
    return str(float(value)) if isinstance(value, decimal.Decimal) else str(value)
