"""Every kind of column, with every marker of what is missing, in fit and at prediction, of every kind of table."""

import datetime
import decimal
import enum
import fractions
import json
import math
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
pd = pytest.importorskip("pandas")

from fastnn.sklearn import TabularRegressor  # noqa: E402
from fastnn.sklearn.cells import missing_in  # noqa: E402
from fastnn.sklearn.columns import TableEncoder  # noqa: E402
from fastnn.sklearn.reading import columns_of  # noqa: E402

DAY, OTHER_DAY = datetime.date(9999, 12, 31), datetime.date(1, 1, 1)
MOMENTS = [datetime.datetime(2024, 1, 2, 12), datetime.datetime(1969, 7, 20, 20, 17, 40), datetime.datetime(2024, 5, 1)]
VALUES = {
    "numbers": [1.5, -2.0, 7.0],
    "booleans": [True, False, True],
    "texts": ["red", "blue", "red"],
    "dates": MOMENTS,
    "durations": [datetime.timedelta(hours=36), datetime.timedelta(0), datetime.timedelta(days=3)],
    "times of day": [datetime.time(12, 30), datetime.time(0), datetime.time(23, 59, 59)],
}


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def read(table):
    """The columns of a table."""
    return list(columns_of(TabularRegressor(), table, reset=True))


def fitted(table):
    encoder = TableEncoder(0, 10, 0)
    encoder.fit_transform(read(table))
    return encoder


def pandas_table(values, dtype=object):
    return pd.DataFrame({"a": pd.Series(values, dtype=dtype)})


def polars_table(values, dtype=None):
    polars = pytest.importorskip("polars")
    return polars.DataFrame({"a": polars.Series("a", values, dtype=dtype, strict=False)})


def arrow_table(values, dtype=None):
    arrow = pytest.importorskip("pyarrow")
    return arrow.table({"a": arrow.array(values, dtype)})


def list_table(values):
    return [[value] for value in values]


def array_table(values):
    return np.array(list_table(values), dtype=object)


TABLES = {
    "pandas": pandas_table,
    "polars": polars_table,
    "arrow": arrow_table,
    "lists": list_table,
    "arrays": array_table,
}

# --- Missing ---

MARKERS = {
    "None": None,
    "nan": math.nan,
    "float32": np.float32("nan"),
    "decimal": decimal.Decimal("sNaN"),
    "NaT": pd.NaT,
    "NA": pd.NA,
    "datetime64": np.datetime64("NaT"),
    "timedelta64": np.timedelta64("NaT"),
}
DTYPES = {
    "numbers": [
        "object",
        "category",
        "float32",
        "float64",
        "Float32",
        "Float64",
        "float64[pyarrow]",
        "Sparse[float64]",
    ],
    "booleans": ["object", "category", "boolean", "bool[pyarrow]"],
    "texts": ["object", "category", "str", "string", "string[pyarrow]", "large_string[pyarrow]"],
    "dates": [
        *["object", "category", "datetime64[s]", "datetime64[ms]", "datetime64[us]", "datetime64[ns]"],
        *["datetime64[s, UTC]", "datetime64[ns, UTC]", "timestamp[ms][pyarrow]", "timestamp[us, tz=UTC][pyarrow]"],
    ],
    "durations": ["object", "category", "timedelta64[s]", "timedelta64[ns]", "duration[ms][pyarrow]"],
    "times of day": ["object", "category", "time64[us][pyarrow]"],
}
CROSS = [(kind, dtype) for kind, dtypes in DTYPES.items() for dtype in dtypes]


def holds(encoder, kind, declared):
    (said,) = encoder.describe()
    assert said["name"] == "a"
    if declared or kind == "texts":
        assert (said["kind"], said["of"]) == ("categories", kind)
    else:
        assert said["kind"] == kind


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize(("kind", "dtype"), CROSS)
def test_what_is_missing_is_missing_in_every_dtype(kind, dtype, marker):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    known = pandas_table(VALUES[kind], dtype)
    values = [*VALUES[kind], MARKERS[marker]]
    # What pandas itself refuses to put into a dtype is put there as None; objects hold all of them.
    gaps = pandas_table(values if dtype == "object" else [*VALUES[kind], None], dtype)
    np.testing.assert_array_equal(missing_in(read(gaps)[0].values), [False, False, False, True])
    with_gaps, without = fitted(gaps), fitted(known)
    holds(with_gaps, kind, dtype == "category")
    holds(without, kind, dtype == "category")
    objects = pandas_table([MARKERS[marker]])
    for encoder in (with_gaps, without):
        missing = encoder.transform(read(gaps))[3]
        np.testing.assert_array_equal(encoder.transform(read(objects))[0], missing)  # a column of nothing else
        assert np.isfinite(missing).all()
    if kind not in ("texts", "dates") and dtype != "category":
        assert with_gaps.transform(read(gaps))[3, 1] != with_gaps.transform(read(gaps))[0, 1]  # it is told


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize("kind", VALUES)
def test_all_tables_are_read_alike(kind, library):
    values = [*VALUES[kind], None]
    encoder = fitted(pandas_table(values))
    wanted = encoder.transform(read(pandas_table(values)))
    table = TABLES[library](values)
    np.testing.assert_array_equal(encoder.transform(read(table)), wanted)
    other = fitted(table)
    np.testing.assert_array_equal(other.transform(read(pandas_table(values))), wanted)
    nothing = TABLES[library]([None, None])
    np.testing.assert_array_equal(encoder.transform(read(nothing)), wanted[[3, 3]])


def test_arrow_and_polars_have_categories_numbers_and_nothing_of_their_own():
    arrow, polars = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    texts = ["red", None, "blue", "red"]
    wanted = fitted(pandas_table(texts)).transform(read(pandas_table(texts)))
    dictionary = arrow.array(texts).dictionary_encode()
    chunks = arrow.chunked_array([dictionary[:2], arrow.array(texts[2:]).dictionary_encode()])
    tables = [
        arrow.table({"a": dictionary}),
        arrow.table({"a": chunks}),
        arrow.RecordBatch.from_pydict({"a": dictionary}),
        pd.DataFrame({"a": pd.Series(texts, dtype=pd.ArrowDtype(dictionary.type))}),
        arrow_table(texts, arrow.string_view()),
        polars_table(texts, polars.Categorical),
        polars_table(texts, polars.Enum(["blue", "red"])),
    ]
    for table in tables:
        np.testing.assert_array_equal(fitted(table).transform(read(table)), wanted)
    numbers = [1, None, 3, 7]
    wanted = fitted(pandas_table(numbers)).transform(read(pandas_table(numbers)))
    tables = [
        arrow_table(numbers, kind) for kind in (arrow.int8(), arrow.float16(), arrow.uint64(), arrow.decimal128(9))
    ]
    tables += [polars_table(numbers, kind) for kind in (polars.UInt8, polars.Int128, polars.Decimal(9, 2))]
    for table in tables:
        np.testing.assert_array_equal(fitted(table).transform(read(table)), wanted)
    for table in (
        arrow_table([None, None]),
        polars_table([None, None]),
        polars_table([None, None], polars.Categorical),
    ):
        assert fitted(table).describe() == [{"name": "a", "kind": "nothing"}]


def test_masked_cells_are_missing():
    x = np.ma.MaskedArray([[1.0, 2.0], [3.0, 9e9]], mask=[[False, False], [False, True]])
    np.testing.assert_array_equal(missing_in(read(x)[1].values), [False, True])


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize("kind", VALUES)
def test_a_column_that_was_empty_takes_what_comes(kind, library):
    make = TABLES[library]
    encoder = fitted(make([None, None, None]))
    assert encoder.describe()[0]["kind"] == "nothing"
    np.testing.assert_array_equal(encoder.transform(read(make(VALUES[kind]))), np.zeros((3, 1)))


# --- Categories ---


@pytest.mark.parametrize("kind", VALUES)
def test_what_is_declared_a_category_is_one(kind):
    encoder = fitted(pandas_table([*VALUES[kind], None], "category"))
    holds(encoder, kind, declared=True)
    wanted = encoder.transform(read(pandas_table(VALUES[kind], "category")))
    assert len(np.unique(wanted, axis=0)) == len(set(VALUES[kind]))
    np.testing.assert_array_equal(encoder.transform(read(pandas_table(VALUES[kind]))), wanted)  # as plain values
    if library := {"texts": "polars", "numbers": "polars"}.get(kind):
        np.testing.assert_array_equal(encoder.transform(read(TABLES[library](VALUES[kind]))), wanted)


def test_equal_values_are_one_category():
    declared = pd.Categorical([1, 2.5, 3, 1])
    encoder = fitted(pd.DataFrame({"a": declared}))
    wanted = encoder.transform(read(pd.DataFrame({"a": declared})))
    for values in (
        np.array([1, 2.5, 3, 1], np.float32),
        [1, decimal.Decimal("2.50"), decimal.Decimal(3), np.int8(1)],
        [fractions.Fraction(1), 2.5, 3.0, 1],
    ):
        np.testing.assert_array_equal(encoder.transform(read(pandas_table(values))), wanted)
    days = [DAY, OTHER_DAY, DAY]
    encoder = fitted(pandas_table(days, "category"))
    wanted = encoder.transform(read(pandas_table(days)))
    for unit in ("s", "us"):
        np.testing.assert_array_equal(encoder.transform(read(pandas_table(days, f"datetime64[{unit}]"))), wanted)
    wanted = fitted(pandas_table([Colour.RED, Colour.BLUE, None])).transform(read(pandas_table([Colour.RED])))
    assert wanted[0, 0] != 0


def test_a_text_that_looks_like_the_marker_is_not_missing():
    encoder = fitted(pandas_table(["\0", "x", None, "x"]))
    assert len(np.unique(encoder.transform(read(pandas_table(["\0", "x", None]))), axis=0)) == 3


# --- Dates ---


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns"])
def test_dates_of_any_unit_and_year(unit):
    years = ["2024-02-29", "1969-07-20"] + ([] if unit == "ns" else ["9999-12-31", "0001-01-01"])
    dates = np.array(years, f"datetime64[{unit}]")
    # pandas has no coarser units than seconds.
    encoder = fitted(dates[:, np.newaxis] if unit in "Dhm" else pandas_table(dates, dates.dtype))
    days, month, weekday, hour = encoder.columns[0].read(dates)
    np.testing.assert_array_equal(days, np.array(years, "datetime64[D]").astype(int))
    np.testing.assert_array_equal(month, [int(year[5:7]) - 1 for year in years])
    # 0001-01-01 is a Monday
    np.testing.assert_array_equal(weekday, [datetime.date.fromisoformat(year).weekday() for year in years])
    np.testing.assert_array_equal(hour, np.zeros(len(years)))


def test_moments_with_a_zone_are_read_in_utc():
    zone = datetime.timezone(datetime.timedelta(hours=14))
    first, last = datetime.datetime(1, 1, 1, tzinfo=zone), datetime.datetime(9999, 12, 31, 23, tzinfo=zone)
    objects = pandas_table([first, last, MOMENTS[0]])
    days, _, _, hour = fitted(objects).columns[0].read(read(objects)[0].values)
    np.testing.assert_allclose(hour, [10, 9, 12])
    np.testing.assert_allclose(np.floor(days), [-719163, 2932896, 19724])
    series = pd.Series(MOMENTS).dt.tz_localize("Europe/Berlin")
    (column,) = read(series.to_frame())
    np.testing.assert_array_equal(column.values, series.dt.tz_convert("UTC").dt.tz_localize(None))
    np.testing.assert_array_equal(
        fitted(series.to_frame()).columns[0].read(column.values),
        fitted(series.to_frame()).columns[0].read(np.array(series.tolist(), object)),
    )


# --- Cells that are nothing a column can hold ---


@pytest.mark.parametrize(
    "cell",
    [[1, 2], np.zeros(2), np.zeros(1), (1, 2), {1}, {"a": 1}, pd.Series([1]), object(), 1j, bytearray(b"a")],
    ids=lambda cell: type(cell).__name__,
)
@pytest.mark.parametrize("library", ["pandas", "arrays"])
def test_cells_that_hold_several_things_are_named(library, cell):
    values = np.empty(3, object)
    values[0], values[2] = 1.5, cell
    table = pd.DataFrame({"a": values}) if library == "pandas" else values[:, np.newaxis]
    name = "'a'" if library == "pandas" else "0"
    what = type(cell).__name__
    with pytest.raises(TypeError, match=rf"X has a {what} in column {name}; argument must be a string or a number"):
        fitted(table)
    good = pd.DataFrame({"a": [1.0, 2.0]}) if library == "pandas" else np.array([[1.0], [2.0]])
    with pytest.raises(TypeError, match=rf"X has a {what} in column {name}"):
        fitted(good).transform(read(table))


@pytest.mark.parametrize("cell", [[1, 2], {"b": 1.5}])
def test_nested_columns_are_named(cell):
    arrow, polars = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    tables = [arrow_table([cell, None]), polars_table([cell, None])]
    tables.append(pandas_table([cell, None], pd.ArrowDtype(arrow.array([cell]).type)))
    if isinstance(cell, list):
        tables += [
            arrow_table([cell], arrow.list_(arrow.int64(), 2)),
            polars_table([cell], polars.Array(polars.Int64, 2)),
        ]
    for table in tables:
        with pytest.raises(TypeError, match="in column 'a'; argument must be"):
            fitted(table)


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="X got rows of 1 to 2 values; wants as many in each"):
        read([[1, 2], [3]])


def test_a_number_that_float64_does_not_hold_is_named():
    with pytest.raises(ValueError, match="X has an integer in column 'a' that is too large"):
        fitted(pandas_table([1, 10**400]))


# --- Kinds that change ---

ONES = ["numbers", "booleans"]


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize("came", VALUES)
@pytest.mark.parametrize("saw", VALUES)
def test_a_kind_that_fit_did_not_see_is_an_error(saw, came, library):
    make = TABLES[library]
    encoder, table = fitted(make([*VALUES[saw], None])), make([None, *VALUES[came]])
    if saw == came:
        assert np.isfinite(encoder.transform(read(table))).all()
        return
    with pytest.raises(ValueError, match=rf"X has {came} in column .*, such as .*; wants {saw}, as fit saw there"):
        encoder.transform(read(table))


@pytest.mark.parametrize("saw", VALUES)
@pytest.mark.parametrize("came", VALUES)
def test_categories_are_of_the_kind_that_fit_saw(saw, came):
    encoder = fitted(pandas_table(VALUES[saw], "category"))
    table = pandas_table(VALUES[came], "category")
    if saw == came:
        assert encoder.transform(read(table)).any()
        return
    with pytest.raises(ValueError, match=rf"X has {came} in column 'a'.*wants {saw}"):
        encoder.transform(read(table))


def test_texts_of_digits_are_neither_numbers_nor_dates():
    for values in ([1, 2, 3], VALUES["dates"]):
        encoder = fitted(pandas_table(values))
        for texts in (["1", "2", "3"], ["20240101"] * 3, ["2024-01-01"] * 3):
            for dtype in ("object", "str", "string", "category"):
                with pytest.raises(ValueError, match=r"X has texts in column 'a', such as '"):
                    encoder.transform(read(pandas_table(texts, dtype)))


@pytest.mark.parametrize("dtype", ["object", "category"])
def test_true_and_false_are_1_and_0(dtype):
    """A file writes booleans as either: where there are no other numbers, both are the same."""
    flags, bits = [True, False, None], [1, 0, None]
    flag, bit = (fitted(pandas_table(values, dtype)) for values in (flags, bits))
    wanted = flag.transform(read(pandas_table(flags, dtype)))
    for encoder in (flag, bit):
        for values in (flags, bits, [1.0, 0.0, math.nan]):
            np.testing.assert_array_equal(encoder.transform(read(pandas_table(values, dtype))), wanted)
    with pytest.raises(ValueError, match="X has numbers in column 'a', such as 0; wants booleans"):
        flag.transform(read(pandas_table([0, 2], dtype)))
    with pytest.raises(ValueError, match="X has booleans in column 'a', such as True; wants numbers"):
        fitted(pandas_table([0, 2], dtype)).transform(read(pandas_table(flags, dtype)))


def test_numbers_may_be_wider_and_categories_new():
    encoder = fitted(pd.DataFrame({"a": [1, 2, 3, 4]}))
    for values in ([1.5], [decimal.Decimal("1.5")], pd.array([1.5], "Float32"), np.array([1.5], np.float16)):
        np.testing.assert_allclose(encoder.transform(read(pd.DataFrame({"a": values}))), [[-0.64]], atol=0.05)
    encoder = fitted(pandas_table(["x", "y", "z"]))
    np.testing.assert_array_equal(encoder.transform(read(pandas_table(["new"]))), np.zeros((1, 3)))
    encoder = fitted(pandas_table(["x", 2, True]))  # of several kinds: each of them may come
    assert encoder.transform(read(pandas_table(["x", 2]))).any(axis=1).all()


def test_rows_in_lists_keep_their_kinds():
    rows = [["red", 1.0, True, DAY], ["blue", None, False, OTHER_DAY]]
    encoder = fitted(rows)
    assert [said["kind"] for said in encoder.describe()] == ["categories", "numbers", "booleans", "dates"]
    np.testing.assert_array_equal(encoder.transform(read(pd.DataFrame(rows))), encoder.transform(read(rows)))


def test_an_encoder_is_kept_whole():
    """By pickle, and as JSON."""
    table = pd.DataFrame(VALUES | {"nothing": [None] * 3, "gaps": [1, None, 2], "codes": pd.Categorical([1, None, 2])})
    encoder = TableEncoder(2, 2, 0)
    encoder.fit_transform(read(table))
    for again in (
        pickle.loads(pickle.dumps(encoder)),
        TableEncoder.from_config(json.loads(json.dumps(encoder.get_config()))),
    ):
        np.testing.assert_array_equal(again.transform(read(table)), encoder.transform(read(table)))
        assert again.describe() == encoder.describe()
        with pytest.raises(ValueError, match="X has texts in column 'gaps'"):
            again.transform(read(table.assign(gaps="1")))
